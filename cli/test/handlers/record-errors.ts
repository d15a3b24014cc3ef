import middy from '@middy/core'
import type { SQSEvent } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

/** Numbers ending in 1 always fail with a RangeError, numbers ending in 2 with an error whose cause has a code. */
export const handler = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async ({ body }) => {
      const { number } = JSON.parse(body)
      if (number % 10 === 1) throw new RangeError(`order ${number} is not in stock`)
      if (number % 10 === 2) throw new Error('fetch failed', { cause: { code: 'ECONNREFUSED' } })
    }),
  )

/** Without `.use()`: eachRecord refuses to run. */
export const withoutUse = middy<SQSEvent>().handler(eachRecord(async () => {}))
