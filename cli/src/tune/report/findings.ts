/** The main finding of each chart in words, for people who do not see the chart. */
import type { Cell, TuneResult } from '../result.ts'
import { formatCost, formatFigure, formatShare, isUsable, nameOf } from './figures.ts'

export function goodputFinding({ cells }: TuneResult): string {
  const usable = cells.filter(isUsable)
  if (usable.length === 0) return noneUsable(cells)
  const highest = Math.max(...usable.map(({ goodput }) => goodput))
  const reached = usable.filter(({ goodput }) => goodput === highest)
  return `The highest goodput is ${formatFigure(highest)} records per second, ${listOf(reached)}. ${unusable(cells)}`
}

export function costFinding({ cells }: TuneResult): string {
  const costs = cells.filter(isUsable).flatMap(({ costPerMillion }) => costPerMillion ?? [])
  if (costs.length === 0) return noneUsable(cells)
  const lowest = Math.min(...costs)
  const reached = cells.filter((cell) => isUsable(cell) && cell.costPerMillion === lowest)
  return `The lowest cost is ${formatCost(lowest)} per million messages, ${listOf(reached)}. ${unusable(cells)}`
}

export function curveFinding({ measurements }: TuneResult): string {
  const [fastest] = measurements.toSorted((a, b) => b.goodput - a.goodput)
  const [worst] = measurements.toSorted((a, b) => b.failedShare - a.failedShare)
  if (!fastest || !worst) return 'Nothing was measured.'
  const { goodput, concurrency } = fastest
  return `Without a CPU limit, the highest goodput is ${formatFigure(goodput)} records per second, at concurrency ${formatFigure(concurrency)}. ${
    worst.failedShare === 0
      ? 'No record failed.'
      : `The largest share of failed records is ${formatShare(worst.failedShare)}, at concurrency ${formatFigure(worst.concurrency)}.`
  }`
}

/** Several combinations can have the same value. The one with the least memory and the lowest concurrency comes first. */
function listOf(cells: readonly Cell[]): string {
  const [first, ...others] = cells.toSorted((a, b) => a.memory - b.memory || a.concurrency - b.concurrency)
  if (!first) throw new Error('expected at least one cell')
  const more = others.length === 0 ? '' : `, and with ${count(others.length, 'other combination')}`
  return `with ${nameOf(first)} (${first.measuredBy})${more}`
}

function unusable(cells: readonly Cell[]): string {
  const number = cells.filter((cell) => !isUsable(cell)).length
  return number === 0 ? 'Every combination can be used.' : `${number} of ${cells.length} combinations cannot be used.`
}

function noneUsable(cells: readonly Cell[]): string {
  return cells.length === 0 ? 'No combination was tried.' : 'No combination can be used.'
}

export function count(number: number, noun: string): string {
  return `${formatFigure(number)} ${noun}${number === 1 ? '' : 's'}`
}
