import type { Declaration } from '../model/declaration.ts'
import { type DeadLetterQueue, type Queue, type RedrivePolicy, unreadQueue } from '../model/model.ts'
import { mapIn, namesInArn, readable, textTree, whyUnknown } from '../model/partial-text.ts'
import { absent, invalid, known, type Position, type Setting, unknown } from '../model/setting.ts'
import { identified, QUEUE_SETTINGS, REDRIVE_SETTINGS, settingsIn } from '../model/settings-table.ts'
import { at, formOf, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { type Index, isOfOtherService, type Link, linkTo } from './references.ts'

/** Another account can have a queue of the same name, but nobody names that one beside this one. */
function deadLetterOwnersIn(index: Index): Map<string, Set<string>> {
  const owners = new Map<string, Set<string>>()
  for (const { owner, id = '', text = '' } of index.deadLetterTargets) {
    const { isArn, name } = namesInArn(text)
    const { to } = linkTo(index, textTree(text), 'queue')
    const queues = [index.byId.get(id) ?? [], to ?? [], isArn ? index.named('queue', name) : []].flat()
    for (const queue of queues) cached(owners, queue.id, () => new Set<string>()).add(owner)
  }
  return owners
}

/** Whether a name or an ARN is that of a FIFO queue. Undefined if its end is not known. */
function isNameOfFifo(name: string): boolean | undefined {
  if (name.endsWith('.fifo')) return true
  const endsWithUnknown = /(\0(?!AWS::)[^\0]*\0|}})$/.test(name) // the values of pseudo parameters do not end in .fifo
  return endsWithUnknown ? undefined : false
}

export function queueAt(index: Index, found: Link, position: Position | undefined, name = 'its queue'): Queue {
  if (found.to) return queueOf(index, found.to)
  const { text = '', reason } = found
  const { isArn, service } = namesInArn(text)
  if (!isArn) return unreadQueue(name, reason, position)
  if (service !== 'sqs' && !whyUnknown(service)) return unreadQueue(name, 'it is not a queue', position)
  const isFifo = isNameOfFifo(text)
  const queue = unreadQueue(readable(text), reason, position)
  return isFifo === undefined ? queue : { ...queue, fifo: known(isFifo) }
}

function queueOf(index: Index, declaration: Declaration): Queue {
  return cached(index.queues, declaration, () => {
    const { id, unreadReason } = declaration
    index.deadLetterOwners ??= deadLetterOwnersIn(index)
    const owners = index.deadLetterOwners.get(id) ?? []
    return {
      ...withoutPolicy(index, declaration),
      ...(unreadReason === undefined ? { redrive: redriveOf(index, declaration) } : {}),
      isDeadLetterQueue: [...owners].some((owner) => owner !== id),
    }
  })
}

/** Only the names of FIFO queues end in `.fifo`. */
function withoutPolicy({ format }: Index, declaration: Declaration): Queue {
  const { id, position, unreadReason, names } = declaration
  const name = names.name ?? names.arn ?? ''
  if (unreadReason !== undefined) {
    const queue = unreadQueue(id, unreadReason, position)
    return name === '' ? queue : { ...queue, fifo: known(name.endsWith('.fifo')) }
  }
  const settings = settingsIn(QUEUE_SETTINGS, declaration, format)
  const fifo = isNameOfFifo(name) ? identified(declaration, 'fifo', known(true)) : settings.fifo
  return { id, position, ...settings, fifo, redrive: absent }
}

function redriveOf(index: Index, queue: Declaration): Setting<RedrivePolicy> {
  const policies = index.ofKind('redrivePolicy').map((part) => {
    const found = cached(index.links, part, () => linkTo(index, index.valueAt(part, 'queueOfPolicy'), 'queue'))
    return { part, found }
  })
  const separate = policies.find(({ found }) => found.to === queue)?.part
  const policy = index.valueAt(separate ?? queue, 'redrive')
  const open = policies.find(({ found }) => !found.to && found.text === undefined)
  const doubt = open && `${open.part.id} may set it. Its queue is not certain: ${open.found.reason}`
  const isOpen = policy.state === 'absent' && doubt !== undefined
  return identified(queue, 'redrive', isOpen ? unknown(doubt) : policyIn(index, queue, policy))
}

function policyIn(index: Index, queue: Declaration, tree: Tree): Setting<RedrivePolicy> {
  const policy = mapIn(tree)
  const { position } = tree
  if (policy.state === 'absent') return absent
  if (policy.state === 'unknown' && policy.refersTo) {
    // Of a call of jsonencode(), a plan shows only the references.
    const reason = 'the redrive policy is known only after apply'
    const maxReceiveCount = identified<number>(queue, 'maxReceiveCount', unknown(reason))
    return known({ ...deadLetterQueueAt(index, policy), maxReceiveCount } as RedrivePolicy)
  }
  if (policy.state === 'unknown') return unknown(policy.reason, policy.position)
  if (policy.state !== 'map') {
    const fix = 'Set it to an object with deadLetterTargetArn and maxReceiveCount.'
    return invalid(`it is a ${formOf(tree)}`, fix, position)
  }
  const settings = settingsIn(REDRIVE_SETTINGS, { ...queue, properties: policy }, 'api')
  const target = deadLetterQueueAt(index, at(policy, 'deadLetterTargetArn'))
  return known({ ...settings, ...target, arn: target.arn.fix === undefined ? settings.arn : target.arn }, position)
}

function deadLetterQueueAt(index: Index, tree: Tree): { arn: Setting<string>; deadLetterQueue: DeadLetterQueue } {
  const found = linkTo(index, tree, 'queue')
  const { to } = found
  const queue = to ? withoutPolicy(index, to) : queueAt(index, found, tree.position, 'its dead-letter queue')
  const { id, position, unreadReason, fifo, retention } = queue
  return { arn: arnIn(tree, found), deadLetterQueue: { id, position, unreadReason, fifo, retention } }
}

/** The ARN of a queue. It is invalid if AWS rejects what is there. */
export function arnIn(tree: Tree, found: Link): Setting<string> {
  const { position } = tree
  if (tree.state === 'absent') return absent
  const { missing, other, reason } = found
  if (missing !== undefined) {
    const what = `it refers to ${missing}, which does not exist: ${reason}`
    return invalid(what, 'Refer to a queue that exists.', position)
  }
  if (found.form !== undefined) {
    const name = found.to?.id ?? readable(textIn(tree))
    return invalid(`it is the ${found.form} of ${name}, but must be an ARN`, `Set it to the ARN of ${name}.`, position)
  }
  const isOther = other !== undefined && other.kind !== 'other'
  if (isOther || isOfOtherService(textIn(tree), found)) {
    return invalid('it is not the ARN of a queue', 'Set it to the ARN of a queue.', position)
  }
  if (tree.state === 'known') return known(String(tree.value), position)
  return unknown(tree.state === 'unknown' ? tree.reason : 'it is not a text', position)
}
