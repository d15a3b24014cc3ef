import { type Cohort, join, leave, type Measurement, measure, openCohort, standardError } from './cohort.ts'
import type { FailureClass, Limiter, LimitReason } from './limiter.ts'

// The parameters were chosen on the downstreams in bench/adaptive/scenarios.ts.

/** A higher limit is kept if the growth of goodput is at least this share of the growth of the limit. */
const GAIN = 0.4
/** A lower limit is kept if its goodput is at least this share of the previous goodput. */
const SAME_GOODPUT = 0.95
/** If the mean number of jobs in flight was below this share of the limit, the limit was not reached. */
const REACHED = 0.75
/** If the event loop is busy for more than this share of the time, a higher limit would not help. */
const MAX_UTILIZATION = 0.95

/**
 * A probe upwards multiplies the limit by 1 + `step`. `step` starts at `MAX_STEP`. A probe upwards that succeeds
 * doubles `step`, and one that fails multiplies it by `STEP_AFTER_FAILURE`.
 */
const MAX_STEP = 1
const MIN_STEP = 0.05
const STEP_AFTER_FAILURE = 1 / 5
/** A probe downwards divides the limit by this. */
const DOWN = 1.15
/**
 * Between two probes, `wait` cohorts measure the reference. `wait` starts at `MIN_WAIT`. A probe upwards that fails
 * multiplies it by `WAIT_AFTER_FAILURE`.
 */
const MIN_WAIT = 4
const MAX_WAIT = 32
const WAIT_AFTER_FAILURE = 1.5

/** After pressure, the limit becomes this share of the number of jobs that were in flight without pressure. */
const MARGIN = 0.95
/**
 * If a probe upwards causes pressure, the limit falls. It is still measured if it is higher than the reference by more
 * than this factor. Otherwise, the probe ends, and the limit is at most that of the reference.
 */
const WORTH_MEASURING = 1.1
/**
 * One cut by overloads leaves at least this share of the limit, before `MARGIN` is applied. Otherwise, one moment in
 * which all calls fail, such as a restart, would lower the limit to 1.
 */
const LARGEST_CUT = 0.5
/**
 * The usual share of overloads is learned: a measurement of this many jobs replaces the previous value, and a smaller
 * one counts in proportion.
 */
const LEARNED_AFTER = 500
/** The same, if a lower limit has shown that the limit is not the cause of the overloads. */
const LEARNED_AFTER_CUT = 50
/**
 * The limit is not the cause of the overloads if two things are true after a cut. The share of overloads is still at
 * least `REMAINING_OVERLOADS` of the share before, and the share of the other calls has grown by less than
 * `MORE_OTHERS`. If the limit were the cause, half of the limit would double the share of the other calls.
 */
const REMAINING_OVERLOADS = 0.3
const MORE_OTHERS = 1.6

// Jobs may hang, so the search does not wait for all of them. A cut waits until `CUT_PATIENCE` times as many jobs have
// ended as were in flight. A cohort waits until `COHORT_PATIENCE` times as many have ended as the limit allows at once.
const CUT_PATIENCE = 10
const COHORT_PATIENCE = 50

/**
 * In a cohort, at least this many jobs must end, and at least as many as the limit. With `MAX_COHORT` times as many, it
 * is complete even if the result is not precise.
 */
const MIN_JOBS = 16
const MAX_COHORT = 8
/**
 * A cohort is complete if the relative standard error of the mean duration is at most `error`, if at least the share
 * `ended` of its jobs has ended, and if it is at least `duration` milliseconds old. The first steps double the limit,
 * so they need less precision.
 */
const PRECISE = { error: 0.05, ended: 0.95, duration: 50 }
const ROUGH = { error: 0.2, ended: 0.8, duration: 0 }

/** Milliseconds. */
const IDLE_TIME = 5 * 60_000

interface LimitSearchOptions {
  readonly min: number
  /** The limit is never higher. It can be less than `min` or `initial`, if fewer file descriptors are free. */
  readonly max: number
  readonly initial: number
  /** Returns `undefined` for a failure that does not count. */
  readonly classify: (error: unknown) => FailureClass | undefined
  /** The event loop utilization since the last call, from 0 to 1. */
  readonly utilization: () => number
}

interface Reference {
  readonly limit: number
  readonly measured: Measurement
}

/** A fall of the limit after pressure. It lasts until the jobs that started before it have ended. */
interface Cut {
  /** The limit before the cut. */
  readonly from: number
  /** How many jobs that started before the cut are still in flight. */
  older: number
  /** The cut ends when this many jobs have ended, even if older jobs are still in flight. */
  readonly maxEnds: number
}

/** A job that belongs to no cohort. */
const NO_COHORT = {}
/** A job that timed out and still occupies its slot. */
const HUNG = {}

/**
 * Searches for the limit with the highest goodput, which is the number of successful jobs per second.
 *
 * Between probes, the limit stays at the reference, and cohorts measure its goodput. From time to time, a probe tries
 * another limit. A higher limit becomes the reference if goodput grows with it. A lower limit becomes the reference if
 * goodput stays the same. Pressure, which means too many throttled or overloaded calls, lowers the limit at once.
 */
