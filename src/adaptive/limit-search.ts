import type { LimitSearch } from '../scheduler/limiter.ts'
import type { FailureClass } from '../types.ts'
import { createClimb, REACHED } from './climb.ts'
import { type Cohort, join, leave, measure, openCohort, standardError } from './cohort.ts'
import { createCurrentLimit, type LimitRange } from './current-limit.ts'
import { createPressure } from './pressure.ts'

// Choose these parameters, and those of climb.ts, with DOWNSTREAMS and HARD_CASES in bench/adaptive/scenarios.ts only.
// The others there, such as UNSEEN, test the choice.

/** If the event loop is busy for more than this share of the time, a higher limit would not help. */
const MAX_UTILIZATION = 0.95

/** At the end of a cut (see `Cut`), the limit is multiplied by this. */
const MARGIN = 0.95
/**
 * One cut leaves at least this share of the limit, before `MARGIN` is applied. Without this bound, a restart of the
 * downstream, or two throttled calls at the end of a batch, would lower the limit to `min`. There is one exception: if
 * the limit was reached, throttled calls can lower it further.
 */
const MIN_SHARE_LEFT = 0.5

// Jobs may hang, so the search does not wait for all of them. A cut ends at the latest after `CUT_PATIENCE` × n
// ended jobs, where n is the number in flight when the cut began. A cohort is dropped when the number of
// ended jobs reaches `COHORT_PATIENCE` × its limit, or `COHORT_PATIENCE` × `PRECISE.jobs` if that is more.
const CUT_PATIENCE = 10
const COHORT_PATIENCE = 50

/**
 * A cohort is complete if enough of its jobs that count have ended: at least `jobs`, and at least as many as the limit.
 * The relative standard error of the mean duration must be at most `error`. At most the share 1 − `ended` may still be in
 * flight. The cohort must be at least `age` milliseconds old. Steps that double the limit need less precision.
 */
const PRECISE = { jobs: 16, error: 0.05, ended: 0.95, age: 50 }
const ROUGH = { jobs: 4, error: 0.2, ended: 0.8, age: 0 }
/** After this many times the needed number of jobs, the standard error no longer matters. */
const MAX_JOBS_FACTOR = 8

const IDLE_TIME = 5 * 60_000 // milliseconds

interface LimitSearchOptions extends LimitRange {
  /** Returns `undefined` for a failure that does not count. */
  readonly classify: (error: unknown) => FailureClass | undefined
  /** The event loop utilization since the last call, from 0 to 1. */
  readonly utilization: () => number
}

/**
 * A fall of the limit after pressure. It lasts until nearly all jobs that started before it have ended, or until
 * `maxEnds` jobs have ended.
 */
interface Cut {
  /** The limit before the cut. */
  readonly from: number
  readonly failure: 'throttle' | 'overload'
  /** Whether jobs had filled the limit before the cut. */
  readonly wasReached: boolean
  /** Whether a job had succeeded before the cut. */
  readonly hadSuccess: boolean
  /** How many jobs that started before the cut are still in flight. */
  older: number
  readonly maxEnds: number
}

/** A job that belongs to no cohort. */
const NO_COHORT = {}
/** A job that timed out and still occupies its slot. */
const HUNG = {}

/**
 * Searches for the limit with the highest goodput, which is the number of successful jobs per second.
 *
 * Cohorts of jobs measure the goodput of the limit, and a climb decides which limit is measured next. Pressure, which
 * means too many throttled or overloaded calls, lowers the limit immediately.
 *
 * ```
 * no cohort ── a job starts ──> cohort: measures the limit ── complete ──> `judge()`: the next limit, no cohort
 *     ^                            │
 *     │                            │ pressure
 *     │                            v
 *     └── nearly all jobs <──── cut: the limit falls with each failure that the load causes
 *         have ended
 * ```
 */
