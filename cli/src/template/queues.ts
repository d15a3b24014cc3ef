import {
  incompletePolicy,
  kindMismatch,
  type Queue,
  type RedrivePolicy,
  type Resource,
  redriveDenied,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings.ts'
import { memoize } from '../shared/memoize.ts'
import { entriesOf, type Node, nodesIn, wordsIn } from './document.ts'
import { byName, ELSEWHERE, type Lookup, QUEUE } from './lookup.ts'
import type { Reader } from './reader.ts'
import { itemsOf, type Resolved, rawText } from './resolve.ts'
import { createSubscriptions } from './subscriptions.ts'
import { formOf, namesInArn, placeholder, placeholdersIn, readable, resourceOf, whyUnknown } from './text.ts'

const OTHER_SOURCES = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/
/**
 * Services whose ARNs are never those of queues. Other types, such as nested stacks, parameters and custom resources,
 * may return the ARN of a queue.
 */
const NO_QUEUES = /^AWS::(DynamoDB|Events|Kinesis|Lambda|Logs|S3|SNS|Serverless)::/

/** Keys of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(RedrivePolicy|DeadLetter(Config|Queue|Arn|TargetArn)|OnFailure)$/

/**
 * A queue of this template, or the reason why it is not known. If its ARN is known, `fifo` says whether it is a FIFO
 * queue.
 */
type QueueLookup = { id: string } | { reason: string; arn?: string; name?: string; fifo?: Setting<boolean> }

/**
 * Whether a name or an ARN is that of a FIFO queue. Only the names of FIFO queues end in `.fifo`. Undefined if the end
 * is not known.
 */
function isNameOfFifo(name: string): boolean | undefined {
  if (name.endsWith('.fifo')) return true
  const endsWithUnknown = /(\0(?!AWS::)[^\0]*\0|}})$/.test(name) // the values of pseudo parameters do not end in .fifo
  return endsWithUnknown ? undefined : false
}

