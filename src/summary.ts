import type { Context } from 'aws-lambda'
import { type CallbackTime, call, createDeadline, inTime } from './deadline.ts'
import { outcomeOf } from './errors.ts'
import type { BatchSummary, Failure, SummaryHandler } from './types.ts'

/** What a fan-out measured. */
export interface Measures {
  /** Milliseconds; NaN where nothing ran. */
  readonly durations: Float64Array
  readonly peakInFlight: number
}

/**
 * @param records how many the batch has
 * @param failures all that failed, before the failure handlers
 * @param reported how many of them are reported
 */
export function summarize(
  records: number,
  failures: readonly Failure[],
  reported: number,
  measures: Measures | undefined,
  timeLeft: number | undefined,
): BatchSummary {
  const outcomes = { failed: 0, timedOut: 0, aborted: 0, blocked: 0, notStarted: 0 }
  for (const { reason } of failures) outcomes[outcomeOf(reason) ?? 'failed']++
  return {
    records,
    succeeded: records - failures.length,
    ...outcomes,
    handled: failures.length - reported,
    reported,
    durations: spread(measures?.durations.filter((duration) => duration >= 0).sort()),
    peakInFlight: measures?.peakInFlight ?? 0,
    timeLeft,
  }
}

/**
 * Calls `onSummary` and waits for its promise.
 *
 * @param log is called with the error if it fails
 */
export async function callOnSummary(
  onSummary: SummaryHandler,
  summary: BatchSummary,
  context: Context,
  time: CallbackTime,
  log: (error: unknown) => void,
): Promise<void> {
  const deadline = createDeadline(time, 'onSummary was')
  try {
    await inTime(deadline.signal, call(onSummary, summary, context))
  } catch (error) {
    log(error)
  }
  deadline.clear()
}

function spread(sorted: Float64Array | undefined): BatchSummary['durations'] {
  if (!sorted || sorted.length === 0) return undefined
  /** The smallest that so large a share of them do not exceed. */
  const percentile = (share: number) => rounded(sorted[Math.ceil(share * sorted.length) - 1] as number)
  return { p50: percentile(0.5), p95: percentile(0.95), max: percentile(1) }
}

const rounded = (ms: number) => Math.round(1000 * ms) / 1000
