import type { Position } from './template/document.ts'

/** A setting. Its value can be unknown. `absent` means that it is not set and that AWS has no default. */
export type Setting<T> = (
  | { state: 'known'; value: T; isDefault?: true }
  | { state: 'absent'; position?: undefined }
  /** `fix` is present if AWS rejects the value. It says what to set instead. */
  | { state: 'unknown'; reason: string; fix?: string }
) & {
  position?: Position | undefined
  /** The section that sets it, if the resource itself does not: Globals of SAM. */
  section?: string
}

export interface Resource {
  /** Its logical id in a template, its address in Terraform, or its name if it is deployed. */
  id: string
  position?: Position | undefined
  /** Why the resource could not be read, for example because it is in another stack. */
  unreadReason?: string | undefined
}

export interface Queue extends Resource {
  fifo: Setting<boolean>
  /** Seconds. */
  visibilityTimeout: Setting<number>
  /** Seconds. */
  retention: Setting<number>
  redrive: Setting<Redrive>
  /** Whether another queue uses it as dead-letter queue. */
  isDeadLetterQueue?: boolean
}

export interface Redrive {
  arn: Setting<string>
  maxReceiveCount: Setting<number>
  deadLetterQueue: Resource & Pick<Queue, 'fifo' | 'retention'>
}

export interface LambdaFunction extends Resource {
  /** The function of this alias or version. Both share its reserved concurrency. */
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
  /** The mode of tenant isolation. Absent if tenants are not isolated. */
  tenantIsolation: Setting<string>
  /** Seconds that a durable execution may take. Absent if the function is not durable. */
  executionTimeout: Setting<number>
}

/** An SQS event source mapping, enabled or not, with its function and its queue. */
export interface Mapping extends Resource {
  batchSize: Setting<number>
  /** Seconds. */
  window: Setting<number>
  /** Whether ReportBatchItemFailures is on. */
  reportBatchItemFailures: Setting<boolean>
  /** The other entries of FunctionResponseTypes. */
  otherResponseTypes?: readonly string[]
  maximumConcurrency: Setting<number>
  provisioned: Setting<boolean>
  minimumPollers: Setting<number>
  maximumPollers: Setting<number>
  /** The patterns of FilterCriteria. */
  filters: Setting<readonly Setting<Pattern>[]>
  /** The settings that only streams have, with their names in templates. Only read from a template. */
  ofStreams?: readonly { name: string; setting: Setting<true> }[] | undefined
  /** Whether the mapping is enabled, and exists under the conditions of the template. */
  runs: Setting<boolean>
  /** Only set if the mapping has a condition whose value is not known. `reason` says why. */
  condition?: { name: string; reason: string } | undefined
  /** SAM creates the mapping for an SNS topic, without FunctionResponseTypes. */
  isFromSnsEvent?: true
  function: LambdaFunction
  queue: Queue
  /** The ARN of the queue, as set in the mapping. */
  arn: Setting<string>
}

/**
 * Whether a filter matches bodies that are JSON, or bodies as text. `json` is the pattern without spaces between its
 * parts. `error` says why Lambda rejects the filter, or why the filter matches nothing.
 */
export type Pattern =
  | { forms: readonly ('json' | 'text')[]; json: string; error?: undefined }
  | { forms?: undefined; json?: undefined; error: string }

/** A resource that could not be read, with the reason. `fix` replaces the default fix in doctor/not-checked.ts. */
export interface Unread extends Resource {
  unreadReason: string
  /** What was not checked, if it is not the whole resource. */
  what?: string | undefined
  fix?: string | undefined
}

/** A part of a template that CloudFormation rejects, and that is not one of the settings of the model. */
export interface Rejected extends Resource {
  position: Position
  reason: string
  fix: string
  /** The page of AWS that documents it. */
  source: string
}

