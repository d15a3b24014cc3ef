import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { check, DURATION } from '../shared/check.ts'
import { isObject, kindOf } from '../shared/describe.ts'
import { startTimer } from '../shared/timers.ts'
import type { BatchTrace } from '../types.ts'
import { DEFAULT_TIMEOUT, sqsContext } from './context.ts'

/** Lambda's limit for a response in bytes (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const MAX_RESPONSE_BYTES = 6_291_556

const CHANNEL = 'tracing:middy-bounded-sqs-batch:batch:asyncStart'

/** A Middy handler, or a plain Lambda handler. Its middlewares may add to the context, so it can expect any context. */
export type TestedHandler<TReturn = unknown> = (event: SQSEvent, context: never, options: never) => TReturn

/** Options of `invoke()`. */
export interface InvokeOptions {
  /**
   * The function's timeout: milliseconds, more than 0. Use several seconds, because a busy machine may need
   * them.
   * @default 30,000
   */
  readonly timeout?: number | undefined
}

/** The result of an invocation. */
export interface InvokeResult<TResponse = unknown> {
  /** What the handler responded. */
  readonly response: TResponse
  /** The records of the event whose messages Lambda deletes. */
  readonly succeeded: readonly SQSRecord[]
  /** The records of the event that SQS redelivers. */
  readonly failed: readonly SQSRecord[]
  /**
   * The records of the event that did not succeed, each with its error, also if a failure handler has handled
   * them. Empty if the handler does not use `boundedSqsBatch()`.
   */
  readonly failures: readonly { readonly record: SQSRecord; readonly error: unknown }[]
}

/**
 * Invokes a handler with an SQS event, and reads the response as Lambda does if the event source mapping has
 * `ReportBatchItemFailures`. The handler gets a copy of the event.
 *
 * @throws whatever the handler throws
 * @throws {TypeError} if an argument is not valid
 * @throws {Error} if SQS would redeliver the whole batch for another reason. Either the handler does not
 * respond within its timeout, or its response is not valid. A response is not valid if, for example, it names
 * a message that is not in the batch
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html)
 *
 * @example
 * const { succeeded, failed } = await invoke(handler, sqsEvent(['good', 'bad', 'good']))
 * assert.deepEqual(failed.map(({ body }) => body), ['bad'])
 */
export async function invoke<TReturn>(
  handler: TestedHandler<TReturn>,
  event: SQSEvent,
  options: InvokeOptions = {},
): Promise<InvokeResult<Awaited<TReturn>>> {
  checkHandler(handler)
  const records: unknown = isObject(event) ? event.Records : undefined
  if (!Array.isArray(records)) {
    throw new TypeError(`invoke(): expected an event with a Records array, got Records: ${kindOf(records)}`)
  }
  const { timeout = DEFAULT_TIMEOUT } = check('invoke', options, { timeout: DURATION })
  const context = sqsContext({ timeout })
  const failures = collectFailures(context, event.Records)
  const response = await respondInTime(handler, JSON.stringify(event), context, timeout).finally(
    failures.stop,
  )
  const failedIds = readAsLambda(response, new Set(event.Records.map(({ messageId }) => messageId)))
  return {
    response,
    succeeded: event.Records.filter(({ messageId }) => !failedIds.has(messageId)),
    failed: event.Records.filter(({ messageId }) => failedIds.has(messageId)),
    failures: failures.found,
  }
}

