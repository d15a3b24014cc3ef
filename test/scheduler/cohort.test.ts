import t from 'tap'
import { join, leave, measure, openCohort, standardError } from '../../src/adaptive/cohort.ts'

interface Job {
  readonly start: number
  /** `Infinity` for a job that is still in flight. */
  readonly end: number
  /** `undefined` for a job that does not count. */
  readonly succeeded?: boolean | undefined
  readonly isLimited?: boolean
}

/** A cohort of these jobs at the time `now`, and the integral of the number of jobs in flight. */
function cohortOf(jobs: readonly Job[], now: number) {
  const openedAt = Math.min(now, ...jobs.map(({ start }) => start))
  const integralAt = (time: number) =>
    jobs.reduce((sum, { start, end }) => sum + Math.max(0, Math.min(end, time) - start), 0)
  const cohort = openCohort(50, openedAt)
  const events = jobs.flatMap((job) => [
    { time: job.start, run: () => join(cohort, job.start, integralAt(job.start), job.isLimited === true) },
    { time: job.end, run: () => leave(cohort, job.start, job.end, integralAt(job.end), job.succeeded) },
  ])
  for (const { time, run } of events.toSorted((a, b) => a.time - b.time)) if (time <= now) run()
  return { cohort, integral: integralAt(now) }
}

function measured(jobs: readonly Job[], now: number) {
  const { cohort, integral } = cohortOf(jobs, now)
  return measure(cohort, now, integral)
}

// The mean number in flight for each job is 5/3: of the 30 ms of both jobs, two run for 20 ms, and one for 10 ms.
const first = { start: 100, end: 110, succeeded: true }
const second = { start: 100, end: 120, succeeded: true }

t.test('goodput is the number of successful jobs per millisecond in which as many jobs are in flight', (t) => {
  t.strictSame(measured([first, second], 120), {
    concurrency: 5 / 3,
    goodput: ((5 / 3) * 2) / 30,
    goodputWithoutUncounted: ((5 / 3) * 2) / 30,
  })
  t.end()
})

t.test('a failed job adds its duration and no success', (t) => {
  t.strictSame(measured([first, { ...second, succeeded: false }], 120), {
    concurrency: 5 / 3,
    goodput: 5 / 3 / 30,
    goodputWithoutUncounted: 5 / 3 / 30,
  })
  t.end()
})

t.test('the duration of a job that does not count is left out only of `goodputWithoutUncounted`', (t) => {
  t.strictSame(measured([{ ...first, succeeded: undefined }, second], 120), {
    concurrency: 5 / 3,
    goodput: 5 / 3 / 30,
    goodputWithoutUncounted: 5 / 3 / 20,
  })
  t.end()
})

t.test('a job that started later and one that is in flight count with their duration so far', (t) => {
  const later = { start: 110, end: Infinity }
  // In flight: one job for 10 ms, then two for 20 ms.
  t.strictSame(
    measured(
      [
        { start: 100, end: Infinity },
        { ...later, start: 110, end: 130, succeeded: true },
      ],
      130,
    ),
    {
      concurrency: (10 + 2 * 2 * 20) / 50,
      goodput: ((10 + 2 * 2 * 20) / 50) * (1 / 50),
      goodputWithoutUncounted: ((10 + 2 * 2 * 20) / 50) * (1 / 50),
    },
  )
  t.end()
})

t.test('if no time has passed for jobs that count, the result is zero and not NaN', (t) => {
  const nothing = { concurrency: 0, goodput: 0, goodputWithoutUncounted: 0 }
  t.strictSame(measured([], 100), nothing)
  t.strictSame(measured([{ start: 100, end: 100, succeeded: true }], 100), nothing)
  t.strictSame(measured([{ start: 100, end: 120, succeeded: undefined }], 120), nothing)
  t.end()
})

t.test('a cohort counts jobs in flight, jobs that ended, and jobs that started at the limit', (t) => {
  const jobs = [
    { ...first, isLimited: true },
    { ...second, succeeded: false },
    { start: 105, end: 115, succeeded: undefined, isLimited: true },
    { start: 110, end: Infinity },
  ]
  const { limit, openedAt, inFlight, ended, succeeded, limited, isFull } = cohortOf(jobs, 130).cohort
  t.strictSame(
    { limit, openedAt, inFlight, ended, succeeded, limited, isFull },
    { limit: 50, openedAt: 100, inFlight: 1, ended: 2, succeeded: 1, limited: 2, isFull: false },
  )
  t.end()
})

t.test('the standard error is that of the mean duration, relative to it', (t) => {
  // Mean 15 ms, standard deviation 5 ms, two jobs.
  const { cohort } = cohortOf([first, second], 120)
  t.equal(standardError(cohort, 120).toFixed(10), (5 / 15 / Math.sqrt(2)).toFixed(10))
  t.end()
})

t.test('jobs in flight change the mean duration, and the standard error is never NaN', (t) => {
  // Mean (10 + 20 + 30) / 3 ms, mean square (10² + 20²) / 2, so the variance is less than zero: it counts as zero.
  t.equal(standardError(cohortOf([first, second, { start: 100, end: Infinity }], 130).cohort, 130), 0)
  // Mean (10 + 20 + 3) / 3 = 11 ms, mean square 250.
  const { cohort } = cohortOf([first, second, { start: 117, end: Infinity }], 120)
  t.equal(standardError(cohort, 120).toFixed(10), Math.sqrt((250 / 121 - 1) / 2).toFixed(10))
  t.end()
})