export interface Model {
  /** The template. Missing for a deployed function and for Terraform. */
  file?: string
  /** Replaces the default fix in doctor/not-checked.ts. */
  fix?: string
  mappings: readonly Mapping[]
  /** Mappings of other functions or aliases that read the same queues. They are only compared with `mappings`. */
  otherReaders?: readonly Mapping[]
  unreadResources: readonly Unread[]
  /** The parameters of a template whose defaults were used. */
  defaulted?: readonly string[]
  /** Missing for a deployed function and for Terraform. */
  rejected?: readonly Rejected[]
}

export function known<T>(value: T, position?: Position): Setting<T> {
  return { state: 'known', value, position }
}

export const absent = { state: 'absent' } as const

export function unknown(reason: string, position?: Position) {
  return { state: 'unknown', reason, position } as const
}

export function invalid(reason: string, fix: string, position?: Position) {
  return { ...unknown(reason, position), fix }
}

/** The value, or undefined if it is not known. */
export function valueIn<T>(setting: Setting<T>): T | undefined {
  return setting.state === 'known' ? setting.value : undefined
}

/**
 * The defaults of AWS, and the values that it accepts; in seconds and megabytes. The rules `batch-size` and
 * `concurrency-range` check the maximum batch size and the range of the maximum concurrency, because their messages say
 * more. These limits are therefore infinite here.
 */
const LIMITS = {
  batchSize: { default: 10, least: 1, most: Number.POSITIVE_INFINITY },
  window: { default: 0, least: 0, most: 300 },
  timeout: { default: 3, least: 1, most: 900 },
  // For functions on Lambda Managed Instances, since September 2026.
  managedTimeout: { default: 3, least: 1, most: 5400 },
  executionTimeout: { default: undefined, least: 1, most: 31_622_400 },
  memory: { default: 128, least: 128, most: 10_240 },
  // For functions on Lambda Managed Instances, since March 2026. From the documentation of `memory_size` in Terraform's
  // AWS provider.
  managedMemory: { default: 128, least: 128, most: 32_768 },
  visibilityTimeout: { default: 30, least: 0, most: 43_200 },
  retention: { default: 345_600, least: 60, most: 1_209_600 },
  maxReceiveCount: { default: undefined, least: 1, most: 1000 },
  // From API_ProvisionedPollerConfig. The developer guide gives a maximum of 2,000.
  minimumPollers: { default: undefined, least: 2, most: 200 },
  maximumPollers: { default: undefined, least: 2, most: 10_000 },
  maximumConcurrency: { default: undefined, least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY },
  reservedConcurrency: { default: undefined, least: 0, most: Number.POSITIVE_INFINITY },
} as const

export type Limit = keyof typeof LIMITS

/** A whole number as text, which AWS accepts. `Number` also accepts other forms, such as 0x1f and 1e3. */
const WHOLE_NUMBER = /^\s*[+-]?\d+(\.0+)?\s*$/

/**
 * Checks a number. Returns it if AWS accepts it, and otherwise why AWS rejects it. If it is not set, returns the
 * default of AWS, or absent if there is no default.
 */
export function numberSetting(limit: Limit, value: unknown, position?: Position): Setting<number> {
  const { default: defaultValue, least, most } = LIMITS[limit]
  if (value === undefined)
    return defaultValue === undefined ? absent : { state: 'known', value: defaultValue, isDefault: true }
  const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value
  if (!Number.isInteger(number)) {
    return invalid(`${JSON.stringify(value)} is not a whole number`, 'Set a whole number.', position)
  }
  if ((number as number) >= least && (number as number) <= most) return known(number as number, position)
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most.toLocaleString('en-US')}`
  return invalid(
    `${number} is outside of the range that AWS accepts (${range})`,
    `Set a whole number in this range: ${range}.`,
    position,
  )
}

/** The timeout, whose range depends on whether the function runs on Lambda Managed Instances. */
export function timeoutSetting(timeout: Setting<unknown>, managed: Setting<unknown>): Setting<number> {
  return managedSetting('timeout', 'managedTimeout', 's', timeout, managed)
}

/** The memory size, whose range depends on whether the function runs on Lambda Managed Instances. */
export function memorySetting(memory: Setting<unknown>, managed: Setting<unknown>): Setting<number> {
  return managedSetting('memory', 'managedMemory', 'MB', memory, managed)
}

function managedSetting(
  limit: Limit,
  managedLimit: Limit,
  unit: string,
  given: Setting<unknown>,
  managed: Setting<unknown>,
): Setting<number> {
  if (given.state === 'unknown') return given
  const { position } = given
  const value = valueIn(given)
  const onInstances = numberSetting(managedLimit, value, position)
  if (managed.state === 'known') return onInstances
  const setting = numberSetting(limit, value, position)
  if (managed.state === 'absent' || setting.state === 'known' || onInstances.state !== 'known') return setting
  const what = `${value} ${unit} is valid only on Managed Instances, and the function's CapacityProviderConfig is not known`
  return unknown(`${what}: ${managed.reason}`, position)
}

