import { styleText } from 'node:util'
import Table from 'cli-table3'
import { joinNames, type Severity } from '../rules/rule.ts'
import { widthOf, wrapWords } from '../shared/wrap.ts'
import { type Finding, SEVERITIES } from './check.ts'
import type { Examined } from './examine.ts'
import { pastedLines } from './paste.ts'
import { formatSarif } from './sarif.ts'

export interface Report extends Examined {
  /** The checks that need a flag that was not given, such as `timeout check (pass --record-ms)`. */
  skipped: readonly string[]
}

export const FORMATS = ['table', 'json', 'github', 'sarif'] as const
export type Format = (typeof FORMATS)[number]

const COLOURS = { error: 'red', warning: 'yellow', info: 'blue' } as const
const MAX_WIDTH = 120
const MIN_WIDTH = 60
const MAX_LEFT_WIDTH = 34

function plural(count: number, word: Severity | 'mapping') {
  return `${count} ${word}${count === 1 || word === 'info' ? '' : 's'}`
}

/** `2 mappings checked: 1 error, 0 warnings, 3 info`. Accepted findings are counted apart. */
export function counts({ findings, inputs }: Pick<Report, 'findings' | 'inputs'>): string {
  const open = findings.filter(({ accepted }) => accepted === undefined)
  const parts = SEVERITIES.map((severity) => {
    const count = open.filter((finding) => finding.severity === severity).length
    return plural(count, severity)
  })
  const accepted = findings.length - open.length
  const mappings = inputs.reduce((sum, input) => sum + input.mappings, 0)
  return `${plural(mappings, 'mapping')} checked: ${parts.join(', ')}${accepted > 0 ? `, ${accepted} accepted` : ''}`
}

/** The last lines of the output: the inputs without mappings, the counts, the defaults, and the skipped checks. */
function summary(report: Report): string[] {
  const { defaulted, skipped, inputs } = report
  if (inputs.every(({ mappings }) => mappings === 0)) return []
  const names = joinNames(defaulted)
  const defaults = `Defaults were used for parameters: ${names} (set others with --parameter NAME=VALUE).`
  const notes = inputs.flatMap(({ note }) => (note === undefined ? [] : [`${note}.`]))
  return [
    ...notes,
    counts(report),
    ...(names === '' ? [] : [defaults]),
    ...skipped.map((check) => `Skipped: ${check}.`),
  ]
}

/** The report in a format. The table does not show errors of inputs, which are also printed on stderr. */
export function formatReport(report: Report, format: Format, stream: NodeJS.WriteStream): string {
  if (format === 'json') return formatJson(report)
  if (format === 'sarif') return formatSarif(report)
  return format === 'github' ? formatGithub(report) : formatTable(report, stream)
}

/** Splits words that are longer than a line, because the table would cut them off. */
function splitLongWords(text: string, width: number) {
  return text.replaceAll(/\S+/g, (word) => word.match(new RegExp(`.{1,${width}}`, 'gs'))?.join(' ') ?? word)
}

function positionOf({ file, line }: Finding) {
  return file === undefined ? '' : `${file}:${line}`
}

/** The output for people: a table as wide as the terminal, the most severe findings first, then the pages of AWS. */
export function formatTable(report: Report, stream: NodeJS.WriteStream): string {
  const { findings } = report
  const width = Math.max(MIN_WIDTH, Math.min(stream.isTTY ? stream.columns : MAX_WIDTH, MAX_WIDTH))
  const left = Math.min(MAX_LEFT_WIDTH, Math.floor(width / 2.5))
  const right = width - left - 3
  // Terminals turn `file:line` into a link, and --accept needs the name of the resource, so neither is split. If one is
  // too long for its column, each finding gets its own table, with this text above it.
  const places = [({ resource }: Finding) => resource, positionOf]
  const outside = places.filter((place) => findings.some((finding) => place(finding).length > left - 2))
  const inside = places.filter((place) => !outside.includes(place))
  const cell = (size: number, lines: readonly string[]) =>
    lines
      .filter((line) => line !== '')
      .map((line) => splitLongWords(line, size - 2))
      .join('\n')
  function rowOf(finding: Finding) {
    const { severity, rule, message, fix, paste, accepted } = finding
    const isAccepted = accepted !== undefined
    const head = styleText([isAccepted ? 'gray' : COLOURS[severity], 'bold'], isAccepted ? 'accepted' : severity, {
      stream,
    })
    const last = isAccepted ? [`Accepted: ${accepted}`] : [`Fix: ${fix}`, ...pastedLines(paste)]
    return [`${head}\n${cell(left, [rule, ...inside.map((place) => place(finding))])}`, cell(right, [message, ...last])]
  }
  function tableOf(some: readonly Finding[]) {
    const table = new Table({ colWidths: [left, right], wordWrap: true, style: { head: [], border: [] } })
    table.push(...some.map(rowOf))
    return table.toString()
  }
  const tables =
    outside.length > 0
      ? findings.flatMap((finding) => [...outside.map((place) => place(finding)).filter(Boolean), tableOf([finding])])
      : [findings].filter(({ length }) => length > 0).map(tableOf)
  const sources = [...new Set(findings.map(({ source }) => `  ${source}`))]
  const lines = summary(report).map((line) => wrapWords(line, widthOf(stream)))
  return [...tables, ...sources, ...lines].join('\n')
}

export function formatJson({ findings, inputs: examined, skipped, defaulted }: Report): string {
  const inputs = examined.map(({ mayHaveMappings, ...input }) => input)
  const counted = findings.filter(({ accepted }) => accepted === undefined)
  const accepted = findings.filter((finding) => finding.accepted !== undefined)
  const mappings = inputs.reduce((sum, input) => sum + input.mappings, 0)
  const result = { findings: counted, accepted, mappings, inputs, skipped, defaultedParameters: defaulted }
  return JSON.stringify(result, undefined, 2)
}

function escapeData(text: string) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string) {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

const COMMANDS = { error: 'error', warning: 'warning', info: 'notice' } as const

/** Workflow commands, which GitHub Actions shows as annotations of the template. */
export function formatGithub(report: Report): string {
  return [
    ...report.inputs.flatMap(({ name, error }) =>
      error === undefined ? [] : [`::error file=${escapeProperty(name)},title=not read::${escapeData(error)}`],
    ),
    ...report.findings.map(({ severity, rule, resource, message, fix, paste, source, help, file, line, accepted }) => {
      const properties = { ...(file === undefined ? {} : { file, line: String(line) }), title: `${rule}: ${resource}` }
      const list = Object.entries(properties).map(([key, text]) => `${key}=${escapeProperty(text)}`)
      const level = accepted === undefined ? COMMANDS[severity] : 'notice'
      const last = accepted === undefined ? [fix, ...pastedLines(paste)].join('\n') : `Accepted: ${accepted}`
      return `::${level} ${list.join(',')}::${escapeData(`${message}\n${last}\n${source}\n${help}`)}`
    }),
    ...summary(report),
  ].join('\n')
}
