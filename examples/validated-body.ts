import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const url = process.env.MAIL_URL
if (!url) throw new Error('MAIL_URL is not set: it is the service that sends the mails')

const Signup = z.object({
  email: z.email(),
  plan: z.enum(['free', 'team']),
  seats: z.int().positive().default(1),
})

/**
 * Has a welcome mail sent for each sign-up.
 *
 * A body that is not JSON, or not a Signup, fails its own record with an InvalidBodyError before the handler sees it.
 * Trying again will not mend it: after `maxReceiveCount` receipts the queue's redrive policy puts it aside.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 50 }))
  .handler(
    eachRecord(
      async (record, _context, { signal }) => {
        const { email, plan, seats } = record.body // typed: { email: string, plan: 'free' | 'team', seats: number }
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': record.messageId },
          body: JSON.stringify({ to: email, template: `welcome-${plan}`, seats }),
          signal,
        })
        await response.arrayBuffer() // an unread body keeps its descriptor
        if (!response.ok) throw new Error(`the mail service said ${response.status}`)
      },
      { body: Signup },
    ),
  )
