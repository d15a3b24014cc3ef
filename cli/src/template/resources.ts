import { memoize } from '../memoize.ts'
import {
  absent,
  incompletePolicy,
  invalid,
  kindMismatch,
  known,
  type LambdaFunction,
  memorySetting,
  pinnedVersion,
  type Queue,
  type Redrive,
  type Setting,
  timeoutSetting,
  unknown,
  unreadFunction,
  unreadQueue,
  unreadVersion,
  valueIn,
  weightedAlias,
} from '../model.ts'
import { type Node, nodesIn, type Position } from './document.ts'
import type { Reader } from './reader.ts'
import type { Resolved } from './resolve.ts'
import { partsOf, placeholder, placeholdersIn, readable, whyUnknown } from './text.ts'

const ELSEWHERE = 'it is not in this template'
const FUNCTION = /^AWS::(Lambda|Serverless)::Function$/
const QUEUE = /^AWS::SQS::Queue$/
const ALIAS = /^AWS::Lambda::Alias$/
const VERSION = /^AWS::Lambda::Version$/
const OTHER_SOURCES = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/
/**
 * Services whose ARNs are never those of queues. Other types, such as nested stacks, parameters and custom resources,
 * may return the ARN of a queue.
 */
const NO_QUEUES = /^AWS::(DynamoDB|Events|Kinesis|Lambda|Logs|S3|SNS|Serverless)::/

/** A resource of this template, or the reason why it is not known. */
type ResourceLookup = { id: string } | { reason: string }
/** The same for a queue. If its ARN is known, also the ARN, and whether it is that of a FIFO queue. */
type QueueLookup = { id: string } | { reason: string; arn?: string; fifo?: Setting<boolean> }

/** Whether an ARN is that of a FIFO queue. Only the names of FIFO queues end in `.fifo`. */
function fifoOfArn(arn: string, reason: string, position: Position | undefined): Setting<boolean> {
  if (arn.endsWith('.fifo')) return known(true)
  const endsWithUnknown = /(\0(?!AWS::)[^\0]*\0|}})$/.test(arn) // the values of pseudo parameters do not end in .fifo
  return endsWithUnknown ? unknown(reason, position) : known(false)
}

/** All words in a declaration, without resolving it. */
function wordsIn(declaration: Node): string[] {
  const nodes = [...nodesIn(declaration).keys()]
  return nodes.flatMap((node) => (node.kind === 'scalar' && String(node.value).match(/\w+/g)) || [])
}

/**
 * The index of the name in the parts of FunctionName. In an ARN, or in its end `ACCOUNT:function:NAME`, the name
 * follows `function`. Otherwise the name is the first part. An alias or a version can follow the name.
 */
function nameIndexOf(parts: readonly string[]): number {
  return parts.indexOf('function') + 1
}

