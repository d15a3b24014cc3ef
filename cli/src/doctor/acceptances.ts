import type { Acceptance } from '../model/declaration.ts'
import { UsageError } from '../shared/errors.ts'
import { pageOfRule } from '../shared/package-manifest.ts'
import { readText } from '../shared/text-file.ts'
import type { Detected, Finding } from './check.ts'

export const ACCEPTANCE = {
  id: 'acceptance',
  severity: 'warning',
  why: 'Without a reason, an acceptance accepts nothing. Without a finding, it may hide a later one.',
} as const

/** `<rule>@<resource>=<reason>`. The resource can have `=` in brackets: `aws_sqs_queue.queue["a=b"]`. */
const FORM = /^([\w-]+)@((?:\[[^\]]*\]|[^=[])+)(?:=(.*))?$/s

function parse(text: string, option: string): Acceptance {
  const [, rule, resource = '', reason = ''] = FORM.exec(text.trim()) ?? []
  if (rule !== undefined) return { rule, resource: resource.trim(), reason: reason.trim() }
  throw new UsageError(`${option} ${text}: write RULE@RESOURCE=REASON, as in max-receive-count@OrdersQueue=agreed`)
}

/** Reads the values of `--accept`, and the lines of the files of `--accept-file`. */
export function readAcceptances(texts: readonly string[] = [], files: readonly string[] = []): Acceptance[] {
  const found = texts.map((text) => parse(text, '--accept'))
  for (const file of files) {
    for (const [index, line] of readText(file).split(/\r?\n/).entries()) {
      if (!/^\s*(#|$)/.test(line)) found.push({ ...parse(line, '--accept-file'), place: { file, line: index + 1 } })
    }
  }
  return found
}

export interface Acceptable {
  detected: readonly Detected[]
  acceptances: readonly Acceptance[]
}

/**
 * Identifies an acceptance. Each stack of a CDK app that uses a resource of another stack reads its
 * acceptances, and puts the name of the other stack and a slash before its id.
 */
function keyOf({ rule, resource, reason, place }: Acceptance): string {
  if (place === undefined) return JSON.stringify([rule, resource, reason])
  return JSON.stringify([place, rule, resource.split('/').at(-1)])
}

/** Marks the findings that are accepted. Adds a warning for each acceptance that accepts nothing. */
export function accept(inputs: readonly Acceptable[]): Finding[] {
  const all = inputs.flatMap(({ acceptances }) => acceptances)
  const unused = new Map(all.map((one) => [keyOf(one), one] as const))
  function reasonOf({ rule }: Finding, scope: readonly string[], acceptances: readonly Acceptance[]) {
    const isInScope = ({ resource }: Acceptance) => resource === '*' || scope.includes(resource)
    const fitting = acceptances.filter((one) => one.rule === rule && one.reason !== '' && isInScope(one))
    for (const acceptance of fitting) unused.delete(keyOf(acceptance))
    return fitting[0]?.reason
  }
  const findings = inputs.flatMap(({ detected, acceptances }) =>
    detected.map(({ finding, scopes }): Finding => {
      const reasons = scopes.map((scope) => reasonOf(finding, scope, acceptances))
      return reasons.includes(undefined) ? finding : { ...finding, accepted: reasons[0] }
    }),
  )
  return [...findings, ...Array.from(unused.values(), toWarning)]
}

function toWarning({ rule, resource, reason, place }: Acceptance): Finding {
  const { id, severity, why } = ACCEPTANCE
  const help = pageOfRule(id)
  const noReason = `The acceptance of ${rule} for ${resource} has no reason, so the finding is not accepted`
  const what = reason === '' ? noReason : `There is no finding ${rule} of ${resource} to accept`
  const fix = reason === '' ? 'Add the reason.' : 'Remove the acceptance, or correct its rule or resource.'
  return { rule: id, severity, resource, message: `${what}. ${why}`, fix, source: help, help, ...place }
}
