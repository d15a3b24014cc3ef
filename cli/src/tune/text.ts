import { styleText } from 'node:util'
import { renderTable } from '../shared/display.ts'
import { countOf } from '../shared/format.ts'
import { widthOf, wrapWords } from '../shared/wrap.ts'
import { formatCost, formatFigure, formatShare } from './format.ts'
import type { Measurement, TuneResult } from './result.ts'
import { usableOf } from './search.ts'

/** Headings on two lines, so that the table fits into 80 columns. */
const HEAD = ['concur-\nrency', 'records\nper s', 'lowest,\nhighest', 'failed', 'CPU\nms', 'peak\nMB'] as const

type Row = [string, ...string[]]

/** Everything that `tune` prints at the end. The recommendation is last. */
export function renderResult(result: TuneResult, stream: NodeJS.WriteStream): string {
  const { failures, warnings, measurements, recommendation, settings, best, delivered } = result
  const style = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream })
  const wrap = (text: string) => wrapWords(text, widthOf(stream))
  return [
    ...failures.map((failure) => wrap(style('red', failure))),
    ...(measurements.length === 0 ? [] : [renderMeasurements(result, style)]),
    ...memoryLines(result).map(wrap),
    `The handler received ${countOf(delivered, 'record')}, with the warm-up.`,
    ...warnings.map((warning) => wrap(`${style('yellow', 'Warning:')} ${warning}`)),
    '',
    wrap(`${style(['bold', best ? 'green' : 'red'], 'Recommendation:')} ${recommendation}`),
    ...settingsLines(settings),
  ].join('\n')
}

const LIMITS: Record<string, string> = { VisibilityTimeout: ' # or more', BatchSize: ' # or less' }

/** What a template must set, as YAML. */
export function settingsLines(settings: TuneResult['settings']): string[] {
  return Object.entries(settings ?? {}).map(([name, value]) => `${name}: ${value}${LIMITS[name] ?? ''}`)
}

function renderMeasurements(
  { measurements, best }: TuneResult,
  style: (format: Parameters<typeof styleText>[0], text: string) => string,
): string {
  const usable = usableOf(measurements)
  const rows = measurements.map((each) => {
    const row = rowOf(each)
    if (each.concurrency === best?.concurrency) return row.map((text) => style(['bold', 'green'], text)) as Row
    return usable.includes(each) ? row : (row.map((text) => style('red', text)) as Row)
  })
  return renderTable([HEAD.map((text) => style('bold', text)) as Row, ...rows])
}

function rowOf(each: Measurement): Row {
  return [
    formatFigure(each.concurrency),
    formatFigure(each.goodput),
    `${formatFigure(each.lowest)}, ${formatFigure(each.highest)}`,
    each.records === 0 ? '–' : formatShare(each.failedShare),
    formatFigure(each.cpuPerRecord),
    formatFigure(each.peakMemory && Math.ceil(each.peakMemory)),
  ]
}

/** Speed and cost of each memory size at the recommended concurrency, or why it cannot be used. */
function memoryLines({ combinations, best }: TuneResult): string[] {
  const ofBest = combinations.filter(({ concurrency }) => concurrency === best?.concurrency)
  return ofBest.map(({ memory, goodput, costPerMillion, origin, problem }) => {
    const figures = `${formatFigure(goodput)} records/s, ${formatCost(costPerMillion)} per million (${origin})`
    return `${formatFigure(memory)} MB: ${problem ?? figures}`
  })
}
