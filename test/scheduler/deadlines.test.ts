import t from 'tap'
import type { FailureHandler, RecordFailure } from '../../src/index.ts'
import { deadlines, failureHandlerCompleted, responseReserve, timeLeft } from '../../src/scheduler/deadlines.ts'
import { withEnvironment } from '../support/environment.ts'
import { warned } from '../support/output.ts'

t.test('after the callbacks, 100 ms are kept, or more with many records or little CPU', async (t) => {
  // (records × 0.008 ms + 50 ms) ÷ the share, at most half of the time left, but at least 100 ms
  for (const [share, records, left, reserve] of [
    [1, 6_000, 30_000, 100],
    [1, 6_500, 30_000, 102],
    [1, 10_000, 50, 100],
    [0.5, 10, 30_000, 100.16],
    [0.5, 10_000, 30_000, 260],
    [0.25, 10_000, 30_000, 520],
    [0.5, 0, 30_000, 100],
    [0.25, 750, 30_000, 224],
    [0.5, 10_000, 300, 150],
    [0.5, 10_000, 100, 100],
  ] as const) {
    t.equal(responseReserve(share, records, left), reserve, `${records} records, share ${share}, ${left} ms left`)
  }
})

/** Five records in a function with one vCPU and a timeout of ten seconds. */
const BATCH = {
  timeBudget: undefined as Parameters<typeof deadlines>[0]['timeBudget'],
  concurrency: 100,
  cpuShare: 1,
  failureHandlers: [] as FailureHandler[],
  records: 5,
  jobs: 5,
  left: 10_000,
}

/** How many milliseconds before the timeout this batch drains and is aborted. */
function reserves(given: Partial<typeof BATCH>): number[] {
  const { records, jobs, left, ...settings } = { ...BATCH, ...given }
  const now = 500
  const { drainAt, abortAt } = deadlines(settings, records, jobs, left, now)
  return [drainAt, abortAt].map((at) => Number((now + left - at).toFixed(6)))
}

t.test('a batch drains and is aborted this long before the timeout, by default and with each option', async (t) => {
  // (records × 0.008 ms + handlers in flight × 0.25 ms + 50 ms) ÷ the share, at most half of the time left
  const large = { records: 10_000, jobs: 10_000 } // 155 ms on one vCPU
  for (const [what, batch, drain, abort] of [
    ['a long time', {}, 1000, 250],
    ['a short time', { left: 1000 }, 200, 51.29],
    ['one record in a short time', { records: 1, jobs: 1, left: 1100 }, 220, 55],
    ['drain', { timeBudget: { drain: 3000 } }, 3000, 250],
    ['abort', { timeBudget: { abort: 30 } }, 1000, 30],
    ['a drain below abort', { timeBudget: { drain: 10, abort: 30 } }, 30, 30],
    ['options of 0', { ...large, timeBudget: { drain: 0, abort: 0 }, cpuShare: 0.1 }, 0, 0],
    ['many records on one vCPU', large, 1000, 250],
    ['the same in a short time', { ...large, left: 1000 }, 200, 155],
    ['the same in a shorter time', { ...large, left: 320 }, 155, 155],
    ['the same in half of the time', { ...large, left: 240 }, 120, 120],
    ['a single record in a very short time', { records: 1, jobs: 1, left: 200 }, 50.258, 50.258],
    ['half a vCPU', { ...large, cpuShare: 0.5 }, 1000, 310],
    ['a tenth of a vCPU', { ...large, cpuShare: 0.1 }, 1550, 1550],
    ['a tenth and few records', { cpuShare: 0.1 }, 1000, 512.9],
    ['a tenth and 100 records', { records: 100, jobs: 100, cpuShare: 0.1 }, 1000, 758],
    ['a tenth and 100 records in 10 chunks', { records: 100, jobs: 10, cpuShare: 0.1 }, 1000, 533],
    ['a tenth and 400 records in 40 chunks', { records: 400, jobs: 40, cpuShare: 0.1 }, 1000, 632],
    ['a concurrency of 800', { ...large, concurrency: 800, cpuShare: 0.25 }, 1320, 1320],
    ['a twentieth of a vCPU', { ...large, cpuShare: 0.05 }, 3100, 3100],
    ['a twentieth in a short time', { ...large, cpuShare: 0.05, left: 3000 }, 1500, 1500],
  ] as const) {
    t.strictSame(reserves(batch), [drain, abort], what)
  }

  const never = { drainAt: Infinity, abortAt: Infinity }
  t.strictSame(deadlines({ ...BATCH, timeBudget: false }, 5, 5, 1000, 0), never)
  t.strictSame(deadlines(BATCH, 5, 5, Infinity, 0), never)
})

