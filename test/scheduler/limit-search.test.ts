import t, { type Test } from 'tap'
import {
  about,
  bucket,
  crashing,
  failingBlocks,
  failingWhile,
  flaky,
  instantShare,
  open,
  queueing,
  refusing,
  retrying,
  unclassified,
  withDescriptors,
} from '../../bench/adaptive/downstreams.ts'
import { type BatchResult, type Downstream, failedShare, goodput, simulate } from '../../bench/adaptive/simulator.ts'
import { createLimitSearch } from '../../src/adaptive/limit-search.ts'
import type { LimitSearch } from '../../src/scheduler/limiter.ts'
import type { FailureClass } from '../../src/types.ts'

// Time is simulated, and all random numbers come from a seed.

interface Options {
  min?: number
  max?: number
  initial?: number
  /** Of the event loop. */
  utilization?: number
}

/** A search to which the tests give failure classes instead of errors. */
function searchFor({ min = 1, max = 500, initial = 50, utilization = 0 }: Options = {}) {
  const classify = (error: unknown) => error as FailureClass | undefined
  return createLimitSearch({ min, max, initial, classify, utilization: () => utilization })
}

/** Ends a job that failed, as the scheduler does. */
function endWithFailure(search: LimitSearch, job: object, startedAt: number, now: number, failure: unknown): void {
  search.ended(job, startedAt, now, search.failed(failure, now) ? false : undefined)
}

/** The limit after each batch. */
function limitsOf(results: readonly BatchResult[]): number[] {
  return results.map(({ limit }) => limit)
}

function batches(count: number, records: number): number[] {
  return Array(count).fill(records)
}

function assertBetween(t: Test, value: number, low: number, high: number): void {
  t.ok(value >= low && value <= high, `${value} is from ${low} to ${high}`)
}

interface Load {
  /** The share of the limit that is in flight. */
  used?: number
  /** How many jobs are waiting when the job with this number starts. */
  waiting?: (job: number) => number
  /** Two calls are throttled when this many jobs have ended. */
  throttledAt?: number
}

/**
 * The decisions of a search, such as `2: 100 probe`: after two cohorts, the limit became 100. As many jobs as the limit
 * allows are always in flight, and all succeed.
 */
function decisionsOf(
  count: number,
  durationAt: (limit: number, now: number) => number,
  {
    min = 1,
    max = 500,
    initial = 50,
    utilization = 0,
    used = 1,
    waiting = () => 1000,
    throttledAt,
  }: Options & Load = {},
): string[] {
  let readings = 0 // the search reads the utilization when a cohort opens, and when it has measured one
  const search = createLimitSearch({ min, max, initial, classify: () => 'throttle', utilization: read })
  function read(): number {
    readings++
    return utilization
  }
  const decisions: string[] = []
  const running: { cohort: object; startedAt: number; endsAt: number }[] = []
  let now = 0
  let starts = 0
  let last = search.limit
  for (let ends = 0; decisions.length < count; ends++) {
    if (ends === 100_000) throw new Error(`Expected ${count} decisions, got ${decisions.join(', ')}`)
    while (running.length < used * search.limit) {
      const cohort = search.started(now, waiting(starts++))
      running.push({ cohort, startedAt: now, endsAt: now + durationAt(search.limit, now) })
    }
    running.sort((a, b) => a.endsAt - b.endsAt)
    const { cohort, startedAt, endsAt } = running.shift() as (typeof running)[0]
    now = endsAt
    if (ends === throttledAt) for (let call = 0; call < 2; call++) search.failed(new Error('throttled'), now)
    search.ended(cohort, startedAt, now, true)
    if (search.limit === last) continue
    decisions.push(`${Math.ceil(readings / 2)}: ${search.limit} ${search.reason}`)
    last = search.limit
    readings = 0
  }
  return decisions
}

/** Below 50, jobs take 100 ms, or what `durations` says. Above 50, they take so long that every probe upwards fails. */
function belowFifty(durations: Record<number, number> = {}) {
  return (limit: number) => durations[limit] ?? (limit > 50 ? 400 : 100)
}

t.test('a probe that doubles the limit is kept if goodput grows by 60 %, and not if it grows by 11 %', (t) => {
  t.strictSame(
    decisionsOf(2, (limit) => (limit === 100 ? 125 : 100)),
    ['1: 100 probe', '1: 200 probe'],
  )
  t.strictSame(
    decisionsOf(2, (limit) => (limit === 100 ? 180 : 100)),
    ['1: 100 probe', '1: 60 no-gain'],
    'the limit grows only by the factor by which goodput has grown',
  )
  t.end()
})

t.test('a smaller probe upwards is kept if goodput grows by 40 % of the growth of the limit', (t) => {
  // From 50 to 60, this is 8 %.
  t.equal(decisionsOf(4, belowFifty({ 60: 111 })).at(-1), '1: 84 probe')
  t.equal(decisionsOf(4, belowFifty({ 60: 112 })).at(-1), '1: 53 no-gain')
  t.end()
})

t.test('a probe downwards is kept if at least 95 % of the goodput are left', (t) => {
  t.strictSame(decisionsOf(7, belowFifty({ 43: 90 })).slice(4), ['9: 43 probe', '1: 37 probe', '1: 43 no-gain'])
  t.strictSame(decisionsOf(7, belowFifty({ 43: 91 })).slice(4), ['9: 43 probe', '1: 50 no-gain', '9: 52 probe'])
  t.end()
})

t.test('several probes downwards in a row are compared with the highest goodput of them', (t) => {
  const last = (durations: Record<number, number>) => decisionsOf(7, belowFifty(durations)).at(-1)
  t.equal(last({ 43: 80, 37: 72 }), '1: 32 probe')
  t.equal(last({ 43: 80, 37: 73 }), '1: 43 no-gain', '43 in 80 ms had more goodput than 50 in 100 ms')
  t.equal(last({ 43: 89, 37: 77 }), '1: 32 probe')
  t.equal(last({ 43: 89, 37: 80 }), '1: 43 no-gain', '43 in 89 ms had less goodput than 50 in 100 ms')
  t.end()
})

t.test('probes go up and down in turn, and those that fail go less far and come less often', (t) => {
  const decisions = decisionsOf(20, belowFifty())
  t.strictSame(
    decisions.filter((decision) => decision.endsWith(' probe')),
    ['1: 100', '6: 60', '9: 43', '9: 52', '14: 43', '14: 52', '21: 43', '21: 52', '31: 43', '31: 52'].map(
      (each) => `${each} probe`,
    ),
  )
  t.strictSame(new Set(decisions.filter((_, index) => index % 2 === 1)), new Set(['1: 50 no-gain']))
  t.strictSame(decisionsOf(24, belowFifty()).slice(-4), [
    '32: 43 probe',
    '1: 50 no-gain',
    '32: 52 probe',
    '1: 50 no-gain',
  ])
  t.end()
})

