import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../../src/index.ts'

// Other open files, such as those of a pool of connections. About 900 of the 1,024 descriptors are left.
await Promise.all(Array.from({ length: 90 }, () => open('/dev/null')))

/** Holds one open file for 300 ms for each record. */
export const handler = middy()
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async () => {
      const file = await open('/dev/null')
      await sleep(300)
      await file.close()
    }),
  )
