import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

/** Makes one HTTP call for each record. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async ({ body }, _context, { signal }) => {
      const response = await fetch(`${process.env.DOWNSTREAM_URL}`, { method: 'POST', body, signal })
      await response.arrayBuffer()
      if (!response.ok) throw new Error(`downstream returned ${response.status}`)
    }),
  )
