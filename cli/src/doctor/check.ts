import type { Mapping, Model } from '../model.ts'
import { FUNCTION_RULES } from './function-rules.ts'
import { MAPPING_RULES } from './mapping-rules.ts'
import { createNotChecked } from './not-checked.ts'
import { QUEUE_RULES } from './queue-rules.ts'
import { type Broken, type CheckOptions, LAMBDA_GUIDE, type Rule, type Severity } from './rule.ts'
import { VALUE_RULE } from './settings.ts'

export interface Finding {
  rule: string
  severity: Severity
  /** Its logical id in a template, its name where it is live. */
  resource: string
  message: string
  fix: string
  /** The page where AWS says so. */
  source: string
  /** Where in the template; not there for what is live. */
  file?: string
  line?: number
}

/** In this order: of several rules that one setting breaks, the first of the gravest is the finding. */
export const RULES: readonly Rule[] = [...MAPPING_RULES, ...QUEUE_RULES, ...FUNCTION_RULES, VALUE_RULE]
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

const NOT_CHECKED = { id: 'not-checked', severity: 'info', why: '', source: `${LAMBDA_GUIDE}/with-sqs.html` } as const

type Found = Broken & { rule: Pick<Rule, 'id' | 'severity' | 'why' | 'source'> }

/**
 * What makes a setting the same for several rules, mappings and resources: where it stands in a template, else the model's
 * object for it. What is absent stands nowhere.
 */
function identity({ rule, resource, setting, what, reason = '' }: Found): unknown {
  return setting && setting.state !== 'absent'
    ? (setting.place ?? setting)
    : `${rule.id} ${resource.id} ${what} ${reason}`
}

/** `A, B, C and 97 more`. */
function list(names: readonly string[]) {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
}

function unique(texts: readonly string[]) {
  return [...new Set(texts)]
}

/** One finding for all that one setting breaks: of the first rule, the others being broken along with it. */
function toFinding(file: string | undefined, group: readonly [Found, ...Found[]]): Finding {
  const [{ rule }] = group
  const same = group.filter((found) => found.rule === rule)
  const neediest = same.reduce((most, found) => ((found.need ?? 0) > (most.need ?? 0) ? found : most))
  const { resource, setting, place, what, fix, reason, source = rule.source } = neediest
  const resources = unique(same.map((found) => found.resource.id))
  const whats = unique(same.map((found) => found.what))
  const stands = setting?.of
  const parts = [
    reason === undefined ? `${what}.` : `Not checked: ${whats.join(', ')}: ${reason}.`,
    rule.why,
    stands !== undefined || resources.length > 1 ? `It applies to ${list(resources)}.` : '',
  ]
  const message = parts.filter((part) => part !== '').join(' ')
  const at = file === undefined ? {} : { file, line: (setting?.place ?? place)?.line ?? 1 }
  return { rule: rule.id, severity: rule.severity, resource: stands ?? resource.id, message, fix, source, ...at }
}

/** What is wrong with the settings of a model, and what could not be checked: errors first. */
export function check(model: Model, options: CheckOptions): Finding[] {
  const { file, mappings } = model
  const functionOf = ({ function: target }: Mapping) => target.aliasOf ?? target
  const ofFunctions = Map.groupBy(mappings, functionOf)
  const ofQueues = Map.groupBy(mappings, ({ queue }) => queue)
  const each = mappings.map((mapping) => {
    const ofFunction = ofFunctions.get(functionOf(mapping)) ?? []
    return { mapping, siblings: { ofFunction, ofQueue: ofQueues.get(mapping.queue) ?? [] } }
  })

  const broken = SEVERITIES.flatMap((severity) =>
    each.flatMap(({ mapping, siblings }) =>
      RULES.filter((rule) => rule.severity === severity).flatMap((rule): Found[] =>
        [rule.check(mapping, options, siblings) ?? []].flat().map((found) => ({ ...found, rule })),
      ),
    ),
  )
  const notChecked = createNotChecked(model)
  const rest = [...each.flatMap(({ mapping, siblings }) => notChecked.of(mapping, siblings)), ...notChecked.unread]
  const found = [...broken, ...rest.map((unknown): Found => ({ ...unknown, rule: NOT_CHECKED }))]
  const groups = Map.groupBy(found, identity).values() as MapIterator<[Found, ...Found[]]>
  return Array.from(groups, (group) => toFinding(file, group))
}
