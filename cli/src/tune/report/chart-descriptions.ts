/** The main result of each chart in words, for people who do not see the chart. */

import { formatCost, formatFigure, formatShare, isUsable, nameOf } from '../figures/format.ts'
import type { Combination, TuneResult } from '../figures/result.ts'

export function describeGoodput({ combinations }: TuneResult): string {
  const usable = combinations.filter(isUsable)
  if (usable.length === 0) return noneUsable(combinations)
  const highest = Math.max(...usable.map(({ goodput }) => goodput))
  const reached = usable.filter(({ goodput }) => goodput === highest)
  return `The highest goodput is ${formatFigure(highest)} records per second, ${listOf(reached)}. ${unusable(combinations)}`
}

export function describeCost({ combinations }: TuneResult): string {
  const costs = combinations.filter(isUsable).flatMap(({ costPerMillion }) => costPerMillion ?? [])
  if (costs.length === 0) return noneUsable(combinations)
  const lowest = Math.min(...costs)
  const reached = combinations.filter((combination) => isUsable(combination) && combination.costPerMillion === lowest)
  return `The lowest cost is ${formatCost(lowest)} per million messages, ${listOf(reached)}. ${unusable(combinations)}`
}

export function describeCurve({ measurements }: TuneResult): string {
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

/**
 * Several combinations can have the same value. The one with the smallest memory size and the lowest concurrency comes
 * first.
 */
function listOf(combinations: readonly Combination[]): string {
  const [first, ...others] = combinations.toSorted((a, b) => a.memory - b.memory || a.concurrency - b.concurrency)
  if (!first) throw new Error('expected at least one combination')
  const more = others.length === 0 ? '' : `, and with ${count(others.length, 'other combination')}`
  return `with ${nameOf(first)} (${first.origin})${more}`
}

function unusable(combinations: readonly Combination[]): string {
  const number = combinations.filter((combination) => !isUsable(combination)).length
  return number === 0
    ? 'Every combination can be used.'
    : `${number} of ${combinations.length} combinations cannot be used.`
}

function noneUsable(combinations: readonly Combination[]): string {
  return combinations.length === 0 ? 'No combination was tried.' : 'No combination can be used.'
}

export function count(number: number, noun: string): string {
  return `${formatFigure(number)} ${noun}${number === 1 ? '' : 's'}`
}
