/** Reads orders from SNS and EventBridge, and keys from S3: a handler for each. */
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import * as z from 'zod'

const Order = z.object({ id: z.string(), amount: z.number() })

/** Text that contains JSON. */
const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not valid JSON')
    return z.NEVER
  }
})

/** SNS without raw message delivery: the message is text in the envelope. */
const FromSns = z.object({ Type: z.literal('Notification'), Message: Json.pipe(Order) })

/** EventBridge: the detail is an object. */
const FromEventBridge = z.object({
  'detail-type': z.literal('OrderPlaced'),
  detail: Order,
})

/** S3 event notifications. The test message that S3 sends first has no Records. */
const S3Object = z.object({
  bucket: z.object({ name: z.string() }),
  object: z.object({ key: z.string() }),
})
const FromS3 = z.object({
  Records: z.array(z.object({ eventName: z.string(), s3: S3Object })).default([]),
})

const chain = () => middy().use(boundedSqsBatch())

export const sns = chain().handler(eachRecord(({ body }) => save(body.Message), { body: FromSns }))

export const eventBridge = chain().handler(eachRecord(({ body }) => save(body.detail), { body: FromEventBridge }))

export const s3 = chain().handler(
  eachRecord(
    async ({ body }) => {
      for (const { s3 } of body.Records) {
        // The key is encoded like a form.
        const key = decodeURIComponent(s3.object.key.replaceAll('+', ' '))
        console.log(s3.bucket.name, key)
      }
    },
    { body: FromS3 },
  ),
)

async function save(order: z.infer<typeof Order>) {
  console.log(order.id, order.amount)
}
