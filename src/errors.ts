import type { StandardSchemaV1 } from '@standard-schema/spec'
import { PERMANENT } from './permanent.ts'

/**
 * The errors of this package, in one place. Each has a literal `name` that survives minification (it stands on the
 * prototype, so that the first line of `stack` has it too) and a `code`. None quotes the body of a message.
 */
abstract class SqsBatchError extends Error {
  abstract readonly code: string
}

/**
 * Writes the stack of an error that a handler which hangs will hold: until then V8 keeps the functions of its frames, and
 * with them the whole batch.
 */
export function withStack<TError extends Error>(error: TError): TError {
  try {
    void error.stack
  } catch {} // `Error.prepareStackTrace` of the function threw
  return error
}

/** Called with `this`: a class that names itself in its body gets another name from the bundler, `_PermanentError`. */
function nameOf(errorClass: abstract new (...args: never[]) => Error, name: string): void {
  Object.defineProperty(errorClass.prototype, 'name', { value: name, configurable: true, writable: true })
}

/**
 * The event is not one that SQS sends to Lambda: not an object, no `Records` array, a record from another source, a
 * record without a `messageId`. Thrown before any record starts; the invocation fails and the whole batch is redelivered.
 */
export class InvalidSqsEventError extends SqsBatchError {
  static {
    nameOf(this, 'InvalidSqsEventError')
  }
  readonly code = 'ERR_INVALID_SQS_EVENT'
}

/**
 * The handler runs as a durable function. SQS starts a new execution for each retry, so its checkpoints are lost, and an
 * execution is limited to 3,000 operations. The invocation fails. AWS recommends a regular function that starts one
 * durable execution per message, by name
 * (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
 */
export class DurableContextError extends SqsBatchError {
  static {
    nameOf(this, 'DurableContextError')
  }
  readonly code = 'ERR_DURABLE_CONTEXT'
}

/** The record was still open `timeout` milliseconds after its handler began (option `recordTimeout`). */
export class RecordTimeoutError extends SqsBatchError {
  static {
    nameOf(this, 'RecordTimeoutError')
  }
  readonly code = 'ERR_RECORD_TIMEOUT'
  /** The record's limit in milliseconds. */
  readonly timeout: number

  constructor(timeout: number) {
    super(`The record was not finished within its ${timeout} ms`)
    this.timeout = timeout
  }
}

/** The record's handler was running when the batch ended, for want of time or because of an error elsewhere. */
export class RecordAbortedError extends SqsBatchError {
  static {
    nameOf(this, 'RecordAbortedError')
  }
  readonly code = 'ERR_RECORD_ABORTED'
}

/** The batch ended before the record's turn came. Its handler never ran. */
export class RecordNotStartedError extends SqsBatchError {
  static {
    nameOf(this, 'RecordNotStartedError')
  }
  readonly code = 'ERR_RECORD_NOT_STARTED'
}

/** A record before this one in its FIFO message group (or batch) failed, which is the `cause`. Its handler never ran. */
export class RecordBlockedError extends SqsBatchError {
  static {
    nameOf(this, 'RecordBlockedError')
  }
  readonly code = 'ERR_RECORD_BLOCKED'

  constructor(options: ErrorOptions) {
    super('A record before it failed, and a FIFO queue keeps its order', options)
  }
}

/**
 * The record's body is not JSON, or does not match the schema. `message` gives the number of issues and their paths.
 * It has no value of the body; a map key that consists of letters only can appear as part of a path.
 */
export class InvalidBodyError extends SqsBatchError {
  static {
    nameOf(this, 'InvalidBodyError')
  }
  readonly code = 'ERR_INVALID_BODY'
  /**
   * The issues as the schema returned them; empty if the body is not JSON. Their messages and paths can quote the body.
   * The property is not enumerable, so that loggers and `JSON.stringify()` do not include it.
   */
  declare readonly issues: readonly StandardSchemaV1.Issue[]

  constructor(message: string, issues: readonly StandardSchemaV1.Issue[] = []) {
    super(message)
    Object.defineProperty(this, 'issues', { value: issues })
  }
}

/**
 * Every record of a non-empty batch failed (option `throwOnFullBatchFailure`). `errors` holds what each came to, in
 * record order.
 */
export class FullBatchFailureError extends AggregateError {
  static {
    nameOf(this, 'FullBatchFailureError')
  }
  readonly code = 'ERR_FULL_BATCH_FAILURE'
}

/**
 * Thrown by a handler to say that trying again will not help: `deadLetter()` sends such a record to a dead-letter queue
 * at once. By itself it is a failure like any other.
 *
 * @example
 * if (response.status === 422) throw new PermanentError('the order is not valid')
 */
export class PermanentError extends SqsBatchError {
  static {
    nameOf(this, 'PermanentError')
  }
  readonly code = PERMANENT
}

/** What a record that failed came to, by its error. `undefined`: its handler, its body or the list of somebody says so. */
export function outcomeOf(error: unknown): 'timedOut' | 'aborted' | 'blocked' | 'notStarted' | undefined {
  try {
    if (error instanceof RecordTimeoutError) return 'timedOut'
    if (error instanceof RecordAbortedError) return 'aborted'
    if (error instanceof RecordBlockedError) return 'blocked'
    if (error instanceof RecordNotStartedError) return 'notStarted'
  } catch {} // an error that throws when it is read
  return undefined
}

/**
 * Reads errors of many records that often share one error, such as those that were not started: the last result is used
 * again for the same error.
 */
export function onceForEachError<T>(read: (error: unknown) => T): (error: unknown) => T {
  let last: { readonly error: unknown; readonly result: T } | undefined
  return (error) => {
    if (!last || last.error !== error) last = { error, result: read(error) }
    return last.result
  }
}

/** Whether its handler never ran: what has not been tried has not failed by itself. */
export function isUntried(error: unknown): boolean {
  const outcome = outcomeOf(error)
  return outcome === 'blocked' || outcome === 'notStarted'
}
