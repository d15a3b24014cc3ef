import type { Acceptance } from '../model/model.ts'
import { UsageError } from '../shared/errors.ts'
import { pageOfRule } from '../shared/pages.ts'
import { readText } from '../shared/text-file.ts'
import { type Detected, type Finding, NOT_CHECKED, RULES } from './check.ts'

/** The rule that reports acceptances which accept nothing. */
export const ACCEPTANCE = {
  id: 'acceptance',
  severity: 'warning',
  why: 'Without a reason, an acceptance accepts nothing. Without a finding, it may hide a later one.',
} as const

/** `<rule>@<resource>=<reason>`. The resource `*` stands for all. It can contain `=` in brackets, as in `aws_sqs_queue.queue["a=b"]`. */
const FORM = /^([\w-]+)@((?:\[[^\]]*\]|[^=[])+)(?:=(.*))?$/s

function parse(text: string, option: string): Acceptance {
  const match = FORM.exec(text.trim())
  if (!match) {
    throw new UsageError(`${option} ${text}: write RULE@RESOURCE=REASON, as in max-receive-count@OrdersQueue=agreed`)
  }
  const [rule, resource, reason = ''] = match.slice(1) as [string, string, string?]
  return { rule, resource: resource.trim(), reason: reason.trim() }
}

/** Reads the values of `--accept`, and the lines of the files of `--accept-file`. */
export function readAcceptances(texts: readonly string[] = [], files: readonly string[] = []) {
  const ofFiles = files.flatMap((file) =>
    readText(file)
      .split(/\r?\n/)
      .flatMap((line, index): Acceptance[] => {
        if (/^\s*(#|$)/.test(line)) return []
        return [{ ...parse(line, '--accept-file'), place: { file, line: index + 1 } }]
      }),
  )
  return [...texts.map((text) => parse(text, '--accept')), ...ofFiles]
}

/** What is wrong with an acceptance that accepts no finding. */
function problemOf({ rule, resource, reason }: Acceptance): [what: string, fix: string] {
  const ids = [...RULES, NOT_CHECKED].map(({ id }) => id)
  if (!ids.includes(rule)) {
    return [`There is no rule ${rule} to accept for ${resource}`, 'Correct the name.']
  }
  return reason === ''
    ? [`The acceptance of ${rule} for ${resource} has no reason, so the finding is not accepted`, 'Add the reason.']
    : [`There is no finding ${rule} of ${resource} to accept`, 'Remove the acceptance, or correct its resource.']
}

/** What was found in an input, and the acceptances that apply to it. */
export interface Acceptable {
  detected: readonly Detected[]
  acceptances: readonly Acceptance[]
}

/**
 * Identifies an acceptance. Each stack of a CDK app that uses a resource of another stack reads the acceptances of this
 * resource. It puts the name of the other stack and a slash before its id.
 */
function keyOf({ rule, resource, reason, place }: Acceptance): string {
  if (place === undefined) return JSON.stringify([rule, resource, reason])
  return JSON.stringify([place, rule, resource.split('/').at(-1)])
}

/** Marks the findings that are accepted. Adds a warning for each acceptance that accepts nothing. */
export function accept(inputs: readonly Acceptable[]): Finding[] {
  const used = new Set<string>()
  function acceptanceOf({ finding }: Detected, scope: readonly string[], acceptances: readonly Acceptance[]) {
    const fitting = acceptances.filter(
      ({ rule, resource, reason }) =>
        rule === finding.rule && reason !== '' && (resource === '*' || scope.includes(resource)),
    )
    for (const acceptance of fitting) used.add(keyOf(acceptance))
    return fitting[0]
  }
  const findings = inputs.flatMap(({ detected, acceptances }) =>
    detected.map((each): Finding => {
      const accepted = each.scopes.map((scope) => acceptanceOf(each, scope, acceptances))
      const [first] = accepted
      return first && !accepted.includes(undefined) ? { ...each.finding, accepted: first.reason } : each.finding
    }),
  )
  const all = inputs.flatMap(({ acceptances }) => acceptances)
  const unused = new Map(all.map((each) => [keyOf(each), each] as const).filter(([key]) => !used.has(key)))
  return [...findings, ...Array.from(unused.values(), toWarning)]
}

function toWarning(acceptance: Acceptance): Finding {
  const { resource, place } = acceptance
  const [what, fix] = problemOf(acceptance)
  const { id: rule, severity, why } = ACCEPTANCE
  const help = pageOfRule(rule)
  return {
    rule,
    severity,
    resource,
    message: `${what}. ${why}`,
    fix,
    ...(help === undefined ? {} : { source: help, help }),
    ...place,
  }
}