/** Finds the functions and queues that the properties of a mapping refer to. */
export function createResources(reader: Reader) {
  const { property, propertiesOf, typeOf, nameOf, conditionOf, ignoresGlobals, text, boolean, number, map, resources } =
    reader

  const ofType = (type: RegExp) =>
    [...resources.keys()].filter((id) => type.test(typeOf(id)) && conditionOf(id)?.verdict !== false)
  const queues = ofType(QUEUE)
  const aliases = ofType(ALIAS)
  const functionsByName = Map.groupBy(ofType(FUNCTION), (id) => nameOf(id, 'FunctionName'))
  const queuesByName = Map.groupBy(queues, (id) => nameOf(id, 'QueueName'))
  /** The only resource of that name. Names with placeholders are equal if their placeholders are equal. */
  function byName(ids: ReadonlyMap<string | undefined, readonly string[]>, name: string): ResourceLookup {
    const [id, ...more] = ids.get(name) ?? []
    if (id === undefined) return { reason: whyUnknown(name) ?? ELSEWHERE }
    return more.length === 0 ? { id } : { reason: `${[id, ...more].join(' and ')} have the same name` }
  }

  /**
   * The resource that a name or an ARN refers to. If it refers to several resources, the result is the first one that
   * has one of the `types` or, if none has, the first one. A name that merely contains the name of a resource does not
   * refer to it.
   */
  function resourceIn(value: string, ...types: readonly RegExp[]) {
    const ids = partsOf(value).flatMap((part) => {
      const [name = ''] = placeholdersIn(part)
      const [id = ''] = name.split('.')
      return part === placeholder(name) && resources.has(id) ? [id] : []
    })
    return ids.find((id) => types.some((type) => type.test(typeOf(id)))) ?? ids[0]
  }
  // Not read with `property()`, which would make each setting unknown if a macro may add Globals. Such a macro is
  // listed once for the whole template.
  const declared = reader.root.kind === 'map' ? reader.root.entries.get('Globals') : undefined
  const globals = property(declared ? reader.resolve(declared) : { kind: 'absent' }, 'Function')

  /** Whether the function itself sets it. SAM merges a map of the function with that of Globals, key by key. */
  function isOwn(parent: Resolved, [name = '', ...rest]: readonly string[]): boolean {
    if (parent.kind !== 'map' || !parent.entries.has(name)) return false
    const child = property(parent, name)
    return rest.length === 0 || child.kind !== 'map' || isOwn(child, rest)
  }
  function presenceOf(resolved: Resolved): Setting<true> {
    const { kind, position } = resolved
    if (kind === 'unknown') return unknown(resolved.reason, position)
    return kind === 'absent' ? absent : known<true>(true, position)
  }

  /** A property of a function. SAM takes it from Globals if the function does not set it. */
  function propertyOf(id: string, names: readonly string[]): { resolved: Resolved; isInherited: boolean } {
    const own = propertiesOf(id)
    const resolved = names.reduce(property, own)
    const [name = ''] = names
    const inherits = isSam(id) && resolved.kind === 'absent' && !isOwn(own, names) && !ignoresGlobals(id, name)
    const inherited = inherits ? names.reduce(property, globals) : resolved
    const isInherited = inherits && inherited.kind !== 'absent'
    return { resolved: isInherited ? inherited : resolved, isInherited }
  }
  function isSam(id: string) {
    return typeOf(id) === 'AWS::Serverless::Function'
  }

  const functionOf = memoize((id: string): LambdaFunction => {
    function get<T>(path: string | readonly string[], read: (resolved: Resolved) => Setting<T>): Setting<T> {
      const { resolved, isInherited } = propertyOf(id, [path].flat())
      return isInherited ? { ...read(resolved), section: 'Globals' } : read(resolved)
    }
    const managed = get('CapacityProviderConfig', presenceOf)
    const durable = get('DurableConfig', presenceOf)
    const executionTimeout = get(['DurableConfig', 'ExecutionTimeout'], (resolved) =>
      number('executionTimeout', resolved),
    )
    const isIncomplete = durable.state === 'known' && executionTimeout.state === 'absent'
    const fix = 'Set ExecutionTimeout to a number of seconds, at most the visibility timeout of the queue.'
    return {
      id,
      position: resources.get(id)?.position,
      timeout: get('Timeout', (resolved) => timeoutSetting(text(resolved), managed)),
      memory: get('MemorySize', (resolved) => memorySetting(text(resolved), managed)),
      runtime: get('Runtime', text),
      reservedConcurrency: get('ReservedConcurrentExecutions', (resolved) => number('reservedConcurrency', resolved)),
      deadLetterTarget: get([isSam(id) ? 'DeadLetterQueue' : 'DeadLetterConfig', 'TargetArn'], presenceOf),
      tenantIsolation: get(['TenancyConfig', 'TenantIsolationMode'], text),
      executionTimeout: isIncomplete
        ? invalid('DurableConfig does not set it', fix, durable.position)
        : executionTimeout,
    }
  })

  /** The function of an alias or a version. If an alias routes to several versions, their settings are not known. */
  function ofAlias(id: string, aliasOf: LambdaFunction): LambdaFunction {
    const position = resources.get(id)?.position
    const weights = property(property(propertiesOf(id), 'RoutingConfig'), 'AdditionalVersionWeights')
    if (weights.kind === 'absent' || (weights.kind === 'list' && weights.items.length === 0)) {
      return ofVersion(id, property(propertiesOf(id), 'FunctionVersion'), aliasOf, position)
    }
    return weights.kind === 'unknown'
      ? unreadVersion(id, weights.reason, aliasOf, position)
      : weightedAlias(id, aliasOf, position)
  }

  /**
   * The function at a version. Only `$LATEST`, and a version that this template publishes, have the settings of the
   * template.
   */
  function ofVersion(id: string, version: Resolved, lambdaFunction: LambdaFunction, position?: Position) {
    if (lambdaFunction.unreadReason !== undefined || version.kind === 'absent') return lambdaFunction
    const value = version.kind === 'scalar' ? String(version.value) : ''
    const publisher = resourceIn(value, VERSION)
    // SAM allows Ref Function.Version.
    const isPublished = publisher !== undefined && (VERSION.test(typeOf(publisher)) || publisher === lambdaFunction.id)
    if (value === '$LATEST' || isPublished) return lambdaFunction
    const reason = version.kind === 'unknown' ? version.reason : whyUnknown(value)
    return reason === undefined
      ? pinnedVersion(id, value, lambdaFunction, position)
      : unreadVersion(id, reason, lambdaFunction, position)
  }

  /** The function at the alias or the version after its name or its ARN. */
  function atQualifier(lambdaFunction: LambdaFunction, qualifier: string, position?: Position): LambdaFunction {
    if (lambdaFunction.unreadReason !== undefined) return lambdaFunction
    const id = `${lambdaFunction.id}:${readable(qualifier)}`
    const referenced = resourceIn(qualifier, ALIAS)
    if (referenced !== undefined && ALIAS.test(typeOf(referenced))) return ofAlias(referenced, lambdaFunction)
    if (referenced !== undefined || /^(\d+|\$LATEST)$/.test(qualifier)) {
      return ofVersion(id, { kind: 'scalar', value: qualifier }, lambdaFunction, position)
    }
    // SAM publishes a version with the settings of the template, and creates this alias for it.
    if (valueIn(text(propertyOf(lambdaFunction.id, ['AutoPublishAlias']).resolved)) === qualifier) return lambdaFunction
    const own = aliases.filter((alias) => functionOfAlias(alias) === lambdaFunction)
    const ownByName = Map.groupBy(own, (alias) => nameOf(alias, 'Name'))
    const lookup = byName(ownByName, qualifier)
    if ('id' in lookup) return ofAlias(lookup.id, lambdaFunction)
    return unreadVersion(id, `the alias ${readable(qualifier)}: ${lookup.reason}`, lambdaFunction, position)
  }

  function functionOfAlias(id: string, via: readonly string[] = []): LambdaFunction {
    return findUnqualified(property(propertiesOf(id), 'FunctionName'), [...via, id])
  }

  /** The function that FunctionName refers to: by name, ARN or reference, directly or through an alias or a version. */
  function findFunction(resolved: Resolved): LambdaFunction {
    const lambdaFunction = findUnqualified(resolved)
    const parts = resolved.kind === 'scalar' ? partsOf(String(resolved.value)) : []
    const qualifier = parts[nameIndexOf(parts) + 1]
    return qualifier === undefined ? lambdaFunction : atQualifier(lambdaFunction, qualifier, resolved.position)
  }

  /** The function without regard to an alias or a version after its name or its ARN. */
  function findUnqualified(resolved: Resolved, via: readonly string[] = []): LambdaFunction {
    const position = resolved.position
    if (resolved.kind !== 'scalar') {
      const reason = resolved.kind === 'unknown' ? resolved.reason : 'no name is given'
      return unreadFunction('its function', reason, position)
    }
    const value = String(resolved.value)
    if (value === '') return unreadFunction('its function', 'its name is empty', position)
    const id = resourceIn(value, FUNCTION, ALIAS, VERSION)
    if (id !== undefined) {
      const type = typeOf(id)
      if (FUNCTION.test(type)) return functionOf(id)
      if (!ALIAS.test(type) && !VERSION.test(type))
        return unreadFunction(id, `it is a resource of type ${type}`, position)
      if (via.includes(id)) return unreadFunction(id, 'it refers to itself', position)
      return ofAlias(id, functionOfAlias(id, via))
    }
    const parts = partsOf(value)
    const lookup = byName(functionsByName, parts[nameIndexOf(parts)] ?? '')
    return 'id' in lookup ? functionOf(lookup.id) : unreadFunction(readable(value), lookup.reason, position)
  }

  /** The queue that an ARN refers to; undefined if it belongs to another service. */
  function lookUpQueue(resolved: Resolved): QueueLookup | undefined {
    if (resolved.kind === 'unknown') return { reason: resolved.reason }
    if (resolved.kind !== 'scalar') return { reason: 'no ARN is given' }
    const value = String(resolved.value)
    const id = resourceIn(value, QUEUE)
    const isQueue = id !== undefined && QUEUE.test(typeOf(id))
    const [arn, , service = '', , account = '', name] = partsOf(value)
    // An ARN with a given account can contain the name of a queue of this template, and refer to another queue.
    const isOtherAccount = arn === 'arn' && account !== reader.account && whyUnknown(account) === undefined
    if (isQueue && !isOtherAccount) return { id }
    if (id !== undefined && !isQueue) {
      return OTHER_SOURCES.test(typeOf(id)) ? undefined : { reason: `it comes from ${id}, of type ${typeOf(id)}` }
    }
    if (arn !== 'arn') return { reason: whyUnknown(value) ?? `${value} is not an ARN` }
    if (service !== 'sqs') {
      const reason = whyUnknown(service)
      return reason === undefined ? undefined : { reason }
    }
    if (!name) return { reason: `${readable(value)} has no name of a queue` }
    // Only an ARN with the account of this stack can refer to a queue of this template.
    const lookup = account === reader.account ? byName(queuesByName, name) : { reason: ELSEWHERE }
    if ('id' in lookup) return lookup
    return { ...lookup, arn: readable(value), fifo: fifoOfArn(value, lookup.reason, resolved.position) }
  }

  /** Checks an ARN of a queue. A reference to a queue (its URL) and its name are common mistakes. */
  function arnOf(resolved: Resolved): Setting<string> {
    const { position } = resolved
    const value = resolved.kind === 'scalar' ? String(resolved.value) : ''
    const [name = ''] = placeholdersIn(value)
    const [id = '', attribute = ''] = name.split('.')
    const whole = value === placeholder(name)
    if (whole && QUEUE.test(typeOf(id)) && !/^(Arn$|Fn::)/.test(attribute)) {
      const what = attribute === '' ? `a Ref of ${id} returns its URL, not its ARN` : `${name} is not the ARN of ${id}`
      return invalid(what, `Use the ARN: !GetAtt ${id}.Arn.`, position)
    }
    const fix = 'Use the ARN of a queue.'
    if (whole && NO_QUEUES.test(typeOf(id))) return invalid(`${id} is not a queue`, fix, position)
    if (resolved.kind !== 'scalar' || whyUnknown(value) !== undefined) return text(resolved)
    const [arn, , service] = partsOf(value)
    if (arn !== 'arn') return invalid(`"${value}" is not an ARN`, fix, position)
    return service === 'sqs' ? text(resolved) : invalid(`"${value}" is not a queue's ARN`, fix, position)
  }

  const retentionOf = memoize((id: string) => number('retention', property(propertiesOf(id), 'MessageRetentionPeriod')))

  function deadLetterQueueOf(deadLetterArn: Resolved): Redrive['deadLetterQueue'] {
    const { position } = deadLetterArn
    const lookup: QueueLookup = lookUpQueue(deadLetterArn) ?? { reason: 'it is not a queue' }
    if ('id' in lookup) {
      const { id } = lookup
      return { id, position: resources.get(id)?.position, fifo: fifoOf(id), retention: retentionOf(id) }
    }
    const { arn: id = 'its dead-letter queue', reason: unreadReason } = lookup
    const retention = unknown(unreadReason, position)
    return { id, position, unreadReason, fifo: lookup.fifo ?? retention, retention }
  }

  const fifoOf = memoize((id: string): Setting<boolean> => {
    const flag = boolean(property(propertiesOf(id), 'FifoQueue'))
    if (nameOf(id, 'QueueName')?.endsWith('.fifo')) return known(true)
    return flag.state === 'absent' ? known(false) : flag
  })

  /** The error if the value refers to the resource that it belongs to. */
  function circularReference(id: string, resolved: Resolved) {
    const names = resolved.kind === 'scalar' ? placeholdersIn(String(resolved.value)) : []
    if (!names.some((name) => name.split('.')[0] === id)) return undefined
    return invalid(`it is a circular reference to ${id} itself`, 'Use the ARN of another queue.', resolved.position)
  }

  const policyOf = memoize((id: string): Setting<Redrive> => {
    const policy = property(propertiesOf(id), 'RedrivePolicy')
    if (policy.kind === 'absent') return absent
    const read = map(policy)
    if (read.kind === 'unknown') return unknown(read.reason, read.position)
    if (read.kind !== 'map') return invalid(`it is a ${policy.kind}`, 'Set it to a map.', policy.position)
    const deadLetterArn = property(read, 'deadLetterTargetArn')
    const count = property(read, 'maxReceiveCount')
    const incomplete = incompletePolicy(deadLetterArn.kind !== 'absent', count.kind !== 'absent', policy.position)
    if (incomplete) return incomplete
    const deadLetterQueue = deadLetterQueueOf(deadLetterArn)
    const arn =
      circularReference(id, deadLetterArn) ??
      kindMismatch({ id, fifo: fifoOf(id) }, deadLetterQueue, deadLetterArn.position) ??
      arnOf(deadLetterArn)
    return known({ arn, maxReceiveCount: number('maxReceiveCount', count), deadLetterQueue }, policy.position)
  })

  /**
   * The dead-letter queue in the redrive policy of a queue. If the policy is unknown, all resources that it mentions.
   */
  function deadLetterQueuesOf(id: string): readonly string[] {
    const policy = policyOf(id)
    if (policy.state !== 'unknown') return [valueIn(policy)?.deadLetterQueue.id ?? '']
    const properties = propertiesOf(id)
    const declaration = properties.kind === 'map' ? properties.entries.get('RedrivePolicy') : undefined
    return declaration ? wordsIn(declaration).filter((word) => word !== id && resources.has(word)) : []
  }
  const deadLetterQueues = new Set(queues.flatMap(deadLetterQueuesOf))

  const queueOf = memoize((id: string): Queue => {
    const properties = propertiesOf(id)
    return {
      id,
      position: resources.get(id)?.position,
      fifo: fifoOf(id),
      visibilityTimeout: number('visibilityTimeout', property(properties, 'VisibilityTimeout')),
      retention: retentionOf(id),
      redrive: policyOf(id),
      isDeadLetterQueue: deadLetterQueues.has(id),
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

  return { functionOf, findFunction, findQueue, arnOf }
}
