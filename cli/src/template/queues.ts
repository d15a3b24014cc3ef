import {
  type DeadLetterQueue,
  deadLetterQueueOf,
  type Queue,
  type RedrivePolicy,
  type Subscription,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { QUEUE_SETTINGS, REDRIVE_SETTINGS, type SettingsOf, SUBSCRIPTION_SETTINGS } from '../model/settings.ts'
import { entriesOf, type Node, nodesIn, scalarText } from './document.ts'
import {
  ELSEWHERE,
  mapOf,
  onlyNamed,
  positionOf,
  propertiesOf,
  property,
  QUEUE,
  resourceIn,
  resourcesOf,
  settingsIn,
  textOf,
  typeOf,
  valueAt,
} from './reader.ts'
import { itemsOf, type Resolved, rawText, resolve, type Scope, scopeAround } from './resolve.ts'
import { formOf, namesInArn, placeholdersIn, readable, resourceOf, whyUnknown } from './text.ts'

const OTHER_SOURCES = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/

/** Keys of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(RedrivePolicy|DeadLetter(Config|Queue|Arn|TargetArn)|OnFailure)$/

/** A queue of this template, or why it is not known. If its ARN is known, `fifo` says whether it is a FIFO queue. */
type QueueLookup = { id: string } | { reason: string; arn?: string; fifo?: Setting<boolean> }

/** Whether a name or an ARN is that of a FIFO queue. Undefined if its end is not known. */
function isNameOfFifo(name: string): boolean | undefined {
  if (name.endsWith('.fifo')) return true
  const endsWithUnknown = /(\0(?!AWS::)[^\0]*\0|}})$/.test(name) // the values of pseudo parameters do not end in .fifo
  return endsWithUnknown ? undefined : false
}

/** The queue that an ARN refers to; undefined if it belongs to another service. */
function lookUpQueue(scope: Scope, resolved: Resolved): QueueLookup | undefined {
  if (resolved.kind === 'unknown') return { reason: resolved.reason }
  if (resolved.kind !== 'scalar') return { reason: 'no ARN is given' }
  const value = String(resolved.value)
  const id = resourceIn(scope, value, QUEUE)
  const type = typeOf(scope, id)
  if (id !== '' && !QUEUE.test(type)) {
    return OTHER_SOURCES.test(type) ? undefined : { reason: `it comes from ${id}, of type ${type}` }
  }
  const { isArn, service, account, name } = namesInArn(value)
  // An ARN with a given account can contain the name of a queue of this template, and refer to another queue.
  const isOtherAccount = isArn && account !== scope.account && whyUnknown(account) === undefined
  if (id !== '' && !isOtherAccount) return { id }
  if (!isArn) return { reason: whyUnknown(value) ?? `${value} is not an ARN` }
  if (service !== 'sqs') {
    const reason = whyUnknown(service)
    return reason === undefined ? undefined : { reason }
  }
  if (name === '') return { reason: `${readable(value)} has no name of a queue` }
  // Only an ARN with the account of this stack can refer to a queue of this template.
  const lookup =
    account === scope.account ? onlyNamed(scope, resourcesOf(scope, QUEUE), 'QueueName', name) : { reason: ELSEWHERE }
  if ('id' in lookup) return lookup
  const isFifo = isNameOfFifo(value)
  const fifo = isFifo === undefined ? unknown(lookup.reason, resolved.position) : known(isFifo)
  return { reason: lookup.reason, arn: readable(value), fifo }
}

/** The settings of a queue in its table. Only the names of FIFO queues end in `.fifo`. */
function settingsOfQueue(scope: Scope, id: string): SettingsOf<typeof QUEUE_SETTINGS> {
  const settings = settingsIn(scope, QUEUE_SETTINGS, id, propertiesOf(scope, id))
  const name = property(scope, propertiesOf(scope, id), 'QueueName')
  const isFifo = isNameOfFifo(rawText(name))
  return isFifo ? { ...settings, fifo: known(true) } : settings
}

/** A queue that is not in this template. */
function queueElsewhere({ arn, reason, fifo }: Exclude<QueueLookup, { id: string }>, id: string, position?: Position) {
  const queue = unreadQueue(arn ?? id, reason, position)
  return fifo === undefined ? queue : { ...queue, fifo }
}

