import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'

/** What a record handler gets as its third argument. */
export interface RecordOptions {
  /**
   * Aborts at the record's timeout and at the end of the batch's time. Hand it to `fetch`, to an SDK client's `send`:
   * a handler that heeds it frees its slot at once. It is made when it is first read, so destructure it, or hand this
   * object on as it is; a copy made by `{ ...options }` lacks it.
   */
  readonly signal: AbortSignal
  /** The record's place in the batch, from 0. */
  readonly index: number
  /** How often SQS has delivered this message, this time included: `ApproximateReceiveCount`, 1 where it is missing. */
  readonly receiveCount: number
}

/**
 * What to do with one record: a Middy handler with the record in the place of the event. Returning, or resolving, is
 * success whatever the value; throwing, or rejecting, is failure whatever is thrown. `TContext` is what the middlewares
 * of the Middy handler make of the context.
 */
export type RecordHandler<TRecord = SQSRecord, TContext extends Context = Context> = (
  record: TRecord,
  context: TContext,
  options: RecordOptions,
) => unknown

/** A record whose `body` has been parsed. */
export type ParsedRecord<TBody> = Omit<SQSRecord, 'body'> & { readonly body: TBody }

/** What a chunk handler gets as its third argument. */
export interface ChunkOptions {
  /** Aborts at the chunk's timeout (option `recordTimeout`) and at the end of the batch's time. */
  readonly signal: AbortSignal
}

/**
 * What a chunk came to: nothing where all of it succeeded, a `PromiseSettledResult` for each of its records, or the ids
 * of those that failed. Anything else fails the whole chunk.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a `return` is one that succeeds
export type ChunkResult = void | undefined | readonly PromiseSettledResult<unknown>[] | SQSBatchResponse

/** What to do with some records at once. Throwing, or rejecting, fails all of them. */
export type ChunkHandler<
  TRecord = SQSRecord,
  TContext extends Context = Context,
  TResult extends ChunkResult = ChunkResult,
> = (records: readonly TRecord[], context: TContext, options: ChunkOptions) => TResult | PromiseLike<TResult>

/** No function has this type if `TResult` is the type of `[]`, which would fail every chunk at run time. */
export type NotEmptyResults<TResult> = [TResult] extends [never]
  ? unknown
  : TResult extends readonly never[]
    ? never
    : unknown

/** An ordinary Middy (and Lambda) handler of a batch of SQS records. */
export type BatchHandler<TContext extends Context = Context> = (
  event: SQSEvent,
  context: TContext,
  options?: { readonly signal?: AbortSignal },
) => Promise<SQSBatchResponse>

/** Milliseconds before the function's own timeout. */
export interface TimeBudget {
  /** When the time left falls to this, no further record starts. Default: 1,000 ms or 20 % of the time, the smaller. */
  readonly drain?: number | undefined
  /**
   * When the time left falls to this, signals abort and the response goes out. Default: 250 ms or 5 % of the time, the
   * smaller; with `onFailure` 2,000 ms or 20 %, to leave it some time. A `drain` below it is raised to it.
   */
  readonly abort?: number | undefined
}

/** The most records that start within any stretch of time of this length, wherever it begins. */
export interface RateLimitOption {
  /** Records: an integer from 1. A chunk counts its records, and has no more than this. */
  readonly limit: number
  /** Milliseconds, more than 0. */
  readonly interval: number
}

/** Called once for each record that failed, whatever a failure handler has made of it. */
export type FailureLogger = (error: unknown, record: SQSRecord) => void

/** Called once for each batch, after the failure handlers. */
export type SummaryHandler = (summary: BatchSummary, context: Context) => unknown

/** A record that failed, as failure handlers see it. */
export interface RecordFailure {
  readonly record: SQSRecord
  /** What its handler threw, or the error of this package that says what became of it. */
  readonly error: unknown
  /** How often SQS has delivered this message, this time included. */
  readonly receiveCount: number
}

/** What a failure handler gets as its second argument. */
export interface FailureRequest {
  readonly event: SQSEvent
  readonly context: Context
  /**
   * Aborts 100 ms before the function's timeout, and earlier on small functions. What a handler returns more than 25 ms
   * later is ignored.
   */
  readonly signal: AbortSignal
  /** Adds a line to the log for what could not be done; without effect where `logger` is `false`. */
  readonly log: (error: unknown) => void
}

/**
 * Has a say over failed records before the response is made: returns the failures that are to stay reported. Lambda
 * deletes the messages of the others. Records that never started or were blocked are reported without being passed to it,
 * and so is, on a FIFO queue, what failed behind a failed record of its message group.
 *
 * One that throws, is not done in time, or returns something other than some of the failures that it got changes nothing.
 */
