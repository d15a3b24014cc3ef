import type { Context, SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import { handleFailures } from './failure-handlers.ts'
import { logFailureHandler, logFailures, logReplacedError } from './failure-log.ts'
import type { createFanOuts, FanOut } from './fan-out.ts'
import { toLanes } from './lanes.ts'
import type { Settings } from './options.ts'
import type { RunBatch } from './registry.ts'
import { mergeFailures, readResponse, toResponse } from './response.ts'
import { recordsOf } from './sqs-event.ts'
import { summarize } from './summary.ts'
import { deadlines, timeLeft } from './time-budget.ts'
import { traceBatch, traceRecords } from './tracing.ts'
import type { Batch, BatchTrace, Failure } from './types.ts'
import { chunkUnits, recordUnits, type Units } from './units.ts'

export interface Invocation {
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
  context: Context,
  settings: Settings,
  startFanOut: ReturnType<typeof createFanOuts>,
): Invocation {
  const size = batch.ids.length
  const trace: BatchTrace = { event: batch.event, context }
  const traced = traceBatch(trace)
  let hasBegun = false
  let units: Units | undefined
  let fanOut: FanOut | undefined
  let own: Failure[] | undefined
  let report: SQSBatchResponse | undefined // the handler's, which may add to it
  let response: SQSBatchResponse | undefined // Middy's
  let endsAt: number | undefined // of the function's time, which is not asked for again: at its end, 0 is no nonsense
  let timeoutOfMiddy: AbortSignal | undefined
  let isOver = false
  let isRefused = false // by an error that must fail the invocation

  const run: RunBatch = async (handle, context, signal) => {
    // Nobody would hear what became of them, and Lambda has redelivered them already.
    if (isOver)
      throw new Error('The invocation has ended: the handler of eachRecord() or eachChunk() was called too late')
    if (hasBegun) {
      isRefused = true // what the second one was to do has not been done
      throw new TypeError(
        'The records of a batch are run once: the handler of eachRecord() or eachChunk() was called twice',
      )
    }
    const records = recordsOf(batch)
    hasBegun = true
    timeoutOfMiddy = signal
    const { timeBudget, failureHandlers, rateLimit, fifoFailure } = settings
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
      deadlines: deadlines(timeBudget, failureHandlers.length > 0, left, now),
      run,
      settled,
      receiveCounts: batch.receiveCounts,
      weight: (unit) => recordsIn(unit).length,
    })
    await fanOut.done
    report = await toResponse(batch, await ownFailures())
    return report
  }

  /** What failed by the fan-out's own account. */
  async function ownFailures(): Promise<Failure[]> {
    if (fanOut && units) own ??= mergeFailures(batch, units.failuresAmong(await fanOut.done), [])
    return own ?? []
  }

  async function conclude(returned: unknown): Promise<SQSBatchResponse> {
    isOver = true
    isRefused = false
    try {
      response = await respond(await allFailures(returned, timeoutOfMiddy?.aborted ?? false))
      return response
    } catch (error) {
      isRefused = true
      traced?.reject(error)
      throw error
    }
  }

  /** Rules 7 and 12. */
  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    isOver = true
    if (response) {
      logReplacedError(settings.logger, error)
      return response
    }
    try {
      // Before the fan-out has begun the whole batch is redelivered, and the error is seen.
      if (fanOut && !isRefused) response = await respond(await allFailures(report, true), { cause: error })
      else traced?.reject(error)
      return response
    } catch (escaping) {
      traced?.reject(escaping)
      throw escaping
    }
  }

  /**
   * What failed in the fan-out, which ends here if a handler did not wait for it, and what the handler says beside it.
   *
   * @param mayBeNonsense whether the answer is not the handler's: Middy's early timeout may have one of its own
   */
  async function allFailures(returned: unknown, mayBeNonsense: boolean): Promise<Failure[]> {
    fanOut?.end()
    const failures = await ownFailures()
    let told: Failure[] = []
    try {
      told = readResponse(returned, batch)
    } catch (error) {
      if (!fanOut || !mayBeNonsense) throw error
    }
    return mergeFailures(batch, failures, told)
  }

  /** @param replaced the error that ended the batch, where one did */
  async function respond(
    failures: readonly Failure[],
    replaced?: { readonly cause: unknown },
  ): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, throwOnFullBatchFailure } = settings
    let reported = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logFailureHandler(logger, error)
      const now = performance.now()
      endsAt ??= now + (timeLeft(context) ?? Infinity)
      reported = await handleFailures(failureHandlers, batch, failures, context, endsAt - now, log)
    }
    const summary = () => summarize(size, failures, reported.length, fanOut, timeLeft(context))
    if (traced) trace.summary = summary()
    logFailures(logger, batch, failures, summary, replaced)
    if (throwOnFullBatchFailure && size > 0 && reported.length === size) {
      const reasons = reported.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, replaced)
    }
    const made = await toResponse(batch, reported)
    // A copy: a listener that changes it must not change the response.
    traced?.resolve(structuredClone(made))
    return made
  }

  return { run, conclude, recover }
}
