import { test } from 'tap'
import { choose, problemIn, withNeighbours } from '../../src/tune/choose.ts'
import type { Combination, Measurement, Optimize } from '../../src/tune/figures/result.ts'
import { combination, measurement } from '../support/combinations.ts'

function nameOf(chosen: Combination | undefined) {
  return chosen && `${chosen.memory} MB × ${chosen.concurrency}`
}

/** The best concurrency without a CPU limit is 40, unless other measurements are given. */
function chosen(
  combinations: readonly Combination[],
  optimize: Optimize,
  measurements: readonly Measurement[] = [measurement()],
) {
  return nameOf(choose(combinations, optimize, measurements))
}

const SMALL = combination({ memory: 128, goodput: 100, costPerMillion: 1 })
const MIDDLE = combination({ memory: 512, goodput: 400, costPerMillion: 1.5 })
const LARGE = combination({ memory: 1769, goodput: 500, costPerMillion: 4 })

test('speed chooses the fastest combination, cost the cheapest, and balanced the lowest product of cost and time', async (t) => {
  const combinations = [SMALL, MIDDLE, LARGE]
  t.equal(chosen(combinations, 'speed'), '1769 MB × 40')
  t.equal(chosen(combinations, 'cost'), '128 MB × 40')
  t.equal(chosen(combinations, 'balanced'), '512 MB × 40', '1.5 ÷ 400 is less than 1 ÷ 100 and 4 ÷ 500')
})

test('with speed, the cheapest of the memory sizes that are equally fast apart from noise is chosen', async (t) => {
  const same = [128, 512, 1769].map((memory) =>
    combination({ memory, goodput: memory === 1769 ? 1020 : 1000, costPerMillion: memory }),
  )
  t.equal(chosen(same, 'speed'), '128 MB × 40')
})

test('with cost, the cheapest combination is chosen, even if it is hardly cheaper and much slower', async (t) => {
  const combinations = [100, 400].map((goodput) =>
    combination({ memory: goodput, goodput, costPerMillion: 1 + goodput / 100_000 }),
  )
  t.equal(chosen(combinations, 'cost'), '100 MB × 40')
  t.equal(chosen(combinations, 'balanced'), '400 MB × 40')
})

test('of combinations with the same goodput and cost, apart from noise, the lowest concurrency is chosen', async (t) => {
  const figures = [80, 42, 53].map((concurrency) => ({ concurrency, goodput: 1000 + concurrency / 10 }))
  const combinations = figures.map((each) => combination(each))
  const measurements = figures.map((each) => measurement(each))
  for (const optimize of ['speed', 'cost', 'balanced'] as const) {
    t.equal(chosen(combinations, optimize, measurements), '1769 MB × 42')
  }
})

test('the best concurrency without a CPU limit is chosen, even if the prediction of another is higher', async (t) => {
  const measurements = [20, 42, 85].map((concurrency) =>
    measurement({ concurrency, goodput: 5 * Math.min(40, concurrency) }),
  )
  const combinations = [20, 42, 85].map((concurrency) =>
    combination({ memory: 128, concurrency, goodput: 100 + Math.abs(42 - concurrency), origin: 'predicted' }),
  )
  for (const optimize of ['speed', 'cost', 'balanced'] as const) {
    t.equal(chosen(combinations, optimize, measurements), '128 MB × 42')
  }
  const fast = combination({ memory: 1769, concurrency: 20, goodput: 900, origin: 'measured' })
  t.equal(chosen([...combinations, fast], 'speed', measurements), '128 MB × 42', 'also if the other one was measured')
})