export function unreadFunction(id: string, unreadReason: string, position?: Position): LambdaFunction {
  return {
    id,
    position,
    unreadReason,
    timeout: unknown(unreadReason),
    memory: unknown(unreadReason),
    runtime: unknown(unreadReason),
    reservedConcurrency: unknown(unreadReason),
    deadLetterTarget: unknown(unreadReason),
    tenantIsolation: unknown(unreadReason),
    executionTimeout: unknown(unreadReason),
  }
}

/** An alias or a version whose settings may differ from those of its function. */
export function unreadVersion(
  id: string,
  unreadReason: string,
  aliasOf: LambdaFunction,
  position?: Position,
): LambdaFunction {
  const { reservedConcurrency } = aliasOf
  return { ...unreadFunction(id, unreadReason, position), aliasOf, reservedConcurrency }
}

/** An alias of several versions. Their settings may differ, so none is checked. */
export function weightedAlias(id: string, aliasOf: LambdaFunction, position?: Position): LambdaFunction {
  return unreadVersion(id, `it routes invocations to several versions of ${aliasOf.id}`, aliasOf, position)
}

/** A version that is given by its number. The resource has only the settings of the newest version. */
export function pinnedVersion(id: string, version: string, aliasOf: LambdaFunction, position?: Position) {
  const what = `it is version ${version} of ${aliasOf.id}`
  return unreadVersion(id, `${what}, whose settings may differ from those of the resource`, aliasOf, position)
}

export function unreadQueue(id: string, unreadReason: string, position?: Position): Queue {
  return {
    id,
    position,
    unreadReason,
    fifo: unknown(unreadReason, position),
    visibilityTimeout: unknown(unreadReason, position),
    retention: unknown(unreadReason, position),
    redrive: unknown(unreadReason, position),
  }
}

/** The error if a redrive policy lacks one of its two keys. */
export function incompletePolicy(hasArn: boolean, hasCount: boolean, position?: Position) {
  const missing = [!hasArn && 'deadLetterTargetArn', !hasCount && 'maxReceiveCount'].filter(Boolean).join(' and no ')
  const fix = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
  return missing === '' ? undefined : invalid(`it has no ${missing}`, fix, position)
}

type QueueKind = Pick<Queue, 'id' | 'fifo'>

/** The error if only one of a queue and its dead-letter queue is a FIFO queue. Undefined if a kind is not known. */
export function kindMismatch(queue: QueueKind, deadLetterQueue: QueueKind, position?: Position) {
  const isFifo = valueIn(queue.fifo)
  if (isFifo === undefined || valueIn(deadLetterQueue.fifo) !== !isFifo) return undefined
  const [kind, otherKind] = isFifo ? ['a FIFO queue', 'a standard queue'] : ['a standard queue', 'a FIFO queue']
  const what = `${deadLetterQueue.id} is ${otherKind}, but ${queue.id} is ${kind}`
  return invalid(what, `Use ${kind} as the dead-letter queue.`, position)
}
