import { test } from 'tap'
import { choose, withNeighbours } from '../../src/tune/choose.ts'
import type { Cell, Measurement, Optimize } from '../../src/tune/result.ts'
import { cell, measurement } from './cells.ts'

function nameOf(chosen: Cell | undefined) {
  return chosen && `${chosen.memory} MB × ${chosen.concurrency}`
}

function chosen(cells: readonly Cell[], optimize: Optimize, measurements: readonly Measurement[] = []) {
  return nameOf(choose(cells, optimize, measurements))
}

const SMALL = cell({ memory: 128, goodput: 100, costPerMillion: 1 })
const MIDDLE = cell({ memory: 512, goodput: 400, costPerMillion: 1.5 })
const LARGE = cell({ memory: 1769, goodput: 500, costPerMillion: 4 })

test('speed chooses the fastest cell, cost the cheapest, and balanced the lowest product of cost and time', async (t) => {
  const cells = [SMALL, MIDDLE, LARGE]
  t.equal(chosen(cells, 'speed'), '1769 MB × 40')
  t.equal(chosen(cells, 'cost'), '128 MB × 40')
  t.equal(chosen(cells, 'balanced'), '512 MB × 40', '1.5 ÷ 400 is less than 1 ÷ 100 and 4 ÷ 500')
})

test('with speed, the cheapest of the memory sizes that are equally fast apart from noise is chosen', async (t) => {
  const same = [128, 512, 1769].map((memory) =>
    cell({ memory, goodput: memory === 1769 ? 1020 : 1000, costPerMillion: memory }),
  )
  t.equal(chosen(same, 'speed'), '128 MB × 40')
})

test('with cost, the cheapest cell is chosen, even if it is hardly cheaper and much slower', async (t) => {
  const cells = [100, 400].map((goodput) => cell({ memory: goodput, goodput, costPerMillion: 1 + goodput / 100_000 }))
  t.equal(chosen(cells, 'cost'), '100 MB × 40')
  t.equal(chosen(cells, 'balanced'), '400 MB × 40')
})

test('of cells with the same goodput and cost, apart from noise, the lowest concurrency is chosen', async (t) => {
  const cells = [80, 42, 53].map((concurrency) => cell({ concurrency, goodput: 1000 + concurrency / 10 }))
  for (const optimize of ['speed', 'cost', 'balanced'] as const) t.equal(chosen(cells, optimize), '1769 MB × 42')
})

test('the best concurrency without a CPU limit is chosen, even if the prediction of another is higher', async (t) => {
  const measurements = [20, 42, 85].map((concurrency) =>
    measurement({ concurrency, goodput: 5 * Math.min(40, concurrency) }),
  )
  const cells = [20, 42, 85].map((concurrency) =>
    cell({ memory: 128, concurrency, goodput: 100 + Math.abs(42 - concurrency), measuredBy: 'predicted' }),
  )
  for (const optimize of ['speed', 'cost', 'balanced'] as const) {
    t.equal(chosen(cells, optimize, measurements), '128 MB × 42')
  }
  const [low, , high] = cells as [Cell, Cell, Cell]
  t.equal(chosen([low, high], 'cost', measurements), '128 MB × 85', 'if that one cannot be used, the fastest other one')
})

test('a confirmed cell is chosen instead of the best concurrency without a CPU limit if it is better', async (t) => {
  const measurements = [20, 42, 85].map((concurrency) =>
    measurement({ concurrency, goodput: 5 * Math.min(40, concurrency) }),
  )
  const column = (low: number, best: number, high: number) =>
    [low, best, high].map((goodput, index) =>
      cell({ memory: 128, concurrency: [20, 42, 85][index] as number, goodput, measuredBy: 'confirmed' }),
    )
  t.equal(chosen(column(90, 100, 104), 'cost', measurements), '128 MB × 42')
  t.equal(chosen(column(90, 100, 106), 'cost', measurements), '128 MB × 85')
  t.equal(chosen(column(99.5, 100, 104), 'cost', measurements), '128 MB × 20', 'equally fast apart from noise')
})

test('if the memory sizes are equally good apart from noise, the smallest is chosen', async (t) => {
  const costs = (other: number) => [
    cell({ memory: 512, costPerMillion: 1, goodput: 2000 }),
    cell({ memory: 128, costPerMillion: other }),
  ]
  t.equal(chosen(costs(1.049), 'cost'), '128 MB × 40')
  t.equal(chosen(costs(1.051), 'cost'), '512 MB × 40')
  t.equal(chosen(costs(1), 'balanced'), '512 MB × 40', 'twice as fast at the same cost')
})

test('a cell with a problem or without a cost is never chosen', async (t) => {
  const fast = cell({ memory: 2000, goodput: 9999, costPerMillion: 0.01 })
  t.equal(chosen([{ ...fast, problem: 'no' }, { ...fast, costPerMillion: null }, SMALL], 'speed'), '128 MB × 40')
  t.equal(choose([{ ...fast, problem: 'no' }], 'cost', []), undefined)
  t.equal(choose([], 'cost', []), undefined)
})

test('the neighbours of a cell are the cells with the next lower and higher memory and concurrency', async (t) => {
  const cells = [128, 256, 512].flatMap((memory) => [10, 20, 40].map((concurrency) => cell({ memory, concurrency })))
  const of = (memory: number, concurrency: number) =>
    withNeighbours(cells.find((each) => each.memory === memory && each.concurrency === concurrency) as Cell, cells).map(
      nameOf,
    )
  t.strictSame(of(256, 20), ['256 MB × 20', '128 MB × 20', '512 MB × 20', '256 MB × 10', '256 MB × 40'])
  t.strictSame(of(128, 40), ['128 MB × 40', '256 MB × 40', '128 MB × 20'])
})
