import type { Context, SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import { handleFailures } from './failure-handlers.ts'
import { logFailureHandler, logFailures, logReplacedError } from './failure-log.ts'
import type { createFanOuts, FanOut } from './fan-out.ts'
import { toLanes } from './lanes.ts'
import type { Settings } from './options.ts'
import type { RunBatch } from './registry.ts'
import { mergeFailures, readResponse, readWhatIsKnown, toResponse } from './response.ts'
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
  let reported: readonly Failure[] | undefined // in the response
  let response: SQSBatchResponse | undefined // Middy's, which other middlewares may change
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
    endFanOut()
    isRefused = false
    try {
      const mayBeNonsense = timeoutOfMiddy?.aborted ?? false // it may have an answer of its own
      return await respond(withTold(returned, await ownFailures(), mayBeNonsense))
    } catch (error) {
      isRefused = true
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
      if (fanOut && !isRefused) return await respond(withTold(report, await ownFailures(), true), { cause: error })
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

  /** @param replaced the error that ended the batch, where one did */
  async function respond(
    failures: readonly Failure[],
    replaced?: { readonly cause: unknown },
  ): Promise<SQSBatchResponse> {
    const { logger, failureHandlers, throwOnFullBatchFailure } = settings
    let remaining = failures
    if (failures.length > 0 && failureHandlers.length > 0) {
      const log = (error: unknown) => logFailureHandler(logger, error)
      const now = performance.now()
      endsAt ??= now + (timeLeft(context) ?? Infinity)
      remaining = await handleFailures(failureHandlers, batch, failures, context, endsAt - now, log)
    }
    const summary = () => summarize(size, failures, remaining.length, fanOut, timeLeft(context))
    if (traced) Reflect.set(trace, 'summary', summary()) // which does not throw where a listener has frozen it
    logFailures(logger, batch, failures, summary, replaced)
    if (throwOnFullBatchFailure && size > 0 && remaining.length === size) {
      const reasons = remaining.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, replaced)
    }
    response = await toResponse(batch, remaining)
    reported = remaining
    traced?.resolve(structuredClone(response)) // a listener that changes it must not change the response
    return response
  }

  return { run, conclude, recover }
}