function deadLetterQueueAt(scope: Scope, arn: Resolved): DeadLetterQueue {
  const lookup = lookUpQueue(scope, arn) ?? { reason: 'it is not a queue' }
  if (!('id' in lookup)) return deadLetterQueueOf(queueElsewhere(lookup, 'its dead-letter queue', arn.position))
  const { id } = lookup
  return deadLetterQueueOf({ id, position: positionOf(scope, id), ...settingsOfQueue(scope, id), redrive: absent })
}

function redriveOf(scope: Scope, id: string): Setting<RedrivePolicy> {
  const declared = property(scope, propertiesOf(scope, id), 'RedrivePolicy')
  const policy = mapOf(declared)
  const { position } = declared
  if (policy.kind === 'absent') return absent
  if (policy.kind === 'unknown') return unknown(policy.reason, policy.position)
  if (policy.kind !== 'map') return invalid(`it is a ${formOf(declared)}`, 'Set it to a map.', position)
  const deadLetterQueue = deadLetterQueueAt(scope, valueAt(scope, policy, REDRIVE_SETTINGS.arn))
  return known({ ...settingsIn(scope, REDRIVE_SETTINGS, id, policy), deadLetterQueue }, position)
}

/** The nodes below keys that name a dead-letter queue or a destination of failures, in a resource. */
function deadLetterNodesIn(declaration: Node): Node[] {
  const entries = [...nodesIn(declaration).keys()].flatMap((node) => [...entriesOf(node)])
  return entries.flatMap(([key, value]) => (NAMES_DEAD_LETTERS.test(key) ? [...nodesIn(value).keys()] : []))
}

/**
 * Whether another resource names the queue as a dead-letter queue, by its id or its name, or refers to it from another
 * stack.
 */
function isDeadLetterQueue(scope: Scope, id: string): boolean {
  const name = rawText(property(scope, propertiesOf(scope, id), 'QueueName'))
  function isMeant(node: Node): boolean {
    const { prefix } = scopeAround(scope, node)
    const words = scalarText(node)?.match(/[\w-]+/g) ?? []
    if (words.some((word) => word === name || prefix + word === id)) return true
    return (
      scope.stacks.size > 1 &&
      placeholdersIn(rawText(resolve(scope, node)))
        .map(resourceOf)
        .includes(id)
    )
  }
  return Array.from(scope.resources).some(
    ([other, declaration]) => other !== id && deadLetterNodesIn(declaration).some(isMeant),
  )
}

/** The subscriptions of a queue to SNS topics. */
function subscriptionsOf(scope: Scope, queue: string): Subscription[] {
  const own = resourcesOf(scope, /^AWS::SNS::Subscription$/).map((id) => {
    return { id, position: positionOf(scope, id), properties: propertiesOf(scope, id) }
  })
  const ofTopics = resourcesOf(scope, /^AWS::SNS::Topic$/).flatMap((id) =>
    itemsOf(property(scope, propertiesOf(scope, id), 'Subscription')).map((item) => {
      return { id, position: item.position, properties: resolve(scope, item) }
    }),
  )
  return [...own, ...ofTopics].flatMap(({ id, position, properties }) => {
    if (valueIn(textOf(property(scope, properties, 'Protocol'))) !== 'sqs') return []
    const lookup = lookUpQueue(scope, property(scope, properties, 'Endpoint'))
    const isOwn = lookup && 'id' in lookup && lookup.id === queue
    return isOwn ? [{ id, position, ...settingsIn(scope, SUBSCRIPTION_SETTINGS, id, properties) }] : []
  })
}

function queueOf(scope: Scope, id: string): Queue {
  const queue: Queue = scope.queues.get(id) ?? {
    id,
    position: positionOf(scope, id),
    ...settingsOfQueue(scope, id),
    redrive: redriveOf(scope, id),
    isDeadLetterQueue: isDeadLetterQueue(scope, id),
    subscriptions: subscriptionsOf(scope, id),
  }
  scope.queues.set(id, queue)
  return queue
}

/** The queue of an ARN; undefined if the event source is another service. */
export function queueAt(scope: Scope, arn: Resolved): Queue | undefined {
  const lookup = lookUpQueue(scope, arn)
  if (lookup === undefined) return undefined
  return 'id' in lookup ? queueOf(scope, lookup.id) : queueElsewhere(lookup, 'its queue', arn.position)
}
