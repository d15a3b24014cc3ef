import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.ORDERS_URL
if (!url) throw new Error('ORDERS_URL is not set: it is the order service that each event is posted to')

/**
 * Passes the events of orders on to an order service, from a FIFO queue whose message group is the customer. Those of
 * one customer are posted one after another, as they were sent; customers do not wait for each other.
 *
 * An event that fails blocks the later events of its customer: they are not posted, and reported with it, so that SQS
 * delivers all of them again in order. `fifoFailure: 'batch'` would block every event that has not started.
 */
export const handler = middy()
  .use(
    boundedSqsBatch({
      concurrency: 10, // a FIFO queue's batch has at most ten records, so ten customers
      fifoFailure: 'group', // the default
    }),
  )
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const customer = record.attributes.MessageGroupId as string // every message of a FIFO queue has one
      const response = await fetch(`${url}/customers/${encodeURIComponent(customer)}/events`, {
        method: 'POST',
        // A message may come again though its event was posted: the key lets the service know it.
        headers: { 'content-type': 'application/json', 'idempotency-key': record.messageId },
        body: record.body,
        signal,
      })
      await response.arrayBuffer() // an unread body keeps its descriptor
      if (!response.ok) throw new Error(`the order service said ${response.status}`)
    }),
  )
