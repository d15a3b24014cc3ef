import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { CountBreaker, circuitBreaker, handleWhen } from 'cockatiel'
import { boundedSqsBatch, eachRecord, RecordAbortedError } from 'middy-bounded-sqs-batch'
import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'

const url = process.env.PAYMENTS_URL
if (!url)
  throw new Error('PAYMENTS_URL is not set: it is the URL of the payment service, to which each record is posted')

const client = new SQSClient({ requestHandler: { connectionTimeout: 1000 } })

class RefusedError extends Error {}

/** Whether an error shows that the service is down. A refused record, or the end of the batch, does not show this. */
function isFailure(error: unknown): boolean {
  return !(error instanceof RefusedError || error instanceof RecordAbortedError)
}

/**
 * The circuit opens if at least half of the last 20 calls failed. After 30 s, it allows one call. It is created when
 * the file is loaded. So each execution environment has its own circuit, which keeps its state between invocations.
 */
const circuit = circuitBreaker(handleWhen(isFailure), {
  breaker: new CountBreaker({ threshold: 0.5, size: 20 }),
  halfOpenAfter: 30_000,
})

/**
 * Posts payments to a service that is sometimes down. While the circuit is open, records fail immediately, without a call.
 * SQS redelivers them after up to 60 s, then 120, 240, … up to 15 minutes.
 *
 * Each of these failures also counts as a receive. Choose a `maxReceiveCount` that is enough for the longest outage.
 * With these delays, a message survives at least 45 minutes with 10 receives, and 82 minutes with 15. Needs
 * `sqs:ChangeMessageVisibility` on the queue.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({ concurrency: 20, recordTimeout: 5000, onFailure: retryBackoff({ client, base: 60, max: 900 }) }),
  )
  .handler(
    eachRecord((record, _context, { signal }) =>
      circuit.execute(async () => {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'idempotency-key': record.messageId },
          body: record.body,
          signal,
        })
        await response.arrayBuffer() // an unread body keeps its socket open
        const { ok, status } = response
        if (status >= 400 && status < 500 && status !== 429)
          throw new RefusedError(`the payment service refused it with ${status}`)
        if (!ok) throw new Error(`the payment service returned ${status}`)
      }),
    ),
  )
