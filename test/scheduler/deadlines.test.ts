import t from 'tap'
import { cpuShare, deadlines, responseReserve, timeLeft } from '../../src/scheduler/deadlines.ts'
import { withEnvironment } from '../support/environment.ts'
import { warned } from '../support/output.ts'

t.test('the CPU share is the memory ÷ 1,769 MB, at most 1, and 1 if the memory is not known', (t) => {
  for (const [memory, share] of [
    [undefined, 1],
    ['', 1],
    ['0', 1],
    ['-128', 1],
    ['what', 1],
    ['884.5', 0.5],
    ['1769', 1],
    ['10240', 1],
  ] as const) {
    withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memory, AWS_LAMBDA_MAX_CONCURRENCY: undefined })
    t.equal(cpuShare(), share, `${memory} MB`)
  }
  withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '884.5', AWS_LAMBDA_MAX_CONCURRENCY: '4' })
  t.equal(cpuShare(), 1, 'on Managed Instances')
  t.end()
})

t.test('after the callbacks, 100 ms are kept, or more on a small function with many records', (t) => {
  // 10,000 records take (10,000 × 0.008 ms + 10 ms) ÷ the share
  for (const [share, records, left, reserve] of [
    [1, 10_000, 30_000, 100],
    [1, 10_000, 50, 100],
    [0.5, 10, 30_000, 100],
    [0.5, 10_000, 30_000, 180],
    [0.25, 10_000, 30_000, 360],
    [0.5, 10_000, 300, 150],
    [0.5, 10_000, 100, 100],
  ] as const) {
    t.equal(responseReserve(share, records, left), reserve, `${records} records, share ${share}, ${left} ms left`)
  }
  t.end()
})

t.test('a batch drains and is aborted this long before the timeout, by default and with each option', (t) => {
  const now = 500
  const cases: [
    what: string,
    settings: Parameters<typeof deadlines>[0],
    records: number,
    left: number | undefined,
    drain: number,
    abort: number,
  ][] = []
  function add(
    what: string,
    timeBudget: Parameters<typeof deadlines>[0]['timeBudget'],
    [hasFailureHandlers, left, cpuShare, records]: [boolean, number | undefined, number, number],
    drain: number,
    abort: number,
  ): void {
    const failureHandlers = hasFailureHandlers ? [() => []] : []
    cases.push([what, { timeBudget, cpuShare, failureHandlers }, records, left, drain, abort])
  }
  add('a long time', undefined, [false, 10_000, 1, 5], 1000, 250)
  add('a short time', undefined, [false, 1000, 1, 5], 200, 50)
  add('a long time with failure handlers', undefined, [true, 30_000, 1, 5], 2000, 2000)
  add('a short time with failure handlers', undefined, [true, 1000, 1, 5], 200, 200)
  add('drain', { drain: 3000 }, [false, 10_000, 1, 5], 3000, 250)
  add('abort', { abort: 30 }, [false, 10_000, 1, 5], 1000, 30)
  add('a drain below abort', { drain: 10, abort: 30 }, [false, 10_000, 1, 5], 30, 30)
  add('options of 0', { drain: 0, abort: 0 }, [false, 10_000, 0.1, 10_000], 0, 0)
  add('a whole CPU, a short time and many records', undefined, [false, 1000, 1, 10_000], 200, 50)
  add('half a CPU', undefined, [false, 10_000, 0.5, 10_000], 1000, 250)
  add('a tenth of a CPU', undefined, [false, 10_000, 0.1, 10_000], 1000, 900)
  add('a tenth of a CPU and few records', undefined, [false, 10_000, 0.1, 10], 1000, 250)
  add('a twentieth of a CPU', undefined, [false, 10_000, 0.05, 10_000], 1800, 1800)
  add('a twentieth of a CPU and a short time', undefined, [false, 3000, 0.05, 10_000], 1500, 1500)
  add('a twentieth of a CPU with failure handlers', undefined, [true, 10_000, 0.05, 10_000], 3150, 3150)
  add('the same in a short time', undefined, [true, 4000, 0.05, 10_000], 3000, 3000)
  for (const [what, settings, records, given, drain, abort] of cases) {
    const { drainAt, abortAt } = deadlines(settings, records, given, now)
    const left = given as number
    t.strictSame([now + left - drainAt, now + left - abortAt].map(Math.round), [drain, abort], what)
  }
  const never = { drainAt: Infinity, abortAt: Infinity }
  const failureHandlers = [() => []]
  t.strictSame(deadlines({ timeBudget: false, cpuShare: 1, failureHandlers }, 5, 1000, now), never)
  t.strictSame(deadlines({ timeBudget: undefined, cpuShare: 1, failureHandlers }, 5, undefined, now), never)
  t.end()
})

t.test('the warning shows whole milliseconds', async (t) => {
  const warnings = await warned(() => {
    deadlines({ timeBudget: { drain: 100, abort: 0 }, cpuShare: 1, failureHandlers: [] }, 1, 99.9, 0)
  })
  t.match(warnings, [{ message: /the function has 99 ms left, and timeBudget reserves 100 ms/ }])
})

t.test('the time left is a positive finite number, and also 0 on Managed Instances', (t) => {
  const of = (getRemainingTimeInMillis: unknown) => timeLeft({ getRemainingTimeInMillis })
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: undefined })
  t.equal(
    of(() => 0.5),
    0.5,
  )
  for (const left of [0, -5, NaN, Infinity, -Infinity, '100', undefined, null])
    t.equal(
      of(() => left),
      undefined,
    )
  for (const context of [undefined, null, {}, 7]) t.equal(timeLeft(context), undefined)
  t.equal(of('not a function'), undefined)
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: '4' })
  for (const left of [0, -5])
    t.equal(
      of(() => left),
      0,
    )
  for (const left of [NaN, -Infinity, '100'])
    t.equal(
      of(() => left),
      undefined,
    )
  t.end()
})
