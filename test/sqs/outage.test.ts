/**
 * Simulates a queue of 1,000 messages while a service is down, with the delays that retryBackoff() really sets. Time is
 * a number here, so an hour takes no time.
 */
import middy from '@middy/core'
import type { SQSRecord } from 'aws-lambda'
import t, { type Test } from 'tap'
import { seededRandom } from '../../cli/src/shared/random.ts'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { type RetryBackoffOptions, retryBackoff } from '../../src/sqs/index.ts'
import { ids, sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'

const MESSAGES = 1000
const BATCH_SIZE = 1000
/** The batching window, in seconds. */
const WINDOW = 5

interface Message {
  record: SQSRecord
  /** When the message becomes visible, in seconds since the outage began. */
  visibleAt: number
}

function recordOf(id: string): SQSRecord {
  const record = sqsRecord(id)
  record.attributes.ApproximateReceiveCount = '0'
  return record
}

/** All messages are in the queue when the outage begins. Returns the ids of those that were processed or dead-lettered. */
async function simulateOutage(
  t: Test,
  minutes: number,
  { maxReceiveCount, ...options }: { maxReceiveCount: number } & Pick<RetryBackoffOptions, 'jitter'>,
) {
  t.intercept(Math, 'random', { value: seededRandom(1), configurable: true })
  let now = 0
  const delays = new Map<string, number>()
  const client = {
    async send({ input }: { input: { Entries: { Id: string; ReceiptHandle: string; VisibilityTimeout: number }[] } }) {
      for (const { ReceiptHandle, VisibilityTimeout } of input.Entries) delays.set(ReceiptHandle, VisibilityTimeout)
      return { Successful: input.Entries.map(({ Id }) => ({ Id })) }
    },
  }
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, onFailure: retryBackoff({ client: client as never, ...options }) }))
    .handler(
      eachRecord(() => {
        if (now < 60 * minutes) throw new Error('the service is down')
      }),
    )

  const [processed, deadLettered] = [[] as string[], [] as string[]]
  let queue: Message[] = ids(MESSAGES).map((id) => ({ record: recordOf(id), visibleAt: 0 }))
  while (queue.length > 0) {
    queue.sort((a, b) => a.visibleAt - b.visibleAt)
    now = Math.max(now, queue[0]?.visibleAt as number) + WINDOW
    const received = queue.filter(({ visibleAt }) => visibleAt <= now).slice(0, BATCH_SIZE)
    const waiting = queue.slice(received.length)
    const Records: SQSRecord[] = []
    for (const { record } of received) {
      const receives = Number(record.attributes.ApproximateReceiveCount) + 1
      record.attributes.ApproximateReceiveCount = String(receives)
      if (receives > maxReceiveCount) deadLettered.push(record.messageId)
      else Records.push(record)
    }
    const reported = new Set(Records.length > 0 ? failed(await handler({ Records }, timedContext(LONG))) : [])
    queue = waiting
    for (const record of Records) {
      const { messageId, receiptHandle } = record
      if (reported.has(messageId)) queue.push({ record, visibleAt: now + (delays.get(receiptHandle) as number) })
      else processed.push(messageId)
    }
  }
  return { processed: processed.sort(), deadLettered: deadLettered.sort() }
}

/**
 * The percentage of dead letters. Another simulation of the queue computed it, with five environments and the average of
 * three runs.
 */
const EXPECTED = [
  { jitter: 'equal', maxReceiveCount: 5, minutes: 5, percent: 11.6 },
  { jitter: 'equal', maxReceiveCount: 5, minutes: 15, percent: 100 },
  { jitter: 'equal', maxReceiveCount: 5, minutes: 60, percent: 100 },
  { jitter: 'equal', maxReceiveCount: 10, minutes: 60, percent: 72.9 },
  { jitter: 'full', maxReceiveCount: 5, minutes: 5, percent: 75.4 },
  { jitter: 'full', maxReceiveCount: 15, minutes: 60, percent: 11.8 },
] as const
/**
 * Points. The standard deviation of a percentage of 1,000 messages is at most 1.6 points. The random numbers have a fixed
 * seed, so each run has the same result.
 */
const MAX_DIFFERENCE = 5

for (const { percent, minutes, ...options } of EXPECTED) {
  const { jitter, maxReceiveCount } = options
  const title = `an outage of ${minutes} minutes, ${maxReceiveCount} receives, ${jitter} jitter`
  t.test(`${title}: about ${percent} % of the messages are dead-lettered`, async (t) => {
    const { processed, deadLettered } = await simulateOutage(t, minutes, options)
    t.strictSame([...processed, ...deadLettered].sort(), ids(MESSAGES).sort(), 'each message is in one place')
    const found = (100 * deadLettered.length) / MESSAGES
    t.ok(Math.abs(found - percent) <= MAX_DIFFERENCE, `${found} %`)
  })
}

for (const minutes of [60, 75]) {
  t.test(`an outage of ${minutes} minutes, 15 receives, default options: no message is dead-lettered`, async (t) => {
    const { processed, deadLettered } = await simulateOutage(t, minutes, { maxReceiveCount: 15 })
    t.strictSame(deadLettered, [])
    t.strictSame(processed, ids(MESSAGES).sort())
  })
}
