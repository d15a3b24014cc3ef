import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'

/** The third argument of a record handler. */
export interface RecordOptions {
  /**
   * Aborts at the record's timeout (option `recordTimeout`) and when the batch runs out of time. Pass it to
   * `fetch()` or to the `send()` of an SDK client, so that the handler stops and frees its slot immediately.
   *
   * The signal is created when it is first read. Destructure it, or pass this object on. A copy made with
   * `{ ...options }` does not contain it.
   */
  readonly signal: AbortSignal
  /** The record's place in the batch, from 0. */
  readonly index: number
  /**
   * How often SQS has delivered this message, including this delivery: the record's
   * `ApproximateReceiveCount`. 1 if the record has none, as in many events made by hand.
   */
  readonly receiveCount: number
}

/**
 * Processes one record. Returning means success, whatever the value. Throwing or rejecting means failure,
 * whatever is thrown.
 *
 * `TContext` is the context type that the middlewares of the Middy handler produce. Annotate it: Middy's type
 * of `.handler()` is a conditional type, from which TypeScript infers nothing.
 *
 * @example
 * const handleRecord = eachRecord((record, context: Context & { apiKey: string }) =>
 *   send(record, context.apiKey))
 */
export type RecordHandler<TRecord = SQSRecord, TContext extends Context = Context> = (
  record: TRecord,
  context: TContext,
  options: RecordOptions,
) => unknown

/** A record with a parsed `body`. */
export type ParsedRecord<TBody> = Omit<SQSRecord, 'body'> & { readonly body: TBody }

/** The option `body`: text as it is (`undefined`), parsed JSON, or JSON that is validated with a Standard Schema. */
export type BodyOption = 'json' | StandardSchemaV1 | undefined

/** The record that a handler receives, by the option `body`. A promise as the output of a schema is awaited. */
export type RecordOf<TBody extends BodyOption> = TBody extends StandardSchemaV1
  ? ParsedRecord<Awaited<StandardSchemaV1.InferOutput<TBody>>>
  : TBody extends 'json'
    ? ParsedRecord<unknown>
    : SQSRecord

/** The third argument of a chunk handler. */
export interface ChunkOptions {
  /** Aborts at the chunk's timeout (option `recordTimeout`) and when the batch runs out of time. */
  readonly signal: AbortSignal
}

/**
 * What a chunk handler returns. Nothing: the whole chunk succeeded. Otherwise one `PromiseSettledResult` for
 * each record, or `{ batchItemFailures }` with the ids of the failed records. Anything else fails the whole
 * chunk.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a `return` succeeds
export type ChunkResult = void | undefined | readonly PromiseSettledResult<unknown>[] | SQSBatchResponse

/** Processes several records at once. If it throws or rejects, all of them fail. */
export type ChunkHandler<
  TRecord = SQSRecord,
  TContext extends Context = Context,
  TResult extends ChunkResult = ChunkResult,
> = (records: readonly TRecord[], context: TContext, options: ChunkOptions) => TResult | PromiseLike<TResult>

/**
 * A compile-time check of a chunk handler's result type. It is `never` if the type allows only an empty
 * array, and `unknown` otherwise. At run time, an empty array fails the chunk, because it has no result for
 * any record.
 */
export type NotEmptyResults<TResult> = [TResult] extends [never]
  ? unknown
  : TResult extends readonly never[]
    ? never
    : unknown

/**
 * A handler for a batch of SQS records. Passed to Middy's `.handler()`, it is the inner handler of the Middy
 * handler.
 */
export type BatchHandler<TContext extends Context = Context> = (
  event: SQSEvent,
  context: TContext,
  options?: { readonly signal?: AbortSignal },
) => Promise<SQSBatchResponse>

/** How long before the function's timeout a batch ends. Both values are milliseconds, 0 or more. */
export interface TimeBudget {
  /**
   * No further record starts when this much time remains.
   * @default 1,000 ms, or 20 % of the remaining time if that is less
   */
  readonly drain?: number | undefined
  /**
   * When this much time remains, all signals abort and the batch ends. The failure handlers and `onSummary`
   * then run, and the response is sent. If `drain` is smaller, it is raised to this value.
   *
   * The default is longer if the end of the batch needs more time. This is 8 µs per record, 0.25 ms per
   * handler in flight and 50 ms, on a whole vCPU. With less than 1,769 MB of memory, a function has less than
   * one vCPU (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). With `onFailure`, the
   * time is 1.75 times as long, and 150 ms longer until each failure handler has completed once in this
   * process.
   * @default 250 ms, or 5 % of the remaining time if that is less. With `onFailure`: 2,000 ms, or 20 % of the
   * remaining time if that is less
   */
  readonly abort?: number | undefined
}

/**
 * At most `limit` records start within any period of `interval` milliseconds. With an asynchronous schema for
 * bodies, a record starts when its validation begins.
 */
export interface RateLimitOption {
  /** Records: a positive integer. A chunk of n records counts as n. A chunk never has more than `limit` records. */
  readonly limit: number
  /** Milliseconds, more than 0. */
  readonly interval: number
}

