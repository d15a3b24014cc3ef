import type { SQSBatchResponse } from 'aws-lambda'
import { FullBatchFailureError } from './errors.ts'
import { logFailures, logReplacedError } from './failure-log.ts'
import type { createFanOuts, FanOut, Results } from './fan-out.ts'
import { toLanes } from './lanes.ts'
import type { Settings } from './options.ts'
import type { RunBatch } from './registry.ts'
import { failuresAmong, readResponse, toResponse } from './response.ts'
import { deadlines } from './time-budget.ts'
import type { Batch, Failure } from './types.ts'

export interface Invocation {
  /** Runs a handler on every record and reports. What an inner handler calls. */
  readonly run: RunBatch
  /** Makes the response out of what the inner handler returned. */
  conclude(response: unknown): Promise<SQSBatchResponse>
  /** Gives the response that takes the place of an error; nothing where the error is to fail the invocation. */
  recover(error: unknown): Promise<SQSBatchResponse | undefined>
}

/** All the state of one invocation. */
export function createInvocation(
  batch: Batch,
  settings: Settings,
  startFanOut: ReturnType<typeof createFanOuts>,
): Invocation {
  const size = batch.records.length
  let fanOut: FanOut | undefined
  let results: Results | undefined
  let report: Promise<SQSBatchResponse> | undefined
  let timeoutOfMiddy: AbortSignal | undefined
  let response: SQSBatchResponse | undefined // as it was returned to Middy
  let isOver = false
  let fatal: unknown

  const run: RunBatch = async (handle, context, signal) => {
    if (fanOut) throw new TypeError('The records of a batch are run once: the handler of eachRecord() was called twice')
    // Nobody would hear what became of them, and Lambda has redelivered them already.
    if (isOver) throw new Error('The invocation has ended: the handler of eachRecord() was called too late')
    timeoutOfMiddy = signal
    fanOut = startFanOut({
      size,
      lanes: toLanes(size, batch.groups, settings.fifoFailure),
      deadlines: deadlines(settings.timeBudget, context, performance.now()),
      run: (index, options) => handle(batch.records[index] as never, options),
      receiveCounts: batch.receiveCounts,
    })
    await fanOut.done
    return makeReport()
  }

  /** Reports what the fan-out came to, once. */
  function makeReport(endedBy?: { readonly error: unknown }): Promise<SQSBatchResponse> {
    report ??= (async () => {
      results = await (fanOut as FanOut).done
      const failures = failuresAmong(results)
      logFailures(settings.logger, batch, failures, endedBy)
      return toResponse(batch, failures)
    })()
    return report
  }

  async function conclude(returned: unknown): Promise<SQSBatchResponse> {
    isOver = true
    const wasRunning = fanOut?.end() ?? false
    try {
      // Middy's early timeout may have an answer of its own (`timeoutEarlyResponse`); ours is the exact one.
      const isTimeout = wasRunning && timeoutOfMiddy?.aborted
      let failures = isTimeout ? [] : readResponse(returned, batch, reasonOf)
      if (wasRunning) {
        // A handler that did not wait for its records cannot know what became of them.
        await makeReport()
        failures = failuresAmong(results as Results)
      } else if (!fanOut) logFailures(settings.logger, batch, failures)
      response = await respond(failures)
      return response
    } catch (error) {
      fatal = error
      throw error
    }
  }

  function reasonOf(index: number): unknown {
    const result = results?.[index]
    return result?.status === 'rejected' ? result.reason : new Error('The handler reported the record as failed')
  }

  async function respond(failures: readonly Failure[], options?: ErrorOptions): Promise<SQSBatchResponse> {
    if (settings.throwOnFullBatchFailure && size > 0 && failures.length === size) {
      const reasons = failures.map(({ reason }) => reason)
      throw new FullBatchFailureError(reasons, `All ${size} records of the batch failed`, options)
    }
    return toResponse(batch, failures)
  }

  /** Rules 7 and 12. */
  async function recover(error: unknown): Promise<SQSBatchResponse | undefined> {
    isOver = true
    if (fatal !== undefined && error === fatal) return undefined
    if (response || report) {
      logReplacedError(settings.logger, error)
    } else if (!fanOut) {
      return undefined // the fan-out has not begun: the whole batch is redelivered, and the error is seen
    }
    fanOut?.end()
    if (!response) {
      await makeReport({ error })
      response = await respond(failuresAmong(results as Results), { cause: error })
    }
    return response
  }

  return { run, conclude, recover }
}
