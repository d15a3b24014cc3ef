import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

/**
 * Every record waits for a service that never responds, until its signal aborts 297 s before the timeout. So even a busy
 * machine responds in time.
 */
export const handler = middy()
  .use(boundedSqsBatch({ logger: false, timeBudget: { drain: 297_000, abort: 297_000 } }))
  .handler(eachRecord((_record, _context, { signal }) => fetch(`${process.env.SERVICE}/secret`, { signal })))
