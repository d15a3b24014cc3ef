import { styleText } from 'node:util'
import { countOf, formatNumber, joinNames } from '../shared/format.ts'
import { widthOf, wrapWords } from '../shared/wrap.ts'
import { type Finding, SEVERITIES } from './check.ts'
import type { Examined } from './examine.ts'

export type Format = 'text' | 'json' | 'github'

const COLOURS = { error: 'red', warning: 'yellow', info: 'blue' } as const

/** `2 mappings checked: 1 error, 0 warnings, 3 info`. Accepted findings are counted apart. */
export function counts({ findings, inputs }: Pick<Examined, 'findings' | 'inputs'>): string {
  const open = findings.filter(({ accepted }) => accepted === undefined)
  const parts = SEVERITIES.map((severity) => {
    const count = open.filter((finding) => finding.severity === severity).length
    return severity === 'info' ? `${formatNumber(count)} info` : countOf(count, severity)
  })
  const accepted = findings.length - open.length
  if (accepted > 0) parts.push(`${accepted} accepted`)
  return `${countOf(mappingsIn(inputs), 'mapping')} checked: ${parts.join(', ')}`
}

function mappingsIn(inputs: Examined['inputs']): number {
  return inputs.reduce((sum, { mappings }) => sum + mappings, 0)
}

/** Which inputs have no mapping. A queue in them may have been checked, if the mapping of another stack reads it. */
export function notesOf(inputs: Examined['inputs']): string[] {
  const notes = inputs.flatMap(({ note }) => note ?? [])
  const empty = inputs.filter(({ mappings, error, note }) => mappings === 0 && (error ?? note) === undefined)
  if (empty.length === 0) return notes
  const also = mappingsIn(inputs) === 0 ? ', so nothing was checked' : ''
  return [...notes, `There is no SQS event source mapping in ${joinNames(empty.map(({ name }) => name))}${also}`]
}

/** The last lines: inputs without mappings, the counts, the defaults, and what is never checked. */
function summary(report: Examined): string[] {
  const { defaulted, notChecked, inputs } = report
  if (mappingsIn(inputs) === 0) return []
  const lines = [...notesOf(inputs).map((note) => `${note}.`), counts(report)]
  const names = joinNames(defaulted)
  const defaults = `Defaults were used for parameters: ${names} (set others with --parameter NAME=VALUE).`
  if (names !== '') lines.push(defaults)
  return [...lines, `Not checked: ${notChecked.join('; ')}.`]
}

/** The report in a format. The text does not show errors of inputs, which are also printed on stderr. */
export function formatReport(report: Examined, format: Format, stream: NodeJS.WriteStream): string {
  if (format === 'json') return formatJson(report)
  return format === 'github' ? formatGithub(report) : formatText(report, stream)
}

/** The lines of a finding: place, severity, rule, resource and message; then the fix, and the new value. */
function linesOf(finding: Finding, stream: NodeJS.WriteStream): string[] {
  const { severity, rule, resource, message, fix, set, file, line, accepted } = finding
  const [level, colour] = accepted === undefined ? [severity, COLOURS[severity]] : (['accepted', 'gray'] as const)
  const place = file === undefined ? '' : `${file}:${line} `
  const head = `${place}${styleText([colour, 'bold'], level, { stream })} ${rule} ${resource}  ${message}`
  if (accepted !== undefined) return [head, `  Accepted: ${accepted}`]
  return [head, `  Fix: ${fix}`, ...(set === undefined ? [] : [`    ${set}`])]
}

/** The output for people: the findings, then the pages of AWS on those that are not accepted. */
export function formatText(report: Examined, stream: NodeJS.WriteStream): string {
  const open = report.findings.filter(({ accepted }) => accepted === undefined)
  const links = new Set(open.flatMap(({ source }) => source ?? []))
  const findings = report.findings.flatMap((finding) => linesOf(finding, stream))
  const lines = [...findings, ...links, ...summary(report)]
  return lines.map((line) => wrapWords(line, widthOf(stream), 4)).join('\n')
}

function formatJson({ findings, inputs, notChecked, defaulted: defaultedParameters }: Examined): string {
  const accepted = findings.filter((finding) => finding.accepted !== undefined)
  const open = findings.filter((finding) => finding.accepted === undefined)
  const mappings = mappingsIn(inputs)
  const result = { findings: open, accepted, mappings, inputs, notChecked, defaultedParameters }
  return JSON.stringify(result, undefined, 2)
}

const COMMANDS = { error: 'error', warning: 'warning', info: 'notice' } as const

function annotation(level: string, properties: Record<string, unknown>, lines: readonly unknown[]): string {
  const given = Object.entries(properties).filter(([, value]) => value !== undefined)
  const list = given.map(([key, value]) => `${key}=${String(value).replaceAll(/[%\r\n:,]/g, encodeURIComponent)}`)
  const text = lines.filter((line) => line !== undefined).join('\n')
  return `::${level} ${list.join(',')}::${text.replaceAll(/[%\r\n]/g, encodeURIComponent)}`
}

export function formatGithub(report: Examined): string {
  return [
    ...report.inputs.flatMap(({ name: file, error }) => {
      return error === undefined ? [] : annotation('error', { file, title: 'not read' }, [error])
    }),
    ...report.findings.map(({ severity, rule, resource, file, line, accepted, ...finding }) => {
      const { message, fix, set, source, help } = finding
      const place = { file, line, title: `${rule}: ${resource}` }
      const isOpen = accepted === undefined
      const texts = isOpen ? [fix, set] : [`Accepted: ${accepted}`]
      return annotation(isOpen ? COMMANDS[severity] : 'notice', place, [message, ...texts, source, help])
    }),
    ...summary(report),
  ].join('\n')
}
