import { memoizeOne, outcomeOf } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import type { Run } from '../scheduler/run.ts'
import type { BatchSummary } from '../types.ts'

/**
 * @param records how many records the batch has
 * @param failures all that failed, before the failure handlers
 * @param reported how many of them are reported
 * @param timeLeft milliseconds; `Infinity` without a timeout
 */
export function summarize(
  records: number,
  failures: readonly Failure[],
  reported: number,
  run: Run | undefined,
  timeLeft: number,
): BatchSummary {
  const outcomes = { failed: 0, timedOut: 0, aborted: 0, blocked: 0, notStarted: 0 }
  const outcome = memoizeOne(outcomeOf)
  for (const { reason } of failures) outcomes[outcome(reason) ?? 'failed']++
  return {
    records,
    succeeded: records - failures.length,
    ...outcomes,
    handled: failures.length - reported,
    reported,
    durations: percentilesOf(Float64Array.from(run?.durations ?? []).sort()),
    peakInFlight: run?.peakInFlight() ?? 0,
    timeLeft: timeLeft < Infinity ? timeLeft : undefined,
  }
}

function percentilesOf(sorted: Float64Array): BatchSummary['durations'] {
  if (sorted.length === 0) return undefined
  const percentile = (share: number) =>
    Math.round(1000 * (sorted[Math.ceil(share * sorted.length) - 1] as number)) / 1000
  return { p50: percentile(0.5), p95: percentile(0.95), max: percentile(1) }
}
