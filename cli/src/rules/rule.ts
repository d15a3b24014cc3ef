import type { CodeSearch, Evidence } from '../code-search/search.ts'
import type { Pattern } from '../filters/filters.ts'
import type { LambdaFunction, Mapping } from '../model/model.ts'
import { type Position, type Resource, type Setting, valueIn } from '../model/setting.ts'
import type { Row } from '../model/settings-table.ts'
import { FUNCTION_SETTINGS, MAPPING_SETTINGS, QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings-table.ts'
import { formatNumber } from '../shared/format.ts'

export type Severity = 'error' | 'warning' | 'info'

export type Assignment = readonly [row: Row, value: unknown]

export interface Problem {
  resource: Resource
  /** The setting to change. It gets one finding, even if it breaks several rules for several mappings. */
  setting?: Setting<unknown> | undefined
  /** The position to show if the setting has none. */
  position?: Position | undefined
  what: string
  /** Missing for what was not checked: then it depends on the input. */
  fix?: string | undefined
  /** What to set, to which value. The finding shows it as a line in the syntax of the input. */
  set?: Assignment | undefined
  severity?: Severity
  why?: string
  /** Of several problems with one setting, the finding shows the one with the highest number. */
  strictness?: number
  /** Why `what` was not checked. Undefined if it was checked, and is wrong. */
  reason?: string | undefined
  /** The page of AWS that documents it, if it is not the page of the rule. */
  source?: string
}

/** What a rule can use beside the mapping. */
export interface Context {
  /** The mappings of the same function, this one included. */
  ofFunction: readonly Mapping[]
  /** The mappings of the same queue, this one included. */
  ofQueue: readonly Mapping[]
  evidenceOf: (lambdaFunction: LambdaFunction) => Evidence
  /** Whether a mapping of which nothing could be checked is a warning. */
  strict?: boolean | undefined
}

export interface Rule {
  id: string
  severity: Severity
  why: string
  source: string
  /** Whether the problems are the same for all mappings of a queue that run under the same condition. */
  isOfQueue?: true
  check: (mapping: Mapping, context: Context) => Problem | Problem[] | undefined
}

export function rulesOf(table: Readonly<Record<string, Omit<Rule, 'id'>>>): readonly Rule[] {
  return Object.entries(table).map(([id, rule]) => ({ id, ...rule }))
}

export const LAMBDA_GUIDE = 'https://docs.aws.amazon.com/lambda/latest/dg'
export const LAMBDA_API = 'https://docs.aws.amazon.com/lambda/latest/api'
export const SQS = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest'

/** The number, or NaN if it is not known. Comparisons with NaN are false, so a rule reports nothing then. */
export function numberIn(setting: Setting<number> | undefined): number {
  return setting?.state === 'known' ? setting.value : Number.NaN
}

/** The patterns of the filters of a mapping. Empty if it has no filters, or if they are not known. */
export function patternsOf({ filters }: Mapping): readonly Setting<Pattern>[] {
  return valueIn(filters) ?? []
}

export function isFifo({ queue }: Mapping): boolean {
  return valueIn(queue.fifo) === true
}

/** The function of an alias or a version, which is its own otherwise. */
export function ownerOf(lambdaFunction: LambdaFunction): LambdaFunction {
  return lambdaFunction.aliasOf ?? lambdaFunction
}

/**
 * The mappings that run under the same condition as this one, itself included. Empty if it is not known
 * that this one runs. Different conditions whose values are not known may exclude each other.
 */
export function runningWith({ runs, condition }: Mapping, ofQueue: readonly Mapping[]): readonly Mapping[] {
  if (valueIn(runs) !== true) return []
  return ofQueue.filter((other) => valueIn(other.runs) === true && other.condition?.name === condition?.name)
}

/** `30 s`, with a note if it is the default. */
export function formatSeconds(setting: Setting<number>): string {
  if (setting.state !== 'known') return 'not known'
  return `${formatNumber(setting.value)} s${setting.isDefault ? ', the default' : ''}`
}

const ROWS = { ...MAPPING_SETTINGS, ...FUNCTION_SETTINGS, ...QUEUE_SETTINGS, ...REDRIVE_SETTINGS }
type Key = keyof typeof ROWS

/** A problem with a setting of a resource. `value` is what to set instead. */
export function problem(
  resource: Resource & { readonly [key in Key]?: Setting<unknown> },
  key: Key | undefined,
  what: string,
  fix: string,
  value?: unknown,
): Problem {
  const set = key === undefined || value === undefined ? undefined : ([ROWS[key], value] as const)
  return { resource, setting: key && resource[key], position: resource.position, what, fix, set }
}

/** The evidence in the code of a function. An alias has the code of its function. */
export function evidenceWith(search: CodeSearch): Context['evidenceOf'] {
  return ({ aliasOf, code = aliasOf?.code, unreadReason }) =>
    code ? search(code) : { missing: unreadReason ?? 'the input does not show where the code is' }
}
