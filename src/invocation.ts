import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import { type BatchJobs, chunkJobs, recordJobs } from './handlers/jobs.ts'
import type { RunBatch } from './handlers/run-batch.ts'
import type { Settings } from './options.ts'
import type { CallbackTime } from './report/callbacks.ts'
import { handleFailures } from './report/failure-handlers.ts'
import { logCallback, logFailures, logReplacedError } from './report/failure-log.ts'
import {
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
import { type Batch, recordsOf } from './sqs-event.ts'
import type { BatchTrace } from './types.ts'

/** One invocation, from the checked event to the response. */
export interface Invocation {
  /** The event that the inner handler gets. A later middleware can replace it. */
  event: unknown
  /** Remembers whether the inner handler may have seen other records than those of the batch. Does not throw. */
  checkRecords(event: unknown): void
  /** Runs a handler on every record and reports. An inner handler calls it. */
  readonly run: RunBatch
  /** Makes the response from what the inner handler returned. */
  conclude(returned: unknown): Promise<SQSBatchResponse>
  /** Returns the response that replaces an error; `undefined` if the error must fail the invocation. */
  recover(error: unknown): Promise<SQSBatchResponse | undefined>
}

/** How often the same list of records is checked. */
const MAX_CHECKS = 10

/** The records while they run, and after. */
interface Started {
  readonly schedule: Schedule
  /** Every record that failed, in order, as soon as each has a result. */
  readonly failures: Promise<readonly Failure[]>
  /** Middy's, if the inner handler passed it on. */
  readonly signal: AbortSignal | undefined
  readonly startedAt: number
  /** When the function's time is over. It is not read again: at its end, some contexts return 0 or less. */
  readonly endsAt: number
  /** What the inner handler was given, and the ids that it had then. */
  report?: { readonly response: SQSBatchResponse; readonly ids: readonly string[] }
}

/** What the invocation responded with. Other middlewares can change the response. */
interface Responded {
  readonly response: SQSBatchResponse
  readonly failures: readonly Failure[]
}

export function createInvocation(
  batch: Batch,
  context: Context,
  settings: Settings,
  schedule: ReturnType<typeof createScheduler>,
): Invocation {
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const traced = traceBatch(trace)
  let hasStarted = false
  let started: Started | undefined
  let responded: Responded | undefined
  let isOver = false
  /** An error that fails the invocation, also if the inner handler caught it. */
  let fatal: { readonly error: unknown } | undefined
  /** The event that was read last: before the first hook that runs after the handler, the one that the handler got. */
  let seenEvent: unknown = batch.event
  /** The list of records that was checked last, its length then, and how often it was checked. */
  let checked = { records: undefined as unknown, length: 0, times: 0 }
  /** Set if the inner handler may have seen other records than those of the batch. */
  let otherRecords: { readonly error: unknown } | undefined

  const run: RunBatch = async (handler, event, context, signal) => {
    // Nobody would receive the results, and Lambda has redelivered the records already.
    if (isOver)
      throw new Error('The invocation has ended: the handler of eachRecord() or eachChunk() was called too late')
    if (hasStarted) {
      const error = new TypeError(
        'The records of a batch are run once: the handler of eachRecord() or eachChunk() was called twice',
      )
      fatal = { error } // nobody knows what the second call was meant to do
      throw error
    }
    hasStarted = true // before the first record handler runs, which could call this again
    try {
      started = start(toJobs(handler, recordsOf(batch, event)), context, signal)
    } catch (error) {
      fatal = { error } // no record was started
      throw error
    }
    const ids = idsOf(batch, await started.failures)
    started.report = { response: toReport(ids), ids }
    return started.report.response
  }

  function toJobs(handler: Parameters<RunBatch>[0], records: Batch['records']): BatchJobs {
    const { rateLimit, fifoFailure } = settings
    const jobs =
      typeof handler === 'function'
        ? recordJobs(batch, records, handler, fifoFailure)
        : chunkJobs(
            batch,
            records,
            { ...handler, size: Math.min(handler.size, rateLimit?.limit ?? Infinity) },
            fifoFailure,
          )
    return traceJobs(jobs, batch, trace)
  }

  function start(jobs: BatchJobs, context: unknown, signal: AbortSignal | undefined): Started {
    const now = performance.now()
    const left = timeLeft(context)
    const hasFailureHandlers = settings.failureHandlers.length > 0
    const running = schedule(jobs, deadlines(settings, { hasFailureHandlers, records: size, left, now }))
    return {
      schedule: running,
      failures: running.done.then((failures) => mergeReported(batch, jobs.toRecordFailures(failures), [])),
      signal,
      startedAt: now,
      endsAt: now + (left ?? Infinity),
    }
  }

  function checkRecords(event: unknown): void {
    seenEvent = event
    try {
      const records = (event as Partial<SQSEvent> | undefined)?.Records
      const isSame = records === checked.records && records?.length === checked.length
      // A middleware may read the event once for each record, and a check takes a step for each record.
      if (isSame && checked.times >= MAX_CHECKS) return
      recordsOf(batch, event)
      checked = { records, length: size, times: isSame ? checked.times + 1 : 1 }
    } catch (error) {
      otherRecords ??= { error }
    }
  }

  async function conclude(returned: unknown): Promise<SQSBatchResponse> {
    endSchedule()
    try {
      if (fatal) throw fatal.error
      return await respond(await failuresWith(returned))
    } catch (error) {
      fatal ??= { error }
      traced?.reject(error)
      throw error
    }
  }

  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    endSchedule()
    if (responded) {
      logReplacedError(settings.logger, error)
      // Made again, since the middleware that threw may have changed the response before.
      return toResponse(idsOf(batch, withReported(responded.response, responded.failures, true)))
    }
    if (!started || fatal) {
      traced?.reject(error)
      return undefined
    }
    try {
      const failures = withReported(started.report?.response, await started.failures, true)
      return await respond(failures, { cause: error })
    } catch (escaping) {
      traced?.reject(escaping)
      throw escaping
    }
  }

  /** No further record starts, and those that are running are aborted, if the handler did not wait for them. */
  function endSchedule(): void {
    isOver = true
    started?.schedule.end()
  }

  /** The failures of the batch, and what the inner handler reported in addition. */
  async function failuresWith(returned: unknown): Promise<readonly Failure[]> {
    const isTimedOut = isEarlyTimeout()
    if (!isTimedOut && Array.isArray(returned)) recordsOf(batch, seenEvent) // results are matched by their place
    if (!isTimedOut && !started && otherRecords) throw otherRecords.error
    const failures = (await started?.failures) ?? []
    const { response: report, ids } = started?.report ?? {}
    // The report is read again, since the inner handler may have added to it, also if it returned something else.
    const kept = report && ids && !isUnchanged(report, ids) ? withReported(report, failures, isTimedOut) : failures
    return returned === report && report ? kept : withReported(returned, kept, isTimedOut)
  }

  /**
   * Whether Middy's early timeout may have ended this invocation, so that the response may come from
   * `timeoutEarlyResponse` and not from the inner handler. Middy 6 shares its signal among overlapping invocations, so the
   * signal only tells that the time of one of them is over. It counts if the records are still running, or if little time
   * is left.
   */
  function isEarlyTimeout(): boolean {
    if (!started) return false
    const { signal, startedAt, endsAt, report } = started
    if (signal && !report) return signal.aborted
    const left = endsAt - performance.now()
    return (signal?.aborted ?? true) && left < Infinity && left <= 20 + 0.05 * (endsAt - startedAt)
  }

  /**
   * Adds what a response reports to these failures.
   *
   * @param isLenient whether to ignore what cannot be understood, because the response may not be the handler's own
   */
  function withReported(response: unknown, failures: readonly Failure[], isLenient: boolean): readonly Failure[] {
    let reported: readonly Failure[]
    try {
      reported = readResponse(response, batch)
    } catch (error) {
      if (!isLenient) throw error
      reported = readKnownIds(response, batch)
    }
    return mergeReported(batch, failures, reported)
  }

  /** @param replaced the error that ended the batch, if there is one */
  async function respond(
    failures: readonly Failure[],
    replaced?: { readonly cause: unknown },
  ): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, onSummary, throwOnFullBatchFailure } = settings
    let remaining = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logCallback(logger, 'onFailure', error)
      remaining = await handleFailures(failureHandlers, batch, failures, context, callbackTime(), log)
    }
    const summary = () => summarize(size, failures, remaining.length, started?.schedule, timeLeft(context))
    if (traced) Reflect.set(trace, 'summary', summary()) // does not throw if a subscriber has frozen it
    logFailures(logger, batch, failures, summary, replaced)
    if (onSummary) {
      const log = (error: unknown) => logCallback(logger, 'onSummary', error)
      await callOnSummary(onSummary, summary(), context, callbackTime(), log)
    }
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, replaced)
    }
    const { report } = (remaining === (await started?.failures) && started) || {}
    const response = await toResponse(report?.ids ?? idsOf(batch, remaining))
    responded = { response, failures: remaining }
    traced?.resolve(structuredClone(response)) // a subscriber that changes it must not change the response
    return response
  }

  /** When the failure handlers and `onSummary` must be done. */
  function callbackTime(): CallbackTime {
    const now = performance.now()
    const left = started ? started.endsAt - now : (timeLeft(context) ?? Infinity)
    return { left, reserve: responseReserve(settings.cpuShare, size, left) }
  }

  return { event: batch.event, checkRecords, run, conclude, recover }
}
