import { isAbsolute, relative } from 'node:path'
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
  const mappings = inputs.reduce((sum, input) => sum + input.mappings, 0)
  return `${countOf(mappings, 'mapping')} checked: ${parts.join(', ')}${accepted > 0 ? `, ${accepted} accepted` : ''}`
}

/**
 * Why nothing was checked in inputs without a mapping. A folder can have hundreds of them, so they share a line, but not
 * those in which a mapping may be.
 */
export function notesOf(inputs: Examined['inputs']): string[] {
  const open = inputs.filter(({ mayHaveMappings }) => mayHaveMappings)
  const empty = inputs.filter(({ note, mayHaveMappings }) => note !== undefined && !mayHaveMappings)
  const names = joinNames(empty.map(({ name }) => name))
  const shared = `${empty.length} inputs have no SQS event source mapping, so nothing was checked in them: ${names}`
  const notes = (some: typeof inputs) => some.flatMap(({ note }) => note ?? [])
  return [...notes(open), ...(empty.length > 1 ? [shared] : notes(empty))]
}

/** The last lines of the output: the inputs without mappings, the counts, the defaults, and what is never checked. */
function summary(report: Examined): string[] {
  const { defaulted, notChecked, inputs } = report
  if (inputs.every(({ mappings }) => mappings === 0)) return []
  const names = joinNames(defaulted)
  const defaults = `Defaults were used for parameters: ${names} (set others with --parameter NAME=VALUE).`
  const notes = notesOf(inputs).map((note) => `${note}.`)
  return [...notes, counts(report), ...(names === '' ? [] : [defaults]), `Not checked: ${notChecked.join('; ')}.`]
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

/** The output for people: the findings, the most severe first, then the pages of AWS on those that are not accepted. */
export function formatText(report: Examined, stream: NodeJS.WriteStream): string {
  const open = report.findings.filter(({ accepted }) => accepted === undefined)
  const links = new Set(open.flatMap(({ source }) => source ?? []))
  const lines = [...report.findings.flatMap((finding) => linesOf(finding, stream)), ...links, ...summary(report)]
  return lines.map((line) => wrapWords(line, widthOf(stream), 4)).join('\n')
}

function formatJson({ findings, inputs: examined, notChecked, defaulted }: Examined): string {
  const inputs = examined.map(({ mayHaveMappings, ...input }) => input)
  const counted = findings.filter(({ accepted }) => accepted === undefined)
  const accepted = findings.filter((finding) => finding.accepted !== undefined)
  const mappings = inputs.reduce((sum, input) => sum + input.mappings, 0)
  const result = { findings: counted, accepted, mappings, inputs, notChecked, defaultedParameters: defaulted }
  return JSON.stringify(result, undefined, 2)
}

/** GitHub knows only paths in the workspace, which is the working directory. */
function inWorkspace(path: string): string {
  const own = relative(process.cwd(), path)
  return isAbsolute(path) && !own.startsWith('..') ? own : path
}

function escapeData(text: string) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string) {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

const COMMANDS = { error: 'error', warning: 'warning', info: 'notice' } as const

/** Workflow commands, which GitHub Actions shows as annotations of the template. */
export function formatGithub(report: Examined): string {
  return [
    ...report.inputs.flatMap(({ name, error }) =>
      error === undefined
        ? []
        : [`::error file=${escapeProperty(inWorkspace(name))},title=not read::${escapeData(error)}`],
    ),
    ...report.findings.map(({ severity, rule, resource, message, fix, set, source, help, file, line, accepted }) => {
      const properties = {
        ...(file === undefined ? {} : { file: inWorkspace(file), line: String(line) }),
        title: `${rule}: ${resource}`,
      }
      const list = Object.entries(properties).map(([key, text]) => `${key}=${escapeProperty(text)}`)
      const level = accepted === undefined ? COMMANDS[severity] : 'notice'
      const last =
        accepted === undefined ? [fix, ...(set === undefined ? [] : [set])].join('\n') : `Accepted: ${accepted}`
      return `::${level} ${list.join(',')}::${escapeData([message, last, source, help].filter((part) => part !== undefined).join('\n'))}`
    }),
    ...summary(report),
  ].join('\n')
}
