import { type CodeSearch, codeSearch } from '../code-search/search.ts'
import type { Mapping, Model } from '../model/model.ts'
import { idOf, valueIn } from '../model/setting.ts'
import { CONCURRENCY_RULES } from '../rules/concurrency-rules.ts'
import { FILTER_RULES } from '../rules/filter-rules.ts'
import { FUNCTION_RULES } from '../rules/function-rules.ts'
import { MAPPING_RULES } from '../rules/mapping-rules.ts'
import { QUEUE_RULES } from '../rules/queue-rules.ts'
import { type Context, evidenceWith, LAMBDA_GUIDE, type Problem, type Rule, type Severity } from '../rules/rule.ts'
import { VALUE_RULE } from '../rules/value-rule.ts'
import { cached } from '../shared/cached.ts'
import { joinNames } from '../shared/format.ts'
import { pageOfRule } from '../shared/pages.ts'
import { notCheckedOf, ofSharedQueue, unreadIn } from './not-checked.ts'
import { assignmentLine, type Presentation } from './presentation.ts'

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
  /** The page that documents it. Missing for an acceptance, if this package does not know its address. */
  source?: string
  /** The rule in the list of rules. Missing if this package does not know its address. */
  help?: string
  /** The position in the template. Missing for Terraform and for a deployed function. */
  file?: string
  line?: number
  /** The new value in the syntax of the input: `VisibilityTimeout: 361`. Missing if the fix is not a new value. */
  set?: string
  /** Why the finding is accepted. */
  accepted?: string
}

/** A finding, with what `doctor` needs to know of it, and does not print. */
export interface Detected {
  finding: Finding
  /**
   * The resources of each problem: its own, and those of its mapping, also by the paths of their constructs in the CDK.
   * The finding is accepted if every problem has a resource for which it is accepted.
   */
  scopes: readonly (readonly string[])[]
}

/**
 * If one setting breaks several rules, its finding shows the most severe rule. Of equally severe rules, it shows the
 * first in this list.
 */
export const RULES: readonly Rule[] = [
  ...MAPPING_RULES,
  ...CONCURRENCY_RULES,
  ...FILTER_RULES,
  ...QUEUE_RULES,
  ...FUNCTION_RULES,
  VALUE_RULE,
]
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

export const NOT_CHECKED = {
  id: 'not-checked',
  severity: 'info',
  why: '',
  source: `${LAMBDA_GUIDE}/with-sqs.html`,
} as const

const MADE_BY_SAM =
  'SAM cannot set it for SqsSubscription. Declare the queue, its subscription, and an event of Type: SQS instead.'

type RuleProblem = Problem & {
  rule: Pick<Rule, 'id' | 'severity' | 'why' | 'source'>
  severity: Severity
  mapping?: Mapping | undefined
}

/**
 * Problems with the same identity belong to the same setting. A setting that is not set has no identity, and nor have
 * problems without a setting. For these, the texts identify the problem.
 */
function identity({ rule, resource, setting, what, reason }: RuleProblem): string {
  return (setting && idOf(setting)) ?? `${rule.id} ${resource.id} ${what} ${reason}`
}

function unique(texts: readonly string[]) {
  return [...new Set(texts)]
}

/**
 * Makes one finding of the problems with one setting. It shows only the problems of the first rule, with the id and the
 * `why` of that rule.
 */
function toDetected(group: readonly [RuleProblem, ...RuleProblem[]], input: ReadInput): Detected {
  const [{ rule, severity }] = group
  const same = group.filter((problem) => problem.rule === rule && problem.severity === severity)
  const worst = same.reduce((most, problem) => ((problem.strictness ?? 0) > (most.strictness ?? 0) ? problem : most))
  const { resource, setting, position, what, reason, source = rule.source, why = rule.why } = worst
  const { fix, set } = resource.isMadeBySam ? { fix: MADE_BY_SAM, set: undefined } : worst
  // A finding is accepted for all that is wrong with the setting, also for other instances with a less severe problem.
  const wrong = group.filter((problem) => (problem.reason === undefined) === (reason === undefined))
  const resources = unique(wrong.map((problem) => problem.resource.id))
  const whats = unique(same.map((problem) => problem.what))
  const section = setting?.section
  // For example, a macro can add several settings at the same place.
  const isUnknown = rule !== VALUE_RULE && reason === undefined && setting?.state === 'unknown'
  const alsoOpen = isUnknown ? unique(group.filter((each) => each.reason !== undefined).map((each) => each.what)) : []
  const parts = [
    reason === undefined ? `${what}.` : `Not checked: ${whats.join(', ')}. Reason: ${reason}.`,
    why,
    section !== undefined || resources.length > 1 ? `It applies to ${joinNames(resources)}.` : '',
    alsoOpen.length > 0 ? `Also not checked: ${alsoOpen.join(', ')}.` : '',
  ]
  const message = parts.filter((part) => part !== '').join(' ')
  const place = setting?.position ?? position
  const file = place?.file ?? input.file
  const at = file === undefined ? {} : { file, line: place?.line ?? 1 }
  const own = {
    rule: rule.id,
    severity,
    resource: section ?? resource.id,
  }
  const scopes = wrong.map((problem) => {
    const { mapping } = problem
    const around = mapping ? [mapping.id, mapping.function.id, mapping.function.aliasOf?.id, mapping.queue.id] : []
    const ids = [problem.resource.id, section, ...around].flatMap((id) => id ?? [])
    return [...ids, ...ids.flatMap((id) => input.model.constructOf?.(id) ?? [])]
  })
  const help = pageOfRule(rule.id)
  const line = set ? { set: assignmentLine(set, input) } : {}
  return { finding: { ...own, message, fix, ...line, source, ...(help === undefined ? {} : { help }), ...at }, scopes }
}

