import { type CodeSearch, codeSearch } from '../code-search/search.ts'
import type { Mapping, Model } from '../model/model.ts'
import { idOf, valueIn } from '../model/setting.ts'
import { CONCURRENCY_RULES } from '../rules/concurrency-rules.ts'
import { FILTER_RULES } from '../rules/filter-rules.ts'
import { FUNCTION_RULES } from '../rules/function-rules.ts'
import { MAPPING_RULES } from '../rules/mapping-rules.ts'
import { QUEUE_RULES } from '../rules/queue-rules.ts'
import { type Context, evidenceWith, ownerOf, type Problem, type Rule, type Severity } from '../rules/rule.ts'
import { VALUE_RULE } from '../rules/value-rule.ts'
import { cached } from '../shared/cached.ts'
import { joinNames } from '../shared/format.ts'
import { pageOfRule } from '../shared/package-manifest.ts'
import { NOT_CHECKED, NOT_CHECKED_RULES, unreadIn } from './not-checked.ts'
import { assignmentLine, fixOfUnchecked, type Presentation, withNamesOf } from './presentation.ts'

export interface Finding {
  rule: string
  severity: Severity
  /**
   * Its logical id in a template, its address in Terraform, or its name if it is deployed. `Globals` if
   * that section of SAM sets the value.
   */
  resource: string
  message: string
  fix: string
  /** The new value in the syntax of the input: `VisibilityTimeout: 361`. Missing if there is none. */
  set?: string | undefined
  /** The page that documents it. Missing for an acceptance, if this package does not know its address. */
  source?: string | undefined
  /** The rule in the list of rules. Missing if this package does not know its address. */
  help?: string | undefined
  /** The position in the template. Missing for Terraform and for a deployed function. */
  file?: string | undefined
  line?: number | undefined
  accepted?: string | undefined
}

/** A finding, with what `doctor` needs to know of it, and does not print. */
export interface Detected {
  finding: Finding
  /**
   * The resources of each problem: its own, and those of its mapping.
   * The finding is accepted if every problem has a resource for which it is accepted.
   */
  scopes: readonly (readonly string[])[]
}

/** If a setting breaks several rules, its finding shows the most severe one, and of these the first one here. */
export const RULES: readonly Rule[] = [
  ...MAPPING_RULES,
  ...CONCURRENCY_RULES,
  ...FILTER_RULES,
  ...QUEUE_RULES,
  ...FUNCTION_RULES,
  VALUE_RULE,
]
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

export interface ReadInput extends Presentation {
  model: Model
  /** Whether a mapping of which nothing could be checked is a warning. */
  strict?: boolean | undefined
}

type RuleProblem = Problem & { rule: Omit<Rule, 'check'>; severity: Severity; mapping?: Mapping | undefined }

/**
 * Problems with the same identity belong to the same setting. A setting that is not set has no identity, and
 * nor have problems without a setting: their texts identify them. What was not checked is no problem.
 */
function identity({ rule, resource, setting, what, reason }: RuleProblem): string {
  const id = (setting && idOf(setting)) ?? `${rule.id} ${resource.id} ${what} ${reason}`
  return reason === undefined ? id : `not checked ${id}`
}

