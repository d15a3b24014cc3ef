import type { Code } from '../code-search/search.ts'
import type { Acceptance, Unread } from './declaration.ts'
import { type Position, type Resource, type Setting, unknown } from './setting.ts'
import {
  FUNCTION_SETTINGS,
  type MAPPING_SETTINGS,
  QUEUE_SETTINGS,
  type REDRIVE_SETTINGS,
  type SettingsOf,
  settingsIn,
  type Table,
} from './settings-table.ts'

export interface Queue extends Resource, SettingsOf<typeof QUEUE_SETTINGS> {
  redrive: Setting<RedrivePolicy>
  /** Whether something uses it as dead-letter queue. */
  isDeadLetterQueue?: boolean
  /** Whether it is encrypted with a key of the input. Undefined if this is not known. */
  hasOwnKey?: boolean | undefined
  /** The services that send to it. Missing if the input does not show them. */
  senders?: () => readonly Sender[]
}

/** A resource through which a service of AWS sends to a queue. What is undefined is not known. */
export interface Sender extends Resource {
  service: string
  maySend: boolean | undefined
  /** Whether it may use the key of the queue. True if there is none. */
  usesKey: boolean | undefined
}

export interface RedrivePolicy extends SettingsOf<typeof REDRIVE_SETTINGS> {
  deadLetterQueue: DeadLetterQueue
}

export type DeadLetterQueue = Resource &
  Pick<Queue, 'fifo' | 'retention'> & {
    queueName?: Setting<string>
    /** Why its RedriveAllowPolicy does not allow the source queue. */
    refusal?: string | undefined
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
  /** Whether something other than mappings invokes it. Missing if the input does not show it. */
  isInvokedOtherwise?: () => boolean
  /** Whether its role may do something. Undefined if this is not known. Missing if the input does not show roles. */
  mayDo?: (action: string) => boolean | undefined
}

/** An SQS event source mapping, enabled or not, with its function and its queue. */
export interface Mapping extends Resource, SettingsOf<typeof MAPPING_SETTINGS> {
  /** The ARN of its queue, if AWS rejects what is there. */
  sourceArn?: Setting<string> | undefined
  /** The name of its function, if AWS rejects what is there. */
  functionName?: Setting<string> | undefined
  /** What it invokes, if that is certain. Mappings with equal texts invoke the same. */
  target?: string | undefined
  /** Settings that only mappings of streams have. */
  streamSettings?: readonly { name: string; setting: Setting<boolean> }[]
  /** Only set if the mapping has a condition whose value is not known. `reason` says why. */
  condition?: { name: string; reason: string } | undefined
  function: LambdaFunction
  queue: Queue
}

export interface Model {
  mappings: readonly Mapping[]
  /** Mappings of other functions that read the same queues. They are only compared with `mappings`. */
  otherReaders?: readonly Mapping[]
  unreadResources: readonly Unread[]
  /** The findings that the template accepts. */
  acceptances?: readonly Acceptance[]
  /** The parameters of a template whose defaults were used. */
  defaulted?: readonly string[]
}

/** All settings of a resource that could not be read are unknown. */
function unreadSettings<T extends Table>(table: T, id: string, reason: string, position?: Position): SettingsOf<T> {
  return settingsIn(table, { id, properties: unknown(reason, position) }, 'api')
}

export function unreadFunction(id: string, unreadReason: string, position?: Position): LambdaFunction {
  return { id, position, unreadReason, ...unreadSettings(FUNCTION_SETTINGS, id, unreadReason) }
}

/** An alias or a version whose settings may differ from those of its function, which the input shows. */
export function otherVersion(id: string, aliasOf: LambdaFunction, position?: Position): LambdaFunction {
  const reason = `its versions may have other settings than ${aliasOf.id}`
  return { ...unreadFunction(id, reason, position), aliasOf, reservedConcurrency: aliasOf.reservedConcurrency }
}

export function unreadQueue(id: string, unreadReason: string, position?: Position): Queue {
  const settings = unreadSettings(QUEUE_SETTINGS, id, unreadReason, position)
  return { id, position, unreadReason, ...settings, redrive: unknown(unreadReason, position) }
}