test('if a memory size cannot be used with the best concurrency, no other concurrency is chosen for it', async (t) => {
  const measurements = [20, 42, 85].map((concurrency) =>
    measurement({ concurrency, goodput: 5 * Math.min(40, concurrency) }),
  )
  const column = (memory: number, problem?: string) =>
    [20, 42, 85].map((concurrency) =>
      combination({ memory, concurrency, origin: 'predicted', ...(concurrency === 42 ? { problem } : {}) }),
    )
  const small = column(128, 'the process needs 130 MB')
  const large = column(256, 'the process needs 300 MB')
  t.equal(chosen([...small, ...column(256)], 'cost', measurements), '256 MB × 42')
  t.equal(choose([...small, ...large], 'cost', measurements), undefined)
  t.equal(problemIn([...small, ...large], measurements), 'the process needs 300 MB')
  const tooHigh = combination({ memory: 512, concurrency: 85, problem: '30 % of the records failed' })
  t.equal(problemIn([...small, ...large, tooHigh], measurements), 'the process needs 300 MB', 'at the best concurrency')
  t.equal(problemIn(small, []), 'the process needs 130 MB', 'without a best concurrency')
  t.equal(problemIn(column(256), measurements), undefined)
})

test('a confirmed combination is chosen instead of the best concurrency without a CPU limit if it is better', async (t) => {
  const measurements = [20, 42, 85].map((concurrency) =>
    measurement({ concurrency, goodput: 5 * Math.min(40, concurrency) }),
  )
  const column = (low: number, best: number, high: number) =>
    [low, best, high].map((goodput, index) =>
      combination({ memory: 128, concurrency: [20, 42, 85][index] as number, goodput, origin: 'confirmed' }),
    )
  t.equal(chosen(column(90, 100, 104), 'cost', measurements), '128 MB × 42')
  t.equal(chosen(column(90, 100, 106), 'cost', measurements), '128 MB × 85')
  t.equal(chosen(column(99.5, 100, 104), 'cost', measurements), '128 MB × 20', 'equally fast apart from noise')
})

test('if the memory sizes are equally good apart from noise, the smallest is chosen', async (t) => {
  const costs = (other: number) => [
    combination({ memory: 512, costPerMillion: 1, goodput: 2000 }),
    combination({ memory: 128, costPerMillion: other }),
  ]
  t.equal(chosen(costs(1.05), 'cost'), '128 MB × 40')
  t.equal(chosen(costs(1.051), 'cost'), '512 MB × 40')
  t.equal(chosen(costs(1), 'balanced'), '512 MB × 40', 'twice as fast at the same cost')
})

test('a combination with a problem or without a cost is never chosen', async (t) => {
  const fast = combination({ memory: 2000, goodput: 9999, costPerMillion: 0.01 })
  t.equal(chosen([{ ...fast, problem: 'no' }, { ...fast, costPerMillion: null }, SMALL], 'speed'), '128 MB × 40')
  t.equal(choose([{ ...fast, problem: 'no' }], 'cost', [measurement()]), undefined)
  t.equal(choose([], 'cost', []), undefined)
})

test('a combination that is less exact than ±25 %, or that was measured once, is never chosen', async (t) => {
  t.equal(chosen([{ ...SMALL, margin: 0.26 }, MIDDLE], 'cost'), '512 MB × 40')
  t.equal(chosen([{ ...SMALL, margin: 0.25 }, MIDDLE], 'cost'), '128 MB × 40')
  t.equal(choose([{ ...SMALL, margin: null }], 'cost', [measurement()]), undefined)
  t.equal(choose([SMALL], 'cost', [measurement({ margin: 0.26 })]), undefined)
})

test('the neighbours of a combination are the combinations with the next lower and higher memory and concurrency', async (t) => {
  const combinations = [512, 128, 256].flatMap((memory) =>
    [20, 40, 10].map((concurrency) => combination({ memory, concurrency })),
  )
  const of = (memory: number, concurrency: number) =>
    withNeighbours(
      combinations.find((each) => each.memory === memory && each.concurrency === concurrency) as Combination,
      combinations,
    ).map(nameOf)
  t.strictSame(of(256, 20), ['256 MB × 20', '128 MB × 20', '512 MB × 20', '256 MB × 10', '256 MB × 40'])
  t.strictSame(of(128, 40), ['128 MB × 40', '256 MB × 40', '128 MB × 20'])
})