t.test('with failure handlers more is kept, above all until all have completed', async (t) => {
  // 1.75 times as long plus (150 ms ÷ the share), at most three quarters of the time left
  const large = { records: 10_000, jobs: 10_000, left: 30_000 } // 1.75 × 155 ms on one vCPU
  const cases = [
    ['a long time', { left: 30_000 }, 2000, 2000],
    ['a short time', { left: 500 }, 239.7575, 100],
    ['a very short time', { left: 200 }, 150, 89.7575],
    ['many records on one vCPU', { ...large, left: 1000 }, 421.25, 271.25],
    ['a tenth of a vCPU', { ...large, cpuShare: 0.1 }, 4212.5, 2712.5],
    ['a tenth in a short time', { ...large, cpuShare: 0.1, left: 4000 }, 3000, 2712.5],
    ['a tenth in a shorter time', { ...large, cpuShare: 0.1, left: 2000 }, 1500, 1500],
    ['the option abort', { ...large, cpuShare: 0.1, timeBudget: { abort: 3000 } }, 3000, 3000],
  ] as const
  const failureHandlers = [(all: readonly RecordFailure[]) => all, () => []]
  for (const [what, batch, cold] of cases) t.equal(reserves({ ...batch, failureHandlers })[1], cold, `${what}, cold`)
  failureHandlerCompleted(() => []) // of another middleware
  t.equal(reserves({ ...large, cpuShare: 0.1, failureHandlers })[1], 4212.5, 'still cold')
  failureHandlerCompleted(failureHandlers[1] as FailureHandler)
  t.equal(
    reserves({ ...large, cpuShare: 0.1, failureHandlers })[1],
    4212.5,
    'still cold, because one has not completed',
  )
  failureHandlerCompleted(failureHandlers[0] as FailureHandler)
  for (const [what, batch, , warm] of cases) t.equal(reserves({ ...batch, failureHandlers })[1], warm, `${what}, warm`)
  t.equal(reserves({ ...large, cpuShare: 0.1 })[1], 1550, 'without failure handlers')
})

t.test('the warning is emitted once for each instance, and shows whole milliseconds', async (t) => {
  const settings = { ...BATCH, timeBudget: { drain: 100, abort: 0 } }
  const warnings = await warned(() => {
    for (const _ of [1, 2]) deadlines(settings, 1, 1, 99.9, 0)
  })
  t.match(warnings, [{ message: /the function has 100 ms left, and timeBudget reserves 100 ms/ }])
  t.equal(warnings.length, 1)
})

t.test('if no time is left, no record starts, also without a budget', async (t) => {
  const warnings = await warned(() => {
    t.strictSame(deadlines({ ...BATCH, timeBudget: false }, 5, 5, 0, 7), { drainAt: 7, abortAt: 7 })
  })
  t.equal(warnings.length, 1)
})

t.test('the time left is a positive finite number, and also 0 on Managed Instances', async (t) => {
  const of = (getRemainingTimeInMillis: unknown) => timeLeft({ getRemainingTimeInMillis })
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: undefined })
  t.equal(
    of(() => 0.5),
    0.5,
  )
  for (const left of [0, -5, NaN, Infinity, -Infinity, '100', undefined, null])
    t.equal(
      of(() => left),
      Infinity,
    )
  for (const context of [undefined, null, {}, 7]) t.equal(timeLeft(context), Infinity)
  t.equal(of('not a function'), Infinity)
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: '4' })
  for (const left of [0, -5])
    t.equal(
      of(() => left),
      0,
    )
  for (const left of [NaN, -Infinity, '100'])
    t.equal(
      of(() => left),
      Infinity,
    )
})
