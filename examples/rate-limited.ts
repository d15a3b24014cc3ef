import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.MAIL_URL
if (!url) throw new Error('MAIL_URL is not set: it is the service that sends the mails')

/** What the service takes in a second from all instances of this function together, like a sending quota of Amazon SES. */
const perSecond = 14
/** How many instances there can be: `ScalingConfig.MaximumConcurrency` of the event source mapping, 2 at the least. */
const instances = Number(process.env.MAXIMUM_CONCURRENCY ?? 2)

/**
 * Sends mails at the rate that the mail service allows.
 *
 * A batch must not hold more than can start in its time: what has not started is reported with a receive count that has
 * gone up nonetheless, and may end in the dead-letter queue without having been tried. Records ≤ rate × time: with 7 a
 * second and a timeout of 60 s, in whose last second nothing starts, that is 413, so `BatchSize: 400`.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      rateLimit: { limit: Math.floor(perSecond / instances), interval: 1000 },
      concurrency: 20, // rate × the longest that a mail takes: 7 a second and 2 s make 14 at once
    }),
  )
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'idempotency-key': record.messageId },
        body: record.body,
        signal,
      })
      await response.arrayBuffer() // an unread body keeps its descriptor
      if (!response.ok) throw new Error(`the mail service said ${response.status}`)
    }),
  )
