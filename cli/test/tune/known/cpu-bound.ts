import { createHash } from 'node:crypto'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

/** Uses about a millisecond of CPU for each record, and waits for nothing. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(({ body }) => {
      let digest = body
      for (let round = 0; round < 500; round += 1) digest = createHash('sha256').update(digest).digest('hex')
    }),
  )