/** A model, and how its findings are shown. */
export interface ReadInput extends Presentation {
  model: Model
  /** Whether a mapping of which nothing could be checked is a warning. */
  strict?: boolean
}

/** The mappings of the same function, and those of the same queue, for each mapping. */
function siblingsIn({ mappings, otherReaders = [] }: Model): (mapping: Mapping) => Omit<Context, 'evidenceOf'> {
  const functionOfMapping = ({ function: lambdaFunction }: Mapping) => lambdaFunction.aliasOf ?? lambdaFunction
  // Each mapping has its own object for a queue that was not read. If the ARN is known, it is the id of the queue.
  const queueOfMapping = ({ queue }: Mapping) => (queue.id.startsWith('arn:') ? queue.id : queue)
  const byFunction = Map.groupBy(mappings, functionOfMapping)
  const byQueue = Map.groupBy([...mappings, ...otherReaders], queueOfMapping)
  return (mapping) => ({
    ofFunction: byFunction.get(functionOfMapping(mapping)) ?? [],
    ofQueue: byQueue.get(queueOfMapping(mapping)) ?? [],
  })
}

/** All problems of a model: those that rules find, and what could not be checked. */
function problemsIn(input: ReadInput, search: CodeSearch): RuleProblem[] {
  const { model } = input
  const evidenceOf = evidenceWith(search)
  const siblingsOf = siblingsIn(model)
  const found: RuleProblem[] = []
  function add(rule: RuleProblem['rule'], problems: Problem | readonly Problem[] = [], mapping?: Mapping): void {
    for (const problem of [problems].flat()) found.push({ severity: rule.severity, ...problem, rule, mapping })
  }
  // A queue that a thousand mappings read is checked once for those that run under the same condition.
  const ofQueues = new Map<readonly Mapping[], Map<string, Problem[]>>()
  function checkOnce(rule: string, mapping: Mapping, ofQueue: readonly Mapping[], check: () => Problem[]): Problem[] {
    const found = cached(ofQueues, ofQueue, () => new Map<string, Problem[]>())
    return cached(found, JSON.stringify([rule, valueIn(mapping.runs), mapping.condition?.name]), check)
  }
  for (const mapping of model.mappings) {
    const context = { ...siblingsOf(mapping), evidenceOf }
    for (const rule of RULES) {
      const check = () => [rule.check(mapping, context) ?? []].flat()
      add(rule, rule.isOfQueue ? checkOnce(rule.id, mapping, context.ofQueue, check) : check(), mapping)
    }
  }
  for (const mapping of model.mappings) {
    const { ofFunction, ofQueue } = siblingsOf(mapping)
    const isUnread = mapping.function.unreadReason !== undefined && mapping.queue.unreadReason !== undefined
    const severity = input.strict && isUnread ? 'warning' : NOT_CHECKED.severity
    add(
      NOT_CHECKED,
      notCheckedOf(input, mapping, ofFunction).map((one) => ({ ...one, severity })),
      mapping,
    )
    add(
      NOT_CHECKED,
      checkOnce(NOT_CHECKED.id, mapping, ofQueue, () => ofSharedQueue(input, mapping, ofQueue)),
      mapping,
    )
  }
  add(NOT_CHECKED, unreadIn(input, [...model.unreadResources, ...(model.absentResources ?? [])]))
  return found
}

/** Like `check()`, with what `doctor` needs to accept findings. */
export function detect(input: ReadInput, search = codeSearch()): Detected[] {
  const problems = problemsIn(input, search)
  const sorted = SEVERITIES.flatMap((severity) => problems.filter((problem) => problem.severity === severity))
  const groups = Map.groupBy(sorted, identity).values() as MapIterator<[RuleProblem, ...RuleProblem[]]>
  return Array.from(groups, (group) => toDetected(group, input))
}

/**
 * Returns one finding for each setting that has a problem, and for each setting or resource that could not be checked.
 * Errors come first.
 */
export function check(input: ReadInput): Finding[] {
  return detect(input).map(({ finding }) => finding)
}