t.test('a probe upwards that is kept doubles the next step and ends the longer wait', (t) => {
  t.strictSame(
    decisionsOf(9, (limit) => (limit > 80 ? 400 : 100)),
    [
      '1: 100 probe',
      '1: 50 no-gain',
      '6: 60 probe',
      '1: 84 probe',
      '1: 60 no-gain',
      '6: 52 probe',
      '1: 60 no-gain',
      '6: 64 probe',
      '1: 74 probe',
    ],
  )
  t.end()
})

t.test('the limit grows at an event loop utilization of 95 %, and only shrinks at 96 %', (t) => {
  const always = () => 100
  t.strictSame(decisionsOf(4, always, { utilization: 0.95 }), [
    '1: 100 probe',
    '1: 200 probe',
    '1: 400 probe',
    '1: 500 probe',
  ])
  t.strictSame(decisionsOf(4, always, { utilization: 0.96 }), [
    '6: 43 probe',
    '1: 50 no-gain',
    '5: 43 probe',
    '1: 50 no-gain',
  ])
  t.end()
})

t.test('the limit grows only if a third of the jobs started when it was reached and more jobs waited', (t) => {
  const first = (load: Load) => decisionsOf(1, () => 100, load)[0]?.replace(/.*: /, '')
  t.equal(first({ used: 1 }), '100 probe')
  t.equal(first({ used: 0.98 }), '43 probe', 'it was not reached')
  t.equal(first({ waiting: (job) => (job % 25 < 9 ? 1000 : 0) }), '100 probe', '36 %')
  t.equal(first({ waiting: (job) => (job % 25 < 8 ? 1000 : 0) }), '43 probe', '32 %')
  t.end()
})

t.test('a cut directly after a failed probe lowers the limit as any other', (t) => {
  t.strictSame(decisionsOf(4, belowFifty(), { throttledAt: 345 }).slice(1), [
    '1: 50 no-gain',
    '1: 49 throttle',
    '0: 46 throttle',
  ])
  t.end()
})

t.test('at max, only probes downwards are made, and at min, only probes upwards', (t) => {
  t.strictSame(
    decisionsOf(4, () => 100, { max: 70 }),
    ['1: 70 probe', '9: 60 probe', '1: 70 no-gain', '8: 60 probe'],
  )
  t.strictSame(decisionsOf(5, belowFifty(), { min: 50 }).slice(2), ['6: 60 probe', '1: 50 no-gain', '18: 52 probe'])
  t.end()
})

t.test('a probe changes the limit by at least one', (t) => {
  t.equal(decisionsOf(3, (limit) => 2 * limit, { initial: 3 })[2], '6: 4 probe', '3 × 1.2 is less than 4')
  t.equal(decisionsOf(6, (limit) => 2 * limit, { initial: 6 })[5], '1: 4 probe', '5 / 1.15 is more than 4')
  t.end()
})

t.test('after a cut, the limit is held as long as after a probe', (t) => {
  t.strictSame(
    decisionsOf(4, () => 100, { utilization: 0.96, throttledAt: 400 }),
    ['4: 49 throttle', '0: 46 throttle', '6: 40 probe', '1: 46 no-gain'],
  )
  t.end()
})

t.test('measurements of a limit that is held last at least 50 ms, also if jobs are fast', (t) => {
  let end = 0
  const decision = decisionsOf(
    1,
    (_limit, now) => {
      end = now
      return 1
    },
    { utilization: 0.96 },
  )
  t.match(decision, [/: 43 probe/])
  // The first cohort needs only 50 jobs. Five more are measured, because a probe upwards is not possible.
  assertBetween(t, end, 5 * 50, 5 * 50 + 10)
  t.end()
})

t.test(
  'if durations differ widely, a cohort is complete when eight times as many jobs as the limit have ended',
  (t) => {
    const search = searchFor()
    let now = 0
    const cohort = search.started(now, 1000)
    let longest = cohort
    for (let ends = 0; ends < 400; ends += 50) {
      const jobs = Array.from({ length: 49 }, () => search.started(now, 1000))
      for (const job of jobs) search.ended(job, now, now + 1, true)
      search.ended(longest, now, now + 5000, true)
      now += 5000
      longest = search.started(now, 1000)
      t.equal(longest === cohort, ends < 350, `${ends + 50} have ended`)
    }
    t.end()
  },
)

t.test('a cohort is judged when one of its own jobs ends', (t) => {
  const search = searchFor({ initial: 20 })
  const start = (now: number, count: number) => Array.from({ length: count }, () => search.started(now, 1000))
  function end(jobs: readonly object[], startedAt: number, now: number) {
    for (const job of jobs) search.ended(job, startedAt, now, true)
  }
  const first = start(0, 21)
  end(first.slice(1), 0, 10) // the first cohort is complete, and one of its jobs is in flight
  const second = start(10, 20)
  const [cohort] = second
  t.not(cohort, first[0])
  end(second, 10, 30)
  const last = start(50, 1)
  end(first.slice(0, 1), 0, 70)
  const later = start(70, 1)
  t.equal(later[0], cohort, 'it could be complete after 60 ms, but a job of the first cohort ended')
  end(last, 50, 70)
  end(later, 70, 90)
  t.not(start(90, 1)[0], cohort)
  t.end()
})

t.test('no job joins a cohort that is full, while its last jobs are in flight', (t) => {
  const search = searchFor({ initial: 20 })
  const cohort = search.started(0, 1000)
  for (let now = 0; now < 190; now += 10) search.ended(search.started(now, 1000), now, now + 10, true)
  const jobs = Array.from({ length: 9 }, () => search.started(990, 1000))
  t.ok(jobs.every((job) => job === cohort))
  search.ended(cohort, 990, 1000, true)
  t.not(search.started(1000, 1000), cohort, '20 have ended in 10 ms each')
  search.ended(cohort, 0, 1001, true)
  t.not(search.started(1001, 1000), cohort, 'another one took much longer')
  t.end()
})

t.test('more jobs join a cohort that was full if its next job took so long that it is no longer precise', (t) => {
  const search = searchFor({ initial: 20 })
  const cohort = search.started(0, 1000)
  for (let now = 0; now < 190; now += 10) search.ended(search.started(now, 1000), now, now + 10, true)
  for (let job = 0; job < 6; job++) t.equal(search.started(190, 1000), cohort)
  search.ended(cohort, 190, 200, true)
  t.not(search.started(200, 1000), cohort, '20 have ended in 10 ms each, and 6 are in flight')
  search.ended(cohort, 0, 230, true)
  t.equal(search.started(230, 1000), cohort, 'enough have ended, and one of them took 230 ms')
  t.end()
})

t.test('while the limit doubles, a relative standard error of exactly 20 % is precise enough', (t) => {
  const search = searchFor({ initial: 1 })
  // 25 jobs, mean 2, standard deviation 2: the relative standard error is 2 / √25 / 2 = 0.2.
  const durations = [...Array(10).fill(0), ...Array(4).fill(1), ...Array(10).fill(4), 6]
  let now = 0
  for (const duration of durations) {
    t.equal(search.limit, 1)
    const cohort = search.started(now, 1000)
    now += duration
    search.ended(cohort, now - duration, now, true)
  }
  t.equal(search.limit, 2)
  t.end()
})

