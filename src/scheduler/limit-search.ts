import { type Cohort, join, leave, type Measurement, measure, openCohort, standardError } from './cohort.ts'
import type { FailureClass, Limiter, LimitReason } from './limiter.ts'

// The parameters were chosen on the downstreams in bench/adaptive/scenarios.ts.

/** A higher limit is kept if goodput grows by at least this share of the growth of the limit. */
const GAIN = 0.4
/** A lower limit is kept if it has at least this share of the goodput. */
const SAME_GOODPUT = 0.95
/** If the mean number of jobs in flight was below this share of the limit, the limit was not reached. */
const REACHED = 0.75
/** If the event loop is busy for more than this share of the time, the CPU is the limit. */
const MAX_UTILIZATION = 0.95

/**
 * A probe upwards multiplies the limit by 1 + `step`. `step` starts at `MAX_STEP`. A probe that succeeds doubles
 * `step`.
 */
const MAX_STEP = 1
const MIN_STEP = 0.05
const STEP_AFTER_FAILURE = 1 / 5
/** A probe downwards divides the limit by this. */
const DOWN = 1.15
/**
 * How many cohorts the limit stays between two probes. A probe upwards that fails multiplies this number by
 * `WAIT_AFTER_FAILURE`.
 */
const MIN_WAIT = 4
const MAX_WAIT = 32
const WAIT_AFTER_FAILURE = 1.5

/** After pressure, the limit becomes this share of what was in flight without pressure. */
const MARGIN = 0.95
/** After pressure in a probe, a limit that is higher by less than this factor is not worth a measurement. */
const WORTH_MEASURING = 1.1
/** Overloads lower the limit at most to this share at once: all calls can fail in one moment, for example in a restart. */
const LARGEST_CUT = 0.5
/** How many jobs must end until the search knows how often calls are overloaded by chance. */
const LEARNED_AFTER = 500
/** Fewer are enough if a lower limit has shown that the limit is not the cause. */
const LEARNED_AFTER_CUT = 50
/**
 * Overloads are not caused by the limit if a cut has left at least this share of them, and if it has increased the share
 * of the other calls by less than this factor. If the limit is the cause, half of the limit doubles that share.
 */
const REMAINING_OVERLOADS = 0.3
const MORE_OTHERS = 1.6

// Jobs may hang. The search waits for jobs only until this many times as many jobs as the limit have ended.
const CUT_PATIENCE = 10
const COHORT_PATIENCE = 50

/** A cohort has at least this many jobs, and at least as many as the limit, and at most `MAX_COHORT` times as many. */
const MIN_JOBS = 16
const MAX_COHORT = 8
/** When a cohort is complete. The first steps double the limit, so they need less precision. */
const PRECISE = { error: 0.05, ended: 0.95, duration: 50 }
const ROUGH = { error: 0.2, ended: 0.8, duration: 0 }

/** Milliseconds. */
const IDLE_TIME = 5 * 60_000

interface LimitSearchOptions {
  readonly min: number
  /** The limit is never higher, even if `min` or `initial` is, because `max` can be the number of file descriptors. */
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

/** The fall of the limit after pressure. It lasts until the jobs that started before it have ended. */
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
 * The limit stays at a reference while cohorts measure its goodput. From time to time, a probe measures another limit.
 * A higher limit becomes the reference if goodput grows with it. A lower limit becomes the reference if goodput stays
 * the same. Pressure, such as many refused calls, lowers the limit at once.
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
  /** How many jobs could have run at once since the cohort was opened. */
  let demand = 0

  // What has ended since the cohort was opened, and how often calls fail by chance.
  let ends = 0
  let throttles = 0
  let overloads = 0
  let usualOverloads = 0
  let cut: Cut | undefined
  /** From before the last cut by overloads. `undefined` if the limit has been measured since that cut. */
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
      else if (ends > COHORT_PATIENCE * Math.max(MIN_JOBS, cohort.limit)) cohort = undefined // more than 5 % of it hang
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
   * One failure can be chance. For overloads, the threshold is one, plus twice their usual number, plus three standard
   * deviations.
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

  /** The results of the jobs that started before the cut say nothing about the new limit. Only later jobs measure it. */
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

  /** Whether calls are overloaded about as often as before the cut. One call can be chance. */
  function isByChance(shareBefore: number): boolean {
    const share = overloads / ends
    return overloads > 1 && share >= REMAINING_OVERLOADS * shareBefore && 1 - share < MORE_OTHERS * (1 - shareBefore)
  }

  /** The limit is not the cause of the overloads. */
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
    of.isFull = isPrecise() // if the last jobs took much longer, the result is not precise any more: then more jobs join
    return of.isFull
  }

  function judge(of: Cohort): void {
    const measured = measure(of, changedAt, integral)
    // Without a success, there is no goodput to compare.
    const isReached = measured.goodput > 0 && measured.concurrency >= REACHED * of.limit
    // One third is enough, because the jobs that start before the limit is reached are not limited.
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
      // The limit grows only by the factor by which goodput has grown: more jobs would not help.
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
 * The factor by which goodput has grown. The smaller of two factors counts. If the share of ordinary failures falls,
 * only `goodput` grows. If a downstream that is overloaded returns ordinary failures, only `goodputWithoutUncounted` grows.
 */
function growthOf(before: Measurement, after: Measurement): number {
  return Math.min(after.goodput / before.goodput, after.goodputWithoutUncounted / before.goodputWithoutUncounted)
}
