import type { Context, SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import type { BatchJobs } from './handlers/jobs.ts'
import type { RunBatch } from './handlers/run-batch.ts'
import type { Settings } from './options.ts'
import type { CallbackTime } from './report/callbacks.ts'
import { handleFailures } from './report/failure-handlers.ts'
import { logCallback, logFailures, logReplacedError } from './report/failure-log.ts'
import {
  hasReport,
  idsOf,
  isUnchanged,
  mergeReported,
  readKnownIds,
  readResponse,
  toReport,
  toResponse,
} from './report/response.ts'
import { callOnSummary, summarize } from './report/summary.ts'
import { traceBatch, traceJobs } from './report/tracing.ts'
import { deadlines, responseReserve, timeLeft } from './scheduler/deadlines.ts'
import type { Failure } from './scheduler/job-states.ts'
import type { createScheduler, Schedule } from './scheduler/scheduler.ts'
import { watchSeenRecords } from './seen-records.ts'
import { type Batch, recordsOf } from './sqs-event.ts'
import type { BatchTrace } from './types.ts'

// Read once, because fake timers replace `process.nextTick`. An import of node:process would add 0.9 ms to every start
// (Node 24).
const { nextTick } = process

/**
 * One invocation, from the checked event to the response. The inner handler is the function that was passed to Middy's
 * `.handler()`.
 */
export interface Invocation {
  /** The event that the inner handler receives. A later middleware can replace it. */
  event: unknown
  /** What the inner handler returned, or what a middleware set instead. */
  response: unknown
  /** Checks that an event still has the records of the batch, and remembers if it does not. Does not throw. */
  checkRecords(event: unknown): void
  /** Call it with each new response before `response` is set. Does not throw. */
  noteResponse(response: unknown): void
  /** Runs a handler on every record and returns the report. The inner handler calls it. */
  readonly run: RunBatch
  /** Makes the response from what the inner handler returned. */
  conclude(returned: unknown): Promise<SQSBatchResponse>
  /**
   * Returns the response that replaces an error, or `undefined` if that error must fail the invocation. Rejects if
   * another error must fail it, for example `FullBatchFailureError`.
   */
  recover(error: unknown): Promise<SQSBatchResponse | undefined>
}

/** What the invocation knows once its records have started. */
interface Started {
  readonly schedule: Schedule
  /** Resolves with every failed record, in record order, when all records have a result. */
  readonly failures: Promise<readonly Failure[]>
  /** Middy's abort signal. `undefined` if the inner handler did not pass it on. */
  readonly signal: AbortSignal | undefined
  readonly startedAt: number
  /**
   * The function's timeout, on the clock of `performance.now()`. Computed once: after the timeout, `timeLeft()` returns
   * `undefined`, as if there were no timeout.
   */
  readonly timeoutAt: number
  /** The report that `run()` returned to the inner handler, and the ids that it had at that time. */
  givenReport?: { readonly response: SQSBatchResponse; readonly ids: readonly string[] }
}

/** What the invocation responded with. Other middlewares can change the response. */
interface Responded {
  readonly response: SQSBatchResponse
  readonly failures: readonly Failure[]
}

/**
 * An error of the inner handler or of a middleware after the records had started. The invocation responds with a report
 * instead, unless it fails for another reason.
 */
interface Replaced {
  readonly cause: unknown
}

export function createInvocation(
  batch: Batch,
  context: Context,
  settings: Settings,
  schedule: ReturnType<typeof createScheduler>,
): Invocation {
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const tracedOutcome = traceBatch(trace) // settling it ends the trace; `undefined` without subscribers
  let phase: 'running' | 'ended' | undefined // `running` from the call of `run()`, `ended` before the response is made
  let started: Started | undefined
  let responded: Responded | undefined
  /** An error that fails the invocation, even if the inner handler caught it. */
  let fatal: { readonly error: unknown } | undefined
  const seenRecords = watchSeenRecords(batch)
  /** The response that Middy removed when something threw. A middleware may have added failures to it. */
  let removedResponse: unknown

  const run: RunBatch = async (createJobs, handler, event, context, signal) => {
    // The invocation is making its response, or has made it. Nobody would receive the results, and Lambda may already
    // have deleted the messages or made them visible again.
    if (phase === 'ended')
      throw new Error(
        'The handler that eachRecord() or eachChunk() made was called after the invocation had ended. Await its result ' +
          'in your own inner handler',
      )
    if (phase === 'running') {
      const error = new TypeError(
        'The handler that eachRecord() or eachChunk() made was called twice for one batch. Call it once: each call ' +
          'would process all records again',
      )
      fatal = { error } // the second call may mean that the first results were not good, so the invocation fails
      throw error
    }
    phase = 'running' // set before any record handler runs, because a record handler could call `run()` again
    try {
      const jobs = createJobs(batch, recordsOf(batch, event), handler, settings)
      started = start(traceJobs(jobs, batch, trace), context, signal)
    } catch (error) {
      fatal = { error } // no record was started
      throw error
    }
    const failures = await started.failures
    const ids = idsOf(batch, failures)
    started.givenReport = { response: toReport(ids), ids }
    return started.givenReport.response
  }

  function start(jobs: BatchJobs, context: unknown, signal: AbortSignal | undefined): Started {
    const now = performance.now()
    const left = timeLeft(context)
    const running = schedule(jobs, deadlines(settings, size, left, now))
    return {
      schedule: running,
      // `[]`, because the inner handler has not reported anything yet. On a FIFO queue, `mergeReported()` blocks the
      // later records of a chunk in which one failed, and sorts. On a standard queue, it changes nothing.
      failures: running.done.then((failures) => mergeReported(batch, jobs.failedRecords(failures), [])),
      signal,
      startedAt: now,
      timeoutAt: now + (left ?? Infinity),
    }
  }

  function conclude(returned: unknown): Promise<SQSBatchResponse> {
    endSchedule()
    return finish(returned, isEarlyTimeout())
  }

  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    endSchedule()
    if (responded) {
      logReplacedError(settings.logger, error)
      // The response is made again, because a middleware may have changed or replaced it.
      let { failures } = responded
      for (const response of [responded.response, removedResponse]) {
        failures = mergeReported(batch, failures, readKnownIds(response, batch))
      }
      return toResponse(batch, failures)
    }
    if (!started || fatal) {
      tracedOutcome?.reject(error)
      return undefined
    }
    return finish(removedResponse, removedResponse === undefined || isEarlyTimeout(), { cause: error })
  }

  /** Makes the response. The parameters are those of `collectFailures()` and `respond()`. */
  async function finish(returned: unknown, isLenient: boolean, replaced?: Replaced): Promise<SQSBatchResponse> {
    try {
      if (fatal) throw fatal.error
      // If Middy's early timeout ended the batch, `endSchedule()` has just let `run()` return. The inner handler may then
      // add ids to the report. `nextTick()` waits for ids that it adds in microtasks; ids that it adds later are ignored.
      if (started && !started.givenReport) await new Promise<void>((resolve) => nextTick(resolve))
      const failures = collectFailures((await started?.failures) ?? [], returned, isLenient)
      return await respond(failures, replaced)
    } catch (error) {
      fatal ??= { error } // `recover()` may run next and must not replace this error
      tracedOutcome?.reject(error)
      throw error
    }
  }

  /**
   * Ends the invocation: no further record starts. If the inner handler did not wait for all records, those that are
   * still running are aborted.
   */
  function endSchedule(): void {
    phase = 'ended'
    started?.schedule.end()
  }

  /**
   * Returns the failures of the records, and those that the inner handler reported in addition.
   *
   * @param isLenient whether `returned` could come from something other than the inner handler (see `mergeResponse()`)
   */
  function collectFailures(failures: readonly Failure[], returned: unknown, isLenient: boolean): readonly Failure[] {
    // If the records have started, `run()` has checked the event that it was given.
    seenRecords.assertSame(!started)
    const report = started?.givenReport
    // The inner handler may have added ids to the report, even if it then returned something else. So the report is
    // read again.
    const isAsGiven = !report || isUnchanged(report.response, report.ids)
    const known = isAsGiven ? failures : mergeResponse(report.response, failures, isLenient)
    return report && returned === report.response ? known : mergeResponse(returned, known, isLenient)
  }

  /**
   * Whether Middy's early timeout may have ended this invocation. The response may then come from
   * `timeoutEarlyResponse` and not from the inner handler.
   */
  function isEarlyTimeout(): boolean {
    if (!started) return false
    const { signal, startedAt, timeoutAt, givenReport } = started
    if (signal && !givenReport) return signal.aborted // the records are still running
    const left = timeoutAt - performance.now()
    // Middy's default is 5 ms before the timeout. The margin also covers a somewhat larger `timeoutEarlyInMillis`.
    const isLittleTimeLeft = left < Infinity && left <= 20 + 0.05 * (timeoutAt - startedAt)
    return isLittleTimeLeft && (signal?.aborted ?? true) // without a signal, only the time decides
  }

  /**
   * Adds what a response reports to these failures.
   *
   * @param isLenient whether to ignore a response without a report, because something other than the inner handler
   * could have made it. A report that cannot be understood is always refused, because it may be about a failed record
   */
  function mergeResponse(response: unknown, failures: readonly Failure[], isLenient: boolean): readonly Failure[] {
    if (isLenient && !hasReport(response)) return failures
    return mergeReported(batch, failures, readResponse(response, batch))
  }

  async function respond(failures: readonly Failure[], replaced?: Replaced): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, onSummary, throwOnFullBatchFailure } = settings
    let remaining = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logCallback(logger, 'onFailure', error)
      remaining = await handleFailures(failureHandlers, batch, failures, context, callbackTime(), log)
    }
    const summary = () => summarize(size, failures, remaining.length, started?.schedule, remainingTime())
    if (tracedOutcome) Reflect.set(trace, 'summary', summary()) // does not throw if a subscriber has frozen it
    logFailures(logger, batch, failures, summary, replaced)
    if (onSummary) {
      const log = (error: unknown) => logCallback(logger, 'onSummary', error)
      await callOnSummary(onSummary, summary(), context, callbackTime(), log)
    }
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All records of the batch failed (${size})`, replaced)
    }
    const response = await toResponse(batch, remaining)
    responded = { response, failures: remaining }
    tracedOutcome?.resolve(structuredClone(response)) // a subscriber that changes it must not change the response
    return response
  }

  /**
   * Milliseconds until the function's timeout; Infinity without one. After the timeout, it is 0 if the batch has started.
   * Otherwise, it can be Infinity.
   */
  function remainingTime(): number {
    return started ? Math.max(0, started.timeoutAt - performance.now()) : (timeLeft(context) ?? Infinity)
  }

  /** How much time the failure handlers and `onSummary` have. */
  function callbackTime(): CallbackTime {
    const left = remainingTime()
    return { left, reserve: responseReserve(settings.cpuShare, size, left) }
  }

  function noteResponse(response: unknown): void {
    // If something throws, Middy sets the response to `undefined`, and then calls the `onError` hooks. The batch ends
    // here: if the hook of a later middleware throws, `recover()` is not called.
    if (response === undefined) {
      removedResponse = invocation.response ?? removedResponse
      started?.schedule.end()
    }
    seenRecords.noteResponse(response)
  }

  // No getters: V8 makes a hidden class for each literal with a getter, and the class refers to the getter. That kept
  // the records of each batch in memory until a full garbage collection.
  const invocation: Invocation = {
    event: batch.event,
    response: undefined,
    checkRecords: seenRecords.check,
    noteResponse,
    run,
    conclude,
    recover,
  }
  return invocation
}