t.test('a limit counts as reached if 75 % of it are in flight', (t) => {
  // Only probes downwards are possible, because fewer jobs are in flight than the limit allows.
  t.match(
    decisionsOf(1, () => 100, { initial: 40, used: 30 / 40 }),
    [/: 34 probe/],
  )
  t.throws(() => decisionsOf(1, () => 100, { initial: 40, used: 29 / 40 }), /Expected 1 decisions, got $/)
  t.end()
})

t.test('a probe never exceeds the jobs that could run, or goes below min', (t) => {
  t.equal(decisionsOf(1, () => 100, { waiting: () => 21 })[0], '1: 71 probe')
  t.strictSame(decisionsOf(8, (limit) => 100 * limit, { min: 45 }).slice(4), [
    '9: 46 probe',
    '1: 45 probe',
    '10: 47 probe',
    '1: 45 no-gain',
  ])
  t.end()
})

/** A search with this many jobs in flight, which all started at 0. */
function withJobs(count: number, options: Options = {}) {
  const search = searchFor({ initial: count, ...options })
  const jobs: { job: object; startedAt: number }[] = []
  let now = 0
  function start(number: number) {
    for (let job = 0; job < number; job++) jobs.push({ job: search.started(now, 1000), startedAt: now })
  }
  function pass(milliseconds: number) {
    now += milliseconds
  }
  /** Ends the oldest ones. */
  function end(number: number) {
    for (const { job, startedAt } of jobs.splice(0, number)) search.ended(job, startedAt, now, true)
  }
  function fail(number: number, failure: FailureClass) {
    for (let call = 0; call < number; call++) search.failed(failure, now)
  }
  /** Ends the oldest ones with failures. */
  function endFailed(number: number, failure: FailureClass) {
    for (const { job, startedAt } of jobs.splice(0, number)) {
      endWithFailure(search, job, startedAt, now, failure)
    }
  }
  /** Runs jobs one after another. */
  function run(number: number) {
    for (let job = 0; job < number; job++) {
      const startedAt = now++
      search.ended(search.started(startedAt, 1000), startedAt, now, true)
    }
  }
  start(count)
  pass(100)
  return { search, start, pass, end, fail, endFailed, run }
}

/** The same in a probe that doubled the limit, with twice as many jobs in flight. */
function withJobsInProbe(initial: number) {
  const { search, start, pass, end, fail } = withJobs(initial)
  for (let steps = 0; search.limit === initial && steps < 1000; steps++) {
    pass(1)
    end(1)
    start(1)
  }
  start(initial)
  return { search, start, pass, end, fail }
}

t.test('throttled calls lower the limit if they are at least two, and one in a hundred', (t) => {
  for (const [ends, throttles, limit] of [
    [10, 1, 400],
    [10, 2, 389],
    [200, 2, 200],
    [201, 2, 400],
    [201, 3, 200],
  ] as const) {
    const { search, end, fail } = withJobs(400)
    end(ends)
    fail(throttles, 'throttle')
    t.equal(search.limit, limit, `${throttles} of ${ends}`)
  }
  t.end()
})

t.test('the second overload lowers the limit to what is in flight, but not below half', (t) => {
  for (const [ends, overloads, limit] of [
    [10, 1, 400],
    [10, 2, 389],
    [300, 2, 200],
  ] as const) {
    const { search, end, fail } = withJobs(400)
    end(ends)
    fail(overloads, 'overload')
    t.equal(search.limit, limit, `${overloads} of ${ends}`)
  }
  t.end()
})

t.test('throttled calls lower the limit below half only if 75 % of it were in flight', (t) => {
  for (const [ends, limits] of [
    [100, [299, 150]],
    [101, [298, 200]],
  ] as const) {
    const { search, end, fail } = withJobs(400, { min: 150 })
    end(ends)
    fail(2, 'throttle')
    const first = search.limit
    end(200)
    fail(3, 'throttle')
    t.strictSame([first, search.limit], limits, `${400 - ends} in flight`)
  }
  t.end()
})

t.test('when 95 % of the jobs from before a cut have ended, the limit becomes 95 % of the lowered one', (t) => {
  const { search, end, fail } = withJobs(400)
  fail(2, 'throttle')
  t.strictSame([search.limit, search.reason], [399, 'throttle'])
  end(380) // 20 of them are left, which is more than 5 % of 399
  t.equal(search.limit, 399)
  end(1)
  t.strictSame([search.limit, search.reason], [379, 'throttle'])
  t.end()
})

t.test('a cut ends if exactly 5 % of the jobs from before it are left', (t) => {
  const { search, end, fail } = withJobs(400)
  end(300)
  fail(2, 'overload')
  end(89) // 11 are left
  t.equal(search.limit, 200)
  end(1)
  t.equal(search.limit, 190)
  t.end()
})

t.test('after a cut, the search knows how often calls were overloaded before it', (t) => {
  for (const [overloads, limit] of [
    [3, 190],
    [4, 109],
  ] as const) {
    const { search, start, end, fail } = withJobs(400)
    end(300)
    fail(2, 'overload')
    end(100)
    t.equal(search.limit, 190)
    start(210)
    end(100)
    fail(overloads, 'overload')
    t.equal(search.limit, limit, `${overloads} overloads`)
  }
  t.end()
})

t.test('an overload in a cohort counts as usual afterwards', (t) => {
  for (const [overloads, limit] of [
    [2, 400],
    [3, 299],
  ] as const) {
    const { search, start, end, fail } = withJobs(400)
    fail(1, 'overload')
    end(400)
    start(400)
    end(100)
    fail(overloads, 'overload')
    t.equal(search.limit, limit, `${overloads} overloads`)
  }
  t.end()
})

t.test('a throttled or overloaded call counts as failed, whether it lowers the limit or not', (t) => {
  for (const failure of ['throttle', 'overload'] as const) {
    const { search } = withJobs(10)
    t.strictSame(
      [1, 2, 3].map((now) => search.failed(failure, now)),
      [true, true, true],
    )
    t.equal(search.limit, 9)
  }
  t.end()
})

t.test('the reason is that of the last change', (t) => {
  const { search, fail } = withJobs(5, { min: 5 })
  fail(3, 'overload')
  t.strictSame([search.limit, search.reason], [5, 'initial'])
  t.end()
})

t.test(
  'a new cohort opens when 50 times as many jobs as the limit have ended, and a fifth of the cohort hangs',
  (t) => {
    let readings = 0
    const utilization = () => readings++
    const search = createLimitSearch({ min: 1, max: 500, initial: 20, classify: () => undefined, utilization })
    const jobs = Array.from({ length: 20 }, () => search.started(0, 1000))
    for (const job of jobs.slice(0, 14)) search.ended(job, 0, 100, true) // 6 hang
    for (let now = 100; now < 1086; now++) search.ended(search.started(now, 1000), now, now + 1, true)
    search.started(1086, 1000)
    t.equal(readings, 1, '1,000 have ended')
    search.ended(search.started(1086, 1000), 1086, 1087, true)
    search.started(1087, 1000)
    t.equal(readings, 2)
    t.end()
  },
)

