import type { Reader } from '../template/reader.ts'
import type { Resolved } from '../template/resolve.ts'
import { gapOf, hole, holesOf, partsOf, readable } from '../template/text.ts'
import {
  absent,
  known,
  type LambdaFunction,
  type Queue,
  type Redrive,
  type Setting,
  unknown,
  unreadFunction,
  unreadQueue,
  valueIn,
  wrong,
} from './model.ts'

const ELSEWHERE = 'it is not in this template'
const FUNCTION = /^AWS::(Lambda|Serverless)::Function$/
const QUEUE = /^AWS::SQS::Queue$/
const ALIAS = /^AWS::Lambda::(Alias|Version)$/
const OTHER_SOURCES = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/

/** A queue of this template, or why it is not known which it is, with the ARN where there is one. */
type Source = { id: string } | { reason: string; arn?: string }

/** One model of each resource, however many mappings lead to it. */
const cached = <T>(read: (id: string) => T) => {
  const models = new Map<string, T>()
  return (id: string): T => {
    const model = models.get(id) ?? read(id)
    models.set(id, model)
    return model
  }
}

/** The functions and queues of a template, found by what the properties of a mapping say. */
export const createResources = (reader: Reader) => {
  const { property, propertiesOf, typeOf, nameOf, conditionOf, text, number, map, resources } = reader

  const ofType = (type: RegExp) =>
    [...resources.keys()].filter((id) => type.test(typeOf(id)) && conditionOf(id)?.verdict !== false)
  const queues = ofType(QUEUE)
  const functionsByName = Map.groupBy(ofType(FUNCTION), (id) => nameOf(id, 'FunctionName'))
  const queuesByName = Map.groupBy(queues, (id) => nameOf(id, 'QueueName'))
  /** The one resource of that name. A name with holes is the same where its holes are. */
  const byName = (ids: ReadonlyMap<string | undefined, readonly string[]>, name: string): Source => {
    const [id, ...more] = ids.get(name) ?? []
    if (id === undefined) return { reason: gapOf(name) ?? ELSEWHERE }
    return more.length === 0 ? { id } : { reason: `${[id, ...more].join(' and ')} have the same name` }
  }

  /** The first resource of the template in the holes of a text. */
  const resourceIn = (value: string) =>
    holesOf(value)
      .map((hole) => hole.split('.')[0] ?? '')
      .find((id) => resources.has(id))
  const globals = property(property(reader.resolve(reader.root), 'Globals'), 'Function')

  const functionOf = cached((id: string): LambdaFunction => {
    const own = propertiesOf(id)
    const sam = typeOf(id) === 'AWS::Serverless::Function'
    const get = <T>(name: string, read: (resolved: Resolved) => Setting<T>): Setting<T> => {
      const given = property(own, name)
      const inherits = sam && given.kind === 'absent' && !(own.kind === 'map' && own.entries.has(name))
      const inherited = inherits ? property(globals, name) : given
      return inherits && inherited.kind !== 'absent' ? { ...read(inherited), of: 'Globals' } : read(given)
    }
    return {
      id,
      place: resources.get(id)?.place,
      timeout: get('Timeout', (resolved) => number('timeout', resolved)),
      memory: get('MemorySize', (resolved) => number('memory', resolved)),
      runtime: get('Runtime', text),
      reservedConcurrency: get('ReservedConcurrentExecutions', (resolved) => number('reservedConcurrency', resolved)),
    }
  })

  /** What FunctionName leads to: a function, by name, ARN or reference, or through an alias or a version. */
  const findFunction = (resolved: Resolved, via: readonly string[] = []): LambdaFunction => {
    const place = resolved.place
    if (resolved.kind !== 'scalar') {
      return unreadFunction('its function', resolved.kind === 'unknown' ? resolved.reason : 'no name is given', place)
    }
    const value = String(resolved.value)
    if (value === '') return unreadFunction('its function', 'its name is empty', place)
    const id = resourceIn(value)
    if (id !== undefined) {
      const type = typeOf(id)
      if (FUNCTION.test(type)) return functionOf(id)
      if (ALIAS.test(type) && !via.includes(id)) {
        return findFunction(property(propertiesOf(id), 'FunctionName'), [...via, id])
      }
      return unreadFunction(id, `it is a resource of type ${type}`, place)
    }
    // A name, a part of an ARN from the account on, or all of it; each with or without an alias.
    const parts = partsOf(value)
    const source = byName(functionsByName, parts[parts.indexOf('function') + 1] ?? '')
    return 'id' in source ? functionOf(source.id) : unreadFunction(readable(value), source.reason, place)
  }

  /** What an ARN leads to; undefined for another service. */
  const findSource = (resolved: Resolved): Source | undefined => {
    if (resolved.kind === 'unknown') return { reason: resolved.reason }
    if (resolved.kind !== 'scalar') return { reason: 'no ARN is given' }
    const value = String(resolved.value)
    const id = resourceIn(value)
    if (id !== undefined && QUEUE.test(typeOf(id))) return { id }
    if (id !== undefined) {
      return OTHER_SOURCES.test(typeOf(id)) ? undefined : { reason: `it comes from ${id}, of type ${typeOf(id)}` }
    }
    const [arn, , service = '', , account, name] = partsOf(value)
    if (arn !== 'arn') return { reason: gapOf(value) ?? `${value} is not an ARN` }
    if (service !== 'sqs') return gapOf(service) === undefined ? undefined : { reason: gapOf(service) ?? '' }
    if (!name) return { reason: `${readable(value)} has no name of a queue` }
    // Only an ARN with this stack's own account can mean a queue of this template.
    const source = account === reader.account ? byName(queuesByName, name) : { reason: ELSEWHERE }
    return 'id' in source ? source : { ...source, arn: readable(value) }
  }

  /** The ARN itself. A reference to a queue is easily taken for it. */
  const arnOf = (resolved: Resolved): Setting<string> => {
    const { place } = resolved
    const value = resolved.kind === 'scalar' ? String(resolved.value) : ''
    const [id = ''] = holesOf(value)
    if (value === hole(id) && QUEUE.test(typeOf(id))) {
      return wrong(`a reference to ${id} is its URL`, `Take the ARN: !GetAtt ${id}.Arn.`, place)
    }
    const literal = resolved.kind === 'scalar' && gapOf(value) === undefined
    return literal && !value.startsWith('arn:')
      ? wrong(`"${value}" is not an ARN`, 'Give an ARN.', place)
      : text(resolved)
  }

  const retentionOf = cached((id: string) => number('retention', property(propertiesOf(id), 'MessageRetentionPeriod')))

  const deadLetterQueueOf = (target: Resolved): Redrive['deadLetterQueue'] => {
    const source = findSource(target) ?? { reason: 'it is not a queue' }
    if ('id' in source) return { ...source, place: resources.get(source.id)?.place, retention: retentionOf(source.id) }
    const { arn = 'its dead-letter queue', reason: unread } = source
    return { id: arn, place: target.place, unread, retention: unknown(unread, target.place) }
  }

  const redriveOf = (policy: Resolved): Setting<Redrive> => {
    if (policy.kind === 'absent') return absent
    const read = map(policy)
    if (read.kind === 'unknown') return unknown(read.reason, read.place)
    if (read.kind !== 'map') return wrong(`it is a ${policy.kind}`, 'Set it to a map.', policy.place)
    const target = property(read, 'deadLetterTargetArn')
    const maxReceiveCount = number('maxReceiveCount', property(read, 'maxReceiveCount'))
    const redrive = { arn: arnOf(target), maxReceiveCount, deadLetterQueue: deadLetterQueueOf(target) }
    return known(redrive, policy.place)
  }

  const policyOf = cached((id: string) => redriveOf(property(propertiesOf(id), 'RedrivePolicy')))
  const deadLetterQueues = new Set(queues.map((id) => valueIn(policyOf(id))?.deadLetterQueue.id))

  const queueOf = cached((id: string): Queue => {
    const properties = propertiesOf(id)
    const flag = text(property(properties, 'FifoQueue'))
    const byFlag = flag.state === 'unknown' ? flag : known(flag.state === 'known' && flag.value === 'true')
    return {
      id,
      place: resources.get(id)?.place,
      fifo: nameOf(id, 'QueueName')?.endsWith('.fifo') ? known(true) : byFlag,
      visibilityTimeout: number('visibilityTimeout', property(properties, 'VisibilityTimeout')),
      retention: retentionOf(id),
      redrive: policyOf(id),
      isDeadLetterQueue: deadLetterQueues.has(id),
    }
  })

  /** The queue behind EventSourceArn; undefined where another service is. */
  const findQueue = (arn: Resolved): Queue | undefined => {
    const source = findSource(arn)
    if (source === undefined) return undefined
    if ('id' in source) return queueOf(source.id)
    const queue = unreadQueue(source.arn ?? 'its queue', source.reason, arn.place)
    return source.arn === undefined ? queue : { ...queue, fifo: known(source.arn.endsWith('.fifo')) }
  }

  return { functionOf, findFunction, findQueue, arnOf }
}