/**
 * Called once for each record that did not succeed, even if a failure handler removes it from the failures.
 * Its promises are awaited together, for at most 5 s and within the time budget.
 */
export type FailureLogger = (error: unknown, record: SQSRecord) => unknown

/** Called once for each batch, after the failure handlers. */
export type SummaryHandler = (summary: BatchSummary, context: Context) => unknown

/** A failed record, as a failure handler receives it. */
export interface RecordFailure {
  readonly record: SQSRecord
  /** What the handler threw, or an error of this package, such as `RecordTimeoutError`. */
  readonly error: unknown
  /** How often SQS has delivered this message, including this delivery. */
  readonly receiveCount: number
}

/** A failure on a FIFO queue, and the records that wait for it. */
export interface BlockedRecords {
  /** One of the failures that the failure handlers of this invocation received, the same object. */
  readonly failure: RecordFailure
  /**
   * The later records of its message group that are reported, whatever their own errors are. With
   * `fifoFailure: 'batch'`, also the records of other groups that did not start because of this failure. In
   * the order of the event.
   */
  readonly records: readonly SQSRecord[]
}

/** The second argument of a failure handler. */
export interface FailureRequest {
  readonly event: SQSEvent
  readonly context: Context
  /**
   * Aborts 100 ms before the function's timeout, or earlier on functions with less than 1,769 MB of memory. A
   * result that comes more than 25 ms later is ignored.
   */
  readonly signal: AbortSignal
  /** Writes an entry to the log, for example about a call that failed. Does nothing if `logger` is `false`. */
  readonly log: (error: unknown) => void
  /**
   * On a FIFO queue: which records wait for each failure, also for those that an earlier failure handler has
   * taken over. The list is frozen, and all failure handlers of an invocation receive the same one. Empty on
   * a standard queue.
   */
  readonly blocked: readonly BlockedRecords[]
}

/**
 * Receives the failed records before the response is made, and returns those that should still be reported.
 * Lambda deletes the messages of the others.
 *
 * It does not receive records that were not started or were blocked. On a FIFO queue, it receives only the
 * first failed record of each message group. The other failed records stay reported.
 *
 * A failure handler has no effect if it throws, or returns anything but failures that it received. It also
 * has no effect if it removes failures from the array that it received, and returns this array. The next
 * failure handler then receives the same failures. When the time is over (see `signal`), no further failure
 * handler runs. The failures that remain at the end stay reported.
 *
 * @example
 * const storeAfterFiveDeliveries: FailureHandler = async (failures) => {
 *   const old = failures.filter(({ receiveCount }) => receiveCount >= 5)
 *   await store(old.map(({ record }) => record)) // if it throws, all stay reported
 *   return failures.filter((failure) => !old.includes(failure))
 * }
 */
export type FailureHandler = (
  failures: readonly RecordFailure[],
  request: FailureRequest,
) => readonly RecordFailure[] | PromiseLike<readonly RecordFailure[]>

/** The options of `boundedSqsBatch()`. All are optional. An unknown key is a TypeError. */
export interface BoundedSqsBatchOptions {
  /**
   * The maximum number of handlers that run at once, across all invocations that share this middleware
   * instance in one thread: a positive integer. A chunk counts as one. A handler that opens several sockets
   * still counts as one.
   *
   * The environment variable `BOUNDED_SQS_BATCH_CONCURRENCY` overrides it, for every instance in the process.
   * A value of the variable that is not a positive integer is ignored, with a warning.
   * @default 100
   * @example boundedSqsBatch({ concurrency: 20 })
   */
  readonly concurrency?: number | undefined
  /**
   * Milliseconds, more than 0. If a handler runs longer, its signal aborts and its record (or chunk) is
   * reported as failed. Its slot stays occupied until the handler settles or the batch ends. A handler that
   * still runs after the end no longer counts. If handlers that ignore their signal fill every slot for
   * another `recordTimeout`, their batches end early, with a warning.
   * @default none
   * @example boundedSqsBatch({ recordTimeout: 5_000 })
   */
  readonly recordTimeout?: number | undefined
  /**
   * How long before the function's timeout the batch ends, so that the response is sent in time. `false`
   * turns the budget off. There is also no budget without `context.getRemainingTimeInMillis()`, as in most
   * unit tests.
   * @example boundedSqsBatch({ timeBudget: { drain: 5_000, abort: 2_000 } })
   */
  readonly timeBudget?: TimeBudget | false | undefined
  /**
   * The maximum number of records that start within any period of a given length. It applies to all
   * invocations that share this middleware instance in one thread, even across warm starts.
   *
   * Records that do not start in time (see `timeBudget.drain`) are reported. Their receive count has
   * increased although they never started. Choose a batch size that the function can finish at this rate
   * before its timeout.
   * @default none
   * @example boundedSqsBatch({ rateLimit: { limit: 7, interval: 1_000 } })
   */
  readonly rateLimit?: RateLimitOption | undefined
  /**
   * Which records do not start after a record of a FIFO queue has failed. `'group'`: the rest of its message
   * group. `'batch'`: all records that have not started. They are reported.
   * @default 'group'
   * @example boundedSqsBatch({ fifoFailure: 'batch' })
   */
  readonly fifoFailure?: 'group' | 'batch' | undefined
  /**
   * Whether to throw `FullBatchFailureError` if the batch is not empty and every record is still reported
   * after `onFailure`. The invocation then counts as an error in Lambda's metrics. SQS redelivers the whole
   * batch in both cases.
   * @default false
   * @example boundedSqsBatch({ throwOnFullBatchFailure: true })
   */
  readonly throwOnFullBatchFailure?: boolean | undefined
  /**
   * One failure handler, or several. They run one after another when all records have a result. Each receives
   * the failures that the previous one returned. They are not called if no record failed, or if all failed
   * records were blocked or not started.
   * @default none
   * @example
   * const onFailure = [deadLetter({ client, queueUrl }), retryBackoff({ client })]
   * boundedSqsBatch({ onFailure })
   */
  readonly onFailure?: FailureHandler | readonly FailureHandler[] | undefined
  /**
   * A function that is called once for each record that did not succeed, or `false` for no log. It is called
   * at the end of the batch, outside of the async context of the record handler. If the invocation fails
   * although records had succeeded, a separate `console.error()` says how many messages are redelivered.
   * @default one `console.error()` for each batch that has failures: counts and groups of errors. A message
   * body appears in it only if the message of an error quotes the body. Errors of `onFailure` and `onSummary`
   * are separate entries, and a logger function does not receive them
   * @example boundedSqsBatch({ logger: (error, { messageId }) => console.error(messageId, error) })
   */
  readonly logger?: FailureLogger | false | undefined
  /**
   * A function that is called once for each batch with its summary, after `onFailure`: for metrics. Its
   * promise is awaited until 100 ms before the function's timeout, or earlier on functions with less than
   * 1,769 MB of memory. If it throws or rejects, the error is logged and the response stays the same. Not
   * called if your inner handler or a later middleware fails.
   * @default none
   * @example boundedSqsBatch({ onSummary: ({ reported }) => console.log({ reported }) })
   */
  readonly onSummary?: SummaryHandler | undefined
}