/** Reads the queues that the properties of a mapping refer to. */
export function createQueues(reader: Reader, { queues, queuesByName, resourceIn }: Lookup) {
  const { property, propertiesOf, at, settings, typeOf, text, boolean, map, resources, positionOf } = reader

  /** The queue that an ARN refers to; undefined if it belongs to another service. */
  function lookUpQueue(resolved: Resolved): QueueLookup | undefined {
    if (resolved.kind === 'unknown') return { reason: resolved.reason }
    if (resolved.kind !== 'scalar') return { reason: 'no ARN is given' }
    const value = String(resolved.value)
    const id = resourceIn(value, QUEUE)
    const type = typeOf(id)
    if (id !== '' && !QUEUE.test(type)) {
      return OTHER_SOURCES.test(type) ? undefined : { reason: `it comes from ${id}, of type ${type}` }
    }
    const { isArn, service, account, name } = namesInArn(value)
    // An ARN with a given account can contain the name of a queue of this template, and refer to another queue.
    const isOtherAccount = isArn && account !== reader.account && whyUnknown(account) === undefined
    if (id !== '' && !isOtherAccount) return { id }
    if (!isArn) return { reason: whyUnknown(value) ?? `${value} is not an ARN` }
    if (service !== 'sqs') {
      const reason = whyUnknown(service)
      return reason === undefined ? undefined : { reason }
    }
    if (name === '') return { reason: `${readable(value)} has no name of a queue` }
    // Only an ARN with the account of this stack can refer to a queue of this template.
    const lookup = account === reader.account ? byName(queuesByName, name) : { reason: ELSEWHERE }
    if ('id' in lookup) return lookup
    const isFifo = isNameOfFifo(value)
    const fifo = isFifo === undefined ? unknown(lookup.reason, resolved.position) : known(isFifo)
    return { reason: lookup.reason, arn: readable(value), name, fifo }
  }

  /** Checks an ARN of a queue. A reference to a queue (its URL) and its name are common mistakes. */
  function arnOf(resolved: Resolved): Setting<string> {
    const { position } = resolved
    const value = rawText(resolved)
    const [name] = placeholdersIn(value).filter((name) => value === placeholder(name))
    const fix = 'Use the ARN of a queue.'
    if (name !== undefined) {
      const id = resourceOf(name)
      const type = typeOf(id)
      if (NO_QUEUES.test(type)) return invalid(`${id} is not a queue`, fix, position)
      // The CDK selects parts of an ARN.
      if (!QUEUE.test(type) || /\.(Arn$|Fn::)/.test(name)) return text(resolved)
      const what = name === id ? `a Ref of ${id} returns its URL, not its ARN` : `${name} is not the ARN of ${id}`
      return invalid(what, `Use the ARN: !GetAtt ${id}.Arn.`, position)
    }
    if (resolved.kind !== 'scalar' || whyUnknown(value) !== undefined) return text(resolved)
    const { isArn, service } = namesInArn(value)
    if (!isArn) return invalid(`"${value}" is not an ARN`, fix, position)
    return service === 'sqs' ? text(resolved) : invalid(`"${value}" is not a queue's ARN`, fix, position)
  }

  const settingsOf = memoize((id: string) => settings(QUEUE_SETTINGS, id, propertiesOf(id)))

  function deadLetterQueueOf(deadLetterArn: Resolved): RedrivePolicy['deadLetterQueue'] {
    const { position } = deadLetterArn
    const lookup: QueueLookup = lookUpQueue(deadLetterArn) ?? { reason: 'it is not a queue' }
    if ('id' in lookup) {
      const { id } = lookup
      return { id, position: positionOf(id), fifo: fifoOf(id), retention: settingsOf(id).retention }
    }
    const { arn: id = 'its dead-letter queue', reason: unreadReason } = lookup
    const retention = unknown(unreadReason, position)
    return { id, position, unreadReason, fifo: lookup.fifo ?? retention, retention }
  }

  const fifoOf = memoize((id: string): Setting<boolean> => {
    const flag = boolean(at(propertiesOf(id), QUEUE_SETTINGS.fifo))
    const isFifo = flag.state === 'absent' ? known(false) : flag
    const name = property(propertiesOf(id), 'QueueName')
    if (name.kind !== 'scalar') return isFifo
    const isFifoName = isNameOfFifo(String(name.value))
    if (isFifo.state === 'unknown' && isFifo.fix === undefined && isFifoName) return known(true)
    if (isFifo.state === 'unknown' || isFifoName === undefined || isFifoName === valueIn(isFifo)) return isFifo
    return isFifoName
      ? invalid(
          'FifoQueue is not true, but the name of the queue ends in .fifo',
          'Set FifoQueue to true.',
          name.position,
        )
      : invalid(
          'FifoQueue is true, but the name of the queue does not end in .fifo',
          'Add .fifo to QueueName.',
          name.position,
        )
  })

  /** The error if a dead-letter queue does not accept messages of a queue. */
  function denialOf(queue: string, { id }: Resource, position?: Position) {
    const policy = map(property(propertiesOf(id), 'RedriveAllowPolicy'))
    const listed = property(policy, 'sourceQueueArns')
    const sources = itemsOf(listed).map((item) => lookUpQueue(reader.resolve(item)))
    const ids = sources.map((source) => (source && 'id' in source ? source.id : undefined))
    // An ARN with an account may be that of this queue if it has the same name, or if a name is not known.
    const own = String(reader.nameOf(queue, 'QueueName'))
    const mayBeQueue = (name: string | undefined) =>
      name === undefined || name === own || whyUnknown(name + own) !== undefined
    const isKnown =
      listed.kind === 'list' && !sources.some((source) => source && 'reason' in source && mayBeQueue(source.name))
    const isListed = ids.includes(queue) || (isKnown ? false : undefined)
    return redriveDenied(queue, id, valueIn(text(property(policy, 'redrivePermission'))), isListed, position)
  }

  /** The error if the value refers to the resource that it belongs to. */
  function circularReference(id: string, resolved: Resolved) {
    if (!placeholdersIn(rawText(resolved)).map(resourceOf).includes(id)) return undefined
    return invalid(`it is a circular reference to ${id} itself`, 'Use the ARN of another queue.', resolved.position)
  }

  const policyOf = memoize((id: string): Setting<RedrivePolicy> => {
    const policy = at(propertiesOf(id), QUEUE_SETTINGS.redrive)
    if (policy.kind === 'absent') return absent
    const read = map(policy)
    if (read.kind === 'unknown') return unknown(read.reason, read.position)
    if (read.kind !== 'map') return invalid(`it is a ${formOf(policy)}`, 'Set it to a map.', policy.position)
    const deadLetterArn = at(read, REDRIVE_SETTINGS.arn)
    const count = at(read, REDRIVE_SETTINGS.maxReceiveCount)
    const incomplete = incompletePolicy(deadLetterArn.kind !== 'absent', count.kind !== 'absent', policy.position)
    if (incomplete) return incomplete
    const deadLetterQueue = deadLetterQueueOf(deadLetterArn)
    const arn =
      circularReference(id, deadLetterArn) ??
      kindMismatch({ id, fifo: fifoOf(id) }, deadLetterQueue, deadLetterArn.position) ??
      denialOf(id, deadLetterQueue, deadLetterArn.position) ??
      arnOf(deadLetterArn)
    return known({ ...settings(REDRIVE_SETTINGS, id, read), arn, deadLetterQueue }, policy.position)
  })

  /** The words below keys that name a dead-letter queue or a destination of failures, in any resource. */
  function deadLetterWordsIn(declaration: Node): string[] {
    const entries = [...nodesIn(declaration).keys()].flatMap((node) => [...entriesOf(node)])
    return entries.filter(([key]) => NAMES_DEAD_LETTERS.test(key)).flatMap(([, value]) => wordsIn(value))
  }
  /** A queue whose policy is known names only one dead-letter queue. It may be named by its ARN. */
  function deadLetterQueuesOf(id: string, declaration: Node): readonly (string | undefined)[] {
    const policy = queues.includes(id) ? policyOf(id) : undefined
    if (policy && policy.state !== 'unknown') return [valueIn(policy)?.deadLetterQueue.id]
    return deadLetterWordsIn(declaration).filter((word) => word !== id)
  }
  const deadLetterQueues = new Set(
    Array.from(resources).flatMap(([id, declaration]) => deadLetterQueuesOf(id, declaration)),
  )
  const subscriptionsOf = createSubscriptions(reader, queueIdOf)

  /** The id of the queue in this template that an ARN or a URL refers to. */
  function queueIdOf(resolved: Resolved): string | undefined {
    const lookup = lookUpQueue(resolved)
    return lookup && 'id' in lookup ? lookup.id : undefined
  }

  const queueOf = memoize((id: string): Queue => {
    return {
      id,
      position: positionOf(id),
      ...settingsOf(id),
      fifo: fifoOf(id),
      redrive: policyOf(id),
      isDeadLetterQueue: deadLetterQueues.has(id),
      subscriptions: subscriptionsOf(id),
    }
  })

  /** The queue of EventSourceArn; undefined if the event source is another service. */
  function findQueue(arn: Resolved): Queue | undefined {
    const lookup = lookUpQueue(arn)
    if (lookup === undefined) return undefined
    if ('id' in lookup) return queueOf(lookup.id)
    const queue = unreadQueue(lookup.arn ?? 'its queue', lookup.reason, arn.position)
    return lookup.fifo === undefined ? queue : { ...queue, fifo: lookup.fifo }
  }

  return { findQueue, arnOf }
}
