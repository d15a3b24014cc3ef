import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

/** Fails once for each of the messages 1 to 3. */
export const handler = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(({ body }, _context, { receiveCount }) => {
      if (JSON.parse(body).number <= 3 && receiveCount === 1) throw new Error('not now')
    }),
  )