/** The result of a batch in numbers. */
export interface BatchSummary {
  /** Records in the batch: the sum of `succeeded`, `failed`, `timedOut`, `aborted`, `blocked` and `notStarted`. */
  readonly records: number
  readonly succeeded: number
  /** Their handler threw or reported them, their body was not valid, or your own inner handler reported them. */
  readonly failed: number
  /** Their handler was still running when the `recordTimeout` expired. */
  readonly timedOut: number
  /** Their handler was still running when the batch ended. */
  readonly aborted: number
  /** They were blocked by a failed record of a FIFO queue. */
  readonly blocked: number
  /** The batch ended before they started. */
  readonly notStarted: number
  /** Records that did not succeed, but that a failure handler did not return. Lambda deletes their messages. */
  readonly handled: number
  /** Records that did not succeed, and that the response reports in `batchItemFailures`. */
  readonly reported: number
  /** How long handlers ran, including the validation of bodies, in milliseconds. `undefined` if no record started. */
  readonly durations: { readonly p50: number; readonly p95: number; readonly max: number } | undefined
  /** The maximum number of handlers of this batch that were in flight at once. */
  readonly peakInFlight: number
  /** Milliseconds from the summary to the function's timeout; 0 after it. `undefined` if the context has no value. */
  readonly timeLeft: number | undefined
}

/**
 * The message on the diagnostics channels `tracing:middy-bounded-sqs-batch:batch:*`. All events of an
 * invocation share one object.
 */
export interface BatchTrace {
  readonly event: SQSEvent
  readonly context: Context
  /** Set before the event `asyncStart` is published. Missing if your inner handler or a later middleware failed. */
  summary?: BatchSummary
  /**
   * The records that did not succeed, each with its error, before the failure handlers. Set and missing like
   * `summary`.
   */
  failures?: readonly { readonly record: SQSRecord; readonly error: unknown }[]
  /** A copy of the response. Set before the event `asyncStart` is published. */
  result?: SQSBatchResponse
  /**
   * The error that failed the invocation. Set before the event `error` is published. Missing if an earlier
   * middleware threw after the response was made, because the trace had then ended.
   */
  error?: unknown
}

/**
 * The message on the diagnostics channels `tracing:middy-bounded-sqs-batch:record:*`. All events of one
 * handler call share one object.
 */
export interface RecordTrace {
  readonly batch: BatchTrace
  /** The record, or the records of the chunk. */
  readonly records: readonly SQSRecord[]
  /**
   * Why the record failed. Set before the event `error` is published. At the timeout it is a
   * `RecordTimeoutError`, even if the handler is still running. For a chunk, it is what the handler threw, or
   * the error of the first record that failed.
   */
  error?: unknown
  /**
   * The records that failed, each with its error. Set before the event `error` is published. The chunk
   * handler succeeded for the others. On a FIFO queue, those that follow a failed record are reported, too.
   */
  failures?: readonly { readonly record: SQSRecord; readonly error: unknown }[]
}