/** Listens to the batch of one invocation, which has this context. */
function collectFailures(context: Context, records: readonly SQSRecord[]) {
  const found: { record: SQSRecord; error: unknown }[] = []
  function listen(message: unknown): void {
    const { failures = [], ...trace } = message as BatchTrace
    if (trace.context !== context) return
    for (const { record, error } of failures) {
      // By id, because a middleware can filter or reorder the records.
      found.push({ record: records.find(({ messageId }) => messageId === record.messageId) ?? record, error })
    }
  }
  subscribe(CHANNEL, listen)
  return { found, stop: () => unsubscribe(CHANNEL, listen) }
}

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function')
    throw new TypeError(`invoke(): expected a handler function, got ${kindOf(handler)}`)
  if (handler.length > 2) {
    throw new TypeError(
      `invoke(): expected a handler with the parameters event and context, got ${handler.length} parameters. Pass the ` +
        'Middy handler, not the one that eachRecord() or eachChunk() made. Lambda does not run handlers with a callback on Node 24 ' +
        'and newer',
    )
  }
}

async function respondInTime<TReturn>(
  handler: TestedHandler<TReturn>,
  event: string,
  context: Context,
  timeout: number,
): Promise<Awaited<TReturn>> {
  const timedOut = new Error(
    `invoke(): SQS would redeliver the whole batch, because the handler did not respond within its timeout of ${timeout} ms`,
  )
  const returned = handler(JSON.parse(event), context as never, undefined as never)
  if (typeof (returned as PromiseLike<unknown> | undefined)?.then !== 'function') {
    throw new TypeError(
      `invoke(): expected the handler to return a promise, got ${kindOf(returned)}. On Node 22, Lambda ignores any other ` +
        'result and deletes the whole batch',
    )
  }
  const { promise: timer, reject } = Promise.withResolvers<never>()
  const timeoutTimer = startTimer(() => reject(timedOut), timeout)
  try {
    const response = await Promise.race([returned, timer])
    // The timer is late if the handler has blocked the event loop.
    if (context.getRemainingTimeInMillis() <= 0) throw timedOut
    return response
  } finally {
    clearTimeout(timeoutTimer)
  }
}

/**
 * Returns the ids of the failed records, by the table in "Reporting batch item failures" of Lambda's guide. A
 * missing or empty response (`''` or `{}`) and a missing, null or empty list are a complete success. A list
 * of valid ids reports those records as failed. Any other response is a complete failure: this function
 * throws.
 */
function readAsLambda(given: unknown, ids: ReadonlySet<string>): ReadonlySet<string> {
  const response = toJson(given)
  if (response === null || response === '') return new Set()
  if (!isObject(response) || Array.isArray(response)) {
    throw wholeBatch(`the response is ${kindOf(response)}. Expected an object with batchItemFailures`)
  }
  const list = (response as { batchItemFailures?: unknown }).batchItemFailures ?? []
  if (!Array.isArray(list)) throw wholeBatch(`batchItemFailures is ${kindOf(list)}. Expected an array`)
  const failed = new Set<string>()
  for (const [index, entry] of list.entries()) {
    const id: unknown = entry?.itemIdentifier
    if (typeof id !== 'string' || id === '') {
      const received = id === '' ? 'an empty string' : kindOf(id)
      throw wholeBatch(
        `the itemIdentifier of batchItemFailures[${index}] is ${received}. Expected a messageId`,
      )
    }
    if (!ids.has(id)) {
      throw wholeBatch(
        `batchItemFailures[${index}] names a message that is not in the batch. Expected a messageId of the batch`,
      )
    }
    failed.add(id)
  }
  return failed
}

function toJson(response: unknown): unknown {
  let json: string
  let parsed: unknown
  try {
    json = JSON.stringify(response === undefined ? null : response)
    parsed = JSON.parse(json) // throws if the response is a function, which has no JSON
  } catch (cause) {
    throw wholeBatch('the response cannot be converted to JSON', { cause })
  }
  const bytes = Buffer.byteLength(json)
  if (bytes <= MAX_RESPONSE_BYTES) return parsed
  throw wholeBatch(`the response has ${bytes} bytes. Expected at most ${MAX_RESPONSE_BYTES}`)
}

function wholeBatch(reason: string, options?: ErrorOptions): Error {
  return new Error(`invoke(): SQS would redeliver the whole batch, because ${reason}`, options)
}
