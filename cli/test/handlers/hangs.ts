import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

/** Every record waits for a service that never responds, until its signal aborts. */
export const handler = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(eachRecord((_record, _context, { signal }) => fetch(`${process.env.SERVICE}/secret`, { signal })))
