import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

const model = Buffer.alloc(60 * 1024 * 1024, 1)

/** Makes one HTTP call for each record. Needs about 160 MB: 60 MB of data, and the process itself. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async ({ body }, _context, { signal }) => {
      const response = await fetch(`${process.env.DOWNSTREAM_URL}`, { method: 'POST', body, signal })
      await response.arrayBuffer()
      if (model[body.length] !== 1) throw new Error('the data is gone')
      if (!response.ok) throw new Error(`downstream returned ${response.status}`)
    }),
  )