export function createLimitSearch({ min, max, initial, classify, utilization }: LimitSearchOptions): LimitSearch {
  const limit = createCurrentLimit({ min, max, initial })
  const climb = createClimb(limit)
  const pressure = createPressure()

  let cohort: Cohort | undefined
  /** How many jobs are in flight, without those that timed out. */
  let inFlight = 0
  /** When `inFlight` last changed. In `ended()` and what it calls, this is the current time. */
  let changedAt = 0
  /** The integral of `inFlight` over time since the cohort was opened. */
  let integral = 0
  /** The highest number of jobs in flight or waiting, since the cohort was opened. */
  let demand = 0

  let cut: Cut | undefined
  /**
   * The limit before the first cut after a measurement or an outage, and the share of overloads during it. Set only if
   * overloads caused the cut.
   */
  let beforeCut: { readonly limit: number; readonly overloadShare: number } | undefined
  /** How many jobs timed out and still occupy their slots. */
  let hung = 0

  function started(now: number, waiting: number): object {
    if (inFlight === 0 && now - changedAt > IDLE_TIME) forget()
    countInFlight(1, now)
    cohort ??= open(now)
    demand = Math.max(demand, inFlight + waiting)
    if (cohort.isFull) return NO_COHORT
    join(cohort, now, integral, waiting > 0 && inFlight >= limit.value)
    return cohort
  }

  function failed(error: unknown, now: number): boolean {
    const failure = classify(error)
    // An ordinary failure says nothing about the load.
    if (failure === undefined || failure === 'failure') return false
    if (!pressure.failed(failure)) return true
    cut ??= startCut(failure, now)
    const mayFallToMin = failure === 'throttle' && cut.wasReached
    const least = mayFallToMin ? min : Math.min(limit.value, MIN_SHARE_LEFT * cut.from)
    limit.set(Math.max(least, Math.min(limit.value, inFlight - 1)), failure) // -1: no job replaces the failed one
    return true
  }

  function timedOut(token: object, startedAt: number, error: unknown, now: number): object {
    failed(error, now)
    ended(token, startedAt, now, undefined) // the timeout, and not the downstream, has determined its duration
    hung++
    return HUNG
  }

  function ended(token: object, startedAt: number, now: number, succeeded: boolean | undefined): void {
    if (token === HUNG) {
      hung--
      return
    }
    countInFlight(-1, now)
    pressure.ended(succeeded)
    if (token === cohort) leave(cohort as Cohort, startedAt, now, integral, succeeded)
    if (cut) {
      if (token !== cohort) cut.older--
      if (cut.older <= 0.05 * limit.value || pressure.ends >= cut.maxEnds) endCut(cut)
    } else if (cohort) {
      if (token === cohort) judgeIfComplete(cohort)
      else if (pressure.ends > COHORT_PATIENCE * Math.max(PRECISE.jobs, cohort.limit)) cohort = undefined
    }
  }

  function countInFlight(change: 1 | -1, now: number): void {
    integral += inFlight * (now - changedAt)
    changedAt = now
    inFlight += change
  }

  function open(now: number): Cohort {
    integral = demand = 0
    pressure.restart(beforeCut?.overloadShare ?? 0)
    utilization() // restarts its measurement
    return openCohort(limit.value, now)
  }

  /** Restarts the search after a long pause, because the downstream may have changed. */
  function forget(): void {
    limit.set(Math.min(limit.value, initial), 'idle')
    cohort = cut = beforeCut = undefined
    climb.restart()
  }

  function startCut(failure: Cut['failure'], now: number): Cut {
    const wasReached = inFlight >= REACHED * limit.value
    const hadSuccess = pressure.successes > 0
    pressure.learn()
    cohort = open(now) // never measured: it marks the jobs that start during the cut
    return { from: limit.value, failure, wasReached, hadSuccess, older: inFlight, maxEnds: CUT_PATIENCE * inFlight }
  }

  /** The jobs that started before or during the cut say nothing about the new limit. Only later jobs measure it. */
  function endCut({ from, failure, wasReached, hadSuccess }: Cut): void {
    const allFailed = wasReached && !hadSuccess && pressure.successes === 0
    cut = cohort = undefined
    limit.set(MARGIN * limit.value, failure)
    const isProbing = climb.lowered(from, allFailed)
    // A limit that is too high is not the only cause of overloads. So `judge()` checks whether the lower limit has
    // fewer of them, and returns to `beforeCut` if it has not. No check is needed in three cases:
    // - a probe, which is compared with the reference
    // - throttling, which always comes from the load
    // - an outage, in which the previous limit would only let more jobs fail
    if (allFailed) beforeCut = undefined
    else if (!isProbing && failure === 'overload') {
      beforeCut ??= { limit: from, overloadShare: pressure.overloadShare }
    }
  }

  function judgeIfComplete(measured: Cohort): void {
    const needed = climb.isDoubling ? ROUGH : PRECISE
    measured.isFull ||= isPrecise(measured, needed)
    const haveEnded = measured.ended >= needed.ended * (measured.ended + measured.inFlight)
    if (!measured.isFull || !haveEnded) return
    // If the last jobs took so long that the result is no longer precise, more jobs join.
    measured.isFull = isPrecise(measured, needed)
    if (measured.isFull) judge(measured)
  }

  function isPrecise(measured: Cohort, needed: typeof PRECISE): boolean {
    const jobs = Math.max(needed.jobs, measured.limit)
    return (
      measured.ended >= jobs &&
      changedAt - measured.openedAt >= needed.age &&
      (standardError(measured, changedAt) <= needed.error || measured.ended >= MAX_JOBS_FACTOR * jobs)
    )
  }

  function judge(measured: Cohort): void {
    const before = beforeCut
    cohort = beforeCut = undefined
    // One third is enough, because the first jobs start before the limit is reached.
    const isLimited = measured.limited >= (measured.ended + measured.inFlight) / 3
    // If the jobs did not reach the lower limit, that limit changed nothing, and the measurement proves nothing.
    if (before && isLimited && pressure.learnIfUnchangedFrom(before.overloadShare)) {
      limit.set(before.limit, 'no-gain')
      climb.raised()
      return
    }
    pressure.learn()
    const mayGrow = isLimited && utilization() <= MAX_UTILIZATION
    climb.next(measure(measured, changedAt, integral), mayGrow ? demand : undefined)
  }

  return {
    // A job that timed out still holds its slot. For each of these, one more job may start, up to `initial`.
    get limit() {
      return Math.min(max, limit.value + Math.min(hung, initial))
    },
    get reason() {
      return limit.reason
    },
    started,
    failed,
    timedOut,
    ended,
  }
}
