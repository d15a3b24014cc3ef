import { kneeOf, NOISE } from './climb.ts'
import type { Cell, Measurement, Optimize } from './result.ts'

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
 * Chooses a combination. Differences up to `NOISE` do not count. If several combinations are equally good, the one with the
 * lowest memory and the lowest concurrency is chosen.
 *
 * @param measurements those without a CPU limit, from which the cells were made
 */
export function choose(
  cells: readonly Cell[],
  optimize: Optimize,
  measurements: readonly Measurement[],
): Cell | undefined {
  const knee = kneeOf(measurements)?.concurrency
  const usable = cells.filter(({ problem, costPerMillion }) => problem === undefined && costPerMillion !== null)
  const ofMemories = [...Map.groupBy(usable, ({ memory }) => memory).values()].map((column) => bestOf(column, knee))
  const candidates = optimize === 'speed' ? lowest(ofMemories, time) : ofMemories
  return lowest(candidates, SCORES[optimize]).toSorted((a, b) => a.memory - b.memory)[0]
}

/**
 * The best concurrency for one memory: the best one without a CPU limit, unless a measurement shows that another is
 * better. Predictions cannot show that: they depend on the CPU time of a record, which varies by 15 % between equal
 * measurements.
 */
function bestOf(column: readonly Cell[], knee: number | undefined): Cell {
  const known = column.filter(({ measuredBy, concurrency }) => measuredBy !== 'predicted' || concurrency === knee)
  const fast = lowest(known.length > 0 ? known : column, time)
  return fast.toSorted((a, b) => a.concurrency - b.concurrency)[0] as Cell
}

/** The cells with the lowest score, apart from noise. */
function lowest(cells: readonly Cell[], score: (cell: Cell) => number): Cell[] {
  const enough = Math.min(...cells.map(score)) * (1 + NOISE)
  return cells.filter((cell) => score(cell) <= enough)
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
