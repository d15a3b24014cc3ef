import t from 'tap'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream, useEndpoint } from '../support/services.ts'
import { startSqs, toRecord } from '../support/sqs.ts'

t.test('dead-letters.ts dead-letters permanent failures with the reason, and delays the others', async (t) => {
  const sqs = await startSqs(t, {
    // The dead-letter queue refuses the message with the body 18.
    entry: ({ MessageBody }) => (MessageBody === '18' ? 'InternalError' : undefined),
  })
  const source = sqs.queue('orders', { VisibilityTimeout: '600' })
  const dead = sqs.queue('orders-dead')
  const statusOf = (order: number) => (order % 6 === 0 ? 422 : order % 5 === 0 ? 503 : order === 1 ? 400 : 200)
  const downstream = await startDownstream(t, ({ body }) => statusOf(Number(body)))
  useEndpoint('SQS', sqs.endpoint)
  Object.assign(process.env, { ORDERS_URL: downstream, DEAD_LETTER_QUEUE_URL: dead.url })
  const { handler } = await import('../../examples/dead-letters.ts')

  for (let order = 0; order < 30; order++) sqs.fauxqs.sendMessage('orders', String(order))
  const start = Date.now()
  const messages = await sqs.receiveAll(source.url)
  let response = { batchItemFailures: [] }
  const log = await logged(async () => {
    const event = { Records: messages.map((message) => toRecord(message, source.arn)) }
    response = await handler(event, timedContext(LONG))
  })

  const idOf = new Map(messages.map(({ Body, MessageId }) => [Number(Body), MessageId as string]))
  const reported = [5, 10, 15, 18, 20, 25] // 0, 1, 6, 12, 18 and 24 fail permanently, but the queue refused 18
  t.strictSame(new Set(failed(response)), new Set(reported.map((order) => idOf.get(order))))
  t.equal(response.batchItemFailures.length, reported.length)
  t.match(log.join('\n'), /11 of 30 records of orders failed \(5 handled by onFailure\)/)
  t.match(
    log.join('\n'),
    /deadLetter\(\): 1 of 6 records could not be sent to orders-dead and stay failed: 1 × InternalError/,
  )

  const text = (StringValue: string) => ({ DataType: 'String', StringValue })
  const deadLetters = await sqs.receiveAll(dead.url)
  t.equal(deadLetters.length, 5)
  t.strictSame(
    new Map(deadLetters.map(({ Body, MessageAttributes }) => [Number(Body), MessageAttributes])),
    new Map(
      [0, 1, 6, 12, 24].map((order) => [
        order,
        {
          'DeadLetter.ErrorName': text('PermanentError'),
          'DeadLetter.ErrorMessage': text(`the order service refused it with ${statusOf(order)}`),
          'DeadLetter.OriginalMessageId': text(idOf.get(order) as string),
          'DeadLetter.SourceQueue': text(source.arn),
          'DeadLetter.ReceiveCount': { DataType: 'Number', StringValue: '1' },
        },
      ]),
    ),
  )

  const end = Date.now()
  const inFlight = sqs.fauxqs.inspectQueue('orders')?.messages.inflight ?? []
  t.equal(inFlight.length, 30)
  for (const { message, visibilityDeadline } of inFlight) {
    const isReported = reported.includes(Number(message.body))
    const [soonest, latest] = isReported ? [15, 30] : [590, 600] // of retryBackoff(), or the visibility timeout
    t.ok(visibilityDeadline >= start + 1000 * soonest && visibilityDeadline <= end + 1000 * latest, message.body)
  }
})
