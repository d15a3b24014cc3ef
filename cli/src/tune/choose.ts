import { NOISE } from './climb.ts'
import type { Cell, Optimize } from './result.ts'

function time({ goodput }: Cell): number {
  return 1 / goodput
}

function cost({ costPerMillion }: Cell): number {
  return costPerMillion ?? Number.POSITIVE_INFINITY
}

/** The cell with the lowest score is chosen. With `balanced`, a cell that is twice as fast may cost twice as much. */
const SCORES: Readonly<Record<Optimize, (cell: Cell) => number>> = {
  speed: cost, // only the fastest cells are compared
  cost,
  balanced: (cell) => cost(cell) * time(cell),
}

/**
 * Chooses a combination. For each memory, the fastest concurrency is also the cheapest. If several concurrencies are
 * equally fast apart from noise, the lowest is used, because it puts the least load on the downstream.
 */
export function choose(cells: readonly Cell[], optimize: Optimize): Cell | undefined {
  const usable = cells.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  const ofMemories = [...Map.groupBy(usable, ({ memory }) => memory).values()].map(lowestFast)
  const shortest = Math.min(...usable.map(time))
  const candidates =
    optimize === 'speed' ? ofMemories.filter((cell) => time(cell) <= shortest * (1 + NOISE)) : ofMemories
  const score = SCORES[optimize]
  return candidates.toSorted((a, b) => score(a) - score(b) || a.memory - b.memory)[0]
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
