/** Formats figures for people: the same figure has the same text on the terminal, in the report and in its charts. */
import { isOverloaded } from './climb.ts'
import type { Combination, Measurement, Origin, TuneResult } from './result.ts'

export const MARKS = {
  best: '★',
  unusable: '✕',
  measured: '●',
  confirmed: '✓',
  predicted: '○',
} as const satisfies Record<Origin | 'best' | 'unusable', string>

const NOT_KNOWN = '–'

/** Small figures have three significant digits: 12,345, 12.3, 0.0123. */
export function formatFigure(value: number | null): string {
  if (value === null) return NOT_KNOWN
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

/** Half of a confidence interval, rounded up. */
export function formatMargin(margin: number | null): string {
  // With nine digits, the rounding error of the product is gone.
  return margin === null ? NOT_KNOWN : `±${Math.ceil(Number((100 * margin).toPrecision(9)))} %`
}

/** Megabytes that a process needs, rounded up. */
export function formatNeeded(megabytes: number | null): string {
  return formatFigure(megabytes === null ? null : Math.ceil(megabytes))
}

export function formatCost(dollars: number | null): string {
  if (dollars === null) return NOT_KNOWN
  const digits = dollars < 1 ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 } : {}
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD', ...digits })
}

/** The digits that can be trusted: 45 s, 3 min 20 s, 14 min, 2.5 h. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(5, 5 * Math.round(ms / 5000))
  if (seconds < 60) return `${seconds} s`
  const tens = 10 * Math.round(ms / 10_000)
  if (tens < 600) return `${Math.floor(tens / 60)} min${tens % 60 === 0 ? '' : ` ${tens % 60} s`}`
  const minutes = Math.round(ms / 60_000)
  return minutes < 120 ? `${minutes} min` : `${formatFigure(Number((minutes / 60).toPrecision(2)))} h`
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
      low: Math.max(0, goodput * (1 - (margin ?? 0))),
      high: goodput * (1 + (margin ?? 0)),
      failedPercent: failedShare * 100,
      details: [`concurrency ${formatFigure(concurrency)} (measured)`, ...rates(measurement)].join('\n'),
    }
  })
}

function rates({ goodput, margin, failedShare }: Combination | Measurement): string[] {
  return [
    `${formatFigure(goodput)} records per second (${formatMargin(margin)})`,
    `${formatShare(failedShare)} of the records failed`,
  ]
}
