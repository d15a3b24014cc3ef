import type { Code } from '../code-search/search.ts'
import type { Resource } from './setting.ts'
import type { Tree } from './tree.ts'

/** `stream` stands for all other event sources. `policy` is a policy of a role, or its attachment. */
export type Kind =
  | 'queue'
  | 'function'
  | 'alias'
  | 'version'
  | 'mapping'
  | 'redrivePolicy'
  | 'redriveAllowPolicy'
  | 'invokeConfig'
  | 'role'
  | 'policy'
  | 'resourcePolicy'
  | 'key'
  | 'keyAlias'
  | 'sender'
  | 'stream'
  | 'other'

/** A condition of a resource. If its value is not known, `reason` says why. */
export interface Condition {
  name: string
  holds: boolean | undefined
  reason: string
}

/** A resource as an input declares it. Its properties have the names of the format of this input. */
export interface Declaration extends Resource {
  kind: Kind
  /** The type in the input: `AWS::SQS::Queue`. */
  type: string
  properties: Tree
  /** How other resources can name it, as texts that may have placeholders. */
  names: { arn?: string | undefined; url?: string | undefined; name?: string | undefined; version?: string | undefined }
  /** The declaration of several instances. Settings of them with equal values are one setting. */
  declaredAs?: string
  condition?: Condition | undefined
  /** It is in another stack, and only compared with those of this one. */
  isElsewhere?: boolean
  /** Of a mapping: it is certain that its source is a queue. */
  readsQueue?: boolean
  /** Of a deployed alias: its function. */
  aliasOf?: Declaration
  // These are read only if they are needed.
  /** Of a function: where its code is. */
  code?: () => Code
  /** Of a function: whether it has an event that is not a mapping. */
  hasOtherEvents?: () => boolean
  /** The ids of the resources to which it refers, and texts with ARNs. */
  mentions?: () => readonly string[]
}

export interface Unread extends Resource {
  unreadReason: string
  /** What was not checked, if it is not the whole resource. */
  what?: string | undefined
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

export type Format = 'cloudFormation' | 'terraform' | 'api'

/** All that an input declares. The linker makes a model of it. */
export interface Inventory {
  format: Format
  declarations: readonly Declaration[]
  /** What names dead-letter queues and destinations of failures, each with its resource: an id, or a text. */
  deadLetterTargets: readonly { owner: string; id?: string; text?: string }[]
  elsewhere: string
  /** The account of the stack, or its placeholder. An ARN with another account means another resource. */
  account?: string
  unreadResources: readonly Unread[]
  /** Why there may be resources or policies that the input does not show. */
  open?: string | undefined
  acceptances?: readonly Acceptance[]
}
