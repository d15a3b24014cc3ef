import type { Code } from '../code/source.ts'
import { invalid, type Position, type Setting, unknown, valueIn } from './setting.ts'
import {
  FUNCTION_SETTINGS,
  type MAPPING_SETTINGS,
  QUEUE_SETTINGS,
  type REDRIVE_SETTINGS,
  type SettingsOf,
} from './settings.ts'

export interface Resource {
  /** Its logical id in a template, its address in Terraform, or its name if it is deployed. */
  id: string
  position?: Position | undefined
  /** Why the resource could not be read, for example because it is in another stack. */
  unreadReason?: string | undefined
}

export interface Queue extends Resource, SettingsOf<typeof QUEUE_SETTINGS> {
  /** Whether something uses it as dead-letter queue. */
  isDeadLetterQueue?: boolean
  /** SAM creates it for an SNS topic, so the template cannot change its settings. */
  isMadeBySam?: true
  /** Its subscriptions to SNS topics, as far as the input shows them. */
  subscriptions?: readonly Subscription[]
}

/** A subscription of a queue to an SNS topic. */
export interface Subscription extends Resource {
  /** Whether messages arrive without the envelope of SNS. */
  isRaw: Setting<boolean>
}

export interface RedrivePolicy extends SettingsOf<typeof REDRIVE_SETTINGS> {
  deadLetterQueue: Resource & Pick<Queue, 'fifo' | 'retention'>
}

/** The environment variables of a function, as far as its template shows them. */
export interface Environment {
  variables: Readonly<Record<string, string>>
  /** Variables whose values are known only after deployment, and why. Without a name: any variable. */
  unknown: readonly { name?: string; reason: string }[]
}

export interface LambdaFunction extends Resource, SettingsOf<typeof FUNCTION_SETTINGS> {
  /** The function of this alias or version. Both share its reserved concurrency. */
  aliasOf?: LambdaFunction
  /** Missing if the input does not show it, as for a deployed function. */
  code?: Code
  /** Only set if a template shows it. */
  environment?: Environment
  /** The variable NODE_OPTIONS, if it is known. */
  nodeOptions?: string | undefined
}

/** An SQS event source mapping, enabled or not, with its function and its queue. */
export interface Mapping extends Resource, SettingsOf<typeof MAPPING_SETTINGS> {
  /** The other entries of FunctionResponseTypes. */
  otherResponseTypes?: readonly string[]
  /** Whether ProvisionedPollerConfig has a value. */
  provisioned: Setting<boolean>
  /** Only set if the mapping has a condition whose value is not known. `reason` says why. */
  condition?: { name: string; reason: string } | undefined
  /** SAM creates the mapping for an SNS topic, without FunctionResponseTypes. */
  isFromSnsEvent?: true
  function: LambdaFunction
  queue: Queue
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

/** A finding that somebody accepts, in a template or on the command line. */
export interface Acceptance {
  rule: string
  resource: string
  /** Empty if there is none. Then the finding is not accepted. */
  reason: string
  /** The file in which it is written. Missing for an option. */
  place?: { file: string; line: number }
}

/** The value of a parameter with allowed values: its default, or the first allowed one. */
export interface ChosenValue {
  name: string
  value: string
  isDefault: boolean
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
  /** Mappings that do not exist with the parameters, with the conditions that exclude them. */
  absentResources?: readonly Unread[]
  /** The syntax of fixes. YAML if it is missing. */
  syntax?: 'yaml' | 'json' | 'terraform'
  /** The path of the construct in the CDK that makes a resource. Only set for a template. */
  constructOf?: (id: string) => string | undefined
  /** The case of the template, such as `with Env=prod`. Missing if there is only one case. */
  label?: string
  /** The parameter of the template that varies between its cases. */
  parameter?: string
  /** The findings that the template accepts. */
  acceptances?: readonly Acceptance[]
  /** The parameters of a template whose defaults were used. */
  defaulted?: readonly string[]
  /** The parameters with allowed values that were used and not given. Only set if one case of the template was read. */
  chosen?: readonly ChosenValue[]
}

export function unreadFunction(id: string, unreadReason: string, position?: Position): LambdaFunction {
  const settings = Object.keys(FUNCTION_SETTINGS).map((name) => [name, unknown(unreadReason)])
  return { id, position, unreadReason, ...(Object.fromEntries(settings) as SettingsOf<typeof FUNCTION_SETTINGS>) }
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
  const settings = Object.keys(QUEUE_SETTINGS).map((name) => [name, unknown(unreadReason, position)])
  return { id, position, unreadReason, ...(Object.fromEntries(settings) as SettingsOf<typeof QUEUE_SETTINGS>) }
}

/** The error if a redrive policy lacks one of its two keys. */
export function incompletePolicy(hasArn: boolean, hasCount: boolean, position?: Position) {
  const missing = [!hasArn && 'deadLetterTargetArn', !hasCount && 'maxReceiveCount'].filter(Boolean).join(' and no ')
  const fix = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
  return missing === '' ? undefined : invalid(`it has no ${missing}`, fix, position)
}

/**
 * The error if a dead-letter queue does not accept messages of a queue. Undefined if it does, or if that is not known.
 *
 * @param isListed whether `sourceQueueArns` contains the queue
 */
export function redriveDenied(
  queue: string,
  deadLetterQueue: string,
  permission: string | undefined,
  isListed: boolean | undefined,
  position?: Position,
) {
  if (permission === 'denyAll') {
    const fix = `Remove RedriveAllowPolicy of ${deadLetterQueue}, or set its redrivePermission to allowAll.`
    return invalid(`${deadLetterQueue} has the redrivePermission denyAll`, fix, position)
  }
  if (permission !== 'byQueue' || isListed !== false) return undefined
  const what = `${deadLetterQueue} has the redrivePermission byQueue, and its sourceQueueArns do not contain ${queue}`
  return invalid(what, `Add the ARN of ${queue} to sourceQueueArns of ${deadLetterQueue}.`, position)
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
