import type { SQSBatchResponse } from 'aws-lambda'
import type { Settings } from '../options.ts'
import { isObject } from '../shared/describe.ts'
import type { Batch } from '../sqs-event.ts'
import type { RecordJobs } from './jobs.ts'

/**
 * `eachRecord()` and `eachChunk()` differ in it. So a bundle without `eachChunk()` does not contain the code
 * of chunks.
 */
export type CreateJobs = (batch: Batch, settings: Settings) => RecordJobs

/**
 * Runs a handler on every record of the batch and returns the report. The middleware provides it for the
 * inner handler.
 *
 * @param context as the inner handler received it, or has replaced it. Its remaining time counts, too
 * @param signal Middy's abort signal. `undefined` if the inner handler did not pass it on
 */
export type RunBatch = (
  createJobs: CreateJobs,
  context: unknown,
  signal: AbortSignal | undefined,
) => Promise<SQSBatchResponse>

const RUN = Symbol('runBatch')

/**
 * Connects the middleware with `eachRecord()` and `eachChunk()`. Middy gives an inner handler only the event,
 * the context and a signal. The event is a copy that the middleware made for one invocation. So it identifies
 * the invocation, even if two invocations receive the same event and the same context.
 *
 * A property, because the values of a WeakMap survive minor garbage collections, and so does their batch.
 */
export function provideRunBatch(event: object, run: RunBatch): void {
  Object.defineProperty(event, RUN, { value: run })
}

/** @throws {TypeError} if the middleware did not provide it for this event */
export function runBatchOf(event: unknown, caller: string): RunBatch {
  const run = isObject(event) ? (event as { [RUN]?: RunBatch })[RUN] : undefined
  if (run) return run
  throw new TypeError(
    `${caller}(): the event was not prepared by boundedSqsBatch(). Add .use(boundedSqsBatch()) to the same Middy ` +
      'handler, and pass on the event itself, not a copy. Otherwise, the function contains this package twice',
  )
}
