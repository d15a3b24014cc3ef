import type { SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import { logFailures, logReplacedError } from './failure-log.ts'
import type { createFanOuts, FanOut } from './fan-out.ts'
import { toLanes } from './lanes.ts'
import type { Settings } from './options.ts'
import type { RunBatch } from './registry.ts'
import { failuresAmong, mergeFailures, readResponse, toResponse } from './response.ts'
import { recordsOf } from './sqs-event.ts'
import { deadlines } from './time-budget.ts'
import type { Batch, Failure } from './types.ts'

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
  settings: Settings,
  startFanOut: ReturnType<typeof createFanOuts>,
): Invocation {
  let hasBegun = false
  let fanOut: FanOut | undefined
  let report: SQSBatchResponse | undefined // the handler's, which may add to it
  let response: SQSBatchResponse | undefined // Middy's
  let timeoutOfMiddy: AbortSignal | undefined
  let isOver = false
  let isRefused = false // by an error that must fail the invocation

  const run: RunBatch = async (handle, context, signal) => {
    // Nobody would hear what became of them, and Lambda has redelivered them already.
    if (isOver) throw new Error('The invocation has ended: the handler of eachRecord() was called too late')
    if (hasBegun) {
      isRefused = true // what the second one was to do has not been done
      throw new TypeError('The records of a batch are run once: the handler of eachRecord() was called twice')
    }
    const records = recordsOf(batch)
    hasBegun = true
    timeoutOfMiddy = signal
    fanOut = startFanOut({
      size: records.length,
      lanes: toLanes(records.length, batch.groups, settings.fifoFailure),
      deadlines: deadlines(settings.timeBudget, context, performance.now()),
      run: (index, options) => handle(records[index] as never, options),
      receiveCounts: batch.receiveCounts,
    })
    report = await toResponse(batch, failuresAmong(await fanOut.done))
    return report
  }

  async function conclude(returned: unknown): Promise<SQSBatchResponse> {
    isOver = true
    isRefused = false
    try {
      const failures = await allFailures(returned, timeoutOfMiddy?.aborted ?? false)
      logFailures(settings.logger, batch, failures)
      response = await respond(failures)
      return response
    } catch (error) {
      isRefused = true
      throw error
    }
  }

  /** Rules 7 and 12. */
  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    isOver = true
    if (isRefused) return undefined
    if (response) {
      logReplacedError(settings.logger, error)
    } else if (fanOut) {
      const failures = await allFailures(report, true)
      logFailures(settings.logger, batch, failures, { error })
      response = await respond(failures, { cause: error })
    }
    return response // none before the fan-out has begun: the whole batch is redelivered, and the error is seen
  }

  /**
   * What failed in the fan-out, which ends here if a handler did not wait for it, and what the handler says beside it.
   *
   * @param mayBeNonsense whether the answer is not the handler's: Middy's early timeout may have one of its own
   */
  async function allFailures(returned: unknown, mayBeNonsense: boolean): Promise<Failure[]> {
    fanOut?.end()
    const own = fanOut ? failuresAmong(await fanOut.done) : []
    let told: Failure[] = []
    try {
      told = readResponse(returned, batch)
    } catch (error) {
      if (!fanOut || !mayBeNonsense) throw error
    }
    return mergeFailures(batch, own, told)
  }

  async function respond(failures: readonly Failure[], options?: ErrorOptions): Promise<SQSBatchResponse> {
    const size = batch.ids.length
    if (settings.throwOnFullBatchFailure && size > 0 && failures.length === size) {
      const reasons = failures.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, options)
    }
    return toResponse(batch, failures)
  }

  return { run, conclude, recover }
}
