import type { Mapping, Model } from '../model/model.ts'
import { idOf, placeOf, unknown } from '../model/setting.ts'
import { FUNCTION_RULES } from '../rules/function-rules.ts'
import { MAPPING_RULES } from '../rules/mapping-rules.ts'
import { QUEUE_RULES } from '../rules/queue-rules.ts'
import {
  type CheckOptions,
  joinNames,
  LAMBDA_GUIDE,
  type Problem,
  problem,
  type Rule,
  type Severity,
} from '../rules/rule.ts'
import { VALUE_RULE } from '../rules/value-rule.ts'
import { createNotChecked } from './not-checked.ts'

export interface Finding {
  rule: string
  severity: Severity
  /**
   * Its logical id in a template, its address in Terraform, or its name if it is deployed. `Globals` if that section of
   * SAM sets the value.
   */
  resource: string
  message: string
  fix: string
  /** The page of AWS that documents it. */
  source: string
  /** The position in the template. Missing for Terraform and for a deployed function. */
  file?: string
  line?: number
}

/**
 * If one setting breaks several rules, its finding shows the most severe rule. Of equally severe rules, it shows the
 * first in this list.
 */
export const RULES: readonly Rule[] = [...MAPPING_RULES, ...QUEUE_RULES, ...FUNCTION_RULES, VALUE_RULE]
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

const NOT_CHECKED = { id: 'not-checked', severity: 'info', why: '', source: `${LAMBDA_GUIDE}/with-sqs.html` } as const

type RuleProblem = Problem & { rule: Pick<Rule, 'id' | 'severity' | 'why' | 'source'> }

/**
 * Problems with the same identity belong to the same setting. A setting that is not set has no identity, and nor have
 * problems without a setting. For these, the texts identify the problem.
 */
function identity({ rule, resource, setting, what, reason = '' }: RuleProblem): string {
  return (setting && idOf(setting)) ?? `${rule.id} ${resource.id} ${what} ${reason}`
}

function unique(texts: readonly string[]) {
  return [...new Set(texts)]
}

/**
 * Makes one finding of the problems with one setting. It shows only the problems of the first rule, with the id and the
 * `why` of that rule.
 */
function toFinding(file: string | undefined, group: readonly [RuleProblem, ...RuleProblem[]]): Finding {
  const [{ rule }] = group
  const same = group.filter((problem) => problem.rule === rule)
  const strictest = same.reduce((most, problem) =>
    (problem.strictness ?? 0) > (most.strictness ?? 0) ? problem : most,
  )
  const { resource, setting, position, what, fix, reason, source = rule.source } = strictest
  const resources = unique(same.map((problem) => problem.resource.id))
  const whats = unique(same.map((problem) => problem.what))
  const section = setting?.section
  const parts = [
    reason === undefined ? `${what}.` : `Not checked: ${whats.join(', ')}. Reason: ${reason}.`,
    rule.why,
    section !== undefined || resources.length > 1 ? `It applies to ${joinNames(resources)}.` : '',
  ]
  const message = parts.filter((part) => part !== '').join(' ')
  const at = file === undefined ? {} : { file, line: (setting?.position ?? position)?.line ?? 1 }
  return { rule: rule.id, severity: rule.severity, resource: section ?? resource.id, message, fix, source, ...at }
}

/**
 * Returns one finding for each setting that has a problem, and for each setting or resource that could not be checked.
 * Errors come first.
 */
export function check(model: Model, options: CheckOptions): Finding[] {
  const { file, mappings, otherReaders = [], rejected = [] } = model
  const functionOf = ({ function: lambdaFunction }: Mapping) => lambdaFunction.aliasOf ?? lambdaFunction
  const ofFunctions = Map.groupBy(mappings, functionOf)
  // Each mapping has its own object for a queue that was not read. If the ARN is known, it is the id of the queue.
  const queueOf = ({ queue }: Mapping) => (queue.id.startsWith('arn:') ? queue.id : queue)
  const ofQueues = Map.groupBy([...mappings, ...otherReaders], queueOf)
  const each = mappings.map((mapping) => {
    const ofFunction = ofFunctions.get(functionOf(mapping)) ?? []
    return { mapping, siblings: { ofFunction, ofQueue: ofQueues.get(queueOf(mapping)) ?? [] } }
  })

  const problems = SEVERITIES.flatMap((severity) =>
    each.flatMap(({ mapping, siblings }) =>
      RULES.filter((rule) => rule.severity === severity).flatMap((rule): RuleProblem[] =>
        [rule.check(mapping, options, siblings) ?? []].flat().map((problem) => ({ ...problem, rule })),
      ),
    ),
  )
  const places = new Set(rejected.map(({ position }) => placeOf(position)))
  const ofTemplate = rejected.map((part): RuleProblem => {
    const { reason: what, fix, source, position } = part
    return { ...problem(part, unknown(what, position), what, fix), source, rule: VALUE_RULE }
  })
  const notChecked = createNotChecked(model, options)
  const rest = [
    ...each.flatMap(({ mapping, siblings }) => notChecked.forMapping(mapping, siblings)),
    ...notChecked.forUnreadResources,
  ]
  // A rejected part of the template already has an error. So unknown settings at the same position are not listed.
  const open = rest.filter(({ position }) => position === undefined || !places.has(placeOf(position)))
  const all = [...ofTemplate, ...problems, ...open.map((problem): RuleProblem => ({ ...problem, rule: NOT_CHECKED }))]
  const groups = Map.groupBy(all, identity).values() as MapIterator<[RuleProblem, ...RuleProblem[]]>
  return Array.from(groups, (group) => toFinding(file, group))
}
