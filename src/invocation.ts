import type { Context, SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import type { Failure, RecordJobs } from './handlers/jobs.ts'
import { readBatchResult } from './handlers/returned.ts'
import type { RunBatch } from './handlers/run-batch.ts'
import type { Settings } from './options.ts'
import { type CallbackTime, callOnSummary } from './report/callbacks.ts'
import { handleFailures } from './report/failure-handlers.ts'
import { logCallback, logFailures, logRedelivery } from './report/failure-log.ts'
import {
  freezeResponse,
  idsOf,
  isUnchanged,
  mergeReported,
  readReplacement,
  toReport,
  toResponse,
  withBlocked,
} from './report/response.ts'
import { summarize } from './report/summary.ts'
import { traceBatch, traceJobs } from './report/tracing.ts'
import { deadlines, responseReserve, timeLeft } from './scheduler/deadlines.ts'
import type { createScheduler, JobRun } from './scheduler/scheduler.ts'
import { safely } from './shared/safely.ts'
import type { Batch } from './sqs-event.ts'
import type { BatchTrace } from './types.ts'

/** The reports of all invocations. A WeakSet, unlike the values of a WeakMap, keeps nothing else in memory. */
const REPORTS = new WeakSet<object>()

/** In the last milliseconds before the timeout, a response may be that of Middy's early timeout (5 ms by default). */
const EARLY_TIMEOUT = 20

/** What the invocation knows once its records have started. */
interface Started {
  readonly jobRun: JobRun
  /** Resolves with every failed record, in record order, when all records have a result. */
  readonly failures: Promise<readonly Failure[]>
  /** Middy's abort signal. `undefined` if the inner handler did not pass it on. */
  readonly signal: AbortSignal | undefined
  /** The report that `run()` returned to the inner handler, and the ids that it had at that time. */
  givenReport?: { readonly response: SQSBatchResponse; readonly ids: readonly string[] }
}

export type Invocation = ReturnType<typeof createInvocation>

/**
 * One invocation, from the checked event to the response. The inner handler is the function that was passed to Middy's
 * `.handler()`.
 */
export function createInvocation(
  batch: Batch,
  context: Context,
  settings: Settings,
  schedule: ReturnType<typeof createScheduler>,
) {
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const tracedOutcome = traceBatch(trace) // settling it ends the trace; `undefined` without subscribers
  /**
   * The function's timeout, on the clock of `performance.now()`. `timeLeft()` is called here and in `start()`, and not
   * later: after the timeout, it returns `Infinity`.
   */
  let timeoutAt = performance.now() + timeLeft(context)
  let canRun = true // `false` from the call of `run()`, and after the end
  let started: Started | undefined
  /** The failures that the inner handler reported. `undefined` until it has returned. */
  let reported: readonly Failure[] | undefined
  let readReported: () => readonly Failure[]
  /** The failures in the response. */
  let remaining: readonly Failure[]
  /** Why the invocation fails, even if the inner handler caught it. */
  let fatal: TypeError | undefined

  /** Runs a handler on every record and returns the report. The inner handler calls it. */
  const run: RunBatch = async (createJobs, handler, context, signal) => {
    if (!canRun) {
      // The caller of a second run may have discarded the first results. After the end, nobody would receive them.
      const error = new TypeError(
        'The handler of eachRecord() or eachChunk() was called twice, or after its invocation ended. ' +
          'Call it once, and await it',
      )
      fatal ??= error
      throw error
    }
    canRun = false // set before any record handler runs, because a record handler could call `run()` again
    started = start(traceJobs(createJobs(batch, handler, settings), batch, trace), context, signal)
    const ids = idsOf(batch, await started.failures)
    const response = toReport(ids)
    REPORTS.add(response)
    started.givenReport = { response, ids }
    return response
  }

  function start(jobs: RecordJobs, context: unknown, signal: AbortSignal | undefined): Started {
    const now = performance.now()
    timeoutAt = Math.min(timeoutAt, now + timeLeft(context))
    const running = schedule(jobs, deadlines(settings, size, jobs.count, remainingTime(), now))
    return {
      jobRun: running,
      // Only chunks of a FIFO queue need it: it adds the records that follow a failed one in its chunk, and sorts.
      failures: running.done.then((failures) => withBlocked(batch, jobs.failedRecords(failures))),
      signal,
    }
  }

  /**
   * Reads what the inner handler returned. A later middleware can change it in place, so `createResponse()` reads it again. A
   * record that failed in either reading is reported.
   *
   * @throws {TypeError} that says what was received and what to return
   */
  function receive(returned: unknown): void {
    const isOwn = returned === started?.givenReport?.response && returned !== undefined
    if (isEarlyTimeout(isOwn)) {
      throw new TypeError(
        'timeoutEarlyResponse may have responded, which would delete unfinished messages: let it throw. An inner handler ' +
          'that does not pass its third argument to eachRecord() must respond 20 ms before the timeout',
      )
    }
    if (!isOwn && REPORTS.has(returned as object)) {
      throw new TypeError('The handler returned the report of another invocation')
    }
    readReported = () => {
      const report = started?.givenReport
      // The inner handler may have added ids to the report, even if it then returned something else.
      const added = !report || isUnchanged(report.response, report.ids) ? [] : readBatchResult(report.response, batch)
      return isOwn ? added : [...added, ...readBatchResult(returned, batch)]
    }
    reported = readReported()
  }

  /** Whether the response comes from Middy's early timeout, and not from the inner handler. */
  const isEarlyTimeout = (isOwn: boolean) =>
    started?.signal?.aborted || (timeoutAt - performance.now() <= EARLY_TIMEOUT && !isOwn)

  /**
   * Ends the invocation: no further record starts. If the inner handler did not wait for all records, those that are
   * still running are aborted.
   */
  function end(): void {
    canRun = false
    started?.jobRun.end()
  }

  const collectFailures = async () => mergeReported(batch, (await started?.failures) ?? [], reported ?? [])

  /**
   * Ends the batch, and makes the response from what the inner handler returned. `receive()` was called before. During
   * each `await`, `run()` can be called, or a middleware can remove the response.
   */
  async function createResponse(): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, onSummary, throwOnFullBatchFailure } = settings
    end()
    reported = [...(reported as readonly Failure[]), ...readReported()]
    const failures = await collectFailures()
    assertNotFailed()
    remaining = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logCallback(logger, 'onFailure', error)
      remaining = await handleFailures(failureHandlers, batch, failures, context, callbackTime(), log, () => !!fatal)
      assertNotFailed()
    }
    const summary = () => summarize(size, failures, remaining.length, started?.jobRun, remainingTime())
    if (tracedOutcome) safely(() => Reflect.set(trace, 'summary', summary()))
    logFailures(logger, batch, failures, summary)
    if (onSummary) {
      const log = (error: unknown) => logCallback(logger, 'onSummary', error)
      await callOnSummary(onSummary, summary, context, callbackTime(), log)
    }
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All records of the batch failed (${size})`)
    }
    const response = await toResponse(batch, remaining)
    assertNotFailed()
    tracedOutcome?.resolve(structuredClone(response)) // a subscriber that changes it must not change the response
    return response
  }

  /** @throws if an error fails the invocation, even if the inner handler caught it, or if the response was removed */
  function assertNotFailed(): void {
    if (fatal) throw fatal
  }

  /**
   * Reads a response that a middleware sets after `createResponse()`.
   *
   * @returns a new response with the same ids, because the given object can change later
   * @throws {TypeError} unless it lists at least the failures of this invocation
   */
  const acceptReplacement = (response: unknown) => freezeResponse(toReport(readReplacement(response, batch, remaining)))

  /** A response with which SQS redelivers the whole batch. */
  const allFailed = () => toReport([...new Set(batch.ids)])

  /** Ends the invocation without a response, and logs what this costs. Does not throw. */
  function abandon(): void {
    fatal ??= new TypeError(
      'request.response is undefined. Return a report in the inner handler, and keep it in middlewares',
    )
    end()
    // If no result is known, nothing succeeded.
    if (started || reported) {
      void collectFailures().then((failures) => logRedelivery(settings.logger, size, size - failures.length))
    }
  }

  /** Milliseconds until the function's timeout, at least 0; Infinity without one. */
  const remainingTime = () => Math.max(0, timeoutAt - performance.now())

  /** How much time the failure handlers and `onSummary` have. */
  function callbackTime(): CallbackTime {
    const left = remainingTime()
    return { left, reserve: responseReserve(settings.cpuShare, size, left) }
  }

  /** Publishes the error of a failed invocation to the tracing channel. Does not throw. */
  const traceError = (error: unknown) => tracedOutcome?.reject(error)

  return { run, receive, createResponse, acceptReplacement, allFailed, assertNotFailed, abandon, traceError }
}
