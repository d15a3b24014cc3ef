/**
 * The jobs that started while the limit had one value, and what they measured.
 *
 * A cohort is measured instead of a period of time. A period at the start of a batch would contain the first fast jobs,
 * but not the slow ones that started with them. It could also contain a pause between invocations.
 *
 * A job counts if it succeeded, or if its handler failed by throttling or overload. A job that failed in another way,
 * timed out or was aborted does not count.
 */
export interface Cohort {
  readonly limit: number
  readonly openedAt: number
  inFlight: number
  /** How many of the jobs that count have ended. */
  ended: number
  succeeded: number
  /** How many jobs started when the limit was reached and other jobs were waiting. */
  limited: number
  /** Whether no further job joins. */
  isFull: boolean
  /**
   * The sum of the durations of the jobs that count, once all have ended: each start subtracts its time, and each end
   * adds its time. `durationSoFar()` adds the current time for the jobs in flight.
   */
  duration: number
  /** The sum of the durations of the jobs that have ended and do not count. */
  uncounted: number
  /** The sum of the squared durations of the jobs that count and have ended. */
  squares: number
  /**
   * The number of jobs in flight, integrated over the time of each job, and summed over the jobs. Starts subtract and
   * ends add, as in `duration`. Jobs that do not count are included.
   */
  inFlightIntegral: number
}

/** What the jobs of a cohort measured together. */
export interface Measurement {
  /** The mean number of jobs that were in flight while a job of the cohort was in flight. */
  readonly concurrency: number
  /** Successful jobs per millisecond. */
  readonly goodput: number
  /** The goodput without the time in which jobs that do not count were in flight. */
  readonly goodputWithoutUncounted: number
}

export function openCohort(limit: number, now: number): Cohort {
  return {
    limit,
    openedAt: now,
    inFlight: 0,
    ended: 0,
    succeeded: 0,
    limited: 0,
    isFull: false,
    duration: 0,
    uncounted: 0,
    squares: 0,
    inFlightIntegral: 0,
  }
}

/** @param integral the integral of the number of all jobs in flight, since the cohort was opened */
export function join(cohort: Cohort, now: number, integral: number, isLimited: boolean): void {
  cohort.inFlight++
  if (isLimited) cohort.limited++
  cohort.duration -= now - cohort.openedAt
  cohort.inFlightIntegral -= integral
}

/** @param succeeded `undefined` if the job does not count */
export function leave(cohort: Cohort, startedAt: number, now: number, integral: number, succeeded?: boolean): void {
  cohort.inFlight--
  cohort.duration += now - cohort.openedAt
  cohort.inFlightIntegral += integral
  if (succeeded === undefined) {
    cohort.duration -= now - startedAt
    cohort.uncounted += now - startedAt
    return
  }
  cohort.ended++
  cohort.squares += (now - startedAt) ** 2
  if (succeeded) cohort.succeeded++
}

/**
 * Little's law: throughput is concurrency ÷ mean duration. Goodput is the share of it that succeeded. The durations
 * include those of jobs that are still in flight.
 */
export function measure(cohort: Cohort, now: number, integral: number): Measurement {
  const { inFlight, inFlightIntegral, succeeded, uncounted } = cohort
  const counted = durationSoFar(cohort, now)
  if (!(counted > 0)) return { concurrency: 0, goodput: 0, goodputWithoutUncounted: 0 }
  const concurrency = (inFlightIntegral + inFlight * integral) / (counted + uncounted)
  return {
    concurrency,
    goodput: (concurrency * succeeded) / (counted + uncounted),
    goodputWithoutUncounted: (concurrency * succeeded) / counted,
  }
}

/** The relative standard error of the mean duration. */
export function standardError(cohort: Cohort, now: number): number {
  const { ended, inFlight, squares } = cohort
  const mean = durationSoFar(cohort, now) / (ended + inFlight)
  return Math.sqrt(Math.max(0, squares / ended / mean ** 2 - 1) / ended)
}

function durationSoFar({ inFlight, openedAt, duration }: Cohort, now: number): number {
  return duration + inFlight * (now - openedAt)
}
