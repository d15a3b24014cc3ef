import { test } from 'tap'
import { choose, withNeighbours } from '../../src/tune/choose.ts'
import type { Cell, Optimize } from '../../src/tune/result.ts'
import { cell } from './cells.ts'

function nameOf(chosen: Cell | undefined) {
  return chosen && `${chosen.memory} MB × ${chosen.concurrency}`
}

function chosen(cells: readonly Cell[], optimize: Optimize) {
  return nameOf(choose(cells, optimize))
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

test('a cell with a problem or without a cost is never chosen', async (t) => {
  const fast = cell({ memory: 2000, goodput: 9999, costPerMillion: 0.01 })
  t.equal(chosen([{ ...fast, problem: 'no' }, { ...fast, costPerMillion: null }, SMALL], 'speed'), '128 MB × 40')
  t.equal(choose([{ ...fast, problem: 'no' }], 'cost'), undefined)
  t.equal(choose([], 'cost'), undefined)
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