/** Makes one finding of the problems with one setting. It shows only the most severe ones. */
function toDetected(group: readonly [RuleProblem, ...RuleProblem[]], input: ReadInput): Detected {
  const [{ rule, severity }] = group
  const same = group.filter((problem) => problem.severity === severity)
  const worst = same.reduce((most, one) => ((one.strictness ?? 0) > (most.strictness ?? 0) ? one : most))
  const { resource, setting, what, reason, source = rule.source, why = rule.why, fix, set } = worst
  const { section } = setting ?? {}
  const resources = [...new Set(group.map((problem) => problem.resource.id))]
  const whats = [...new Set(same.map((problem) => problem.what))].join(', ')
  const parts = [
    reason === undefined ? `${what}.` : `Not checked: ${whats}. Reason: ${reason}.`,
    why,
    section !== undefined || resources.length > 1 ? `It applies to ${joinNames(resources)}.` : '',
  ]
  const place = setting?.position ?? worst.position
  const file = place?.file ?? input.file
  const finding = {
    rule: rule.id,
    severity,
    resource: section ?? resource.id,
    message: withNamesOf(input, parts.filter((part) => part !== '').join(' ')),
    fix: withNamesOf(input, fix ?? fixOfUnchecked(input, reason)),
    set: set && assignmentLine(set, input),
    source,
    help: pageOfRule(rule.id),
    file,
    line: file === undefined ? undefined : (place?.line ?? 1),
  }
  // A finding is accepted for all that is wrong with the setting, also for less severe instances.
  return { finding, scopes: group.map(scopeOf) }
}

function scopeOf({ resource, setting, mapping }: RuleProblem): string[] {
  const around = mapping ? [mapping, mapping.function, mapping.function.aliasOf, mapping.queue] : []
  return [resource.id, setting?.section, ...around.map((one) => one?.id)].flatMap((id) => id ?? [])
}

/** What rules can use beside a mapping: the mappings of the same function, and those of the same queue. */
function contextsIn({ mappings, otherReaders = [] }: Model, more: Pick<Context, 'evidenceOf' | 'strict'>) {
  // Each mapping has its own object for a queue that was not read. If the ARN is known, it is the id.
  const queueOf = ({ queue }: Mapping) => (queue.id.startsWith('arn:') ? queue.id : queue)
  const byFunction = Map.groupBy(mappings, (mapping) => ownerOf(mapping.function))
  const byQueue = Map.groupBy([...mappings, ...otherReaders], queueOf)
  return (mapping: Mapping): Context => ({
    ...more,
    ofFunction: byFunction.get(ownerOf(mapping.function)) as Mapping[],
    ofQueue: byQueue.get(queueOf(mapping)) as Mapping[],
  })
}

/** All problems of a model: those that rules find, and what could not be checked. */
function problemsIn({ model, strict }: ReadInput, search: CodeSearch): RuleProblem[] {
  const contextOf = contextsIn(model, { evidenceOf: evidenceWith(search), strict })
  const found: RuleProblem[] = []
  function add(rule: RuleProblem['rule'], problems: readonly Problem[], mapping?: Mapping): void {
    for (const problem of problems) {
      const { fix } = problem.resource
      found.push({ severity: rule.severity, ...problem, ...(fix ? { fix, set: undefined } : {}), rule, mapping })
    }
  }
  // A queue that a thousand mappings read is checked once for those that run under the same condition.
  const ofQueues = new Map<readonly Mapping[], Map<string, Problem[]>>()
  function check(rule: Rule, mapping: Mapping): Problem[] {
    const context = contextOf(mapping)
    const own = () => [rule.check(mapping, context) ?? []].flat()
    if (!rule.isOfQueue) return own()
    const ofQueue = cached(ofQueues, context.ofQueue, () => new Map<string, Problem[]>())
    return cached(ofQueue, JSON.stringify([rule.id, valueIn(mapping.runs), mapping.condition?.name]), own)
  }
  for (const rules of [RULES, NOT_CHECKED_RULES]) {
    for (const mapping of model.mappings) {
      for (const rule of rules) add(rule, check(rule, mapping), mapping)
    }
  }
  add(NOT_CHECKED, unreadIn(model))
  return found
}

/** One finding for each setting with a problem, and for all that could not be checked. Errors come first. */
export function detect(input: ReadInput, search = codeSearch()): Detected[] {
  const problems = problemsIn(input, search)
  const sorted = SEVERITIES.flatMap((severity) => problems.filter((problem) => problem.severity === severity))
  const groups = Map.groupBy(sorted, identity).values() as MapIterator<[RuleProblem, ...RuleProblem[]]>
  return Array.from(groups, (group) => toDetected(group, input))
}
