import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

/**
 * Every record waits for a service that never responds, until its signal aborts 5 s before the timeout. By default, it
 * aborts 250 ms before, which is too late on a busy machine.
 */
export const handler = middy()
  .use(boundedSqsBatch({ logger: false, timeBudget: { drain: 5000, abort: 5000 } }))
  .handler(eachRecord((_record, _context, { signal }) => fetch(`${process.env.SERVICE}/secret`, { signal })))
