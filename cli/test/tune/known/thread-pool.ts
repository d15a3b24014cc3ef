import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

const derive = promisify(pbkdf2)

/** Uses about a millisecond of CPU for each record, in a thread of libuv's pool. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async ({ body }) => {
      await derive(body, 'salt', 4000, 32, 'sha256')
    }),
  )
