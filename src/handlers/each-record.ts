import type { Context } from 'aws-lambda'
import { isFunction, kindOf } from '../shared/describe.ts'
import type { BatchHandler, BodyOption, RecordHandler, RecordOf } from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { recordJobs } from './jobs.ts'
import { type CreateJobs, runBatchOf } from './run-batch.ts'

/**
 * Turns a record handler, which processes one record, into an inner handler: the function for Middy's
 * `.handler()`. The Middy handler must use `boundedSqsBatch()`.
 *
 * The record handler is called once for each record. It is not called if the record does not start, or if its
 * body is not valid. Returning means success, throwing or rejecting means failure. A failed record does not
 * affect other records, except on a FIFO queue. There it blocks the rest of its message group (see
 * `fifoFailure`).
 *
 * The result is an ordinary handler, `async (event, context) => ({ batchItemFailures })`. Pass it to Middy's
 * `.handler()`, or call it in your own inner handler. Before this call, you can prepare something for the
 * whole batch. What completes the batch, such as COMMIT or a flush, belongs after it. If your inner handler
 * throws, also after this call, the invocation fails, and SQS redelivers the whole batch.
 *
 * @param recordHandler processes one record
 * @param options `body: 'json'` parses the body. `body: schema` parses it and validates it with a Standard
 * Schema (Zod, Valibot, ArkType): `record.body` is then the output of the schema. A body that is not valid
 * fails only its record, with an `InvalidBodyError`. The default leaves the body as text.
 * @returns the inner handler. It rejects with a TypeError if the Middy handler does not use
 * `boundedSqsBatch()`.
 * @throws {TypeError} if `recordHandler` is not a function or `options` are not valid
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch())
 *   .handler(eachRecord(async (record, context, { signal }) => {
 *     const response = await fetch(url, { method: 'POST', body: record.body, signal })
 *     if (!response.ok) throw new Error(`downstream returned ${response.status}`)
 *   }))
 */
export function eachRecord<TContext extends Context, TBody extends BodyOption = undefined>(
  recordHandler: RecordHandler<RecordOf<TBody>, TContext>,
  options: { readonly body?: TBody } = {},
): BatchHandler<TContext> {
  if (!isFunction(recordHandler)) {
    throw new TypeError(`eachRecord(): expected recordHandler to be a function, got ${kindOf(recordHandler)}`)
  }
  const handle = withParsedBody(recordHandler as RecordHandler<unknown>, bodyParserOf('eachRecord', options))
  return async function eachRecordHandler(event, context, middyOptions) {
    const runBatch = runBatchOf(event, 'eachRecord')
    const createJobs: CreateJobs = (batch, settings) => recordJobs(batch, handle, context, settings)
    return runBatch(createJobs, context, middyOptions?.signal)
  }
}

function withParsedBody(handle: RecordHandler<unknown>, parse: BodyParser | undefined): RecordHandler {
  if (!parse) return handle
  return (record, context, options) => {
    // The log recognises the frames of this package by the name of this function.
    const parsed = {
      boundedSqsBatchJob: (body: unknown) => handle({ ...record, body }, context, options), // the event is never modified
    }
    const body = parse(record.body)
    if (!(body instanceof Promise)) return parsed.boundedSqsBatchJob(body)
    return body.then((body) => {
      options.signal.throwIfAborted() // the record may have timed out, or the batch may have ended
      return parsed.boundedSqsBatchJob(body)
    })
  }
}
