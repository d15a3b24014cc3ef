import type { Declaration } from '../model/declaration.ts'
import { type DeadLetterQueue, type Queue, type RedrivePolicy, unreadQueue } from '../model/model.ts'
import { mapIn, namesInArn, partsOf, readable, textTree, whyUnknown } from '../model/partial-text.ts'
import { absent, invalid, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { identified, QUEUE_SETTINGS, REDRIVE_SETTINGS, settingsIn } from '../model/settings-table.ts'
import { at, formOf, itemsOf, knownText, type Tree, textIn } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import { belonging } from './permissions.ts'
import { type Index, isNoQueue, isOfOtherService, type Link, linkTo, refusedIn } from './references.ts'
import { keyOf, sendersTo } from './senders.ts'

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
    const key = keyOf(index, declaration)
    return {
      ...withoutPolicy(index, declaration),
      ...(unreadReason === undefined ? { redrive: redriveOf(index, declaration) } : {}),
      isDeadLetterQueue: [...owners].some((owner) => owner !== id),
      hasOwnKey: key === undefined ? false : key.isOwn,
      ...(index.format === 'api' || unreadReason !== undefined ? {} : { senders: () => sendersTo(index, declaration) }),
    }
  })
}

/** Only the names of FIFO queues end in `.fifo`. */
function withoutPolicy({ format }: Index, declaration: Declaration): Queue {
  const { id, position, unreadReason, names, fix } = declaration
  const name = names.name ?? names.arn ?? ''
  if (unreadReason !== undefined) {
    const queue = unreadQueue(id, unreadReason, position)
    return name === '' ? queue : { ...queue, fifo: known(name.endsWith('.fifo')) }
  }
  const settings = settingsIn(QUEUE_SETTINGS, declaration, format)
  const fifo = isNameOfFifo(name) ? identified(declaration, 'fifo', known(true)) : settings.fifo
  const queueName = format === 'api' ? absent : nameOf(settings)
  return { id, position, fix, ...settings, fifo, queueName, redrive: absent }
}

/** The name of a queue. It is invalid if its end does not fit the type of the queue. */
function nameOf({ queueName, fifo }: Pick<Queue, 'queueName' | 'fifo'>): Setting<string> {
  const [name, isFifo] = [valueIn(queueName), valueIn(fifo)]
  if (name === undefined || isFifo === undefined || name.endsWith('.fifo') === isFifo) return queueName
  const { position, id } = queueName
  const wrong = isFifo
    ? invalid(`"${name}" does not end in .fifo, but FifoQueue is true`, `Set it to ${name}.fifo.`, position)
    : invalid(`"${name}" ends in .fifo, but FifoQueue is not true`, 'Set FifoQueue to true.', position)
  return { ...wrong, id } as Setting<string>
}

function redriveOf(index: Index, queue: Declaration): Setting<RedrivePolicy> {
  const queueOfPolicy = (one: Declaration) => [index.valueAt(one, 'queueOfPolicy')]
  const policies = belonging(index, 'redrivePolicy', 'queue', queueOfPolicy)
  const policy = index.valueAt(policies.get(queue)?.[0] ?? queue, 'redrive')
  const [open] = policies.get(undefined) ?? []
  const why = open && linkTo(index, index.valueAt(open, 'queueOfPolicy'), 'queue').reason
  const doubt = open && `${open.id} may set it. Its queue is not certain: ${why}`
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
    return known({ ...deadLetterQueueAt(index, queue, policy), maxReceiveCount } as RedrivePolicy)
  }
  if (policy.state === 'unknown') return unknown(policy.reason, policy.position)
  if (policy.state !== 'map') {
    const fix = 'Set it to an object with deadLetterTargetArn and maxReceiveCount.'
    return invalid(`it is a ${formOf(tree)}`, fix, position)
  }
  const settings = settingsIn(REDRIVE_SETTINGS, { ...queue, properties: policy }, 'api')
  const target = deadLetterQueueAt(index, queue, at(policy, 'deadLetterTargetArn'))
  return known({ ...settings, ...target, arn: target.arn.fix === undefined ? settings.arn : target.arn }, position)
}

function deadLetterQueueAt(
  index: Index,
  source: Declaration,
  tree: Tree,
): { arn: Setting<string>; deadLetterQueue: DeadLetterQueue } {
  const found = linkTo(index, tree, 'queue')
  const { to } = found
  const queue = to ? withoutPolicy(index, to) : queueAt(index, found, tree.position, 'its dead-letter queue')
  const { id, position, unreadReason, fifo, retention, queueName } = queue
  const refusal = to && refusalOf(index, to, source)
  return {
    arn: arnIn(tree, found),
    deadLetterQueue: { id, position, unreadReason, fifo, retention, queueName, refusal },
  }
}

/** Why a dead-letter queue does not allow a source queue. Undefined if it does, or if this is not known. */
function refusalOf(index: Index, deadLetterQueue: Declaration, source: Declaration): string | undefined {
  const policies = belonging(index, 'redriveAllowPolicy', 'queue', (one) => [index.valueAt(one, 'queueOfPolicy')])
  const separate = policies.get(deadLetterQueue)?.[0]
  const policy = mapIn(index.valueAt(separate ?? deadLetterQueue, 'redriveAllow'))
  const permission = knownText(at(policy, 'redrivePermission'))
  if (permission === 'denyAll') return 'is denyAll'
  const sources = at(policy, 'sourceQueueArns')
  if (permission !== 'byQueue' || sources.state === 'unknown') return undefined
  const isOther = itemsOf(sources).every((item) => {
    const { to } = linkTo(index, item, 'queue')
    const name = knownText(item) && namesInArn(textIn(item)).name
    return to ? to !== source : name !== undefined && source.names.name !== undefined && name !== source.names.name
  })
  return isOther ? 'is byQueue, and does not list it' : undefined
}

/** Whether a known text begins as the ARN of a queue, and is none. */
function isMalformed(tree: Tree): boolean {
  const parts = partsOf(tree.state === 'known' ? String(tree.value) : '')
  return parts[0] === 'arn' && parts[2] === 'sqs' && (parts.length !== 6 || parts.includes(''))
}

/** The ARN of a queue. It is invalid if AWS rejects what is there. */
export function arnIn(tree: Tree, found: Link): Setting<string> {
  const { position } = tree
  if (tree.state === 'absent') return absent
  const { other } = found
  if (found.form !== undefined) {
    const name = found.to?.id ?? readable(textIn(tree))
    return invalid(`it is the ${found.form} of ${name}, but must be an ARN`, `Set it to the ARN of ${name}.`, position)
  }
  const refused = refusedIn(found, 'queue', position)
  if (refused) return refused
  const isOther = other !== undefined && (other.kind !== 'other' || isNoQueue(other))
  if (isOther || isOfOtherService(textIn(tree), found) || isMalformed(tree)) {
    return invalid('it is not the ARN of a queue', 'Set it to the ARN of a queue.', position)
  }
  if (tree.state === 'known') return known(String(tree.value), position)
  return unknown(tree.state === 'unknown' ? tree.reason : 'it is not a text', position)
}
