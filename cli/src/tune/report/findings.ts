/** The main finding of each chart in words, for people who do not see the chart. */
import type { Cell, TuneResult } from '../result.ts'
import { formatCost, formatNumber, formatShare, isFailed, nameOf } from './figures.ts'

export function goodputFinding({ cells }: TuneResult): string {
  const usable = cells.filter((cell) => !isFailed(cell))
  if (usable.length === 0) return noneUsable(cells)
  const highest = Math.max(...usable.map(({ goodput }) => goodput))
  const reached = usable.filter(({ goodput }) => goodput === highest)
  return `The highest goodput is ${formatNumber(highest)} records per second, at ${first(reached)}. ${failures(cells)}`
}

export function costFinding({ cells }: TuneResult): string {
  const priced = cells.filter((cell) => !isFailed(cell) && cell.costPerMillion !== null)
  if (priced.length === 0) return noneUsable(cells)
  const lowest = Math.min(...priced.map(({ costPerMillion }) => costPerMillion ?? Number.POSITIVE_INFINITY))
  const reached = priced.filter(({ costPerMillion }) => costPerMillion === lowest)
  return `The lowest cost is ${formatCost(lowest)} per million messages, at ${first(reached)}. ${failures(cells)}`
}

export function curveFinding({ cells }: TuneResult): string {
  const measured = cells.filter(({ measuredBy }) => measuredBy === 'measured')
  const [fastest] = measured.toSorted((a, b) => b.goodput - a.goodput)
  const [worst] = measured.toSorted((a, b) => b.failedShare - a.failedShare)
  if (!fastest || !worst) return 'No combination was measured.'
  return `The highest measured goodput is ${formatNumber(fastest.goodput)} records per second, at ${nameOf(fastest)}. ${
    worst.failedShare === 0
      ? 'No record failed in these measurements.'
      : `The largest share of failed records is ${formatShare(worst.failedShare)}, at ${nameOf(worst)}.`
  }`
}

/** The combination with the least memory, then the lowest concurrency. Several can have the same value. */
function first(cells: readonly Cell[]): string {
  const [cell] = cells.toSorted((a, b) => a.memory - b.memory || a.concurrency - b.concurrency)
  if (!cell) throw new Error('expected at least one cell')
  const others = cells.length - 1
  return `${nameOf(cell)} (${cell.measuredBy})${others === 0 ? '' : ` and ${count(others, 'other combination')}`}`
}

function failures(cells: readonly Cell[]): string {
  const failed = cells.filter(isFailed).length
  return failed === 0 ? 'No combination failed.' : `${failed} of ${cells.length} combinations failed or cannot be used.`
}

function noneUsable(cells: readonly Cell[]): string {
  return cells.length === 0 ? 'No combination was tried.' : 'No combination can be used.'
}

export function count(number: number, noun: string): string {
  return `${formatNumber(number)} ${noun}${number === 1 ? '' : 's'}`
}