t.test('a cut ends when ten times as many jobs have ended as were in flight, even if old jobs hang', (t) => {
  const { search, end, fail, run } = withJobs(10)
  fail(2, 'throttle')
  end(8)
  run(91)
  t.equal(search.limit, 9, '99 have ended')
  run(1)
  t.equal(search.limit, 8)
  t.end()
})

t.test('overloads during a cut lower the limit to half of that before the cut at most', (t) => {
  const { search, end, fail } = withJobs(100)
  fail(2, 'overload')
  t.equal(search.limit, 99)
  end(30)
  fail(2, 'overload')
  t.equal(search.limit, 69)
  end(30)
  fail(5, 'overload')
  t.equal(search.limit, 50)
  t.end()
})

/** The limit after a probe doubled it, pressure when `ends` jobs had ended, and the end of the cut. */
function afterPressureInProbe(initial: number, ends: number) {
  const { search, end, fail } = withJobsInProbe(initial)
  end(ends)
  fail(2, 'throttle')
  end(2 * initial - ends)
  return [search.limit, search.reason]
}

t.test(
  'after pressure in a probe, a limit of more than 110 % of the reference is measured, and a lower one is not',
  (t) => {
    t.strictSame(afterPressureInProbe(50, 20), [75, 'throttle']) // 79 × 0.95
    t.strictSame(afterPressureInProbe(50, 40), [56, 'throttle']) // 59 × 0.95
    t.strictSame(afterPressureInProbe(50, 42), [50, 'throttle']) // 57 × 0.95 = 54
    t.strictSame(afterPressureInProbe(50, 70), [47, 'throttle']) // 50 × 0.95, because 30 of 100 were in flight
    t.strictSame(afterPressureInProbe(10, 6), [12, 'throttle']) // 13 × 0.95
    t.strictSame(afterPressureInProbe(10, 7), [10, 'throttle']) // 12 × 0.95 = 11
    t.end()
  },
)

t.test('the limit grows to what a downstream can serve, and says why', (t) => {
  const search = searchFor()
  t.strictSame([search.limit, search.reason], [50, 'initial'])
  assertBetween(t, limitsOf(simulate(queueing(200, about(60)), search, [7000], 1))[0] as number, 150, 260)
  t.ok(['gain', 'no-gain', 'probe'].includes(search.reason), search.reason)
  t.end()
})

t.test('the limit shrinks to what a downstream can serve', (t) => {
  const results = simulate(queueing(10, about(20)), searchFor(), batches(4, 7000), 1)
  assertBetween(t, limitsOf(results)[3] as number, 8, 16)
  t.end()
})

t.test('the limit stays from min to max', (t) => {
  const limits = new Set<number>()
  for (const downstream of [open(about(50)), queueing(1, about(5)), refusing(1, about(5))]) {
    const search = searchFor({ min: 20, max: 80 })
    simulate(downstream, recording(search, limits), batches(4, 3000), 1)
  }
  t.equal(Math.min(...limits), 20)
  t.equal(Math.max(...limits), 80)
  t.ok([...limits].every(Number.isInteger))
  const few = searchFor({ min: 40, max: 30 })
  simulate(refusing(10, about(5)), few, [1000], 1)
  t.equal(few.limit, 30, 'a max below min wins: there are not more descriptors')
  t.end()
})

/** Notes each limit at which a job starts. */
function recording(search: ReturnType<typeof searchFor>, limits: Set<number>) {
  return {
    get limit() {
      return search.limit
    },
    started(now: number, waiting: number) {
      limits.add(search.limit)
      return search.started(now, waiting)
    },
    failed: search.failed,
    ended: search.ended,
  }
}

t.test('batches of at most `initial` records never raise the limit', (t) => {
  for (const downstream of [open(about(50)), queueing(400, about(5)), open(() => 0)]) {
    for (const records of [1, 10, 49, 50]) {
      const search = searchFor()
      const limits = new Set<number>()
      simulate(downstream, recording(search, limits), batches(300, records), 1)
      t.ok(Math.max(...limits) <= 50, `${records} records: ${[...limits]}`)
    }
  }
  t.end()
})

t.test('a limit that was not reached does not change', (t) => {
  // A rate limit: jobs start one after another, and never fill the slots.
  const search = searchFor()
  for (let now = 0; now < 10_000; now += 10) search.ended(search.started(now, 1000), now, now + 5, true)
  t.strictSame([search.limit, search.reason], [50, 'initial'])
  t.end()
})

t.test('after a probe that did not reach its limit, the limit goes back', (t) => {
  const search = searchFor()
  // One by one, each start replaces a job that ends: 50 are always in flight.
  const running = Array.from({ length: 50 }, () => ({ cohort: search.started(0, 1000), startedAt: 0 }))
  let now = 20
  for (; search.limit === 50 && now < 1000; now++) {
    const { cohort, startedAt } = running.shift() as (typeof running)[0]
    search.ended(cohort, startedAt, now, true)
    if (search.limit === 50) running.push({ cohort: search.started(now, 1000), startedAt: now })
  }
  t.strictSame([search.limit, search.reason], [100, 'probe'])
  for (const { cohort, startedAt } of running) search.ended(cohort, startedAt, now, true)
  for (let job = 0; search.limit === 100 && job < 1000; job++) {
    search.ended(search.started(now, 1000), now, now + 5, true)
    now += 10
  }
  t.strictSame([search.limit, search.reason], [50, 'no-gain'])
  t.end()
})

t.test('batches that are larger than the limit raise it to their size at most', (t) => {
  const limits = new Set<number>()
  simulate(open(about(50)), recording(searchFor({ initial: 20 }), limits), batches(100, 60), 1)
  t.equal(Math.max(...limits), 60)
  t.end()
})

t.test('a few throttled calls lower the limit at once', (t) => {
  const search = searchFor()
  const cohorts = Array.from({ length: 50 }, () => search.started(0, 1000))
  t.equal(search.failed('throttle', 1), true)
  search.ended(cohorts[0] as object, 0, 1, false)
  t.equal(search.limit, 50, 'one may be chance')
  search.failed('throttle', 1)
  search.ended(cohorts[1] as object, 0, 1, false)
  t.strictSame([search.limit, search.reason], [48, 'throttle'])
  t.end()
})

t.test('fewer throttled calls than one in a hundred do not lower the limit', (t) => {
  const search = searchFor({ max: 50 })
  const limits = new Set<number>()
  let calls = 0
  const rarely: Downstream = (clock) => (settle) =>
    clock.after(20, () => settle(++calls % 300 === 0 ? 'throttle' : 'ok'))
  simulate(rarely, recording(search, limits), [3000], 1)
  t.notOk(search.reason === 'throttle', [...limits].join())
  t.end()
})

t.test('refused connections lower the limit at once', (t) => {
  const search = searchFor()
  const results = simulate(refusing(30, about(17)), search, batches(3, 7000), 1)
  for (const limit of limitsOf(results)) assertBetween(t, limit, 22, 36)
  t.ok(failedShare(results) < 0.02, `${failedShare(results)}`)
  t.end()
})

