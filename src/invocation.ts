import type { Context, SQSBatchResponse } from 'aws-lambda'
import type { CallbackTime } from './deadline.ts'
import { FullBatchFailureError } from './errors.ts'
import { handleFailures } from './failure-handlers.ts'
import { logCallback, logFailures, logReplacedError } from './failure-log.ts'
import type { createFanOuts, FanOut } from './fan-out.ts'
import { toLanes } from './lanes.ts'
import type { Settings } from './options.ts'
import type { RunBatch } from './registry.ts'
import { mergeFailures, readResponse, readWhatIsKnown, toResponse } from './response.ts'
import { recordsOf } from './sqs-event.ts'
import { callOnSummary, summarize } from './summary.ts'
import { deadlines, responseReserve, timeLeft } from './time-budget.ts'
import { traceBatch, traceRecords } from './tracing.ts'
import type { Batch, BatchTrace, Failure } from './types.ts'
import { chunkUnits, recordUnits, type Units } from './units.ts'

export interface Invocation {
  /** Remembers whether the inner handler may have seen other records than those of the batch. Does not throw. */
  checkRecords(event: unknown): void
  /** Runs a handler on every record and reports. What an inner handler calls. */
  readonly run: RunBatch
  /** Makes the response out of what the inner handler returned. */
  conclude(returned: unknown): Promise<SQSBatchResponse>
  /** Gives the response that takes the place of an error; nothing where the error is to fail the invocation. */
  recover(error: unknown): Promise<SQSBatchResponse | undefined>
}

