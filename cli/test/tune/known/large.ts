import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

const model = Buffer.alloc(220 * 1024 * 1024, 1)

/** Needs about 300 MB: 220 MB of data, and the process itself. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async ({ body }) => {
      await sleep(20)
      if (model[body.length] !== 1) throw new Error('the data is gone')
    }),
  )
