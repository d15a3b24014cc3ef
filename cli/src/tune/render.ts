import { styleText } from 'node:util'
import { renderTable } from '../shared/display.ts'
import { choose, problemIn } from './choose.ts'
import { causesOf, problemsOf } from './figures/causes.ts'
import { PRECISION } from './figures/confidence.ts'
import {
  formatCost,
  formatFigure,
  formatMargin,
  formatNeeded,
  formatShare,
  isSameCombination,
} from './figures/format.ts'
import type { Combination, Measurement, TuneResult } from './figures/result.ts'

const MAX_CAUSES = 10
/** Headings on two lines, so that the tables fit into 80 columns. */
const CONCURRENCY = 'concur-\nrency'
const RATE = 'records\nper s'

type Row = [string, ...string[]]
type Style = ('green' | 'bold')[]
const HEAD: Style = ['bold']
const BEST: Style = ['green', 'bold']

function styled(style: Style, row: readonly string[], stream: NodeJS.WriteStream) {
  return row.map((text) => styleText(style, text, { stream })) as Row
}

function measurementRow(each: Measurement): Row {
  return [
    formatFigure(each.concurrency),
    formatFigure(each.goodput),
    `${formatMargin(each.margin)}${each.isConfident || each.margin === null ? '' : '*'}`,
    formatShare(each.failedShare),
    formatFigure(each.p50),
    formatFigure(each.p95),
    formatFigure(each.cpuPerRecord),
    formatNeeded(each.peakMemory),
    formatFigure(each.peakDescriptors),
  ]
}

/** The measurements without a CPU limit: a row for each concurrency. */
function measurementTable({ measurements, best }: TuneResult, stream: NodeJS.WriteStream): string[] {
  const head = [CONCURRENCY, RATE, '95 %', 'failed', 'p50\nms', 'p95\nms', 'CPU\nms', 'peak\nMB', 'open\nfiles']
  const rows = measurements.map((each) =>
    each.concurrency === best?.concurrency ? styled(BEST, measurementRow(each), stream) : measurementRow(each),
  )
  const unsure = measurements.some(({ isConfident, margin }) => !isConfident && margin !== null)
  return [
    'Measured without a CPU limit:',
    renderTable([styled(HEAD, head, stream), ...rows]),
    ...(unsure ? [`* The interval is wider than ±${PRECISION.margin * 100} %.`] : []),
  ]
}

/** Each error, with the number of records that failed because of it and the concurrencies at which it occurred. */
function causeLines(measurements: readonly Measurement[]): string[] {
  const lines = causesOf(measurements).map(
    ({ text, count, concurrencies }) => `  ${formatFigure(count)} × ${text} (concurrency ${concurrencies})`,
  )
  if (lines.length === 0) return []
  const rest = lines.length - MAX_CAUSES
  const more = rest > 0 ? [`  and ${rest} other ${rest === 1 ? 'error' : 'errors'}`] : []
  return ['Why records failed (records × error):', ...lines.slice(0, MAX_CAUSES), ...more]
}

/** The concurrencies at which a process ended or a batch timed out. The table does not show this. */
function problemLines(measurements: readonly Measurement[]): string[] {
  return problemsOf(measurements).map(
    ({ text, concurrencies }) => `Concurrency ${concurrencies} cannot be used: ${text}`,
  )
}

/** The combinations to show for one memory size: the best one, and the confirmed ones that can be used. */
function combinationsToShow(
  combinations: readonly Combination[],
  { optimize, measurements }: TuneResult,
): Combination[] {
  const best = choose(combinations, optimize, measurements)
  return combinations.filter(
    (combination) => combination === best || (combination.origin === 'confirmed' && combination.problem === undefined),
  )
}

function combinationRow(combination: Combination): Row {
  return [
    `${formatFigure(combination.memory)} MB`,
    formatFigure(combination.concurrency),
    `${formatFigure(combination.goodput)}${combination.margin === null ? '' : ` ${formatMargin(combination.margin)}`}`,
    formatFigure(combination.p50),
    formatFigure(combination.p95),
    formatNeeded(combination.peakMemory),
    formatCost(combination.costPerMillion),
    combination.origin,
  ]
}