t.test('after three batches, the limit is near what a token bucket allows', (t) => {
  const results = simulate(bucket(500, 50, about(20)), searchFor(), batches(3, 7000), 1)
  assertBetween(t, limitsOf(results)[2] as number, 6, 14)
  t.ok(failedShare(results) < 0.03, `${failedShare(results)}`)
  t.end()
})

t.test('with a client that retries, few records fail', (t) => {
  // The search must wait for slow jobs at the end of a cut, and must not take the refused calls for chance.
  const shares = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seed) =>
    failedShare(simulate(retrying(refusing(53, about(17))), searchFor(), batches(10, 1000), seed)),
  )
  const mean = shares.reduce((a, b) => a + b) / shares.length
  t.ok(mean < 0.009, `${mean}`)
  t.end()
})

t.test('throttled calls lower the limit in one step, so few records of the first batch fail', (t) => {
  for (const seed of [1, 2, 3]) {
    const failed = failedShare(simulate(bucket(500, 50, about(20)), searchFor(), [1000], seed))
    t.ok(failed < 0.08, `${failed}`)
  }
  t.end()
})

t.test('after three batches, the limit is 80 to 100 % of the number of file descriptors', (t) => {
  const results = simulate(withDescriptors(300, open(about(60))), searchFor(), batches(3, 7000), 1)
  assertBetween(t, limitsOf(results)[2] as number, 240, 300)
  t.end()
})

t.test('failures by chance do not lower the limit, once they are known', (t) => {
  for (const share of [0.002, 0.01, 0.03]) {
    const results = simulate(flaky(share, queueing(400, about(60))), searchFor(), batches(4, 7000), 1)
    assertBetween(t, limitsOf(results)[3] as number, 250, 500)
  }
  t.end()
})

t.test('ordinary failures do not lower the limit at once, and failures that do not count change nothing', (t) => {
  const search = searchFor()
  t.equal(search.failed('failure', 1), false)
  t.equal(search.failed(undefined, 1), false)
  const cohorts = Array.from({ length: 50 }, () => search.started(0, 1000))
  for (const cohort of cohorts) {
    search.failed('failure', 1)
    endWithFailure(search, cohort, 0, 10, undefined)
  }
  t.strictSame([search.limit, search.reason], [50, 'initial'])
  t.end()
})

t.test('the limit does not grow while the event loop is busy', (t) => {
  const limits = new Set<number>()
  simulate(open(about(50)), recording(searchFor({ utilization: 0.96 }), limits), batches(5, 7000), 1)
  t.equal(Math.max(...limits), 50)
  t.end()
})

t.test('jobs that take no time do not move the limit', (t) => {
  const search = searchFor()
  for (let job = 0; job < 10_000; job++) search.ended(search.started(5, 1000), 5, 5, true)
  t.strictSame([search.limit, search.reason], [50, 'initial'])
  t.end()
})

t.test('after more than five idle minutes the limit is at most `initial`, and the search begins again', (t) => {
  const search = searchFor()
  const grown = simulate(open(about(50)), search, [7000], 1)
  t.ok(search.limit > 300)
  const end = grown[0]?.duration as number
  search.ended(search.started(end + 300_000, 0), end + 300_000, end + 300_001, true)
  t.ok(search.limit > 300, 'not yet')
  const cohort = search.started(end + 600_002, 0)
  t.strictSame([search.limit, search.reason], [50, 'idle'])
  search.ended(cohort, end + 600_002, end + 600_003, true)

  const low = searchFor()
  simulate(refusing(10, about(10)), low, [3000], 1)
  const { limit } = low
  t.ok(limit < 15)
  low.started(1_000_000_000, 0)
  t.equal(low.limit, limit, 'a lower limit stays')
  t.end()
})

t.test('after five idle minutes, the first probe doubles the limit again', (t) => {
  const search = searchFor()
  let now = (simulate(queueing(37, about(23)), search, [7000], 1)[0]?.duration as number) + 300_001
  const jobs: object[] = []
  jobs.push(search.started(now, 1000))
  const { limit } = search
  while (search.limit === limit) {
    while (jobs.length < limit) jobs.push(search.started(now, 1000))
    now += 20 / limit
    search.ended(jobs.shift() as object, now - 20, now, true)
  }
  t.strictSame([search.limit, search.reason], [2 * limit, 'probe'])
  t.end()
})

t.test('five minutes in which a job is in flight are not idle', (t) => {
  const search = searchFor()
  const end = simulate(open(about(50)), search, [7000], 1)[0]?.duration as number
  const { limit } = search
  t.ok(limit > 300, `${limit}`)
  const job = search.started(end, 0)
  search.ended(search.started(end + 300_001, 0), end + 300_001, end + 300_002, true)
  t.equal(search.limit, limit)
  search.ended(job, end, end + 600_003, true)
  search.started(end + 900_003, 0)
  t.equal(search.limit, limit, 'exactly five idle minutes')
  t.end()
})

/** A search after a cut, with this share of overloads, and a function that runs jobs of 50 ms at the same time. */
function searchAfterCut(shareBefore = 0.25) {
  const search = searchFor()
  let now = simulate(open(about(50)), search, [7000], 1)[0]?.duration as number
  function run(jobs: number, failures: number, pause = 0): void {
    now += pause
    const cohorts = Array.from({ length: jobs }, () => search.started(now, 1000))
    now += 50
    for (const [index, cohort] of cohorts.entries()) {
      const isFailure = Math.floor(((index + 1) * failures) / jobs) > Math.floor((index * failures) / jobs)
      if (isFailure) endWithFailure(search, cohort, now - 50, now, 'overload')
      else search.ended(cohort, now - 50, now, true)
    }
  }
  run(400, 400 * shareBefore)
  return { search, run }
}

t.test('a cut is undone if it has not lowered the share of the overloads', (t) => {
  for (const [shareBefore, shareAfter, isUndone] of [
    [0.25, 0.06, false],
    [0.25, 0.13, false],
    [0.25, 0.22, true], // a difference that can be chance
    [0.5, 0.18, false],
    [0.5, 0.34, false],
    [0.5, 0.45, true],
  ] as const) {
    const { search, run } = searchAfterCut(shareBefore)
    const { limit, reason } = search
    t.equal(reason, 'overload')
    t.ok(limit <= 300, `${limit}`)
    run(2 * limit, Math.round(2 * limit * shareAfter)) // more than the limit, so that it is reached
    const message = `${shareBefore} before, ${shareAfter} after`
    if (isUndone) assertBetween(t, search.limit, 450, 500)
    else t.ok(search.limit <= limit, message)
    t.equal(search.reason, isUndone ? 'no-gain' : 'overload', message)
  }
  t.end()
})

t.test('a cut is not undone because of a single call', (t) => {
  const { search, run } = searchAfterCut(0.005)
  const { limit } = search
  run(2 * limit, 1)
  t.strictSame([search.limit, search.reason], [limit, 'overload'])
  t.end()
})

