/** Figures as people read them. The page's text and its charts share them. */
import type { Cell, MeasuredBy, TuneResult } from '../result.ts'

/** A larger share of failed records marks a combination as failed. */
export const MAX_FAILED_SHARE = 0.01

export const MARKS = {
  best: '★',
  failed: '✕',
  measured: '●',
  confirmed: '✓',
  predicted: '○',
} as const satisfies Record<MeasuredBy | 'best' | 'failed', string>

/** Three digits at least, so that a small figure keeps its meaning: 12,345, 12.3, 0.0123. */
export function formatNumber(value: number): string {
  // Without a successful record, there may be no p50, for example.
  if (!Number.isFinite(value)) return 'none'
  const options = Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 }
  return value.toLocaleString('en-US', options)
}

/** A share from 0 to 1 in percent. A few failures among many records are not shown as 0. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.0001) return '< 0.01 %'
  // Likewise, a few successes among many failures are not shown as 100 %.
  if (share < 1 && share > 0.999) return '> 99.9 %'
  return `${formatNumber(share * 100)} %`
}

export function formatCost(dollars: number | null): string {
  if (dollars === null) return 'none'
  const digits = dollars < 1 ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 } : {}
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD', ...digits })
}

export function isFailed({ problem, failedShare }: Cell): boolean {
  return problem !== undefined || !(failedShare <= MAX_FAILED_SHARE)
}

export function isSameCombination(a: Cell, b: Cell | null): boolean {
  return a.memory === b?.memory && a.concurrency === b.concurrency
}

/** The marks of a cell: recommended, failed, and how its figures were obtained. */
export function marksOf(cell: Cell, best: Cell | null): string {
  return [
    isSameCombination(cell, best) ? MARKS.best : '',
    isFailed(cell) ? MARKS.failed : '',
    MARKS[cell.measuredBy],
  ].join('')
}

/** A cell with the texts that the charts show. */
export interface ChartRow extends Cell {
  readonly failed: boolean
  readonly recommended: boolean
  readonly marks: string
  readonly goodputText: string
  readonly costText: string
  readonly failedPercent: number
  readonly details: string
}

export function chartRows({ cells, best }: TuneResult): ChartRow[] {
  return cells.map((cell) => ({
    ...cell,
    failed: isFailed(cell),
    recommended: isSameCombination(cell, best),
    marks: marksOf(cell, best),
    goodputText: formatNumber(cell.goodput),
    costText: formatCost(cell.costPerMillion),
    failedPercent: cell.failedShare * 100,
    details: detailsOf(cell),
  }))
}

/** The tooltip. */
function detailsOf(cell: Cell): string {
  return [
    `${nameOf(cell)} (${cell.measuredBy})`,
    `${formatNumber(cell.goodput)} records per second`,
    `${formatShare(cell.failedShare)} of the records failed`,
    cell.costPerMillion === null ? 'no record succeeded' : `${formatCost(cell.costPerMillion)} per million messages`,
    ...(cell.problem === undefined ? [] : [cell.problem]),
  ].join('\n')
}

export function nameOf({ memory, concurrency }: Cell): string {
  return `${formatNumber(memory)} MB and concurrency ${formatNumber(concurrency)}`
}
