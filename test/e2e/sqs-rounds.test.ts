import middy from '@middy/core'
import t, { type Test } from 'tap'
import { boundedSqsBatch, eachRecord, PermanentError } from '../../src/index.ts'
import { deadLetter, retryBackoff } from '../../src/sqs/index.ts'
import { deliver } from '../support/event-source.ts'
import { logged } from '../support/output.ts'
import { type Faults, REGION, startSqs } from '../support/sqs.ts'

const RECORDS = 1000
/** Of ten messages, three fail permanently and one succeeds at its fourth delivery. */
function isPermanent(number: number) {
  return number % 10 < 3
}

function isTransient(number: number) {
  return number % 10 === 3
}

function numbers(is: (number: number) => boolean) {
  return Array.from({ length: RECORDS }, (_, number) => number).filter(is)
}

/** Delivers 1,000 messages to a handler in batches of up to 400 until the queue is empty. */
async function run(t: Test, faults: Faults = {}) {
  const sqs = await startSqs(t, faults)
  // This visibility timeout is so long that only retryBackoff() makes a message visible again.
  const orders = sqs.queue('orders', { VisibilityTimeout: '600' })
  const dead = sqs.queue('orders-dead')
  const sent = new Map(
    numbers(() => true).map((number) => [
      sqs.fauxqs.sendMessage('orders', `order ${number}`, { region: REGION }).messageId,
      number,
    ]),
  )
  const processed: number[] = []
  const client = sqs.client()
  const handler = middy()
    .use(
      boundedSqsBatch({
        onFailure: [
          deadLetter({ client, queueUrl: dead.url }),
          retryBackoff({ client, base: 1, factor: 2, jitter: 'none' }),
        ],
      }),
    )
    .handler(
      eachRecord(async (record, _context, { receiveCount }) => {
        const number = sent.get(record.messageId) as number
        if (isPermanent(number)) throw new PermanentError(`order ${number} is not valid`)
        if (isTransient(number) && receiveCount < 4) throw new Error('downstream returned 503')
        processed.push(number)
      }),
    )
  function remaining() {
    const { ready = [], inflight = [] } = sqs.fauxqs.inspectQueue('orders')?.messages ?? {}
    return ready.length + inflight.length
  }
  const poller = sqs.client({ endpoint: sqs.fauxqs.address })
  const deadline = Date.now() + 240_000
  let deliveries: Awaited<ReturnType<typeof deliver>> = []
  const log = await logged(async () => {
    deliveries = await deliver(poller, orders, handler, {
      batchSize: 400,
      isDone: () => remaining() === 0 || Date.now() > deadline,
    })
  })
  const numberOf = new Map(deliveries.map(({ record }) => [record.receiptHandle, sent.get(record.messageId) as number]))
  return {
    sent,
    orders,
    processed: processed.sort((a, b) => a - b),
    log: log.filter((line) => line.includes('deadLetter()') || line.includes('retryBackoff()')),
    /** By the number of the order. */
    deadLetters: new Map((await sqs.receiveAll(dead.url)).map((message) => [Number(message.Body?.slice(6)), message])),
    messagesInDead: sqs.fauxqs.inspectQueue('orders-dead')?.messages.inflight.length,
    /** The delivery times of an order. */
    times: (number: number) =>
      deliveries.filter(({ record }) => sent.get(record.messageId) === number).map(({ at }) => at),
    visibility: Map.groupBy(
      sqs.calls
        .filter(({ operation }) => operation === 'ChangeMessageVisibilityBatch')
        .flatMap(({ input }) => input.Entries)
        .map(({ ReceiptHandle, VisibilityTimeout }) => [numberOf.get(ReceiptHandle), VisibilityTimeout] as const),
      ([number]) => number,
    ),
  }
}
type Run = Awaited<ReturnType<typeof run>>

/** Checks that every message was processed or dead-lettered once, with the reason. */
function checkEveryMessage(
  t: Test,
  { processed, deadLetters, messagesInDead, sent, orders }: Run,
  again: ReadonlySet<number>,
) {
  t.strictSame(
    processed,
    numbers((number) => !isPermanent(number)),
  )
  t.strictSame(
    [...deadLetters.keys()].sort((a, b) => a - b),
    numbers(isPermanent),
  )
  t.equal(messagesInDead, 300)
  const idOf = new Map([...sent].map(([messageId, number]) => [number, messageId]))
  for (const [number, { MessageAttributes }] of deadLetters) {
    t.strictSame(MessageAttributes, {
      'DeadLetter.ErrorName': { DataType: 'String', StringValue: 'PermanentError' },
      'DeadLetter.ErrorMessage': { DataType: 'String', StringValue: `order ${number} is not valid` },
      'DeadLetter.OriginalMessageId': { DataType: 'String', StringValue: idOf.get(number) },
      'DeadLetter.SourceQueue': { DataType: 'String', StringValue: orders.arn },
      'DeadLetter.ReceiveCount': { DataType: 'Number', StringValue: again.has(number) ? '2' : '1' },
    })
  }
}

/** Checks that an order was redelivered with these delays and not earlier. */
function checkDelays(t: Test, { visibility, times }: Run, number: number, delays: number[]) {
  t.strictSame(
    visibility.get(number)?.map(([, delay]) => delay),
    delays,
    `order ${number}`,
  )
  const at = times(number)
  t.equal(at.length, delays.length + 1)
  for (const [index, delay] of delays.entries()) t.ok((at[index + 1] ?? 0) - (at[index] ?? 0) >= 1000 * delay)
}

t.test('of 1,000 messages, 300 are dead-lettered, 100 are delayed up to three times, and none is lost', async (t) => {
  const result = await run(t)
  checkEveryMessage(t, result, new Set())
  for (const number of numbers(isTransient)) checkDelays(t, result, number, [1, 2, 4])
  t.equal(result.visibility.size, 100)
  t.strictSame(result.log, [])
})

t.test('no message is lost if the dead-letter queue refuses a third of the entries once', async (t) => {
  const refused = new Set<number>()
  const entry: Faults['entry'] = ({ MessageBody }, { operation }) => {
    if (operation !== 'SendMessageBatch') return undefined
    const number = Number(String(MessageBody).slice(6))
    if (number % 3 !== 0 || refused.has(number)) return undefined
    refused.add(number)
    return 'InternalError'
  }
  const result = await run(t, { entry })
  t.equal(refused.size, 100)
  checkEveryMessage(t, result, refused)
  for (const number of numbers(isTransient)) checkDelays(t, result, number, [1, 2, 4])
  for (const number of refused) checkDelays(t, result, number, [1])
  t.equal(result.visibility.size, 100 + refused.size)
  const refusals = result.log.map((line) =>
    Number(
      / (\d+) of \d+ records could not be sent to orders-dead and stay failed: \d+ × InternalError/.exec(line)?.[1],
    ),
  )
  t.equal(
    refusals.reduce((sum, records) => sum + records, 0),
    refused.size,
  )
})
