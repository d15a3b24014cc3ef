// Only compiled, never run: by `npm run typecheck`, once with @middy/core 7 and once with 6.
import type { SQSRecord } from 'aws-lambda'
import {
  adaptiveConcurrency,
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  type FailureLogger,
  type TimeBudget,
} from '../../src/index.ts'
import { type Equal, expect } from './expect.ts'

boundedSqsBatch()
boundedSqsBatch(undefined)
boundedSqsBatch({})
boundedSqsBatch({
  concurrency: 100,
  recordTimeout: 1_000,
  timeBudget: { drain: 1_000, abort: 250 },
  fifoFailure: 'batch',
  throwOnFullBatchFailure: true,
  logger(error, record) {
    expect<Equal<typeof error, unknown>>()
    expect<Equal<typeof record, SQSRecord>>()
  },
})
boundedSqsBatch({ timeBudget: false, fifoFailure: 'group', logger: false })
boundedSqsBatch({ rateLimit: { limit: 14, interval: 1_000 } })
boundedSqsBatch({ concurrency: adaptiveConcurrency({ max: 200, classify: () => 'throttle' }) })
// @ts-expect-error not a class of failures
adaptiveConcurrency({ classify: () => 'slow' })
boundedSqsBatch({ timeBudget: { drain: 500 }, logger: async () => {} })
// What is computed may be undefined, also where the project has exactOptionalPropertyTypes.
boundedSqsBatch({
  concurrency: process.env.CI ? 1 : undefined,
  recordTimeout: undefined,
  timeBudget: { drain: undefined, abort: undefined },
  rateLimit: undefined,
  fifoFailure: undefined,
  throwOnFullBatchFailure: undefined,
  logger: undefined,
})
export const shared = { concurrency: 10, fifoFailure: 'batch' } as const satisfies BoundedSqsBatchOptions
export const logger: FailureLogger = (error, record) => console.error(record.messageId, error)
export const budget: TimeBudget = { abort: 100 }
boundedSqsBatch({ ...shared, logger, timeBudget: budget })

// @ts-expect-error there is no option of this name
boundedSqsBatch({ concurency: 10 })
// @ts-expect-error a number, not a text
boundedSqsBatch({ concurrency: '10' })
// @ts-expect-error a concurrency, not null
boundedSqsBatch({ concurrency: null })
// @ts-expect-error options are an object
boundedSqsBatch(10)
// @ts-expect-error options are an object, not null
boundedSqsBatch(null)
// @ts-expect-error milliseconds, not a text
boundedSqsBatch({ recordTimeout: '5s' })
// @ts-expect-error an object or false, not a number
boundedSqsBatch({ timeBudget: 1_000 })
// @ts-expect-error false turns it off; there is no true
boundedSqsBatch({ timeBudget: true })
// @ts-expect-error a time budget has no such part
boundedSqsBatch({ timeBudget: { dran: 1_000 } })
// @ts-expect-error records and milliseconds, not a number of records a second
boundedSqsBatch({ rateLimit: 14 })
// @ts-expect-error within which time?
boundedSqsBatch({ rateLimit: { limit: 14 } })
// @ts-expect-error what is computed may turn the whole limit off, not a part of it
boundedSqsBatch({ rateLimit: { limit: 14, interval: undefined } })
// @ts-expect-error a rate limit has no such part
boundedSqsBatch({ rateLimit: { limit: 14, interval: 1_000, strict: true } })
// @ts-expect-error 'group' or 'batch'
boundedSqsBatch({ fifoFailure: 'queue' })
// @ts-expect-error a boolean
boundedSqsBatch({ throwOnFullBatchFailure: 'yes' })
// @ts-expect-error a function, not an object with methods
boundedSqsBatch({ logger: console })
// @ts-expect-error false turns it off; there is no true
boundedSqsBatch({ logger: true })
// @ts-expect-error the logger gets a record, not a batch
boundedSqsBatch({ logger: (_error: unknown, records: SQSRecord[]) => records })
