import { recommend } from './recommend.ts'
import { count, dollars, duration } from './texts.ts'
import { CASES, toQuery, type Workload } from './workload.ts'

/** The first column is the case itself. */
export const COLUMNS = [
  'case',
  'concurrency',
  'BatchSize',
  'window',
  'Maximum Concurrency',
  'timeout',
  'visibility timeout',
  'memory',
  'records in a batch',
  'a million messages',
  'a backlog of 100,000',
]

/** The cells of each typical case, without the first one. */
export const CASE_ROWS = CASES.map(({ name, workload }) => {
  const { settings, estimate } = recommend(workload)
  const cells = [
    count(settings.concurrency),
    count(settings.batchSize),
    `${settings.window} s`,
    count(settings.maximumConcurrency),
    `${settings.timeout} s`,
    `${settings.visibilityTimeout} s`,
    `${count(settings.memory)} MB`,
    count(estimate.batch),
    dollars(estimate.cost),
    duration(estimate.backlog),
  ]
  return { name, workload, description: describe(workload), query: toQuery(workload), cells }
})

function describe({ rate, p50, p95, limit, limitKind }: Workload): string {
  const limited = limitKind === 'none' ? '' : `, at most ${count(limit)} ${limitKind}`
  return `${count(rate)}/s, p50 ${count(p50)} ms, p95 ${count(p95)} ms${limited}`
}

/** The table for programs that read the page as Markdown. */
export function casesAsMarkdown(): string {
  const rows = CASE_ROWS.map(({ name, description, cells }) => [`${name} (${description})`, ...cells])
  return [COLUMNS, COLUMNS.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
