// This file is never run. `npm run typecheck` compiles it.

import type { SQSRecord } from 'aws-lambda'
import { type BoundedSqsBatchOptions, boundedSqsBatch, type FailureLogger, type TimeBudget } from '../../src/index.ts'
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
boundedSqsBatch({ timeBudget: { drain: 500 }, logger: async () => {} })
boundedSqsBatch({ logger: (error, { messageId }) => [messageId, error] })
expect<Equal<ReturnType<FailureLogger>, unknown>>()
// An option may be undefined, also in projects with exactOptionalPropertyTypes.
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
// @ts-expect-error a number, not a string
boundedSqsBatch({ concurrency: '10' })
// @ts-expect-error a number, not null
boundedSqsBatch({ concurrency: null })
// @ts-expect-error options are an object
boundedSqsBatch(10)
// @ts-expect-error options are an object, not null
boundedSqsBatch(null)
// @ts-expect-error milliseconds, not a string
boundedSqsBatch({ recordTimeout: '5s' })
// @ts-expect-error an object or false, not a number
boundedSqsBatch({ timeBudget: 1_000 })
// @ts-expect-error false turns it off; there is no true
boundedSqsBatch({ timeBudget: true })
// @ts-expect-error a time budget has no option of this name
boundedSqsBatch({ timeBudget: { dran: 1_000 } })
// @ts-expect-error an object with limit and interval, not a number
boundedSqsBatch({ rateLimit: 14 })
// @ts-expect-error the interval is required
boundedSqsBatch({ rateLimit: { limit: 14 } })
// @ts-expect-error rateLimit may be undefined, but its interval may not
boundedSqsBatch({ rateLimit: { limit: 14, interval: undefined } })
// @ts-expect-error a rate limit has no option of this name
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