t.test('a cut by throttled calls is not undone, even if calls are overloaded as often as before', (t) => {
  const { search, start, pass, end, fail } = withJobs(400)
  fail(1, 'overload')
  end(400) // one overload in 400 is usual now
  start(400)
  pass(100)
  end(10)
  fail(2, 'throttle')
  end(190)
  fail(2, 'overload')
  end(200)
  t.strictSame([search.limit, search.reason], [369, 'throttle']) // 389 × 0.95
  start(800)
  pass(100)
  end(400)
  fail(4, 'overload')
  end(400)
  t.strictSame([search.limit, search.reason], [369, 'throttle'])
  t.end()
})

t.test('a cut in a probe is not undone, even if calls are overloaded as often as before', (t) => {
  const { search, start, pass, end, fail } = withJobsInProbe(50)
  end(20)
  fail(10, 'overload')
  end(80)
  t.strictSame([search.limit, search.reason], [75, 'overload']) // 79 × 0.95
  start(150)
  pass(100)
  end(100)
  fail(10, 'overload')
  end(50)
  t.strictSame([search.limit, search.reason], [46, 'overload'], 'they lower the limit again: 49 × 0.95')
  t.end()
})

t.test('overloads after a cut by throttled calls do not raise the limit', (t) => {
  const { search, end, fail } = withJobs(400)
  end(10)
  fail(40, 'throttle')
  end(390)
  const { limit } = search
  const jobs = Array.from({ length: 2 * limit }, () => search.started(200, 1000))
  for (const [index, job] of jobs.entries()) {
    if (index % 20 === 0) endWithFailure(search, job, 200, 300, 'overload')
    else search.ended(job, 200, 300, true)
  }
  t.ok(search.limit <= limit, `${search.limit}`)
  t.end()
})

t.test('an overload does not raise a limit that throttled calls have lowered', (t) => {
  const { search, end, fail } = withJobs(100)
  fail(2, 'throttle')
  end(89)
  fail(2, 'throttle')
  t.equal(search.limit, 10)
  fail(3, 'overload')
  t.equal(search.limit, 10)
  t.end()
})

t.test('if refusals take as long as successes, few records fail after the first batch', (t) => {
  for (const capacity of [5, 10]) {
    for (const seed of [1, 2, 3]) {
      const downstream: Downstream = (clock, random) => {
        let busy = 0
        return (settle) => {
          const isRefused = busy >= capacity
          if (!isRefused) busy++
          clock.after(about(20)(random), () => {
            if (!isRefused) busy--
            settle(isRefused ? 'overload' : 'ok')
          })
        }
      }
      const results = simulate(downstream, searchFor(), batches(4, 7000), seed)
      const failed = failedShare(results.slice(2))
      t.ok(failed <= 0.03, `capacity ${capacity}, seed ${seed}: ${failed}`)
    }
  }
  t.end()
})

t.test('if no record succeeds, the limit does not grow', (t) => {
  const downstream: Downstream = (clock, random) => (settle) =>
    clock.after(about(20)(random), () => settle(random() < 0.1 ? 'overload' : 'failure'))
  const limits = new Set<number>()
  simulate(downstream, recording(searchFor(), limits), batches(6, 3000), 1)
  t.ok(Math.max(...limits) <= 50, [...limits].join())
  t.end()
})

t.test('a cut is not undone after five idle minutes', (t) => {
  for (const [pause, isUndone] of [
    [0, true],
    [400_000, false],
  ] as const) {
    const { search, run } = searchAfterCut()
    run(2 * search.limit, search.limit / 2, pause) // a quarter of the calls, as before the cut
    t.equal(search.limit > 100, isUndone, `${search.limit} after a pause of ${pause} ms`)
  }
  t.end()
})

t.test('pauses between invocations do not change what the search finds', (t) => {
  const limits = [0, 20, 60_000].map(
    (pause) => limitsOf(simulate(queueing(200, about(60)), searchFor(), batches(3, 3000), 1, pause)).at(-1) as number,
  )
  for (const limit of limits) assertBetween(t, limit, 150, 260)
  t.end()
})

const HUNG_FOR = 1_000_000

/** The calls with these numbers do not end while the others run. */
function hanging(numbers: readonly number[], inner: Downstream): Downstream {
  return (clock, random) => {
    const call = inner(clock, random)
    let calls = 0
    return (settle) => (numbers.includes(calls++) ? clock.after(HUNG_FOR, () => settle('failure')) : call(settle))
  }
}

/** The limits at which jobs started between two times, in milliseconds. */
function limitsBetween(from: number, to: number, downstream: Downstream, records: readonly number[], seed: number) {
  const search = searchFor()
  const limits: number[] = []
  const recorded = {
    ...recording(search, new Set()),
    get limit() {
      return search.limit
    },
    started(now: number, waiting: number) {
      if (now > from && now < to) limits.push(search.limit)
      return search.started(now, waiting)
    },
  }
  simulate(downstream, recorded, records, seed)
  return limits
}

/** The limits at which jobs started while calls hung. */
function limitsWhileHanging(downstream: Downstream, records: number, seed = 1): number[] {
  return limitsBetween(-1, HUNG_FOR, downstream, [records], seed)
}

t.test('jobs that hang do not prolong a cut, so the limit does not stay low', (t) => {
  for (const share of [0.03, 0.1, 0.2]) {
    for (const seed of [1, 2, 3, 4, 5]) {
      const downstream = hanging([3, 13, 23, 33, 43, 100, 600], flaky(share, queueing(50, about(10))))
      const limits = limitsWhileHanging(downstream, 7000, seed)
      t.equal(limits.length, 7000, 'every record starts')
      t.ok(Math.min(...limits) >= 15, `${share}, seed ${seed}: the lowest limit is ${Math.min(...limits)}`)
      assertBetween(t, limits.at(-1) as number, 40, 130) // 43 of them serve records, and a probe may try more
    }
  }
  t.end()
})

t.test('if more than 5 % of a cohort hang, the search goes on without them', (t) => {
  const numbers = Array.from({ length: 60 }, (_, index) => 5000 + index)
  const limits = limitsWhileHanging(hanging(numbers, queueing(200, about(20))), 40_000)
  t.ok(new Set(limits.slice(20_000)).size > 1, 'the limit still changes')
  t.end()
})

t.test('a job that timed out does not count, until its slot is free', (t) => {
  const search = searchFor({ initial: 3, max: 5 })
  const jobs = [0, 0, 0, 0].map((now) => search.started(now, 100))
  const hung = jobs.map((job, index) => {
    const token = search.timedOut(job, 0, 'failure', 300)
    t.equal(search.limit, [4, 5, 5, 5][index], 'at most max')
    return token
  })
  for (const limit of [5, 5, 4, 3]) {
    search.ended(hung.pop() as object, 0, 400, false)
    t.equal(search.limit, limit)
  }
  t.end()
})

t.test('at most `initial` jobs that timed out do not count, so that batches in which all handlers hang end', (t) => {
  const search = searchFor({ initial: 2, max: 10 })
  for (const limit of [3, 4, 4, 4]) {
    search.timedOut(search.started(0, 100), 0, 'failure', 300)
    t.equal(search.limit, limit)
  }
  t.end()
})

