import { styleText } from 'node:util'
import { formatNumber, renderTable } from '../local/display.ts'
import { choose } from './choose.ts'
import { MARGIN, MAX_ROUNDS } from './confidence.ts'
import type { Cell, Measurement, TuneResult } from './result.ts'

const MAX_CAUSES = 10
/** Headings on two lines, so that the tables fit into 80 columns. */
const CONCURRENCY = 'concur-\nrency'
const RATE = 'records\nper s'

function digits(value: number | null, fraction = 0): string {
  if (value === null) return '–'
  return value.toLocaleString('en-US', { minimumFractionDigits: fraction, maximumFractionDigits: fraction })
}

export function goodputText(goodput: number): string {
  return digits(goodput, goodput < 100 ? 1 : 0)
}

export function percent(share: number): string {
  return share === 0 ? '0 %' : `${digits(share * 100, 1)} %`
}

function milliseconds(value: number | null): string {
  return digits(value, value !== null && value < 10 ? 2 : 0)
}

export function dollars(value: number | null): string {
  return value === null ? '–' : `$${digits(value, value < 1 ? 4 : 2)}`
}

function isSame(a: Cell, b: Cell | null): boolean {
  return b !== null && a.memory === b.memory && a.concurrency === b.concurrency
}

function bold(texts: readonly string[], stream: NodeJS.WriteStream) {
  return texts.map((text) => styleText('bold', text, { stream })) as [string, ...string[]]
}

function green(texts: readonly string[], stream: NodeJS.WriteStream) {
  return texts.map((text) => styleText(['green', 'bold'], text, { stream })) as [string, ...string[]]
}

function measurementRow(each: Measurement): [string, ...string[]] {
  const margin = each.margin === null ? '' : `±${digits(each.margin * 100, 0)} %${each.isConfident ? '' : '*'}`
  return [
    digits(each.concurrency),
    goodputText(each.goodput),
    margin,
    percent(each.failedShare),
    milliseconds(each.p50),
    milliseconds(each.p95),
    digits(each.cpuPerRecord, 3),
    digits(each.peakMemory),
    digits(each.peakDescriptors),
  ]
}

/** The measurements without a CPU limit: a row for each concurrency. */
function measurementTable({ measurements, best }: TuneResult, stream: NodeJS.WriteStream): string[] {
  const head = [CONCURRENCY, RATE, '95 %', 'failed', 'p50\nms', 'p95\nms', 'CPU\nms', 'peak\nMB', 'open\nfiles']
  const rows = measurements.map((each) =>
    each.concurrency === best?.concurrency ? green(measurementRow(each), stream) : measurementRow(each),
  )
  const unsure = measurements.some(({ isConfident, margin }) => !isConfident && margin !== null)
  return [
    'Measured without a CPU limit:',
    renderTable([bold(head, stream), ...rows]),
    ...(unsure ? [`* The interval is wider than ±${MARGIN * 100} %, even after ${MAX_ROUNDS} rounds of batches.`] : []),
  ]
}

/** Each error, with the number of records that failed because of it and the concurrencies at which it occurred. */
function causeLines(measurements: readonly Measurement[]): string[] {
  const all = measurements.flatMap(({ concurrency, causes }) =>
    Object.entries(causes).map(([text, count]) => ({ text, count, concurrency })),
  )
  if (all.length === 0) return []
  const lines = [...Map.groupBy(all, ({ text }) => text)].map(([text, each]) => {
    const count = each.reduce((sum, one) => sum + one.count, 0)
    return `  ${formatNumber(count)} × ${text} (concurrency ${each.map(({ concurrency }) => concurrency).join(', ')})`
  })
  const rest = lines.length - MAX_CAUSES
  const more = rest > 0 ? [`  and ${rest} other ${rest === 1 ? 'error' : 'errors'}`] : []
  return ['Why records failed (records × error):', ...lines.slice(0, MAX_CAUSES), ...more]
}

