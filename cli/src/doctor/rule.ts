import { type Mapping, type Pattern, type Resource, type Setting, valueIn } from '../model.ts'
import type { Place } from '../template/document.ts'

export type Severity = 'error' | 'warning' | 'info'

export interface CheckOptions {
  /** Bytes of a typical body. Undefined: what fits into 6 MB is not checked. */
  bodyBytes?: number | undefined
  /** Milliseconds that the handler takes for a record. Undefined: the function's timeout is not checked against it. */
  recordMs?: number | undefined
  /** Records that the handler works on at once. */
  recordConcurrency: number
  today: Date
}

/** What is wrong, where, and what to do about it. */
export interface Broken {
  resource: Resource
  /** The setting to change: it gives one finding, however many rules and mappings meet it. */
  setting?: Setting<unknown> | undefined
  /** Where, unless the setting says so itself. */
  place?: Place | undefined
  what: string
  fix: string
  /** The number in `fix`, if a larger one for the same setting does for this too. */
  need?: number
  /** Why `what` was not checked; undefined where it was, and is wrong. */
  reason?: string
  /** The page where AWS says so, where it is not the rule's. */
  source?: string
}

/** What a mapping shares a function or a queue with, itself included. */
export interface Siblings {
  ofFunction: readonly Mapping[]
  ofQueue: readonly Mapping[]
}

export interface Rule {
  id: string
  severity: Severity
  /** Why it matters, in one sentence. */
  why: string
  /** Where AWS says so. */
  source: string
  check: (mapping: Mapping, options: CheckOptions, siblings: Siblings) => Broken | Broken[] | undefined
}

export const LAMBDA_GUIDE = 'https://docs.aws.amazon.com/lambda/latest/dg'
export const SQS_GUIDE = 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide'

/** The number, or NaN where none is known: every comparison with it is false, so no rule fires. */
export function numberIn(setting: Setting<number> | undefined): number {
  return setting?.state === 'known' ? setting.value : Number.NaN
}

/** The patterns of a mapping's filters: none where it has no filters, or they are not known. */
export function patternsOf({ filters }: Mapping): readonly Setting<Pattern>[] {
  return valueIn(filters) ?? []
}

export function whole(value: number) {
  return value.toLocaleString('en-US')
}

/** `30 s`, and whether nobody chose it. */
export function seconds(setting: Setting<number>): string {
  if (setting.state !== 'known') return 'not known'
  return `${whole(setting.value)} s${setting.isDefault ? ', the default' : ''}`
}

export function broken(resource: Resource, setting: Setting<unknown>, what: string, fix: string): Broken {
  return {
    resource,
    setting,
    place: resource.place,
    what,
    fix,
  }
}
