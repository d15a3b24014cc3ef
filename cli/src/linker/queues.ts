import type { Declaration } from '../model/declaration.ts'
import {
  type DeadLetterQueue,
  deadLetterQueueOf,
  type Queue,
  type RedrivePolicy,
  type Subscription,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import {
  identified,
  PLACES,
  QUEUE_SETTINGS,
  REDRIVE_SETTINGS,
  SUBSCRIPTION_SETTINGS,
  settingsIn,
  valueAt,
} from '../model/settings.ts'
import { mapIn, namesInArn, readable, whyUnknown } from '../model/text.ts'
import { formOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { type Index, isOfOtherService, type Link, linkTo } from './references.ts'

/** The queues that were linked so far, and what names queues. Each of them is made once. */
export interface QueueLinker {
  index: Index
  queues: Map<Declaration, Queue>
  /** The owners of the settings that name a queue as dead-letter queue, by its id. */
  deadLetterOwners: ReadonlyMap<string, ReadonlySet<string>>
  /** Redrive policies that are resources of their own, and subscriptions. */
  policies: readonly LinkedPart[]
  subscriptions: readonly LinkedPart[]
}

interface LinkedPart {
  part: Declaration
  found: Link
}

export function queueLinker(index: Index): QueueLinker {
  const { format } = index
  const linked = (part: Declaration, tree: Tree) => ({ part, found: linkTo(index, tree, 'queue') })
  const isOfQueue = ({ properties }: Declaration) => knownText(valueAt(PLACES.protocol, properties, format)) === 'sqs'
  return {
    index,
    queues: new Map(),
    deadLetterOwners: deadLetterOwners(index),
    policies: index.ofKind('redrivePolicy').map((one) => {
      return linked(one, valueAt(PLACES.queueOfPolicy, one.properties, format))
    }),
    subscriptions: index
      .ofKind('subscription')
      .filter(isOfQueue)
      .map((one) => linked(one, valueAt(PLACES.endpoint, one.properties, format))),
  }
}

/** Another account can have a queue of the same name, but nobody names that one beside this one. */
function deadLetterOwners(index: Index): Map<string, Set<string>> {
  const owners = new Map<string, Set<string>>()
  for (const { owner, target } of index.deadLetterTargets) {
    const { isArn, name } = namesInArn(textIn(target))
    const { to } = linkTo(index, target, 'queue')
    const queues = [...(to ? [to] : []), ...(isArn ? index.named('queue', name) : [])]
    for (const { id } of queues) cached(owners, id, () => new Set<string>()).add(owner)
  }
  return owners
}

/** Whether a name or an ARN is that of a FIFO queue. Undefined if its end is not known. */
function isNameOfFifo(name: string): boolean | undefined {
  if (name.endsWith('.fifo')) return true
  const endsWithUnknown = /(\0(?!AWS::)[^\0]*\0|}})$/.test(name) // the values of pseudo parameters do not end in .fifo
  return endsWithUnknown ? undefined : false
}

/** The queue that a value names. */
export function queueAt(linker: QueueLinker, found: Link, position: Position | undefined, name = 'its queue'): Queue {
  if (found.to) return queueOf(linker, found.to)
  const { text = '', reason } = found
  const { isArn, service } = namesInArn(text)
  if (isArn && service !== 'sqs' && !whyUnknown(service)) return unreadQueue(name, 'it is not a queue', position)
  if (!isArn) return unreadQueue(name, reason, position)
  const isFifo = isNameOfFifo(text)
  const queue = unreadQueue(readable(text), reason, position)
  return { ...queue, fifo: isFifo === undefined ? unknown(reason, position) : known(isFifo) }
}

function queueOf(linker: QueueLinker, declaration: Declaration): Queue {
  return cached(linker.queues, declaration, () => {
    const { id } = declaration
    const owners = linker.deadLetterOwners.get(id) ?? new Set()
    return {
      ...withoutPolicy(linker, declaration),
      ...(declaration.unreadReason === undefined ? { redrive: redriveOf(linker, declaration) } : {}),
      isDeadLetterQueue: [...owners].some((owner) => owner !== id),
      subscriptions: subscriptionsOf(linker, declaration),
    }
  })
}