/** The cells to show for one memory: the best one, and the confirmed ones that can be used. */
function cellsToShow(cells: readonly Cell[], { optimize, measurements }: TuneResult): Cell[] {
  const best = choose(cells, optimize, measurements)
  return cells.filter((cell) => cell === best || (cell.measuredBy === 'confirmed' && cell.problem === undefined))
}

function cellRow(cell: Cell): [string, ...string[]] {
  return [
    `${digits(cell.memory)} MB`,
    digits(cell.concurrency),
    goodputText(cell.goodput),
    milliseconds(cell.p50),
    milliseconds(cell.p95),
    digits(cell.peakMemory),
    dollars(cell.costPerMillion),
    cell.measuredBy,
  ]
}

/** A row for each memory, with its best concurrency. */
function memoryTable(result: TuneResult, stream: NodeJS.WriteStream): string[] {
  const { cells, best, optimize, measurements } = result
  const head = ['memory', CONCURRENCY, RATE, 'p50\nms', 'p95\nms', 'peak\nMB', '$ per\nmillion', 'figures\nare']
  const ofMemories = [...Map.groupBy(cells, ({ memory }) => memory)]
  const rows = ofMemories.flatMap(([, column]) =>
    cellsToShow(column, result).map((cell) => (isSame(cell, best) ? green(cellRow(cell), stream) : cellRow(cell))),
  )
  const problems = ofMemories.flatMap(([memory, column]) => {
    const isUsable = choose(column, optimize, measurements) !== undefined
    const broken = column.filter(({ problem }) => problem !== undefined)
    if (!isUsable) return broken.slice(0, 1).map(({ problem }) => `${digits(memory)} MB cannot be used: ${problem}`)
    return broken
      .filter(({ measuredBy }) => measuredBy === 'confirmed')
      .map(({ concurrency, problem }) => `${digits(memory)} MB × concurrency ${concurrency} cannot be used: ${problem}`)
  })
  return [
    'The best concurrency for each memory size:',
    ...(rows.length > 0 ? [renderTable([bold(head, stream), ...rows])] : []),
    ...problems,
  ]
}

/** If a prediction differs by more than this share, the output says why. */
const MAX_DEVIATION = 0.25

function confirmationLines({ confirmations }: TuneResult): string[] {
  if (confirmations.length === 0) return []
  const deviations = confirmations.map(({ predicted, confirmed }) => confirmed / predicted - 1)
  const lines = confirmations.map(({ memory, concurrency, predicted, confirmed }, index) => {
    const deviation = Math.round(100 * (deviations[index] as number))
    const what = `  ${digits(memory)} MB × concurrency ${concurrency}: predicted ${goodputText(predicted)}`
    return `${what}, confirmed ${goodputText(confirmed)} (${deviation > 0 ? '+' : ''}${deviation} %)`
  })
  const isOff = deviations.some((deviation) => Math.abs(deviation) > MAX_DEVIATION)
  return [
    'Records per second with the CPU share of the memory size:',
    ...lines,
    ...(isOff
      ? [
          `  A deviation above ${100 * MAX_DEVIATION} % has one of two reasons: other programs used the CPU, or a record needs more CPU time when the CPU is limited.`,
        ]
      : []),
  ]
}

/** Everything that `tune` prints at the end. */
export function renderResult(result: TuneResult, stream: NodeJS.WriteStream): string {
  const { measurements, recommendation, patch, unknowns } = result
  const title = (text: string) => styleText('bold', text, { stream })
  return [
    ...(measurements.length === 0 ? [] : measurementTable(result, stream)),
    ...causeLines(measurements),
    ...(measurements.length === 0 ? [] : memoryTable(result, stream)),
    ...confirmationLines(result),
    '',
    `${title('Recommendation:')} ${recommendation}`,
    ...(patch === null ? [] : ['', title('Patch:'), patch.trimEnd()]),
    '',
    title('What this machine cannot know:'),
    ...unknowns.map((text) => `- ${text}`),
  ].join('\n')
}
