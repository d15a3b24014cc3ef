import t from 'tap'
import { type AdaptiveConcurrencyOptions, adaptiveConcurrency } from '../../src/adaptive/index.ts'
import { boundedSqsBatch } from '../../src/index.ts'
import type { AdaptiveSettings } from '../../src/scheduler/limiter.ts'
import { sourcesOf } from '../support/bundle.ts'

t.test('an invalid option is a TypeError that names the option, what was expected and what was received', (t) => {
  const bad: [options: unknown, message: RegExp][] = [
    [{ min: 0 }, /^adaptiveConcurrency\(\): expected option min to be a positive integer, got 0 \(a number\)$/],
    [{ max: 1.5 }, /option max to be a positive integer, got 1.5/],
    [{ initial: '50' }, /option initial to be a positive integer, got "50" \(a string\)/],
    [{ classify: 'throttle' }, /option classify to be a function, got "throttle"/],
    [{ maximum: 5 }, /unknown option "maximum", expected one of min, max, initial, classify/],
    [{ min: 10, max: 5 }, /expected min ≤ initial ≤ max, got min 10, initial 10 and max 5/],
    [{ min: 5, initial: 4 }, /expected min ≤ initial ≤ max, got min 5, initial 4 and max 500/],
    [{ max: 5, initial: 6 }, /expected min ≤ initial ≤ max, got min 5, initial 6 and max 5/],
    [{ initial: 501 }, /expected min ≤ initial ≤ max, got min 10, initial 501 and max 500/],
    [null, /expected an object of options, got null/],
    [100, /expected an object of options, got a number/],
  ]
  for (const [options, message] of bad) {
    t.throws(() => adaptiveConcurrency(options as never), { name: 'TypeError', message })
  }
  t.end()
})

/** The limit at first, and after 429s for all calls. */
function limitsOf(options?: AdaptiveConcurrencyOptions): [first: number, lowest: number] {
  const { max, createSearch } = adaptiveConcurrency(options) as AdaptiveSettings
  const search = createSearch(max)
  const first = search.limit
  for (let round = 0; round < 20; round++) {
    const jobs = Array.from({ length: search.limit }, () => search.started(round, 1000))
    for (const job of jobs) {
      search.ended(job, round, round + 1, search.failed({ status: 429 }, round + 1) ? false : undefined)
    }
  }
  return [first, search.limit]
}

t.test('without min, the limit falls to 10, or to initial or max if one of them is smaller', (t) => {
  for (const [options, first, lowest] of [
    [undefined, 50, 10],
    [{}, 50, 10],
    [{ min: undefined, max: undefined, initial: undefined }, 50, 10],
    [{ max: 20 }, 20, 10],
    [{ max: 11 }, 11, 10],
    [{ max: 10 }, 10, 10],
    [{ max: 5 }, 5, 5],
    [{ max: 1 }, 1, 1],
    [{ initial: 100 }, 100, 10],
    [{ initial: 3 }, 3, 3],
    [{ initial: 3, max: 5 }, 3, 3],
    [{ initial: 500, classify: () => undefined }, 500, 10],
  ] as const) {
    t.strictSame(limitsOf(options), [first, lowest], JSON.stringify(options))
  }
  t.end()
})

t.test('with min, the limit falls to min', (t) => {
  for (const [options, first, lowest] of [
    [{ min: 1 }, 50, 1],
    [{ min: 60 }, 60, 60],
    [{ min: 600 }, 600, 600],
    [{ min: 1, max: 5 }, 5, 1],
    [{ min: 1, initial: 3 }, 3, 1],
    [{ min: 1, max: 1, initial: 1 }, 1, 1],
  ] as const) {
    t.strictSame(limitsOf(options), [first, lowest], JSON.stringify(options))
  }
  t.end()
})

t.test('boundedSqsBatch() accepts the result of adaptiveConcurrency()', (t) => {
  t.ok(boundedSqsBatch({ concurrency: adaptiveConcurrency() }))
  t.end()
})

t.test('the option concurrency accepts nothing that only looks like the result of adaptiveConcurrency()', (t) => {
  for (const concurrency of [{ max: 10 }, () => 10, adaptiveConcurrency]) {
    t.throws(() => boundedSqsBatch({ concurrency: concurrency as never }), {
      name: 'TypeError',
      message: /option concurrency to be a positive integer or the result of adaptiveConcurrency\(\)/,
    })
  }
  t.end()
})

t.test('a bundle of the main entry contains nothing of adaptiveConcurrency()', async (t) => {
  const sources = await sourcesOf(`export * from '../../src/index.ts'`)
  t.ok(sources.includes('src/scheduler/scheduler.ts'))
  t.strictSame(
    sources.filter((file) => file.startsWith('src/adaptive/')),
    [],
  )
})

t.test(
  'a bundle of the entry for adaptiveConcurrency() contains only its own files and three shared ones',
  async (t) => {
    t.strictSame((await sourcesOf(`export * from '../../src/adaptive/index.ts'`)).sort(), [
      'src/adaptive/adaptive-concurrency.ts',
      'src/adaptive/classify.ts',
      'src/adaptive/climb.ts',
      'src/adaptive/cohort.ts',
      'src/adaptive/current-limit.ts',
      'src/adaptive/limit-search.ts',
      'src/adaptive/limiter.ts',
      'src/adaptive/pressure.ts',
      'src/shared/check.ts',
      'src/shared/describe.ts',
      'src/shared/safely.ts',
    ])
  },
)