/** Only the names of FIFO queues end in `.fifo`. */
function withoutPolicy({ index }: QueueLinker, declaration: Declaration): Queue {
  const { id, position, unreadReason, names, isMadeBySam } = declaration
  const place = position ? { position } : {}
  const name = names.name ?? names.arn ?? ''
  if (unreadReason !== undefined) {
    const queue = unreadQueue(id, unreadReason, position)
    return name === '' ? queue : { ...queue, fifo: known(name.endsWith('.fifo')) }
  }
  const settings = settingsIn(QUEUE_SETTINGS, declaration, index.format)
  const fifo = isNameOfFifo(name) ? identified(declaration, 'fifo', known(true)) : settings.fifo
  return { id, ...place, ...settings, fifo, redrive: absent, ...(isMadeBySam ? { isMadeBySam } : {}) }
}

function subscriptionsOf({ index, subscriptions }: QueueLinker, queue: Declaration): Subscription[] {
  return subscriptions.flatMap(({ part, found }): Subscription[] => {
    const { isRaw } = settingsIn(SUBSCRIPTION_SETTINGS, part, index.format)
    const { id, position } = part
    const own = position ? { id, position } : { id }
    if (found.to) return found.to === queue ? [{ ...own, isRaw }] : []
    // The subscription may be that of this queue.
    if (found.text !== undefined || valueIn(isRaw)) return []
    return [{ ...own, isRaw: unknown(`its endpoint is not known: ${found.reason}`) }]
  })
}

function redriveOf(linker: QueueLinker, queue: Declaration): Setting<RedrivePolicy> {
  const { index, policies } = linker
  const separate = policies.find(({ found }) => found.to === queue)?.part
  const policy = valueAt(PLACES.redrive, (separate ?? queue).properties, index.format)
  const open = policies.find(({ found }) => !found.to && found.text === undefined)
  const doubt = open && `${open.part.id} may set it. Its queue is not certain: ${open.found.reason}`
  const isOpen = policy.state === 'absent' && doubt !== undefined
  return identified(queue, 'redrive', isOpen ? unknown(doubt) : policyIn(linker, queue, policy))
}

function policyIn(linker: QueueLinker, queue: Declaration, tree: Tree): Setting<RedrivePolicy> {
  const policy = mapIn(tree)
  const { position } = tree
  if (policy.state === 'absent') return absent
  if (policy.state === 'unknown' && policy.refersTo) {
    // Of a call of jsonencode(), a plan shows only the references.
    const reason = 'the redrive policy is known only after apply'
    const maxReceiveCount = identified<number>(queue, 'maxReceiveCount', unknown(reason))
    return known({ ...deadLetterQueueAt(linker, policy), maxReceiveCount } as RedrivePolicy)
  }
  if (policy.state === 'unknown') return unknown(policy.reason, policy.position)
  if (policy.state !== 'map') {
    return invalid(
      `it is a ${formOf(tree)}`,
      'Set it to an object with deadLetterTargetArn and maxReceiveCount.',
      position,
    )
  }
  const source = { ...queue, properties: policy }
  const settings = settingsIn(REDRIVE_SETTINGS, source, 'api')
  const target = deadLetterQueueAt(linker, valueAt(REDRIVE_SETTINGS.arn, policy, 'api'))
  return known({ ...settings, ...target, arn: target.arn.fix === undefined ? settings.arn : target.arn }, position)
}

function deadLetterQueueAt(
  linker: QueueLinker,
  tree: Tree,
): { arn: Setting<string>; deadLetterQueue: DeadLetterQueue } {
  const found = linkTo(linker.index, tree, 'queue')
  const queue = found.to
    ? withoutPolicy(linker, found.to)
    : queueAt(linker, found, tree.position, 'its dead-letter queue')
  return { arn: arnIn(tree, found), deadLetterQueue: deadLetterQueueOf(queue) }
}

/** The ARN of a queue. It is invalid if AWS rejects what is there. */
export function arnIn(tree: Tree, found: Link): Setting<string> {
  const { position } = tree
  if (tree.state === 'absent') return absent
  const missing = found.to ? undefined : found.missing
  if (missing !== undefined) {
    return invalid(
      `it refers to ${missing}, which does not exist: ${found.reason}`,
      'Refer to a queue that exists.',
      position,
    )
  }
  if (found.form !== undefined) {
    const name = found.to?.id ?? readable(textIn(tree))
    return invalid(`it is the ${found.form} of ${name}, but must be an ARN`, `Set it to the ARN of ${name}.`, position)
  }
  const text = knownText(tree)
  const other = found.to ? undefined : found.other?.kind
  if ((other !== undefined && other !== 'other') || isOfOtherService(textIn(tree), found)) {
    return invalid('it is not the ARN of a queue', 'Set it to the ARN of a queue.', position)
  }
  return text === undefined
    ? unknown(tree.state === 'unknown' ? tree.reason : 'it is not a text', position)
    : known(text, position)
}