/** All the state of one invocation. */
export function createInvocation(
  batch: Batch,
  request: { readonly event: unknown; readonly context: Context; readonly response: unknown },
  settings: Settings,
  startFanOut: ReturnType<typeof createFanOuts>,
): Invocation {
  const { context } = request
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const traced = traceBatch(trace)
  let hasBegun = false
  let units: Units | undefined
  let fanOut: FanOut | undefined
  let own: Failure[] | undefined
  let report: SQSBatchResponse | undefined // the handler's, which may add to it
  let reported: readonly Failure[] | undefined // in the response
  let response: SQSBatchResponse | undefined // Middy's, which other middlewares may change
  let endsAt: number | undefined // of the function's time, which is not asked for again: at its end, 0 is no nonsense
  let earlyTimeout: EarlyTimeout | undefined
  let isOver = false
  let otherRecords: { readonly error: unknown } | undefined // that the inner handler may have seen
  let fatal: { readonly error: unknown } | undefined // fails the invocation, also if the inner handler caught it

  const run: RunBatch = async (handle, event, context, signal) => {
    // Nobody would hear what became of them, and Lambda has redelivered them already.
    if (isOver)
      throw new Error('The invocation has ended: the handler of eachRecord() or eachChunk() was called too late')
    if (hasBegun) {
      const error = new TypeError(
        'The records of a batch are run once: the handler of eachRecord() or eachChunk() was called twice',
      )
      fatal = { error } // nobody knows what the second call was meant to do
      throw error
    }
    const records = recordsOf(batch, event)
    hasBegun = true
    earlyTimeout = watchEarlyTimeout(signal, request)
    const { failureHandlers, rateLimit, fifoFailure } = settings
    units =
      typeof handle === 'function'
        ? recordUnits(batch, records, handle)
        : chunkUnits(batch, records, { ...handle, size: Math.min(handle.size, rateLimit?.limit ?? Infinity) })
    const { count, groups, recordsIn } = units
    const { run, settled } = traceRecords(units, batch, trace)
    const now = performance.now()
    const left = timeLeft(context)
    endsAt = now + (left ?? Infinity)
    fanOut = startFanOut({
      size: count,
      lanes: toLanes(count, groups, fifoFailure),
      deadlines: deadlines(settings, { hasFailureHandlers: failureHandlers.length > 0, records: size, left, now }),
      run,
      settled,
      receiveCounts: batch.receiveCounts,
      weight: (unit) => recordsIn(unit).length,
    })
    await fanOut.done
    report = await toResponse(batch, await ownFailures())
    return report
  }

  function checkRecords(event: unknown): void {
    try {
      recordsOf(batch, event)
    } catch (error) {
      otherRecords ??= { error }
    }
  }

  /** What failed by the fan-out's own account. */
  async function ownFailures(): Promise<Failure[]> {
    if (fanOut && units) own ??= mergeFailures(batch, units.failuresAmong(await fanOut.done), [])
    return own ?? []
  }

  async function conclude(returned: unknown): Promise<SQSBatchResponse> {
    endFanOut()
    try {
      if (fatal) throw fatal.error
      const isTimedOut = earlyTimeout?.isOurs() ?? false
      if (Array.isArray(returned)) checkRecords(request.event) // results are matched by their place
      if (otherRecords && !isTimedOut && (!fanOut || Array.isArray(returned))) throw otherRecords.error
      const own = await ownFailures()
      const kept = !report || report === returned ? own : withTold(report, own, isTimedOut)
      return await respond(withTold(returned, kept, isTimedOut))
    } catch (error) {
      fatal ??= { error }
      traced?.reject(error)
      throw error
    }
  }

  /** Rules 7 and 12. */
  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    endFanOut()
    if (reported) {
      logReplacedError(settings.logger, error)
      // Made again: who changed the response may be who threw.
      return toResponse(batch, withTold(response, reported, true))
    }
    try {
      // Before the fan-out has begun the whole batch is redelivered, and the error is seen.
      if (fanOut && !fatal) return await respond(withTold(report, await ownFailures(), true), { cause: error })
      traced?.reject(error)
      return undefined
    } catch (escaping) {
      traced?.reject(escaping)
      throw escaping
    }
  }

  /** No record starts any more, and what runs is aborted, if the handler did not wait for it. */
  function endFanOut(): void {
    isOver = true
    earlyTimeout?.stop()
    fanOut?.end()
  }

  /**
   * These failures, and what the handler says beside them.
   *
   * @param mayBeNonsense whether what cannot be understood of it is passed over: it may not be the handler's, or not done
   */
  function withTold(returned: unknown, failures: readonly Failure[], mayBeNonsense: boolean): Failure[] {
    let told: Failure[]
    try {
      told = readResponse(returned, batch)
    } catch (error) {
      if (!mayBeNonsense) throw error
      told = readWhatIsKnown(returned, batch)
    }
    return mergeFailures(batch, failures, told)
  }

  /** When the failure handlers and `onSummary` must be done. */
  function callbackTime(): CallbackTime {
    const now = performance.now()
    endsAt ??= now + (timeLeft(context) ?? Infinity)
    const left = endsAt - now
    return { left, reserve: responseReserve(settings.cpuShare, size, left) }
  }

  /** @param replaced the error that ended the batch, where one did */
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
    const summary = () => summarize(size, failures, remaining.length, fanOut, timeLeft(context))
    if (traced) Reflect.set(trace, 'summary', summary()) // which does not throw where a listener has frozen it
    logFailures(logger, batch, failures, summary, replaced)
    if (onSummary) {
      const log = (error: unknown) => logCallback(logger, 'onSummary', error)
      await callOnSummary(onSummary, summary(), context, callbackTime(), log)
    }
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, replaced)
    }
    response = await toResponse(batch, remaining)
    reported = remaining
    traced?.resolve(structuredClone(response)) // a listener that changes it must not change the response
    return response
  }

  return { checkRecords, run, conclude, recover }
}

interface EarlyTimeout {
  isOurs(): boolean
  stop(): void
}

/**
 * Tells whether Middy's early timeout ended this invocation, so that the response may come from `timeoutEarlyResponse`
 * and not from the handler. The signal alone does not tell: Middy 6 shares it among overlapping invocations. Middy sets
 * the response three microtasks after it aborts the signal. If it has not, it was the timeout of another invocation.
 */
function watchEarlyTimeout(signal: AbortSignal | undefined, request: { readonly response: unknown }): EarlyTimeout {
  let isOurs = false
  const onAbort = async () => {
    isOurs = true
    for (let microtask = 0; microtask < 10 && request.response === undefined; microtask++) await null
    isOurs = request.response !== undefined
  }
  signal?.addEventListener('abort', onAbort)
  return { isOurs: () => isOurs, stop: () => signal?.removeEventListener('abort', onAbort) }
}
