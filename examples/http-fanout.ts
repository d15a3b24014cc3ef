import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

/** Posts the body of each record to a downstream HTTP service, at most 100 at once. */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 100 }))
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, { method: 'POST', body: record.body, signal })
      await response.arrayBuffer() // an unread body keeps its socket open
      if (!response.ok) throw new Error(`downstream returned ${response.status}`)
    }),
  )
