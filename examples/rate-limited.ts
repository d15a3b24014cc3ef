import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.MAIL_URL
if (!url) throw new Error('MAIL_URL is not set: it is the URL of the service that sends the mails')

/** How many mails per second the service accepts in total, like a sending quota of Amazon SES. */
const perSecond = 14
/** How many invocations can run at once: `ScalingConfig.MaximumConcurrency` of the event source mapping, at least 2. */
const instances = Number(process.env.MAXIMUM_CONCURRENCY ?? 2)

/**
 * Sends mails at the rate that the mail service allows.
 *
 * A batch must not have more records than can start in time. A record that did not start is reported, but its receive
 * count has increased. So it can go to the dead-letter queue although it was never tried. Choose a batch size of at
 * most rate × time. With a timeout of 60 s, no record starts in the last second. At 7 records per second, the maximum
 * is 7 × 57.75 = 404 if a record takes 2 s: use `BatchSize: 400`.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      rateLimit: { limit: Math.floor(perSecond / instances), interval: 1000 },
      concurrency: 20, // at least rate × the longest duration of a call: 7 per second × 2 s = 14
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
      await response.arrayBuffer() // an unread body keeps its socket open
      if (!response.ok) throw new Error(`the mail service returned ${response.status}`)
    }),
  )
