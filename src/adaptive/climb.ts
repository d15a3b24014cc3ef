import type { Measurement } from './cohort.ts'
import type { CurrentLimit } from './current-limit.ts'

/** A higher limit is kept if the growth of goodput is at least this share of the growth of the limit. */
const GAIN = 0.4
/** A lower limit is kept if its goodput is at least this share of the previous goodput. */
const SAME_GOODPUT = 0.95
/** If the mean number of jobs in flight was below this share of the limit, the limit was not reached. */
export const REACHED = 0.75
/**
 * Pressure during a probe upwards lowers the limit. If the limit is still above the reference by more than this factor,
 * the probe goes on with it. Otherwise, the probe ends, and the limit is at most that of the reference.
 */
const WORTH_MEASURING = 1.1

/**
 * An outage is when all jobs fail, although the limit has fallen to this share of the earlier one (`returnTo`). After an
 * outage, probes upwards double the limit, as in TCP's slow start (RFC 5681), until it is `returnTo` again.
 */
const OUTAGE = 0.25
/**
 * At first, and after an outage, a probe upwards doubles the limit. Later ones multiply it by 1 + `step`, which starts
 * at `MAX_STEP`. A probe upwards that succeeds doubles `step`, and one that fails multiplies it by
 * `STEP_AFTER_FAILURE`. Pressure sets it to `MIN_STEP`, and `raised()` to `MAX_STEP`.
 */
const MAX_STEP = 1
const MIN_STEP = 0.05
const STEP_AFTER_FAILURE = 1 / 5
/** A probe downwards divides the limit by this. */
const DOWN = 1.15
/**
 * After a probe that fails, `wait` cohorts measure the reference before the next probe. `wait` starts at `MIN_WAIT`. A
 * probe upwards that fails multiplies it by `WAIT_AFTER_FAILURE`, and one that succeeds resets it.
 */
const MIN_WAIT = 4
const MAX_WAIT = 32
const WAIT_AFTER_FAILURE = 1.5

interface Reference {
  readonly limit: number
  readonly measured: Measurement
}

/**
 * Climbs to the limit with the highest goodput.
 *
 * Between probes, the limit stays at the reference, and cohorts measure its goodput. From time to time, a probe tries
 * another limit. A higher limit becomes the reference if goodput grows with it. A lower limit becomes the reference if
 * goodput stays the same.
 */
