import middy from '@middy/core'
import type { SQSEvent } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from '../../../src/index.ts'

/** Number 1 mod 10 always fails with an error of its own, 2 mod 10 with a system's error as its cause. */
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