export type FailureHandler = (
  failures: readonly RecordFailure[],
  request: FailureRequest,
) => readonly RecordFailure[] | PromiseLike<readonly RecordFailure[]>

/** Options of `boundedSqsBatch()`. All have defaults; an unknown key is a TypeError. */
export interface BoundedSqsBatchOptions {
  /**
   * Most handlers running at once, over all invocations that share this middleware instance: an integer from 1.
   * `BOUNDED_SQS_BATCH_CONCURRENCY` in the environment takes its place. It counts records, not sockets.
   * @default 100
   */
  readonly concurrency?: number | undefined
  /**
   * Milliseconds, more than 0. A record still open after this long: its signal aborts and it is reported as failed. Where
   * handlers that do not heed their signal hold all slots for as long again, their batches end, with a warning.
   * @default none
   */
  readonly recordTimeout?: number | undefined
  /**
   * How much of the function's time is kept for finishing what runs and for answering; `false` for none. Without
   * `context.getRemainingTimeInMillis`, as in most unit tests, there is no budget.
   */
  readonly timeBudget?: TimeBudget | false | undefined
  /**
   * Starts no more records than this, in this thread: over all invocations that share this middleware instance, warm
   * starts included. What could not start before `drain` is reported, with a receive count that has gone up; so
   * keep batches to what the time allows.
   * @default none
   */
  readonly rateLimit?: RateLimitOption | undefined
  /**
   * On a FIFO queue, what a failed record blocks: the rest of its message group, or everything not yet started.
   * @default 'group'
   */
  readonly fifoFailure?: 'group' | 'batch' | undefined
  /**
   * Throw `FullBatchFailureError` when, after `onFailure`, every record of a non-empty batch is still failed, so that the
   * invocation counts as an error in Lambda's metrics. The whole batch is redelivered, as it would be anyway.
   * @default false
   */
  readonly throwOnFullBatchFailure?: boolean | undefined
  /**
   * A failure handler, or several that are called one after the other, each with what the one before has left. Once an
   * invocation, after the last record.
   * @default none
   */
  readonly onFailure?: FailureHandler | readonly FailureHandler[] | undefined
  /**
   * A function that is called once for each failed record, or `false` for no log.
   * @default one `console.error` a batch, with counts and groups of errors, without bodies
   */
  readonly logger?: FailureLogger | false | undefined
  /**
   * A function that is called once for each batch with its summary, after `onFailure`: for metrics. Its promise is
   * awaited until 100 ms before the function's timeout (longer before it on small functions). If it throws or rejects,
   * the error is logged and the response stays the same. Not called if the invocation fails before there is a report.
   * @default none
   */
  readonly onSummary?: SummaryHandler | undefined
}

/** What a batch came to. */
export interface BatchSummary {
  /** Records in the batch. All the counts below but the last two add up to it. */
  readonly records: number
  readonly succeeded: number
  /** Handlers that threw, bodies that are not valid, records that a handler of one's own reported. */
  readonly failed: number
  /** At their `recordTimeout`. */
  readonly timedOut: number
  /** Running when the batch's time was up. */
  readonly aborted: number
  /** Behind a failed record of their FIFO message group. */
  readonly blocked: number
  readonly notStarted: number
  /** Records that failed and that a failure handler has taken care of, so that Lambda deletes them. */
  readonly handled: number
  /** Records in `batchItemFailures`. */
  readonly reported: number
  /** Milliseconds that handlers of a record, or of a chunk, took; `undefined` where none ran. */
  readonly durations: { readonly p50: number; readonly p95: number; readonly max: number } | undefined
  /** The most handlers of this batch that ran at once. */
  readonly peakInFlight: number
  /** Milliseconds left of the function's time; `undefined` where its context does not tell. */
  readonly timeLeft: number | undefined
}

/** What the channels `tracing:middy-bounded-sqs-batch:batch:*` publish: one object for all events of an invocation. */
export interface BatchTrace {
  readonly event: SQSEvent
  readonly context: Context
  /** From `asyncStart` on; absent where the invocation failed before its records came to something. */
  summary?: BatchSummary
  /** A copy of the response, from `asyncStart` on. */
  result?: SQSBatchResponse
  /** What the invocation failed with, from `error` on. */
  error?: unknown
}

/** What the channels `tracing:middy-bounded-sqs-batch:record:*` publish: one object for all events of a handler's run. */
export interface RecordTrace {
  readonly batch: BatchTrace
  /** The record, or the records of the chunk. */
  readonly records: readonly SQSRecord[]
  /** Why it is reported as failed, from `error` on; at its timeout a `RecordTimeoutError`, also while its handler runs on. */
  error?: unknown
}
