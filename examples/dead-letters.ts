import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, PermanentError } from 'middy-bounded-sqs-batch'
import { deadLetter, retryBackoff } from 'middy-bounded-sqs-batch/sqs'

const url = process.env.ORDERS_URL
if (!url) throw new Error('ORDERS_URL is not set: it is the order service that each record is posted to')
const queueUrl = process.env.DEAD_LETTER_QUEUE_URL
if (!queueUrl)
  throw new Error('DEAD_LETTER_QUEUE_URL is not set: it is where orders go that the service will never take')

// Without a limit, a call that does not get through takes all of the time that is left.
const client = new SQSClient({ requestHandler: { connectionTimeout: 1000 } })

/**
 * Posts orders to a service. What it will never take goes to the dead-letter queue at once, with the reason; the rest of
 * what failed comes back later each time, so that a service that is down is not hammered.
 *
 * Needs `sqs:SendMessage` on the dead-letter queue and `sqs:ChangeMessageVisibility` on its own. Keep the redrive policy
 * of the queue: it is for what fails too often.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      onFailure: [
        deadLetter({ client, queueUrl }), // what failed with a PermanentError
        retryBackoff({ client, base: 30, max: 900 }), // what is left: within 30 s, then 60, 120, … up to 15 minutes
      ],
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
      const { ok, status } = response
      if (status === 400 || status === 422) throw new PermanentError(`the order service refused it with ${status}`)
      if (!ok) throw new Error(`the order service said ${status}`)
    }),
  )
