import { NOISE } from './climb.ts'
import type { Cell, Optimize } from './result.ts'

type Score = (cell: Cell) => number

function time({ goodput }: Cell): number {
  return 1 / goodput
}

function cost({ costPerMillion }: Cell): number {
  return costPerMillion ?? Number.POSITIVE_INFINITY
}

/** What must be low, and what must be low among memory sizes that are equal in the first. */
const SCORES: Readonly<Record<Optimize, readonly [Score, Score]>> = {
  speed: [time, cost],
  cost: [cost, time],
  // The geometric mean: a cell that is twice as fast may cost twice as much.
  balanced: [(cell) => Math.sqrt(cost(cell) * time(cell)), cost],
}

/**
 * Chooses a combination. For a given memory, the fastest concurrency is also the cheapest. Of the concurrencies that
 * are equally fast apart from noise, the lowest counts, because it puts the least load on the downstream.
 */
export function choose(cells: readonly Cell[], optimize: Optimize): Cell | undefined {
  const usable = cells.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  const [first, second] = SCORES[optimize]
  const lowest = Math.min(...usable.map(first))
  const columns = Map.groupBy(usable, ({ memory }) => memory).values()
  const equal = [...columns].map(lowestFast).filter((cell) => first(cell) <= lowest * (1 + NOISE))
  return equal.toSorted((a, b) => second(a) - second(b) || a.memory - b.memory)[0]
}

/** The lowest concurrency that is as fast as the fastest, apart from noise. */
function lowestFast(column: readonly Cell[]): Cell {
  const enough = Math.max(...column.map(({ goodput }) => goodput)) / (1 + NOISE)
  const fast = column.filter(({ goodput }) => goodput >= enough)
  return fast.reduce((lowest, cell) => (cell.concurrency < lowest.concurrency ? cell : lowest))
}

/** The cell itself, and the next lower and higher memory and concurrency. */
export function withNeighbours(cell: Cell, cells: readonly Cell[]): Cell[] {
  const column = cells.filter(({ concurrency }) => concurrency === cell.concurrency)
  const row = cells.filter(({ memory }) => memory === cell.memory)
  return [
    cell,
    ...besideOf(cell, column, ({ memory }) => memory),
    ...besideOf(cell, row, ({ concurrency }) => concurrency),
  ]
}

function besideOf(cell: Cell, line: readonly Cell[], key: (cell: Cell) => number): Cell[] {
  const sorted = line.toSorted((a, b) => key(a) - key(b))
  const at = sorted.findIndex((other) => key(other) === key(cell))
  return [sorted[at - 1], sorted[at + 1]].filter((other) => other !== undefined)
}