export function createClimb(limit: CurrentLimit) {
  /** The limit that is in use between probes, and its goodput. `undefined` until it has been measured. */
  let reference: Reference | undefined
  let probe: 'up' | 'down' | undefined
  let lastProbe: 'up' | 'down' = 'down'
  let step = MAX_STEP
  /** Below this limit, a probe upwards doubles the limit. 0 if probes upwards do not double it. */
  let doublesBelow = Infinity
  /** The limit to return to after an outage. `undefined` if the limit has not fallen since a success was measured. */
  let returnTo: number | undefined
  let wait = MIN_WAIT
  /** How many cohorts have measured the reference since the last probe. */
  let held = 0

  /**
   * The current limit has been measured: sets the limit to measure next.
   *
   * @param ceiling how many jobs were in flight or waiting, or `undefined` if a higher limit would not help
   */
  function next(measured: Measurement, ceiling: number | undefined): void {
    const hasSuccess = measured.goodput > 0 // otherwise, there is no goodput to compare
    if (hasSuccess) returnTo = undefined
    const isReached = hasSuccess && measured.concurrency >= REACHED * limit.value
    if (!probe || !reference) {
      if (isReached) measureReference(measured, ceiling)
      return
    }
    const growth = isReached ? growthOf(reference.measured, measured) : 0 // a probe that did not reach its limit fails
    if (probe === 'up') judgeHigherLimit(reference, measured, growth, ceiling)
    else judgeLowerLimit(reference, measured, growth)
  }

  function measureReference(measured: Measurement, ceiling: number | undefined): void {
    const isFirst = reference === undefined
    reference = { limit: limit.value, measured }
    if (isFirst) {
      endProbing()
      if (mayDouble() && ceiling !== undefined) probeUp(ceiling)
      return
    }
    if (++held < wait) return
    lastProbe = lastProbe === 'down' ? 'up' : 'down'
    if (lastProbe === 'down') probeDown()
    else if (ceiling !== undefined) probeUp(ceiling)
  }

  function probeUp(ceiling: number): void {
    const from = limit.value
    const to = mayDouble() ? Math.min(doublesBelow, 2 * from) : from * (1 + step)
    limit.set(Math.min(ceiling, Math.max(from + 1, to)), 'probe')
    endProbing()
    if (limit.value > from) probe = 'up'
  }

  function probeDown(): void {
    const from = limit.value
    limit.set(from / DOWN, 'probe')
    endProbing()
    if (limit.value < from) probe = 'down'
  }

  function judgeHigherLimit(from: Reference, measured: Measurement, growth: number, ceiling: number | undefined): void {
    if (growth < 1 + GAIN * (limit.value / from.limit - 1)) {
      wait = Math.min(MAX_WAIT, WAIT_AFTER_FAILURE * wait)
      step = Math.max(MIN_STEP, STEP_AFTER_FAILURE * step)
      doublesBelow = 0
      // If goodput has grown a little, the limit grows by the same factor.
      endProbe(from, from.limit * Math.max(1, growth))
      return
    }
    reference = { limit: limit.value, measured }
    limit.reason = 'gain'
    wait = MIN_WAIT
    if (doublesBelow === 0) step = Math.min(MAX_STEP, 2 * step)
    else if (limit.value >= doublesBelow) doublesBelow = 0 // the limit has recovered
    if (ceiling !== undefined) probeUp(ceiling)
    else endProbing()
  }

  function judgeLowerLimit(from: Reference, measured: Measurement, growth: number): void {
    if (growth < SAME_GOODPUT) {
      endProbe(from, from.limit)
      return
    }
    // The higher goodput stays the reference. Otherwise, the small losses of several probes would add up.
    reference = { limit: limit.value, measured: growth > 1 ? measured : from.measured }
    limit.reason = 'gain'
    probeDown()
  }

  function endProbe({ measured }: Reference, nextLimit: number): void {
    limit.set(nextLimit, 'no-gain')
    reference = { limit: limit.value, measured }
    endProbing()
  }

  function mayDouble(): boolean {
    return limit.value < doublesBelow
  }

  function endProbing(): void {
    probe = undefined
    held = 0
  }

  /**
   * Pressure has lowered the limit: sets the limit to measure next.
   *
   * @param before the limit before it was lowered
   * @param allFailed whether all jobs have failed with that limit and since then
   * @returns whether a probe upwards continues, because the lower limit is still worth a measurement
   */
  function lowered(before: number, allFailed: boolean): boolean {
    step = MIN_STEP
    if (returnTo === undefined) {
      // If this is an outage, the limit grows back to `returnTo`. That is the reference, and not the limit of a probe,
      // which may have caused the outage. While the limit recovers from an earlier outage, the reference is low. Then
      // `returnTo` is at least half of `doublesBelow`, to which that recovery leads.
      returnTo = Math.max(reference?.limit ?? before, doublesBelow < Infinity ? doublesBelow / 2 : 0)
      doublesBelow = 0
    }
    if (allFailed && before <= Math.max(limit.min, OUTAGE * returnTo)) doublesBelow = returnTo
    if (reference && limit.value > WORTH_MEASURING * reference.limit) return true
    if (reference) limit.set(Math.min(limit.value, reference.limit), limit.reason)
    reference = probe = undefined
    return false
  }

  /** The limit was raised again, because it was not the cause of the pressure: probes upwards double it again. */
  function raised(): void {
    step = MAX_STEP
    doublesBelow = Infinity
    returnTo = undefined
  }

  function restart(): void {
    raised()
    reference = probe = undefined
    wait = MIN_WAIT
  }

  return {
    /** Whether the limit doubles next if this measurement shows a gain. A rough measurement is then enough. */
    get isDoubling() {
      return mayDouble() && (!reference || probe === 'up')
    },
    next,
    lowered,
    raised,
    restart,
  }
}

/**
 * The factor by which goodput has grown: the smaller of two factors, because each can grow for a wrong reason.
 * `goodput` also grows if fewer jobs fail with ordinary failures. `goodputWithoutUncounted` also grows if a downstream
 * is overloaded and returns ordinary failures.
 */
function growthOf(before: Measurement, after: Measurement): number {
  return Math.min(after.goodput / before.goodput, after.goodputWithoutUncounted / before.goodputWithoutUncounted)
}
