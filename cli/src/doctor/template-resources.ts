import type { Reader } from '../template/reader.ts'
import type { Resolved } from '../template/resolve.ts'
import { gapOf, holesOf, readable } from '../template/text.ts'
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
} from './model.ts'

const ELSEWHERE = 'it is not in this template'
const FUNCTION = /^AWS::(Lambda|Serverless)::Function$/
const QUEUE = /^AWS::SQS::Queue$/
const ALIAS = /^AWS::Lambda::(Alias|Version)$/
const OTHER_SOURCES = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/

type Source = { id: string } | { arn: string } | { reason: string }

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
  const { property, propertiesOf, typeOf, nameOf, text, number, resources } = reader

  const named = (type: RegExp, key: 'QueueName' | 'FunctionName') =>
    new Map([...resources.keys()].filter((id) => type.test(typeOf(id))).map((id) => [nameOf(id, key), id]))
  const functionsByName = named(FUNCTION, 'FunctionName')
  const queuesByName = named(QUEUE, 'QueueName')

  /** The first resource of the template in the holes of a text. */
  const resourceIn = (value: string) =>
    holesOf(value)
      .map((hole) => hole.split('.')[0] ?? '')
      .find((id) => resources.has(id))
  const globals = property(property(reader.resolve(reader.root), 'Globals'), 'Function')

  const functionOf = cached((id: string): LambdaFunction => {
    const own = propertiesOf(id)
    const sam = typeOf(id) === 'AWS::Serverless::Function'
    const get = (name: string) => {
      const inherits = sam && !(own.kind === 'map' && own.entries.has(name))
      const inherited: Resolved = inherits ? property(globals, name) : { kind: 'absent' }
      return inherited.kind === 'absent' ? property(own, name) : inherited
    }
    return {
      id,
      place: resources.get(id)?.place,
      timeout: number('timeout', get('Timeout')),
      memory: number('memory', get('MemorySize')),
      runtime: text(get('Runtime')),
      reservedConcurrency: number('reservedConcurrency', get('ReservedConcurrentExecutions')),
    }
  })

  /** What FunctionName leads to: a function, by name, ARN or reference, or through an alias or a version. */
  const findFunction = (resolved: Resolved, via: readonly string[] = []): LambdaFunction => {
    const place = resolved.place
    if (resolved.kind !== 'scalar') {
      return unreadFunction('its function', resolved.kind === 'unknown' ? resolved.reason : 'no name is given', place)
    }
    const value = String(resolved.value)
    const id = resourceIn(value)
    if (id !== undefined) {
      const type = typeOf(id)
      if (FUNCTION.test(type)) return functionOf(id)
      if (ALIAS.test(type) && !via.includes(id)) {
        return findFunction(property(propertiesOf(id), 'FunctionName'), [...via, id])
      }
      return unreadFunction(id, `it is a resource of type ${type}`, place)
    }
    const name = /function:([^:]+)/.exec(value)?.[1] ?? value.split(':')[0]
    const byName = functionsByName.get(name)
    return byName === undefined ? unreadFunction(readable(value), ELSEWHERE, place) : functionOf(byName)
  }

  /** A queue of this template, the ARN of one elsewhere, or why it is neither; undefined for another service. */
  const findSource = (resolved: Resolved): Source | undefined => {
    if (resolved.kind === 'unknown') return { reason: resolved.reason }
    if (resolved.kind !== 'scalar') return { reason: 'no ARN is given' }
    const value = String(resolved.value)
    const id = resourceIn(value)
    if (id !== undefined && QUEUE.test(typeOf(id))) return { id }
    if (id !== undefined) {
      return OTHER_SOURCES.test(typeOf(id)) ? undefined : { reason: `it comes from ${id}, of type ${typeOf(id)}` }
    }
    const [arn, , service, , account, name] = value.replaceAll(/\0[^\0]*\0/g, '\0').split(':') // AWS::Region has colons
    if (arn !== 'arn') return { reason: gapOf(value) ?? `${value} is not an ARN` }
    if (service !== 'sqs') return service === '\0' ? { reason: gapOf(value) ?? '' } : undefined
    // Only an ARN with this stack's own account can mean a queue of this template.
    const byName = account === '\0' ? queuesByName.get(name) : undefined
    return byName === undefined ? { arn: readable(value) } : { id: byName }
  }

  const retentionOf = (id: string) => number('retention', property(propertiesOf(id), 'MessageRetentionPeriod'))

  const redriveOf = (policy: Resolved): Setting<Redrive> => {
    if (policy.kind === 'absent') return absent
    if (policy.kind !== 'map') {
      return unknown(policy.kind === 'unknown' ? policy.reason : 'it is not a map', policy.place)
    }
    const target = property(policy, 'deadLetterTargetArn')
    const source = findSource(target) ?? { reason: 'it is not a queue' }
    const maxReceiveCount = number('maxReceiveCount', property(policy, 'maxReceiveCount'))
    if ('id' in source) {
      const { id } = source
      const deadLetterQueue = { id, place: resources.get(id)?.place, retention: retentionOf(id) }
      return known({ maxReceiveCount, deadLetterQueue }, policy.place)
    }
    const unread = 'arn' in source ? ELSEWHERE : source.reason
    const id = 'arn' in source ? source.arn : 'its dead-letter queue'
    const deadLetterQueue = { id, place: target.place, unread, retention: unknown(unread) }
    return known({ maxReceiveCount, deadLetterQueue }, policy.place)
  }

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
      redrive: redriveOf(property(properties, 'RedrivePolicy')),
    }
  })

  /** The queue behind EventSourceArn; undefined where another service is. */
  const findQueue = (arn: Resolved): Queue | undefined => {
    const source = findSource(arn)
    if (source === undefined) return undefined
    if ('id' in source) return queueOf(source.id)
    if ('reason' in source) return unreadQueue('its queue', source.reason, arn.place)
    return { ...unreadQueue(source.arn, ELSEWHERE, arn.place), fifo: known(source.arn.endsWith('.fifo')) }
  }

  return { functionOf, findFunction, findQueue }
}
