import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, PermanentError } from 'middy-bounded-sqs-batch'
import { deadLetter, retryBackoff } from 'middy-bounded-sqs-batch/sqs'

const url = process.env.ORDERS_URL
if (!url) throw new Error('ORDERS_URL is not set: it is the URL of the order service, to which each record is posted')
const queueUrl = process.env.DEAD_LETTER_QUEUE_URL
if (!queueUrl)
  throw new Error(
    'DEAD_LETTER_QUEUE_URL is not set: it is the URL of the queue for orders that the service will never accept',
  )

// Without this limit, a connection attempt that hangs would use all of the remaining time.
const client = new SQSClient({ requestHandler: { connectionTimeout: 1000 } })

/**
 * Posts orders to a service. Orders that the service will never accept go to the dead-letter queue immediately, with the
 * reason. Other failed orders are redelivered after a random delay. Its maximum grows with each delivery, to protect a
 * service that is down.
 *
 * Needs `sqs:SendMessage` on the dead-letter queue and `sqs:ChangeMessageVisibility` on the source queue. Keep the
 * redrive policy of the source queue: it dead-letters the orders that fail too often.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      onFailure: [
        deadLetter({ client, queueUrl }), // records that failed with a PermanentError
        retryBackoff({ client, base: 30, max: 900 }), // other records: delays of up to 30 s, then 60, 120, … 900 s
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
      await response.arrayBuffer() // an unread body keeps its socket open
      const { ok, status } = response
      if (status === 400 || status === 422) throw new PermanentError(`the order service refused it with ${status}`)
      if (!ok) throw new Error(`the order service returned ${status}`)
    }),
  )
