import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { z } from 'zod'

const url = process.env.MAIL_URL
if (!url) throw new Error('MAIL_URL is not set: it is the URL of the service that sends the mails')

const Signup = z.object({
  email: z.email(),
  plan: z.enum(['free', 'team']),
  seats: z.int().positive().default(1),
})

/**
 * Sends a welcome mail for each sign-up.
 *
 * If a body is not JSON or not a Signup, only its record fails, with an InvalidBodyError. The handler does not receive
 * it. A retry cannot succeed, so after `maxReceiveCount` receives SQS moves the message to the dead-letter queue.
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
        await response.arrayBuffer() // an unread body keeps its socket open
        if (!response.ok) throw new Error(`the mail service returned ${response.status}`)
      },
      { body: Signup },
    ),
  )
