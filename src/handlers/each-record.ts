import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSRecord } from 'aws-lambda'
import { kindOf } from '../describe.ts'
import type { BatchHandler, ParsedRecord, RecordHandler, RecordOptions } from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { runBatchOf } from './run-batch.ts'

/**
 * Makes the inner handler of a Middy handler that uses `boundedSqsBatch()` out of a handler of one record.
 *
 * The record handler is called once for each record that starts. Returning is success, throwing is failure; neither
 * touches another record. What comes out is an ordinary Middy handler, `(event, context) => { batchItemFailures }`, so
 * a handler of one's own can prepare something for the batch and then call it.
 *
 * @param recordHandler what to do with one record
 * @param options `body: 'json'` parses the body; `body: schema` parses it and validates it with a Standard Schema (Zod,
 * Valibot, ArkType), whose output is then `record.body`. A body that does not parse fails its record alone, with an
 * `InvalidBodyError`. The default leaves it as the text that it is.
 * @returns a handler that rejects with a TypeError where `boundedSqsBatch()` is not used on the same Middy handler
 * @throws {TypeError} where `recordHandler` is no function or an option is not one of these
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch())
 *   .handler(eachRecord(async (record, context, { signal }) => {
 *     await fetch(url, { method: 'POST', body: record.body, signal })
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
  if (typeof recordHandler !== 'function') {
    throw new TypeError(`eachRecord(): expected a handler of one record, a function, got ${kindOf(recordHandler)}`)
  }
  const handle = withParsedBody(recordHandler as RecordHandler<unknown>, bodyParserOf('eachRecord', options))
  return async function eachRecordHandler(event, context, options) {
    const run = runBatchOf(event, 'eachRecord')
    return run((record, recordOptions) => handle(record, context, recordOptions), event, context, options?.signal)
  }
}

function withParsedBody(handle: RecordHandler<unknown>, parse: BodyParser | undefined): RecordHandler {
  if (!parse) return handle
  const handleParsed = (record: SQSRecord, body: unknown, context: never, options: RecordOptions) =>
    handle({ ...record, body }, context, options) // a copy: the event is never changed (rule 10)
  return (record, context, options) => {
    const body = parse(record.body)
    if (!(body instanceof Promise)) return handleParsed(record, body, context as never, options)
    return body.then((body) => {
      options.signal.throwIfAborted() // validating took until the record's time was up
      return handleParsed(record, body, context as never, options)
    })
  }
}
