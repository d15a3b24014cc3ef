import { styleText } from 'node:util'
import Table from 'cli-table3'
import { type Finding, SEVERITIES } from './check.ts'
import type { Severity } from './rule.ts'

export interface Report {
  findings: readonly Finding[]
  /** SQS event source mappings that were looked at. */
  mappings: number
}

const COLOURS = { error: 'red', warning: 'yellow', info: 'blue' } as const
const PIPED_WIDTH = 120
const NARROWEST = 60
const WIDEST_LEFT = 34

function plural(count: number, word: Severity | 'mapping') {
  return `${count} ${word}${count === 1 || word === 'info' ? '' : 's'}`
}

/** `2 mappings checked: 1 error, 0 warnings, 3 info`. */
export function counts({ findings, mappings }: Report): string {
  const parts = SEVERITIES.map((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length
    return plural(count, severity)
  })
  return `${plural(mappings, 'mapping')} checked: ${parts.join(', ')}`
}

/** Words that are longer than a line are cut into lines: the table would end them with an ellipsis. */
function breakable(text: string, width: number) {
  return text.replaceAll(/\S+/g, (word) => word.match(new RegExp(`.{1,${width}}`, 'gs'))?.join(' ') ?? word)
}

function where({ file, line }: Finding) {
  return file === undefined ? '' : `${file}:${line}`
}

/** For people: a table as wide as the terminal, the gravest first, and the pages behind it. */
export function formatTable(report: Report, stream: NodeJS.WriteStream): string {
  const { findings } = report
  const width = Math.max(NARROWEST, Math.min(stream.isTTY ? stream.columns : PIPED_WIDTH, PIPED_WIDTH))
  const left = Math.min(WIDEST_LEFT, Math.floor(width / 2.5))
  const right = width - left - 3
  // Terminals make a link of a location, so none is broken. If one is too long, all stand above tables of their own.
  const isOutside = findings.some((finding) => where(finding).length > left - 2)
  const cell = (size: number, lines: readonly string[]) =>
    lines
      .filter((line) => line !== '')
      .map((line) => breakable(line, size - 2))
      .join('\n')
  const rowOf = (finding: Finding) => {
    const { severity, rule, resource, message, fix } = finding
    const head = styleText([COLOURS[severity], 'bold'], severity, { stream })
    const location = isOutside ? '' : where(finding)
    return [`${head}\n${cell(left, [rule, resource, location])}`, cell(right, [message, `Fix: ${fix}`])]
  }
  const tableOf = (some: readonly Finding[]) => {
    const table = new Table({ colWidths: [left, right], wordWrap: true, style: { head: [], border: [] } })
    table.push(...some.map(rowOf))
    return table.toString()
  }
  const tables = isOutside
    ? findings.flatMap((finding) => [where(finding), tableOf([finding])])
    : [findings].filter(({ length }) => length > 0).map(tableOf)
  const sources = [...new Set(findings.map(({ source }) => `  ${source}`))]
  return [...tables, ...sources, counts(report)].join('\n')
}

export function formatJson({ findings }: Report): string {
  return JSON.stringify({ findings }, undefined, 2)
}

function data(text: string) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function value(text: string) {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

const COMMANDS = { error: 'error', warning: 'warning', info: 'notice' } as const

/** Workflow commands of GitHub Actions, which show at the line of the file. */
export function formatGithub(report: Report): string {
  return [
    ...report.findings.map(({ severity, rule, resource, message, fix, source, file, line }) => {
      const properties = { ...(file === undefined ? {} : { file, line: String(line) }), title: `${rule}: ${resource}` }
      const list = Object.entries(properties).map(([key, text]) => `${key}=${value(text)}`)
      return `::${COMMANDS[severity]} ${list.join(',')}::${data(`${message}\n${fix}\n${source}`)}`
    }),
    counts(report),
  ].join('\n')
}
