import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
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

export const withoutMiddy = eachRecord(async () => {})

/** Without `.use()`: eachRecord refuses to run. */
export const withoutUse = middy<SQSEvent>().handler(eachRecord(async () => {}))

/** Does not return the response of the library, as if a `return` were missing. */
export async function withoutReturn(event: SQSEvent, context: Context): Promise<void> {
  await handler(event, context)
}

const slow = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async () => {
      await sleep(50)
      throw new Error('downstream returned 503')
    }),
  )

/** Responds while the records are running, as if a `return` or an `await` were missing. */
export async function withoutAwait(event: SQSEvent, context: Context): Promise<void> {
  void slow(event, context)
}

/** The same for the first half of the records. It processes the others itself. */
export async function withoutAwaitOfHalf({ Records }: SQSEvent, context: Context): Promise<void> {
  void slow({ Records: Records.slice(0, Records.length / 2) }, context)
}

/** Catches the error that fails the invocation because all records failed. */
export async function catches(event: SQSEvent, context: Context): Promise<unknown> {
  return failsAsAWhole(event, context).catch(() => ({ batchItemFailures: [] }))
}

const failsAsAWhole = middy()
  .use(boundedSqsBatch({ logger: false, throwOnFullBatchFailure: true }))
  .handler(
    eachRecord(async () => {
      throw new Error('downstream returned 503')
    }),
  )

/** The function responds with a copy of the response of the library. */
export async function replaced(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  return structuredClone(await failsFirst(event, context))
}

const failsFirst = middy<SQSEvent, SQSBatchResponse>()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(async ({ body }) => {
      if (JSON.parse(body).number === 1) throw new RangeError('not in stock')
    }),
  )

/** Runs the records that failed again. */
export async function triesAgain(event: SQSEvent, context: Context): Promise<unknown> {
  const { batchItemFailures }: SQSBatchResponse = await handler(event, context)
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  return works({ Records: event.Records.filter(({ messageId }) => failed.has(messageId)) }, context)
}

const works = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(eachRecord(async () => {}))

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

/** Answers batches of pings itself. */
export async function answersPings(event: SQSEvent, context: Context): Promise<unknown> {
  const isPing = event.Records.every(({ body }) => JSON.parse(body).number % 2 === 1)
  return isPing ? { batchItemFailures: [] } : works(event, context)
}

/** The idiom of settled results. */
export const settled = middy<SQSEvent>()
  .use(boundedSqsBatch({ logger: false }))
  .handler(async ({ Records }) =>
    Promise.allSettled(
      Records.map(async ({ body }) => {
        if (JSON.parse(body).number % 5 === 0) throw new Error('no stock')
      }),
    ),
  )
