import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const url = process.env.ORDERS_URL
if (!url) throw new Error('ORDERS_URL is not set: it is the URL of the order service, to which each order is posted')

const Order = z.object({ orderId: z.string().min(1), cents: z.int() })

/** Parses JSON in a schema. */
const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not valid JSON')
    return z.NEVER
  }
})

/** The envelope that SNS puts around a message, unless the subscription uses raw message delivery. */
const Notification = z.object({
  Type: z.literal('Notification'),
  Subject: z.string().optional(),
  Message: Json.pipe(Order),
})

/**
 * Processes messages that an SNS topic sends to the queue. The schema validates the envelope of SNS and the message in
 * it, so `record.body.Message` is an Order. The rest of the record is unchanged: a failed record is reported by its
 * own `messageId`, not by the MessageId of SNS.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 50 }))
  .handler(
    eachRecord(
      async (record, _context, { signal }) => {
        const { Message: order, Subject } = record.body
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': order.orderId },
          body: JSON.stringify({ ...order, subject: Subject }),
          signal,
        })
        await response.arrayBuffer() // an unread body keeps its socket open
        if (!response.ok) throw new Error(`the order service returned ${response.status}`)
      },
      { body: Notification },
    ),
  )
