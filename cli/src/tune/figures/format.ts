/** Formats figures for people. The text of the page and its charts use the same format. */
import { isOverloaded } from './climb.ts'
import type { Combination, Measurement, Origin, TuneResult } from './result.ts'

export const MARKS = {
  best: '★',
  unusable: '✕',
  measured: '●',
  confirmed: '✓',
  predicted: '○',
} as const satisfies Record<Origin | 'best' | 'unusable', string>

/** Small figures have three significant digits: 12,345, 12.3, 0.0123. */
export function formatFigure(value: number | null): string {
  if (value === null) return 'none'
  const options = Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 }
  return value.toLocaleString('en-US', options)
}

/** A share from 0 to 1 in percent. A few failures among many records are not shown as 0. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.0001) return '< 0.01 %'
  // Likewise, a few successes among many failures are not shown as 100 %.
  if (share < 1 && share > 0.999) return '> 99.9 %'
  return `${formatFigure(share * 100)} %`
}

export function formatCost(dollars: number | null): string {
  if (dollars === null) return 'none'
  const digits = dollars < 1 ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 } : {}
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD', ...digits })
}

export function isUsable({ problem }: Combination): boolean {
  return problem === undefined
}

export function isSameCombination(a: Combination, b: Combination | null): boolean {
  return a.memory === b?.memory && a.concurrency === b.concurrency
}

export function nameOf({ memory, concurrency }: Combination): string {
  return `${formatFigure(memory)} MB and concurrency ${formatFigure(concurrency)}`
}

/** The marks of a combination: recommended, unusable, and how its figures were obtained. */
export function marksOf(combination: Combination, best: Combination | null): string {
  return [
    isSameCombination(combination, best) ? MARKS.best : '',
    isUsable(combination) ? '' : MARKS.unusable,
    MARKS[combination.origin],
  ].join('')
}

export type ChartId = 'goodput-chart' | 'cost-chart' | 'curve-chart' | 'failed-chart'

/** The data of each chart. */
export function chartRows(result: TuneResult): Record<ChartId, CombinationRow[] | MeasurementRow[]> {
  const combinations = combinationRows(result)
  const measurements = measurementRows(result)
  return {
    'goodput-chart': combinations,
    'cost-chart': combinations,
    'curve-chart': measurements,
    'failed-chart': measurements,
  }
}

export interface CombinationRow extends Combination {
  readonly usable: boolean
  readonly recommended: boolean
  readonly marks: string
  readonly goodputText: string
  readonly costText: string
  /** The tooltip. */
  readonly details: string
}

function combinationRows({ combinations, best }: TuneResult): CombinationRow[] {
  return combinations.map((combination) => ({
    ...combination,
    usable: isUsable(combination),
    recommended: isSameCombination(combination, best),
    marks: marksOf(combination, best),
    goodputText: formatFigure(combination.goodput),
    costText: formatCost(combination.costPerMillion),
    details: [
      `${nameOf(combination)} (${combination.origin})`,
      ...rates(combination),
      combination.costPerMillion === null
        ? 'no record succeeded'
        : `${formatCost(combination.costPerMillion)} per million messages`,
      ...(combination.problem === undefined ? [] : [`cannot be used: ${combination.problem}`]),
    ].join('\n'),
  }))
}

export interface MeasurementRow extends Measurement {
  readonly overloaded: boolean
  /** The bounds of the confidence interval. */
  readonly low: number
  readonly high: number
  readonly failedPercent: number
  /** The tooltip. */
  readonly details: string
}

function measurementRows({ measurements }: TuneResult): MeasurementRow[] {
  return measurements.map((measurement) => {
    const { concurrency, goodput, margin, failedShare } = measurement
    return {
      ...measurement,
      overloaded: isOverloaded(measurement, measurements),
      low: goodput * (1 - (margin ?? 0)),
      high: goodput * (1 + (margin ?? 0)),
      failedPercent: failedShare * 100,
      details: [`concurrency ${formatFigure(concurrency)} (measured)`, ...rates(measurement)].join('\n'),
    }
  })
}

function rates({ goodput, failedShare }: Combination | Measurement): string[] {
  return [`${formatFigure(goodput)} records per second`, `${formatShare(failedShare)} of the records failed`]
}
