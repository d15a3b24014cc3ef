import { NOISE } from './climb.ts'
import type { Cell, Optimize } from './result.ts'

type Score = (cell: Cell) => number

function time({ goodput }: Cell): number {
  return 1 / goodput
}

function cost({ costPerMillion }: Cell): number {
  return costPerMillion ?? Number.POSITIVE_INFINITY
}

/**
 * What must be low, and what must be low among cells that are equal in the first. `balanced` multiplies both: a cell
 * that is twice as fast may cost twice as much.
 */
const SCORES: Readonly<Record<Optimize, readonly Score[]>> = {
  speed: [time, cost],
  cost: [cost, time],
  balanced: [(cell) => cost(cell) * time(cell), cost],
}

/**
 * Chooses a combination. Cells whose scores differ by less than noise count as equal. Of these, the lowest concurrency
 * is chosen, because it puts the least load on the downstream.
 */
export function choose(cells: readonly Cell[], optimize: Optimize): Cell | undefined {
  const usable = cells.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  const equal = SCORES[optimize].reduce((left, score) => {
    const lowest = Math.min(...left.map(score))
    return left.filter((cell) => score(cell) <= lowest * (1 + NOISE))
  }, usable)
  return equal.toSorted((a, b) => a.concurrency - b.concurrency || a.memory - b.memory)[0]
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
