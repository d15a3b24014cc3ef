import { styleText } from 'node:util'
import { formatNumber, renderTable } from '../local/display.ts'
import { choose, problemIn } from './choose.ts'
import { PRECISION } from './figures/confidence.ts'
import { isSameCombination } from './figures/format.ts'
import type { Combination, Measurement, TuneResult } from './figures/result.ts'

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

type Row = [string, ...string[]]
type Style = ('green' | 'bold')[]
const HEAD: Style = ['bold']
const BEST: Style = ['green', 'bold']

function styled(style: Style, row: readonly string[], stream: NodeJS.WriteStream) {
  return row.map((text) => styleText(style, text, { stream })) as Row
}

function measurementRow(each: Measurement): Row {
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

/** The concurrencies at which a process ended or a batch timed out. The table does not show this. */
function problemLines(measurements: readonly Measurement[]): string[] {
  const dead = Map.groupBy(measurements, ({ problem }) => problem)
  return [...dead].flatMap(([problem, each]) =>
    problem === undefined
      ? []
      : [`Concurrency ${each.map(({ concurrency }) => concurrency).join(', ')} cannot be used: ${problem}`],
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
    `${digits(combination.memory)} MB`,
    digits(combination.concurrency),
    goodputText(combination.goodput),
    milliseconds(combination.p50),
    milliseconds(combination.p95),
    digits(combination.peakMemory),
    dollars(combination.costPerMillion),
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
    if (!isUsable) return [`${digits(memory)} MB cannot be used: ${problemIn(ofMemory, measurements)}`]
    return unusable
      .filter(({ origin }) => origin === 'confirmed')
      .map(({ concurrency, problem }) => `${digits(memory)} MB × concurrency ${concurrency} cannot be used: ${problem}`)
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
    const what = `  ${digits(memory)} MB × concurrency ${concurrency}: predicted ${goodputText(predicted)}`
    return `${what}, confirmed ${goodputText(confirmed)} (${deviation > 0 ? '+' : ''}${deviation} %)`
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
  const { measurements, recommendation, uncertainty, patch, unknowns } = result
  const title = (text: string) => styleText('bold', text, { stream })
  return [
    ...(measurements.length === 0 ? [] : measurementTable(result, stream)),
    ...causeLines(measurements),
    ...problemLines(measurements),
    ...(measurements.length === 0 ? [] : memoryTable(result, stream)),
    ...confirmationLines(result),
    '',
    `${title('Recommendation:')} ${recommendation}`,
    ...(uncertainty === null ? [] : [uncertainty]),
    ...(patch === null ? [] : ['', title('Patch:'), patch.trimEnd()]),
    '',
    title('What this machine cannot know:'),
    ...unknowns.map((text) => `- ${text}`),
  ].join('\n')
}