t.test('jobs that time out lower the limit, and their slots are added to it', (t) => {
  const search = searchFor({ initial: 10 })
  const jobs = Array.from({ length: 10 }, () => search.started(0, 100))
  const hung = jobs.slice(0, 4).map((job) => search.timedOut(job, 0, 'overload', 300))
  t.strictSame([search.limit, search.reason], [6 + 4, 'overload'])
  for (const token of hung) search.ended(token, 0, 500, false)
  t.equal(search.limit, 6)
  t.end()
})

t.test('if all calls fail at one moment, the limit falls to a quarter at most', (t) => {
  const downstream: Downstream = (clock, random) => {
    const call = queueing(50, () => 20)(clock, random)
    return (settle) => call((outcome) => settle(clock.now === 200 ? 'overload' : outcome))
  }
  const limits = new Set<number>()
  simulate(downstream, recording(searchFor(), limits), [3000], 1)
  t.ok(Math.min(...limits) >= 12, [...limits].join())
  t.end()
})

t.test('with calls that get a 503 by chance, goodput stays close to that of the initial number', (t) => {
  for (const [share, least] of [
    [0.01, 0.97],
    [0.03, 0.97],
    [0.1, 0.95],
    [0.2, 0.94],
  ] as const) {
    const ratios = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seed) => {
      const downstream = flaky(share, queueing(50, about(20)))
      const [adaptive, fixed] = [searchFor(), { limit: 50 }].map((each) =>
        goodput(simulate(downstream, each, [3000], seed)),
      )
      return (adaptive as number) / (fixed as number)
    })
    const mean = ratios.reduce((a, b) => a + b) / ratios.length
    t.ok(mean >= least, `${share}: ${mean}`)
    t.ok(Math.min(...ratios) >= 0.8, `${share}: ${Math.min(...ratios)}`)
  }
  t.end()
})

t.test('a limit that is far too high falls, also if only some calls fail', (t) => {
  // The share of failed calls grows slowly: clients hide them, or half of the records need no call. It must not be
  // taken for chance.
  for (const [name, downstream] of Object.entries({
    'a client that retries': retrying(refusing(53, about(17))),
    'half of the records instant': instantShare(0.5, refusing(53, about(17))),
    'no retries': refusing(53, about(17)),
  })) {
    for (const initial of [100, 150, 200, 400]) {
      for (const seed of [1, 2, 3]) {
        const results = simulate(downstream, searchFor({ initial }), batches(4, 7000), seed)
        const failed = failedShare(results.slice(2))
        t.ok(failed <= 0.03, `${name}, ${initial}, seed ${seed}: ${failed}`)
      }
    }
  }
  t.end()
})

t.test('a cut that did not help is undone, also while the event loop is busy', (t) => {
  const limits = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
    const downstream = flaky(0.1, queueing(100, about(20)))
    return limitsOf(simulate(downstream, searchFor({ utilization: 0.96 }), [3000], seed))[0] as number
  })
  t.ok(limits.reduce((a, b) => a + b) / 8 >= 40, limits.join())
  t.ok(Math.max(...limits) <= 50, limits.join())
  t.end()
})

t.test('a lower limit that the batches do not reach proves nothing', (t) => {
  // Serves 53 calls at once. A refusal takes as long as a call.
  const downstream: Downstream = (clock, random) => {
    let busy = 0
    return (settle) => {
      const isServed = busy < 53
      if (isServed) busy++
      clock.after(about(17)(random), () => {
        if (isServed) busy--
        settle(isServed ? 'ok' : 'overload')
      })
    }
  }
  for (const records of [60, 100]) {
    const results = simulate(downstream, searchFor({ initial: 400 }), batches(60, records), 1)
    t.ok(failedShare(results.slice(30)) <= 0.03, `${records}: ${failedShare(results.slice(30))}`)
  }
  t.end()
})

t.test('the reason is the class of the failure, also if the limit is already below the jobs in flight', (t) => {
  const search = searchFor()
  const jobs: object[] = []
  let now = 0
  function endOne(succeeded: boolean): void {
    now += 0.4
    const job = jobs.shift() as object
    if (succeeded) search.ended(job, now - 20, now, true)
    else endWithFailure(search, job, now - 20, now, 'overload')
  }
  function fill(): void {
    while (jobs.length < search.limit) jobs.push(search.started(now, 1000))
  }
  fill()
  while (!(search.limit < 50 && search.reason === 'probe')) {
    endOne(true)
    fill()
  }
  const { limit } = search
  for (let count = 0; count < 3; count++) endOne(false)
  while (search.limit === limit) {
    endOne(true)
    fill()
  }
  t.equal(search.reason, 'overload')
  t.end()
})

t.test('if every record fails with an ordinary failure, the limit stays', (t) => {
  const limits = new Set<number>()
  simulate(flaky(1, queueing(50, about(10)), 'failure'), recording(searchFor(), limits), batches(3, 7000), 1)
  t.strictSame([...limits], [50])
  t.end()
})

t.test('if every record of later batches fails with an ordinary failure, the limit does not change any more', (t) => {
  const search = searchFor()
  let isFailing = false
  const downstream: Downstream = (clock, random) => {
    const call = queueing(200, about(20))(clock, random)
    return (settle) => call((outcome) => settle(isFailing ? 'failure' : outcome))
  }
  simulate(downstream, search, [7000], 1)
  const { limit } = search
  isFailing = true
  const limits = new Set<number>()
  simulate(downstream, recording(search, limits), batches(5, 7000), 1)
  t.strictSame([...limits], [limit])
  t.end()
})

t.test('ordinary failures of any share, at random or in blocks, fast or slow, do not move the limit', (t) => {
  const downstreams = {
    'a tenth': flaky(0.1, queueing(50, about(20)), 'failure'),
    half: flaky(0.5, queueing(50, about(20)), 'failure'),
    'blocks of 500, fast': failingBlocks(500, 1, queueing(50, about(20))),
    'blocks of 500, slow': failingBlocks(500, 20, queueing(50, about(20))),
    'blocks of 2,000, fast': failingBlocks(2000, 1, queueing(50, about(20))),
    'blocks of 2,000, slow': failingBlocks(2000, 20, queueing(50, about(20))),
  }
  for (const [name, downstream] of Object.entries(downstreams)) {
    for (const seed of [1, 2, 3]) {
      const limits = limitsOf(simulate(downstream, searchFor(), batches(4, 7000), seed))
      for (const limit of limits) t.ok(limit >= 40 && limit <= 70, `${name}, seed ${seed}: ${limits}`)
    }
  }
  t.end()
})

t.test('if a downstream that is overloaded returns ordinary failures, the limit does not rise', (t) => {
  for (const seed of [1, 2, 3]) {
    const results = simulate(unclassified(refusing(53, about(17))), searchFor(), batches(4, 7000), seed)
    for (const limit of limitsOf(results)) assertBetween(t, limit, 40, 70)
  }
  t.end()
})

