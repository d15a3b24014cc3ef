import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSRecord } from 'aws-lambda'
import { isFunction, kindOf } from '../shared/describe.ts'
import type { BatchHandler, ParsedRecord, RecordHandler } from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { type RecordRunner, recordJobs } from './jobs.ts'
import { runBatchOf } from './run-batch.ts'

/**
 * Turns a record handler, which processes one record, into an inner handler: the function for Middy's `.handler()`. The
 * Middy handler must use `boundedSqsBatch()`.
 *
 * The record handler is called once for each record. It is not called if the record does not start, or if its body is
 * not valid. Returning means success, throwing or rejecting means failure. A failed record does not affect other
 * records, except on a FIFO queue. There it blocks the rest of its message group (see `fifoFailure`).
 *
 * The result is an ordinary handler, `async (event, context) => ({ batchItemFailures })`. Pass it to Middy's
 * `.handler()`, or call it in your own inner handler. Before this call, you can prepare something for the whole batch.
 * What completes the batch, such as COMMIT or a flush, belongs after it. If your inner handler throws, also after this
 * call, the invocation fails, and SQS redelivers the whole batch.
 *
 * @param recordHandler processes one record
 * @param options `body: 'json'` parses the body. `body: schema` parses it and validates it with a Standard Schema (Zod,
 * Valibot, ArkType): `record.body` is then the output of the schema. A body that is not valid fails only its record,
 * with an `InvalidBodyError`. The default leaves the body as text.
 * @returns the inner handler. It rejects with a TypeError if the Middy handler does not use `boundedSqsBatch()`.
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
export function eachRecord<TContext extends Context>(
  recordHandler: RecordHandler<SQSRecord, TContext>,
  options?: { readonly body?: undefined },
): BatchHandler<TContext>
export function eachRecord<TContext extends Context>(
  recordHandler: RecordHandler<ParsedRecord<unknown>, TContext>,
  options: { readonly body: 'json' },
): BatchHandler<TContext>
export function eachRecord<TSchema extends StandardSchemaV1, TContext extends Context>(
  recordHandler: RecordHandler<ParsedRecord<StandardSchemaV1.InferOutput<TSchema>>, TContext>,
  options: { readonly body: TSchema },
): BatchHandler<TContext>
export function eachRecord(recordHandler: unknown, options: unknown = {}): BatchHandler {
  if (!isFunction(recordHandler)) {
    throw new TypeError(`eachRecord(): expected recordHandler to be a function, got ${kindOf(recordHandler)}`)
  }
  const handle = withParsedBody(recordHandler as RecordHandler<unknown>, bodyParserOf('eachRecord', options))
  return async function eachRecordHandler(event, context, middyOptions) {
    const run = runBatchOf(event, 'eachRecord')
    const handleRecord: RecordRunner = (record, recordOptions) => handle(record, context, recordOptions)
    return run(recordJobs, handleRecord, context, middyOptions?.signal)
  }
}

function withParsedBody(handle: RecordHandler<unknown>, parse: BodyParser | undefined): RecordHandler {
  if (!parse) return handle
  return (record, context, options) => {
    const handleParsed = (body: unknown) => handle({ ...record, body }, context, options) // the event is never modified
    const body = parse(record.body)
    if (!(body instanceof Promise)) return handleParsed(body)
    return body.then((body) => {
      options.signal.throwIfAborted() // the record may have timed out, or the batch may have ended
      return handleParsed(body)
    })
  }
}
