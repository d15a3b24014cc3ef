import middy from '@middy/core'
import type { Context, SQSEvent } from 'aws-lambda'
import { boundedSqsBatch, eachChunk, eachRecord } from '../../../src/index.ts'

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

/** In chunks of 5, numbers ending in 1 and 2 always fail, each with an error of its own. */
export const chunks = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachChunk(5, async (records) =>
      Promise.allSettled(
        records.map(async ({ body }) => {
          const digit = JSON.parse(body).number % 10
          if (digit === 1 || digit === 2) throw new Error(`number ends in ${digit === 1 ? 'one' : 'two'}`)
        }),
      ),
    ),
  )

/** Without `.use()`: eachRecord refuses to run. */
export const withoutUse = middy<SQSEvent>().handler(eachRecord(async () => {}))

/** Does not return the response of the library, as if a `return` were missing. */
export async function withoutReturn(event: SQSEvent, context: Context): Promise<void> {
  await handler(event, context)
}

/** Returns only the first failure of the response. */
export async function returnsFirst(event: SQSEvent, context: Context): Promise<unknown> {
  const { batchItemFailures } = await handler(event, context)
  return { batchItemFailures: batchItemFailures.slice(0, 1) }
}

/** A failure handler removes all failures from the report. */
export const handled = middy()
  .use(boundedSqsBatch({ logger: false, onFailure: () => [] }))
  .handler(
    eachRecord(() => {
      throw new Error('invalid')
    }),
  )