/** For each memory size that can be used: a row for its best concurrency, and one for each confirmed combination. */
function memoryTable(result: TuneResult, stream: NodeJS.WriteStream): string[] {
  const { combinations, confirmations, best, optimize, measurements } = result
  const head = ['memory', CONCURRENCY, RATE, 'p50\nms', 'p95\nms', 'peak\nMB', '$ per\nmillion', 'figures\nare']
  const byMemory = [...Map.groupBy(combinations, ({ memory }) => memory)]
  const rows = byMemory.flatMap(([, ofMemory]) =>
    combinationsToShow(ofMemory, result).map((combination) =>
      isSameCombination(combination, best)
        ? styled(BEST, combinationRow(combination), stream)
        : combinationRow(combination),
    ),
  )
  const problems = byMemory.flatMap(([memory, ofMemory]) => {
    const isUsable = choose(ofMemory, optimize, measurements) !== undefined
    const unusable = ofMemory.filter(({ problem }) => problem !== undefined)
    if (!isUsable) return [`${formatFigure(memory)} MB cannot be used: ${problemIn(ofMemory, measurements)}`]
    return unusable
      .filter(({ origin }) => origin === 'confirmed')
      .map(
        ({ concurrency, problem }) =>
          `${formatFigure(memory)} MB × concurrency ${concurrency} cannot be used: ${problem}`,
      )
  })
  return [
    `The best concurrency for each memory size${confirmations.length > 0 ? ', and the confirmed combinations' : ''}:`,
    ...(rows.length > 0 ? [renderTable([styled(HEAD, head, stream), ...rows])] : []),
    ...problems,
  ]
}

/** If a result is below its prediction by more than this share, the output says why. */
const MAX_DEVIATION = 0.25

function confirmationLines({ confirmations }: TuneResult): string[] {
  if (confirmations.length === 0) return []
  const deviations = confirmations.map(({ predicted, confirmed }) => confirmed / predicted - 1)
  const lines = confirmations.map(({ memory, concurrency, predicted, confirmed }, index) => {
    const deviation = Math.round(100 * (deviations[index] as number))
    const what = `  ${formatFigure(memory)} MB × concurrency ${concurrency}: predicted ${formatFigure(predicted)}`
    return `${what}, confirmed ${formatFigure(confirmed)} (${deviation > 0 ? '+' : ''}${deviation} %)`
  })
  const isOff = deviations.some((deviation) => deviation < -MAX_DEVIATION)
  return [
    'Records per second with the CPU share of the memory size:',
    ...lines,
    ...(isOff
      ? [
          `  A result more than ${100 * MAX_DEVIATION} % below its prediction has one of two reasons: other programs used the CPU, or a record needs more CPU time when the CPU is limited.`,
        ]
      : []),
  ]
}

/** Everything that `tune` prints at the end. */
export function renderResult(result: TuneResult, stream: NodeJS.WriteStream): string {
  const { measurements, recommendation, uncertainty, incomplete, patch, unknowns } = result
  const title = (text: string) => styleText('bold', text, { stream })
  return [
    ...(measurements.length === 0 ? [] : measurementTable(result, stream)),
    ...causeLines(measurements),
    ...problemLines(measurements),
    ...(measurements.length === 0 ? [] : memoryTable(result, stream)),
    ...confirmationLines(result),
    '',
    `${title('Recommendation:')} ${recommendation}`,
    ...[uncertainty, incomplete].flatMap((text) => (text === null ? [] : `${title('Warning:')} ${text}`)),
    ...(patch === null ? [] : ['', title('Patch:'), patch.trimEnd()]),
    '',
    title('What this machine cannot know:'),
    ...unknowns.map((text) => `- ${text}`),
  ].join('\n')
}
