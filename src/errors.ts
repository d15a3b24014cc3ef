import type { StandardSchemaV1 } from '@standard-schema/spec'
import { safely } from './shared/safely.ts'

/**
 * The base class of this package's errors, except `FullBatchFailureError`. Each class has a `code` and a
 * literal `name`, which minification keeps. Messages written by this package never contain a body.
 */
abstract class SqsBatchError extends Error {
  abstract readonly code: string
}

/**
 * Makes an error without the list of functions in its `stack`. Until V8 formats this list, the error refers
 * to the functions, and so to the whole batch. If a handler that hangs keeps the error, the batch stays in
 * memory. Nobody needs the list: it would only show functions of this package. For 8,000 errors: 3 ms without
 * it, 60 ms with it.
 */
export function withoutStack<TError extends Error>(create: () => TError): TError {
  const { stackTraceLimit } = Error
  Reflect.set(Error, 'stackTraceLimit', 0) // does not throw if the application has frozen it
  const error = create()
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  return error
}

/**
 * The event is not an SQS event: not an object, without a `Records` array, or with a record that comes from
 * another source or has no `messageId`. Thrown before any record starts. SQS redelivers the whole batch.
 */
export class InvalidSqsEventError extends SqsBatchError {
  readonly code = 'ERR_INVALID_SQS_EVENT'
}

/**
 * The handler runs as a durable function, so the invocation fails. SQS starts a new execution for each retry,
 * so the checkpoints are lost. An execution is also limited to 3,000 operations. AWS recommends a regular
 * function that starts one durable execution for each message, with a name such as the message id
 * (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
 */
export class DurableContextError extends SqsBatchError {
  readonly code = 'ERR_DURABLE_CONTEXT'
}

/** The handler of the record was still running `timeout` milliseconds after it started (option `recordTimeout`). */
export class RecordTimeoutError extends SqsBatchError {
  readonly code = 'ERR_RECORD_TIMEOUT'
  /** The option `recordTimeout`, in milliseconds. */
  readonly timeout: number

  constructor(timeout: number) {
    super(`The handler did not finish within the recordTimeout of ${timeout} ms`)
    this.timeout = timeout
  }
}

/** The handler was still running when the batch ended, for example because the function ran out of time. */
export class RecordAbortedError extends SqsBatchError {
  readonly code = 'ERR_RECORD_ABORTED'
}

/** The batch ended before the record started. Its handler never ran. */
export class RecordNotStartedError extends SqsBatchError {
  readonly code = 'ERR_RECORD_NOT_STARTED'
}

/**
 * Another record failed, so this one was blocked. By default, that is an earlier record of the same FIFO
 * message group. With `fifoFailure: 'batch'`, it is any record of the batch. `cause` is the error of that
 * record. The blocked record is reported so that the order is kept.
 *
 * Usually, its handler never ran. It may have run if the other record was reported later, by a chunk handler
 * or your own inner handler.
 */
export class RecordBlockedError extends SqsBatchError {
  readonly code = 'ERR_RECORD_BLOCKED'

  constructor(options: ErrorOptions) {
    super('Blocked: another record failed, and the order of the FIFO queue must be kept', options)
  }
}

/**
 * The record's body is not text, not JSON, or does not match the schema. In the last case, `message` gives
 * the number of issues and the paths of up to three. It contains no values from the body. A path can contain
 * array indexes and object keys. A key is shown only if it consists of at most 32 letters, `_` or `$`; any
 * other key is shown as `…`.
 */
export class InvalidBodyError extends SqsBatchError {
  readonly code = 'ERR_INVALID_BODY'
  /**
   * The issues that the schema returned. Empty if it returned none. Their messages and paths can quote the
   * body. The property is not enumerable, so loggers and `JSON.stringify()` do not include it.
   */
  declare readonly issues: readonly StandardSchemaV1.Issue[]

  constructor(message: string, issues: readonly StandardSchemaV1.Issue[] = []) {
    super(message)
    Object.defineProperty(this, 'issues', { value: issues })
  }
}

/**
 * Every record failed and was not handled (option `throwOnFullBatchFailure`). `errors` has the error of each,
 * in order.
 */
export class FullBatchFailureError extends AggregateError {
  readonly code = 'ERR_FULL_BATCH_FAILURE'
}

/**
 * Throw it in a handler if a retry cannot succeed. `deadLetter()` sends such a record to a dead-letter queue
 * immediately. Without `deadLetter()`, the record is an ordinary failure and SQS redelivers it.
 *
 * @example
 * if (response.status === 422) throw new PermanentError('the order is not valid')
 */
export class PermanentError extends SqsBatchError {
  readonly code = 'ERR_PERMANENT'
}

const CLASSES = {
  DurableContextError,
  FullBatchFailureError,
  InvalidBodyError,
  InvalidSqsEventError,
  PermanentError,
  RecordAbortedError,
  RecordBlockedError,
  RecordNotStartedError,
  RecordTimeoutError,
}
// Not in the classes: esbuild renames a class whose body contains its name (`_PermanentError`).
for (const [name, { prototype }] of Object.entries(CLASSES)) {
  Object.defineProperty(prototype, 'name', { value: name, configurable: true, writable: true })
}

const OUTCOMES = [
  [RecordTimeoutError, 'timedOut'],
  [RecordAbortedError, 'aborted'],
  [RecordBlockedError, 'blocked'],
  [RecordNotStartedError, 'notStarted'],
] as const

/** Whether this package made the error. Handlers throw a `PermanentError`. Does not throw. */
export function isOwnError(error: unknown): boolean {
  return safely(() => error instanceof SqsBatchError && !(error instanceof PermanentError)) ?? false
}

/**
 * Returns why a record failed, from the class of its error. It is `undefined` if the handler failed, the body
 * was not valid, or an inner handler reported the record.
 */
export function outcomeOf(error: unknown) {
  // First, because this runs several times per failed record, and nearly all errors are those of handlers.
  if (!isOwnError(error)) return undefined
  return safely(() => OUTCOMES.find(([RecordError]) => error instanceof RecordError)?.[1])
}

/**
 * Wraps `read`, and remembers its result for the last error. This makes long lists cheap, because records
 * that were not started share one error.
 */
export function memoizeOne<T>(read: (error: unknown) => T): (error: unknown) => T {
  let last: { readonly error: unknown; readonly result: T } | undefined
  return (error) => {
    if (!last || last.error !== error) last = { error, result: read(error) }
    return last.result
  }
}

/** A blocked record, or one that was not started, has no error of its own. Failure handlers do not receive it. */
export function isBlockedOrNotStarted(error: unknown): boolean {
  const outcome = outcomeOf(error)
  return outcome === 'blocked' || outcome === 'notStarted'
}
