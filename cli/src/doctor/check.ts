import { FUNCTION_RULES } from './function-rules.ts'
import { MAPPING_RULES } from './mapping-rules.ts'
import type { Model } from './model.ts'
import { notChecked } from './not-checked.ts'
import { QUEUE_RULES } from './queue-rules.ts'
import { type Broken, type CheckOptions, LAMBDA_GUIDE, type Rule, type Severity } from './rule.ts'

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
export const RULES: readonly Rule[] = [...MAPPING_RULES, ...QUEUE_RULES, ...FUNCTION_RULES]
export const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info']

const NOT_CHECKED = { id: 'not-checked', severity: 'info', why: '', source: `${LAMBDA_GUIDE}/with-sqs.html` } as const

type Meta = Pick<Rule, 'id' | 'severity' | 'why' | 'source'>

/** What is wrong with the settings of a model, and what could not be checked: errors first. */
export const check = (model: Model, options: CheckOptions): Finding[] => {
  const { file, mappings } = model
  const byFunction = Map.groupBy(mappings, (mapping) => mapping.function)
  const seen = new Set<unknown>()

  const report = ({ id, severity, why, source }: Meta, { resource, setting, place, what, fix }: Broken): Finding[] => {
    // One broken setting gives one finding. What is absent is no object of its own.
    const key = setting && setting.state !== 'absent' ? setting : `${id} ${resource.id} ${what}`
    if (seen.has(key)) return []
    seen.add(key)
    const message = `${what}. ${why}`.trim()
    const at = file === undefined ? {} : { file, line: place?.line ?? 1 }
    return [{ rule: id, severity, resource: resource.id, message, fix, source, ...at }]
  }

  const findings = SEVERITIES.flatMap((severity) =>
    mappings.flatMap((mapping) =>
      RULES.filter((rule) => rule.severity === severity).flatMap((rule) => {
        const broken = rule.check(mapping, options, byFunction.get(mapping.function) ?? [])
        return broken ? report(rule, broken) : []
      }),
    ),
  )
  return [...findings, ...notChecked(model).flatMap((broken) => report(NOT_CHECKED, broken))]
}
