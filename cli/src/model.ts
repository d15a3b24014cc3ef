import type { Place } from './template/document.ts'

/** A value as far as it can be known: `absent` is known too, and has no default of AWS. */
export type Setting<T> = (
  | { state: 'known'; value: T; isDefault?: true }
  | { state: 'absent'; place?: undefined }
  /** `wrong`: AWS refuses it, and what to do about that. */
  | { state: 'unknown'; reason: string; wrong?: string }
) & {
  place?: Place | undefined
  /** Where it stands, if not in the resource itself: SAM's Globals. */
  of?: string
}

export interface Resource {
  /** Its logical id in a template, its name where it is live. */
  id: string
  place?: Place | undefined
  /** Why nothing of it is known: it is in another stack, or may not be read. */
  unread?: string | undefined
}

export interface Queue extends Resource {
  fifo: Setting<boolean>
  /** Seconds. */
  visibilityTimeout: Setting<number>
  /** Seconds. */
  retention: Setting<number>
  redrive: Setting<Redrive>
  /** The template makes it the dead-letter queue of another. */
  isDeadLetterQueue?: boolean
}

export interface Redrive {
  arn: Setting<string>
  maxReceiveCount: Setting<number>
  deadLetterQueue: Resource & { retention: Setting<number> }
}

export interface LambdaFunction extends Resource {
  /** The function whose alias or version it is: they share its reserved concurrency. */
  aliasOf?: LambdaFunction
  /** Seconds. */
  timeout: Setting<number>
  /** Megabytes. */
  memory: Setting<number>
  /** Absent for a container image. */
  runtime: Setting<string>
  reservedConcurrency: Setting<number>
  /** The dead-letter queue of the function itself: `DeadLetterConfig`, in SAM `DeadLetterQueue`. */
  deadLetterTarget: Setting<true>
  /** The mode, where tenants are isolated from each other. */
  tenantIsolation: Setting<string>
  /** Seconds that a whole execution may take. Absent where the function is not durable. */
  executionTimeout: Setting<number>
}

/** An SQS event source mapping, enabled or not, with what it joins. */
export interface Mapping extends Resource {
  batchSize: Setting<number>
  /** Seconds. */
  window: Setting<number>
  /** Whether ReportBatchItemFailures is on. */
  reports: Setting<boolean>
  /** What else FunctionResponseTypes lists. */
  otherResponseTypes?: readonly string[]
  maximumConcurrency: Setting<number>
  provisioned: Setting<boolean>
  minimumPollers: Setting<number>
  maximumPollers: Setting<number>
  /** The patterns of FilterCriteria. */
  filters: Setting<readonly Setting<Pattern>[]>
  /** Whether it is enabled, and there at all under the conditions of the template. */
  runs: Setting<boolean>
  /** SAM makes it, between a topic and the function, and leaves FunctionResponseTypes out. */
  ofTopic?: true
  function: LambdaFunction
  queue: Queue
  /** The queue's, as the mapping has it. */
  arn: Setting<string>
}

/** What a filter looks at: the body parsed as JSON, or the body as text. `wrong`: Lambda refuses it, or nothing matches it. */
export type Pattern = { forms: readonly ('json' | 'text')[]; wrong?: undefined } | { forms?: undefined; wrong: string }

/** What could not be looked into, why, and what to do about it where that is not the usual. */
export interface Unread extends Resource {
  unread: string
  fix?: string | undefined
}

export interface Model {
  file?: string
  mappings: readonly Mapping[]
  unread: readonly Unread[]
}

export function known<T>(value: T, place?: Place): Setting<T> {
  return { state: 'known', value, place }
}

export const absent = { state: 'absent' } as const

export function unknown(reason: string, place?: Place) {
  return { state: 'unknown', reason, place } as const
}

export function wrong(reason: string, fix: string, place?: Place) {
  return { ...unknown(reason, place), wrong: fix }
}

/** The value, or undefined where it is not known. */
export function valueIn<T>(setting: Setting<T>): T | undefined {
  return setting.state === 'known' ? setting.value : undefined
}

/** What AWS takes where nothing is set, and what it accepts; seconds and megabytes. */
export const LIMITS = {
  batchSize: { default: 10, least: 1, most: Number.POSITIVE_INFINITY },
  window: { default: 0, least: 0, most: 300 },
  timeout: { default: 3, least: 1, most: 900 },
  // Of a function on Lambda Managed Instances, since September 2026.
  managedTimeout: { default: 3, least: 1, most: 5400 },
  executionTimeout: { default: undefined, least: 1, most: 31_622_400 },
  memory: { default: 128, least: 128, most: 10_240 },
  visibilityTimeout: { default: 30, least: 0, most: 43_200 },
  retention: { default: 345_600, least: 60, most: 1_209_600 },
  maxReceiveCount: { default: undefined, least: 1, most: 1000 },
  // API_ProvisionedPollerConfig. The developer guide has 2,000 as the most.
  minimumPollers: { default: undefined, least: 2, most: 200 },
  maximumPollers: { default: undefined, least: 2, most: 10_000 },
  maximumConcurrency: { default: undefined, least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY },
  reservedConcurrency: { default: undefined, least: 0, most: Number.POSITIVE_INFINITY },
} as const

export type Limit = keyof typeof LIMITS

/** A number that AWS would take, its default where there is none, or why it is neither. */
export function numberSetting(limit: Limit, value: unknown, place?: Place): Setting<number> {
  const { default: standard, least, most } = LIMITS[limit]
  if (value === undefined) return standard === undefined ? absent : { state: 'known', value: standard, isDefault: true }
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (!Number.isInteger(number)) {
    return wrong(`${JSON.stringify(value)} is not a whole number`, 'Set a whole number.', place)
  }
  if ((number as number) >= least && (number as number) <= most) return known(number as number, place)
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most.toLocaleString('en-US')}`
  return wrong(`${number} is no value that AWS takes (${range})`, `Set a whole number, ${range}.`, place)
}

/** The timeout, whose range depends on whether the function runs on Lambda Managed Instances. */
export function timeoutSetting(value: unknown, managed: Setting<unknown>, place?: Place): Setting<number> {
  const onInstances = numberSetting('managedTimeout', value, place)
  if (managed.state === 'known') return onInstances
  const timeout = numberSetting('timeout', value, place)
  if (managed.state === 'absent' || timeout.state === 'known' || onInstances.state !== 'known') return timeout
  const what = `${value} s is valid only on Managed Instances, and its CapacityProviderConfig is not known`
  return unknown(`${what}: ${managed.reason}`, place)
}

export function unreadFunction(id: string, unread: string, place?: Place): LambdaFunction {
  return {
    id,
    place,
    unread,
    timeout: unknown(unread),
    memory: unknown(unread),
    runtime: unknown(unread),
    reservedConcurrency: unknown(unread),
    deadLetterTarget: unknown(unread),
    tenantIsolation: unknown(unread),
    executionTimeout: unknown(unread),
  }
}

export function unreadQueue(id: string, unread: string, place?: Place): Queue {
  return {
    id,
    place,
    unread,
    fifo: unknown(unread, place),
    visibilityTimeout: unknown(unread, place),
    retention: unknown(unread, place),
    redrive: unknown(unread, place),
  }
}
