/**
 * One rate for all execution environments, and for other functions that call the same service: a counter in DynamoDB,
 * which allows 14 calls a second. A handler that waits occupies its slot, and each attempt costs a write, so the
 * concurrency is low. The counter has fixed intervals: at the border of two seconds, up to twice as many calls can start
 * within one second.
 */
import { setTimeout } from 'node:timers/promises'
import { DynamoDB } from '@aws-sdk/client-dynamodb'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { RateLimiterDynamo, RateLimiterRes } from 'rate-limiter-flexible'

const limiter = new RateLimiterDynamo({
  storeClient: new DynamoDB(),
  tableName: 'rate-limits', // with the key `key`, a string, and the TTL attribute `expire`
  tableCreated: true,
  ttlSet: true,
  points: 14, // records
  duration: 1, // second
})

/** Waits until one more call is allowed. Rejects when the signal aborts, so the record is redelivered. */
async function waitForTurn(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const refused = await limiter.consume('mail').then(
      () => undefined,
      (reason) => reason,
    )
    if (refused === undefined) return
    if (!(refused instanceof RateLimiterRes)) throw refused
    await setTimeout(refused.msBeforeNext + 100 * Math.random(), undefined, { signal })
  }
  throw signal.reason
}

export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(
    eachRecord(async ({ body }, _context, { signal }) => {
      await waitForTurn(signal)
      console.log('sending', body)
    }),
  )
