import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.ORDERS_URL
if (!url) throw new Error('ORDERS_URL is not set: it is the URL of the order service, to which each event is posted')

/**
 * Posts the events of orders to an order service. The queue is a FIFO queue, and the message group is the customer. The
 * events of one customer are posted one after another, in the order in which they were sent. Customers do not wait for
 * each other.
 *
 * A failed event blocks the later events of its customer. They are not posted, but reported with the failed event, and
 * SQS redelivers all of them in order. `fifoFailure: 'batch'` would block every event that has not started.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      concurrency: 10, // a batch from a FIFO queue has at most ten records, so at most ten customers
      fifoFailure: 'group', // the default
    }),
  )
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const customer = record.attributes.MessageGroupId as string // every message of a FIFO queue has one
      const response = await fetch(`${url}/customers/${encodeURIComponent(customer)}/events`, {
        method: 'POST',
        // SQS can redeliver a message whose event was already posted. The service recognizes it by this key.
        headers: { 'content-type': 'application/json', 'idempotency-key': record.messageId },
        body: record.body,
        signal,
      })
      await response.arrayBuffer() // an unread body keeps its socket open
      if (!response.ok) throw new Error(`the order service returned ${response.status}`)
    }),
  )
