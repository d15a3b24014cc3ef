import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

const { BOUNDED_SQS_BATCH_CONCURRENCY: given, OWN_CONCURRENCY } = process.env

function setConcurrency(value: string | undefined) {
  if (value === undefined) delete process.env.BOUNDED_SQS_BATCH_CONCURRENCY
  else process.env.BOUNDED_SQS_BATCH_CONCURRENCY = value
}

setConcurrency(OWN_CONCURRENCY)

/** Changes the variable before the library reads it, or removes it. */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(eachRecord(() => sleep(10)))

/** As if a bundler had replaced the variable in the code of the library: the variable itself does not change. */
export const bundled = middy()
  .use({ before: () => setConcurrency(given) })
  .use(boundedSqsBatch({ concurrency: 20 }))
  .handler(eachRecord(() => sleep(10)))