t.test('the record with which the middleware warms up does not change the first measurement', (t) => {
  for (const downstream of [queueing(200, about(60)), refusing(53, about(17)), queueing(10, about(20))]) {
    const [cold, warmedUp] = [searchFor(), searchFor()]
    warmedUp.ended(warmedUp.started(0, 0), 0, 0, true)
    const [expected, actual] = [cold, warmedUp].map((search) => limitsOf(simulate(downstream, search, [7000], 1))[0])
    t.ok(Math.abs((actual as number) / (expected as number) - 1) < 0.15, `${actual} is about ${expected}`)
  }
  t.end()
})

t.test('a job that hangs neither stops the search nor delays the end of a cut', (t) => {
  const search = searchFor()
  search.started(0, 0)
  assertBetween(t, limitsOf(simulate(queueing(200, about(60)), search, [7000], 1))[0] as number, 120, 280)
  const cut = searchFor()
  cut.started(0, 0)
  assertBetween(t, limitsOf(simulate(refusing(30, about(17)), cut, [7000], 1))[0] as number, 20, 40)
  t.end()
})

t.test('the limit follows a capacity that falls and rises again', (t) => {
  const capacity = (now: number) => (now < 10_000 || now > 30_000 ? 200 : 40)
  const search = searchFor()
  const results = simulate(refusing(capacity, about(60)), search, batches(40, 3000), 1)
  function limitAt(time: number): number {
    let end = 0
    for (const { duration, limit } of results) {
      end += duration + 20
      if (end >= time) return limit
    }
    return Number.NaN
  }
  assertBetween(t, limitAt(8_000), 120, 200)
  assertBetween(t, limitAt(28_000), 25, 45)
  assertBetween(t, results.at(-1)?.limit as number, 100, 200)
  t.end()
})

t.test('the search is deterministic', (t) => {
  const run = () => simulate(refusing(53, about(17)), searchFor(), batches(3, 3000), 7)
  t.strictSame(run(), run())
  t.end()
})

t.test('outages: the limit grows quickly again, even if there is one every two seconds', (t) => {
  const downstream = queueing(100, about(20)) // 5,000 records per second
  for (const [title, isDown, expected] of [
    ['one of two seconds', (now) => now > 3000 && now < 5000, 3500],
    ['100 ms every two seconds', (now) => now % 2000 < 100, 2000],
  ] as const satisfies readonly [string, (now: number) => boolean, number][]) {
    for (const failure of ['overload', 'throttle'] as const) {
      for (const records of [1000, 7000]) {
        const outages = failingWhile(isDown, downstream, failure)
        const result = goodput(simulate(outages, searchFor(), batches(70_000 / records, records), 1))
        t.ok(result > expected, `${title}, ${failure}, batches of ${records}: ${result} per second`)
      }
    }
  }
  t.end()
})

t.test('during an outage, the limit does not rise', (t) => {
  for (const share of [0, 0.15]) {
    for (const seed of [1, 2, 3, 4, 5]) {
      const isDown = (now: number) => now > 3000 && now < 5000
      const downstream = failingWhile(isDown, flaky(share, queueing(100, about(20))))
      // The last successful calls end before 3,030.
      const limits = limitsBetween(3030, 5000, downstream, batches(4, 7000), seed)
      t.ok(limits.length > 1000, `${limits.length} jobs started`)
      const rises = limits.filter((limit, index) => index > 0 && limit > (limits[index - 1] as number))
      t.strictSame(rises, [], `${share}, seed ${seed}`)
    }
  }
  t.end()
})

t.test('calls that fail late, at the end of a batch, are not taken for an outage', (t) => {
  for (const delay of [200, 1000]) {
    for (const seed of [1, 2, 3]) {
      const downstream = refusing(53, () => 17, delay)
      const results = simulate(downstream, searchFor({ initial: 400 }), batches(60, 100), seed)
      t.ok(failedShare(results.slice(30)) <= 0.01, `${delay} ms, seed ${seed}: ${failedShare(results.slice(30))}`)
    }
  }
  t.end()
})

t.test('a downstream that fails because of too many calls is not tried again and again with as many', (t) => {
  for (const [title, capacity, records, highest] of [
    ['a capacity of 100', 100, 1000, 0.5],
    ['a capacity that falls from 100 to 20', (now) => (now < 5000 ? 100 : 20), 100, 0.4],
  ] as const satisfies readonly [string, Parameters<typeof crashing>[0], number, number][]) {
    for (const seed of [1, 2, 3]) {
      const downstream = crashing(capacity, 200, about(20))
      const results = simulate(downstream, searchFor(), batches(60_000 / records, records), seed)
      t.ok(failedShare(results) < highest, `${title}, seed ${seed}: ${failedShare(results)}`)
    }
  }
  t.end()
})

/** The search after all of 16 jobs were throttled, so that the limit fell to `min`. It is a quarter or less. */
function afterOutage(min: number) {
  const { search, start, pass, end, endFailed } = withJobs(16, { min })
  endFailed(16, 'throttle')
  /** Runs jobs that all succeed, as many at once as the limit allows, and returns the first decision. */
  function measure(): string {
    start(min)
    for (let job = 0; search.limit === min && job < 10 * min; job++) {
      pass(20)
      end(1)
      start(1)
    }
    return `${search.limit} ${search.reason}`
  }
  return { start, pass, end, endFailed, measure }
}

t.test('if all jobs fail at a quarter of the limit, the limit doubles afterwards', (t) => {
  for (const [title, inFlight, decision] of [
    ['three of four jobs are in flight', 4, '8 probe'],
    ['two of four jobs are in flight', 3, '4 throttle'],
  ] as const) {
    const { start, pass, endFailed, measure } = afterOutage(4)
    start(inFlight)
    pass(20)
    endFailed(inFlight, 'throttle')
    t.equal(measure(), decision, `${title} when the second one fails`)
  }
  t.end()
})

t.test('if one job succeeds at a quarter of the limit, the limit does not double afterwards', (t) => {
  for (const [outcomes, decision] of [
    [['failed', 'failed'], '2 probe'],
    [['ended', 'failed', 'failed'], '1 throttle'],
    [['failed', 'ended', 'failed'], '1 throttle'],
  ] as const) {
    const { start, pass, end, endFailed, measure } = afterOutage(1)
    for (const outcome of outcomes) {
      start(1)
      pass(20)
      if (outcome === 'failed') endFailed(1, 'throttle')
      else end(1)
    }
    t.equal(measure(), decision, outcomes.join())
  }
  t.end()
})

t.test('if jobs that started with a higher limit fail, the limit does not double afterwards', (t) => {
  const { search, start, pass, end, endFailed } = withJobs(40, { initial: 400 })
  endFailed(40, 'overload')
  const { limit } = search
  t.ok(limit < 100, `${limit}`)
  start(limit)
  for (let job = 0; job < 3 * limit; job++) {
    pass(1)
    end(1)
    start(1)
  }
  t.strictSame([search.limit, search.reason], [limit, 'overload'])
  t.end()
})