export function createLimitSearch({ min, max, initial, classify, utilization }: LimitSearchOptions): Limiter {
  let limit = Math.min(initial, max)
  let reason: LimitReason = 'initial'

  /** The limit that is in use between probes, and its goodput. `undefined` until it has been measured. */
  let reference: Reference | undefined
  let probe: 'up' | 'down' | undefined
  let lastProbe: 'up' | 'down' = 'down'
  let step = MAX_STEP
  let wait = MIN_WAIT
  /** How many cohorts have measured the reference since the last probe. */
  let held = 0

  let cohort: Cohort | undefined
  let inFlight = 0
  /** When `inFlight` last changed. */
  let changedAt = 0
  /** The integral of `inFlight` over time since the cohort was opened. */
  let integral = 0
  /** The highest number of jobs that could have been in flight at once, since the cohort was opened. */
  let demand = 0

  // The number of jobs that have ended since the cohort was opened, and of those that were throttled or overloaded.
  let ends = 0
  let throttles = 0
  let overloads = 0
  /** The share of the jobs that are overloaded by chance. */
  let usualOverloads = 0
  let cut: Cut | undefined
  /** The values before the last cut by overloads. `undefined` if the limit has been measured since that cut. */
  let beforeCut: { readonly limit: number; readonly overloadShare: number } | undefined
  /** How many jobs timed out and still occupy their slots. */
  let hung = 0

  function started(now: number, waiting: number): object {
    if (inFlight === 0 && now - changedAt > IDLE_TIME) forget()
    countInFlight(1, now)
    cohort ??= open(now)
    demand = Math.max(demand, inFlight + waiting)
    if (cohort.isFull) return NO_COHORT
    join(cohort, now, integral, waiting > 0 && inFlight >= limit)
    return cohort
  }

  function failed(error: unknown, now: number): false | undefined {
    const failure = classify(error)
    if (failure === undefined || failure === 'failure') return undefined // an ordinary failure says nothing about the load
    if (!isPressure(failure)) return false
    if (!cut) startCut(now)
    const least = failure === 'overload' ? Math.min(limit, LARGEST_CUT * (cut as Cut).from) : min
    setLimit(Math.max(least, Math.min(limit, inFlight - 1)), failure)
    return false
  }

  function timedOut(of: object, startedAt: number, error: unknown, now: number): object {
    failed(error, now)
    ended(of, startedAt, now, undefined)
    hung++
    return HUNG
  }

  function ended(of: object, startedAt: number, now: number, succeeded: boolean | undefined): void {
    if (of === HUNG) {
      hung--
      return
    }
    countInFlight(-1, now)
    ends++
    if (of === cohort) leave(cohort as Cohort, startedAt, now, integral, succeeded)
    if (cut) {
      if (of !== cohort) cut.older--
      if (cut.older <= 0.05 * limit || ends >= cut.maxEnds) endCut(cut)
    } else if (cohort) {
      if (of === cohort && isComplete(cohort)) judge(cohort)
      else if (ends > COHORT_PATIENCE * Math.max(MIN_JOBS, cohort.limit)) cohort = undefined // many of its jobs hang
    }
  }

  function countInFlight(change: 1 | -1, now: number): void {
    integral += inFlight * (now - changedAt)
    changedAt = now
    inFlight += change
  }

  function open(now: number): Cohort {
    integral = demand = ends = throttles = overloads = 0
    utilization() // restarts its measurement
    return openCohort(limit, now)
  }

  function setLimit(value: number, why: LimitReason): void {
    const next = Math.min(max, Math.max(min, Math.floor(value)))
    if (next === limit) return
    limit = next
    reason = why
  }

  /** Restarts the search after a long pause, because the downstream may have changed. */
  function forget(): void {
    setLimit(Math.min(limit, initial), 'idle')
    cohort = reference = probe = undefined
    step = MAX_STEP
    wait = MIN_WAIT
    cut = beforeCut = undefined
  }

  /**
   * Whether there are more failures of this class than chance explains. One throttled call can be chance. For
   * overloads, the threshold is one, plus twice their usual number, plus three standard deviations.
   */
  function isPressure(failure: 'throttle' | 'overload'): boolean {
    if (failure === 'throttle') return ++throttles > 1 && throttles >= 0.01 * ends
    const usual = usualOverloads * ends
    return ++overloads > 1 + 2 * usual + 3 * Math.sqrt(usual)
  }

  function learnUsualOverloads(jobs = LEARNED_AFTER): void {
    const share = Math.min(0.2, overloads / Math.max(1, ends))
    usualOverloads += Math.min(1, ends / jobs) * (share - usualOverloads)
  }

  function startCut(now: number): void {
    learnUsualOverloads()
    cohort = open(now)
    cut = { from: limit, older: inFlight, maxEnds: CUT_PATIENCE * inFlight }
  }

  /** Jobs that started before the cut say nothing about the new limit. Only later jobs measure it. */
  function endCut({ from }: Cut): void {
    learnUsualOverloads()
    const overloadShare = overloads / ends
    cut = cohort = undefined
    setLimit(MARGIN * limit, reason)
    step = MIN_STEP
    if (reference && limit > WORTH_MEASURING * reference.limit) return // only in a probe upwards
    if (reference) setLimit(Math.min(limit, reference.limit), reason)
    reference = probe = undefined
    if (reason === 'overload') beforeCut ??= { limit: from, overloadShare }
  }

  /** Whether calls are overloaded about as often as before the cut. One call is not enough to know. */
  function isByChance(shareBefore: number): boolean {
    const share = overloads / ends
    return overloads > 1 && share >= REMAINING_OVERLOADS * shareBefore && 1 - share < MORE_OTHERS * (1 - shareBefore)
  }

  /** Restores the limit, because it is not the cause of the overloads. */
  function undoCut(from: number): void {
    setLimit(from, 'no-gain')
    step = MAX_STEP
  }

  function isComplete(of: Cohort): boolean {
    const needed = step === MAX_STEP && (!reference || probe === 'up') ? ROUGH : PRECISE
    const jobs = Math.max(MIN_JOBS, of.limit)
    const isPrecise = () =>
      of.ended >= jobs &&
      changedAt - of.openedAt >= needed.duration &&
      (standardError(of, changedAt) <= needed.error || of.ended >= MAX_COHORT * jobs)
    if (!of.isFull) of.isFull = isPrecise()
    if (!of.isFull || of.ended < needed.ended * (of.ended + of.inFlight)) return false
    of.isFull = isPrecise() // if the last jobs took so long that the result is no longer precise, more jobs join
    return of.isFull
  }

  function judge(of: Cohort): void {
    const measured = measure(of, changedAt, integral)
    // Without a success, there is no goodput to compare.
    const isReached = measured.goodput > 0 && measured.concurrency >= REACHED * of.limit
    // One third is enough, because the first jobs start before the limit is reached.
    const isLimited = of.limited >= (of.ended + of.inFlight) / 3
    const mayGrow = isLimited && utilization() <= MAX_UTILIZATION
    const before = beforeCut
    cohort = beforeCut = undefined
    if (before && isByChance(before.overloadShare)) {
      learnUsualOverloads(LEARNED_AFTER_CUT)
      undoCut(before.limit)
      return
    }
    learnUsualOverloads()
    if (!probe || !reference) {
      if (isReached) measureReference(measured, mayGrow)
      return
    }
    const growth = isReached ? growthOf(reference.measured, measured) : 0 // a probe that did not reach its limit fails
    if (probe === 'up') judgeHigherLimit(reference, measured, growth, mayGrow)
    else judgeLowerLimit(reference, measured, growth)
  }

  function measureReference(measured: Measurement, mayGrow: boolean): void {
    const isFirst = reference === undefined
    reference = { limit, measured }
    if (isFirst) {
      startHolding()
      if (step === MAX_STEP && mayGrow) probeUp()
      return
    }
    if (++held < wait) return
    lastProbe = lastProbe === 'down' ? 'up' : 'down'
    if (lastProbe === 'down') probeDown()
    else if (mayGrow) probeUp()
  }

  function probeUp(): void {
    const from = limit
    setLimit(Math.min(demand, Math.max(from + 1, from * (1 + step))), 'probe')
    startHolding()
    if (limit > from) probe = 'up'
  }

  function probeDown(): void {
    const from = limit
    setLimit(from / DOWN, 'probe')
    startHolding()
    if (limit < from) probe = 'down'
  }

  function judgeHigherLimit(from: Reference, measured: Measurement, growth: number, mayGrow: boolean): void {
    if (growth < 1 + GAIN * (limit / from.limit - 1)) {
      wait = Math.min(MAX_WAIT, WAIT_AFTER_FAILURE * wait)
      step = Math.max(MIN_STEP, STEP_AFTER_FAILURE * step)
      // If goodput has grown a little, the limit grows by the same factor.
      endProbe(from, from.limit * Math.max(1, growth))
      return
    }
    reference = { limit, measured }
    reason = 'gain'
    wait = MIN_WAIT
    step = Math.min(MAX_STEP, 2 * step)
    if (mayGrow) probeUp()
    else startHolding()
  }

  function judgeLowerLimit(from: Reference, measured: Measurement, growth: number): void {
    if (growth < SAME_GOODPUT) {
      endProbe(from, from.limit)
      return
    }
    reference = { limit, measured: growth > 1 ? measured : from.measured }
    reason = 'gain'
    probeDown()
  }

  function endProbe({ measured }: Reference, next: number): void {
    setLimit(next, 'no-gain')
    reference = { limit, measured }
    startHolding()
  }

  function startHolding(): void {
    probe = undefined
    held = 0
  }

  return {
    get limit() {
      return Math.min(max, limit + Math.min(hung, initial))
    },
    get reason() {
      return reason
    },
    started,
    failed,
    timedOut,
    ended,
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
