import type { Context, SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import type { Failure } from './handlers/jobs.ts'
import { readBatchResult } from './handlers/results.ts'
import type { CreateJobs, RunBatch } from './handlers/run-batch.ts'
import type { Settings } from './options.ts'
import { handleFailures } from './report/failure-handlers.ts'
import { logCallback, logFailures, logRedelivery } from './report/failure-log.ts'
import { freezeResponse, idsOf, mergeReported, toReport, toResponse } from './report/response.ts'
import { summarize } from './report/summary.ts'
import { type CallbackTime, callInTime } from './report/time-limit.ts'
import { traceBatch, traceJobs } from './report/tracing.ts'
import { deadlines, responseReserve, timeLeft } from './scheduler/deadlines.ts'
import type { Run } from './scheduler/run.ts'
import type { Schedule } from './scheduler/scheduler.ts'
import { safely } from './shared/safely.ts'
import type { Batch } from './sqs-event.ts'
import type { BatchTrace } from './types.ts'

/** One invocation, from the checked event to the response. The inner handler is that of Middy's `.handler()`. */
export interface Invocation {
  /** Runs a handler on every record and returns the report. The inner handler calls it. */
  readonly runBatch: RunBatch
  /**
   * Reads what the inner handler returned. A later middleware can change it in place, so `respond()` reads it
   * again. A record that failed in either reading is reported.
   *
   * @throws {TypeError} that says what was received and what to return
   */
  receive(returned: unknown): Received
  /** Ends the batch, and makes the response. The invocation can fail during each `await`. */
  respond(received: Received): Promise<SQSBatchResponse>
  /** @throws if an error fails the invocation, even if the inner handler caught it, or if the response was removed */
  assertNotFailed(): void
  /** A response with which SQS redelivers the whole batch. */
  allFailed(): SQSBatchResponse
  /** Ends the invocation without a response, and logs what this costs. Does not throw. */
  abandon(received: Received | undefined): void
  /** Publishes the error of a failed invocation to the tracing channel. Does not throw. */
  traceError(error: unknown): void
}

/** What the inner handler returned, and the failures that it had listed at that time. */
export interface Received {
  readonly returned: unknown
  readonly failures: readonly Failure[]
}

/** What the invocation knows once its records have started. */
interface Started {
  readonly signal: AbortSignal | undefined
  run?: Run
  /** The records that failed, in record order. Empty until all have a result. */
  failures: readonly Failure[]
  /** The report that the inner handler was given. It can add ids to it. */
  report?: SQSBatchResponse
}

/** The reports of all invocations. A WeakSet, unlike the values of a WeakMap, keeps nothing else in memory. */
const REPORTS = new WeakSet<object>()

/** In the last milliseconds before the timeout, a response may be that of Middy's early timeout (5 ms by default). */
const EARLY_TIMEOUT = 20

export function createInvocation(
  batch: Batch,
  context: Context,
  settings: Settings,
  schedule: Schedule,
): Invocation {
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const tracedOutcome = traceBatch(trace) // settling it ends the trace; `undefined` without subscribers
  // On the clock of `performance.now()`. `timeLeft()` is called here and at the start of the records, and not
  // later: after the timeout, it returns `Infinity`.
  let timeoutAt = performance.now() + timeLeft(context)
  let started: Started | undefined
  let isOver = false
  /** Why the invocation fails, even if the inner handler caught it. */
  let fatal: TypeError | undefined

  async function runBatch(
    createJobs: CreateJobs,
    givenContext: unknown,
    signal: AbortSignal | undefined,
  ): Promise<SQSBatchResponse> {
    if (started || isOver) {
      // A second caller may have discarded the first results. After the end, nobody would receive them.
      const error = new TypeError(
        'The handler of eachRecord() or eachChunk() was called twice, or after its invocation ended. ' +
          'Call it once, and await it',
      )
      fatal ??= error
      throw error
    }
    const own: Started = { signal, failures: [] }
    started = own // before any record handler runs, because a record handler could call this again
    const now = performance.now()
    timeoutAt = Math.min(timeoutAt, now + timeLeft(givenContext))
    const jobs = traceJobs(createJobs(batch, settings), batch, trace)
    const times = deadlines(settings, size, jobs.count, Math.max(0, timeoutAt - now), now)
    await new Promise<void>((resolve) => {
      own.run = schedule(jobs, times, (failures) => {
        // Only chunks of a FIFO queue need it: it adds the records behind a failed one in its chunk, and
        // sorts.
        if (failures.length > 0) own.failures = mergeReported(batch, jobs.failedRecords(failures), [])
        resolve()
      })
    })
    own.report = toReport(idsOf(batch, own.failures))
    REPORTS.add(own.report)
    return own.report
  }

  function receive(returned: unknown): Received {
    const isOwn = isOwnReport(returned)
    // Whether the response comes from Middy's early timeout, and not from the inner handler.
    if (started?.signal?.aborted || (!isOwn && timeoutAt - performance.now() <= EARLY_TIMEOUT)) {
      throw new TypeError(
        'timeoutEarlyResponse may have responded, which would delete unfinished messages: let it throw. An inner handler ' +
          'that does not pass its third argument to eachRecord() must respond 20 ms before the timeout',
      )
    }
    if (!isOwn && REPORTS.has(returned as object)) {
      throw new TypeError('The handler returned the report of another invocation')
    }
    return { returned, failures: read(returned) }
  }

  const isOwnReport = (returned: unknown) => returned !== undefined && returned === started?.report

  function read(returned: unknown): readonly Failure[] {
    // The inner handler may have added ids to the report, even if it then returned something else.
    const added = started?.report ? readBatchResult(started.report, batch) : []
    return isOwnReport(returned) ? added : [...added, ...readBatchResult(returned, batch)]
  }

  /**
   * Ends the batch: no further record starts, and those that the inner handler did not wait for are aborted.
   *
   * @param reported the failures that the inner handler has listed
   * @returns all failures, in record order
   */
  function end(reported: readonly Failure[]): readonly Failure[] {
    isOver = true
    started?.run?.end()
    return mergeReported(batch, started?.failures ?? [], reported)
  }

  async function respond({ returned, failures: reported }: Received): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, onSummary, throwOnFullBatchFailure } = settings
    const failures = end([...reported, ...read(returned)])
    assertNotFailed()
    let remaining = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logCallback(logger, 'onFailure', error)
      const isFailed = () => fatal !== undefined
      remaining = await handleFailures(
        failureHandlers,
        batch,
        failures,
        context,
        callbackTime(),
        log,
        isFailed,
      )
      assertNotFailed()
    }
    const summary = () => summarize(size, failures, remaining.length, started?.run, remainingTime())
    if (tracedOutcome)
      safely(() => Object.assign(trace, { summary: summary(), failures: withRecords(failures) }))
    if (failures.length > 0) await logFailures(logger, batch, failures, summary, callbackTime)
    assertNotFailed()
    if (onSummary) {
      const log = (error: unknown) => logCallback(logger, 'onSummary', error)
      await callInTime(() => onSummary(summary(), context), callbackTime(), 'onSummary', log)
    }
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All records of the batch failed (${size})`)
    }
    const response =
      remaining.length === 0 ? freezeResponse(toReport([])) : await toResponse(batch, remaining)
    assertNotFailed()
    tracedOutcome?.resolve(structuredClone(response)) // a subscriber that changes it must not change the response
    return response
  }

  const withRecords = (failures: readonly Failure[]) =>
    failures.map(({ index, reason }) => ({ record: batch.records[index], error: reason }))

  function assertNotFailed(): void {
    if (fatal) throw fatal
  }

  function abandon(received: Received | undefined): void {
    // Thrown if nothing else has thrown: a middleware has set `undefined`.
    fatal ??= new TypeError(
      'request.response is undefined. Return a report in the inner handler, and keep it in middlewares',
    )
    const failures = end(received?.failures ?? [])
    // If no result is known, nothing succeeded.
    if (started || received) logRedelivery(settings.logger, size, size - failures.length)
  }

  /** Milliseconds until the function's timeout, at least 0; Infinity without one. */
  const remainingTime = () => Math.max(0, timeoutAt - performance.now())

  /** How much time the failure handlers and `onSummary` have. */
  function callbackTime(): CallbackTime {
    const left = remainingTime()
    return { left, reserve: responseReserve(settings.cpuShare, size, left) }
  }

  return {
    runBatch,
    receive,
    respond,
    assertNotFailed,
    allFailed: () => toReport([...new Set(batch.ids)]),
    abandon,
    traceError: (error) => tracedOutcome?.reject(error),
  }
}
