import {
  type Acceptance,
  type LambdaFunction,
  type Mapping,
  type Queue,
  type Unread,
  unreadQueue,
} from '../model/model.ts'
import { absent, known, type Position, unknown, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS, QUEUE_SETTINGS } from '../model/settings.ts'
import { entriesOf, type Node } from './document.ts'
import { functionAt, functionWithId } from './functions.ts'
import { queueAt } from './queues.ts'
import { attributeOf, conditionOf, GENERATOR, propertiesOf, property, settingsIn, textOf, typeOf } from './reader.ts'
import { isOfOtherStack, type Resolved, rawText, resolve, type Scope } from './resolve.ts'

/** Properties that only mappings of other services have: streams, brokers and clusters. */
const OTHER_SERVICES = ['StartingPosition', 'Queues', 'Topics', 'SelfManagedEventSource']
const KNOWN_MACROS = /^AWS::(Serverless-|LanguageExtensions$|CodeDeployBlueGreen$|SecretsManager-)/
const NESTED = /^AWS::(CloudFormation::Stack(Set)?|Serverless::Application)$|::MODULE$/
const CHECKED = /^AWS::(Lambda::(Function|EventSourceMapping)|Serverless::Function|SQS::Queue)$/
const SAM_FUNCTION = 'AWS::Serverless::Function'
const MAPPING = 'AWS::Lambda::EventSourceMapping'
const GENERATED = 'the resources that it generates are known only after deployment'

/** What was found in a template. */
export interface Collected {
  mappings: Mapping[]
  otherReaders: Mapping[]
  unreadResources: Unread[]
  absentResources: Unread[]
  acceptances: Acceptance[]
}

type MappingBase = Pick<Mapping, 'id' | 'position' | 'condition'>

/** Finds the mappings, and lists what may add others. */
export function collect(scope: Scope, file: string): Collected {
  const found: Collected = {
    mappings: [],
    otherReaders: [],
    unreadResources: [],
    absentResources: [],
    acceptances: [],
  }
  for (const key of ['Transform', 'Fn::Transform']) addMacros(scope, found, key)
  for (const [id, declaration] of scope.resources) {
    if (!isOfOtherStack(id)) addResource(scope, found, id, declaration)
    else if (typeOf(scope, id) === MAPPING && conditionOf(scope, id)?.verdict !== false)
      addMapping(scope, found, found.otherReaders, id, declaration.position)
    addAcceptances(scope, found, file, id, attributeOf(scope, id, 'Metadata'))
  }
  addAcceptances(scope, found, file, '*', property(scope, resolve(scope, scope.root), 'Metadata'))
  return found
}

function addUnread({ unreadResources }: Collected, id: string, unreadReason: string, position?: Position) {
  unreadResources.push({ id, position, unreadReason })
}

function addMacros(scope: Scope, found: Collected, key: string): void {
  const declaration = entriesOf(scope.root).get(key)
  if (!declaration) return
  const macros = resolve(scope, declaration)
  for (const macro of macros.kind === 'list' ? macros.items.map((item) => resolve(scope, item)) : [macros]) {
    const name = textOf(macro.kind === 'map' ? property(scope, macro, 'Name') : macro)
    if (name.state === 'absent' || KNOWN_MACROS.test(String(valueIn(name)))) continue
    addUnread(found, name.state === 'known' ? name.value : key, 'a macro may change the template', macros.position)
  }
}

function addResource(scope: Scope, found: Collected, id: string, { position }: Node): void {
  const type = textOf(attributeOf(scope, id, 'Type'))
  const typeName = String(valueIn(type))
  const properties = propertiesOf(scope, id)
  // A macro receives all entries next to it, and may change them all.
  const hasMacro = properties.kind === 'map' && properties.entries.has('Fn::Transform')
  if (CHECKED.test(typeName) && hasMacro) addUnread(found, id, 'a macro may change it', position)
  if (GENERATOR.test(id)) addUnread(found, id, GENERATED, position)
  else if (type.state === 'unknown') addUnread(found, id, `its Type is not known: ${type.reason}`, position)
  else if (NESTED.test(typeName) && !scope.links?.nested.has(id)) {
    const unreadReason = 'its resources are in a separate template'
    found.unreadResources.push({ id, position, unreadReason, fix: 'Run doctor on that template.' })
  }
  if (![SAM_FUNCTION, MAPPING].includes(typeName)) return
  const condition = conditionOf(scope, id)
  if (condition?.verdict === false) {
    const unreadReason = `its condition ${condition.name} is false with these parameters`
    found.absentResources.push({ id, position, unreadReason })
  } else if (typeName === SAM_FUNCTION) addEvents(scope, found, id)
  else addMapping(scope, found, found.mappings, id, position)
}

/** The condition of a resource, if it is not known whether it holds. */
function openConditionOf(scope: Scope, id: string): Mapping['condition'] {
  const condition = conditionOf(scope, id)
  if (typeof condition?.verdict !== 'object') return undefined
  const { name, verdict } = condition
  return { name, reason: `the condition ${name} of ${id}: ${verdict.reason}` }
}

function addMapping(scope: Scope, found: Collected, mappings: Mapping[], id: string, position: Position): void {
  const properties = propertiesOf(scope, id)
  const queue = queueAt(scope, property(scope, properties, 'EventSourceArn'))
  if (!queue) return
  // An unknown ARN counts as that of a queue, unless the mapping has a property that only other services have.
  if (queue.fifo.state === 'unknown' && queue.unreadReason !== undefined) {
    const others = OTHER_SERVICES.map((name) => property(scope, properties, name))
    const unresolved = others.find((other) => other.kind === 'unknown')
    if (others.some(({ kind }) => kind !== 'absent' && kind !== 'unknown')) return
    if (unresolved) addUnread(found, id, `whether it reads SQS is not known: ${unresolved.reason}`, position)
    if (unresolved) return
  }
  const lambdaFunction = functionAt(scope, property(scope, properties, 'FunctionName'))
  const settings = settingsIn(scope, MAPPING_SETTINGS, id, properties)
  const condition = openConditionOf(scope, id)
  // If the mapping has the same condition as its function, both exist together.
  const mayNotExist =
    condition && condition.name !== conditionOf(scope, lambdaFunction.id)?.name && valueIn(settings.runs)
  const runs = mayNotExist ? unknown(condition.reason) : settings.runs
  mappings.push({ id, position, condition, ...settings, runs, queue, function: lambdaFunction })
}

function addEvents(scope: Scope, found: Collected, id: string): void {
  const events = property(scope, propertiesOf(scope, id), 'Events')
  if (events.kind === 'unknown') addUnread(found, id, `its Events are not known: ${events.reason}`, events.position)
  if (events.kind !== 'map') return
  for (const [name, declaration] of events.entries) {
    const { position } = declaration
    const base = { id: `${id}/${name}`, position, condition: openConditionOf(scope, id) }
    if (GENERATOR.test(name)) addUnread(found, base.id, GENERATED, position)
    else addEvent(scope, found, base, resolve(scope, declaration), functionWithId(scope, id))
  }
}

function addEvent(scope: Scope, found: Collected, base: MappingBase, event: Resolved, target: LambdaFunction): void {
  const type = textOf(property(scope, event, 'Type'))
  const properties = property(scope, event, 'Properties')
  if (type.state === 'unknown') addUnread(found, base.id, `its Type is not known: ${type.reason}`, base.position)
  if (valueIn(type) === 'SNS') addTopicEvent(scope, found, base, properties, target)
  if (valueIn(type) !== 'SQS') return
  const queue = eventQueueAt(scope, property(scope, properties, 'Queue'))
  const settings = settingsIn(scope, MAPPING_SETTINGS, base.id, properties)
  found.mappings.push({ ...base, ...settings, queue, function: target })
}

function eventQueueAt(scope: Scope, arn: Resolved): Queue {
  return queueAt(scope, arn) ?? unreadQueue('its queue', 'it is not a queue', arn.position)
}

/**
 * With `SqsSubscription: true`, SAM makes a queue between a topic and a function. With an object, it uses the queue in
 * `QueueArn`. The batch size is the only setting of the mapping that SAM sets.
 */
function addTopicEvent(scope: Scope, found: Collected, base: MappingBase, event: Resolved, target: LambdaFunction) {
  const subscription = property(scope, event, 'SqsSubscription')
  const { kind, position } = subscription
  if (kind === 'unknown')
    addUnread(found, base.id, `its SqsSubscription is not known: ${subscription.reason}`, position)
  if (kind === 'unknown' || kind === 'absent' || rawText(subscription) === 'false') return
  const batchSize = kind === 'map' ? subscription.entries.get('BatchSize') : undefined
  const own: Resolved = { kind: 'map', entries: new Map(batchSize ? [['BatchSize', batchSize]] : []), position }
  const queue =
    kind === 'map' ? eventQueueAt(scope, property(scope, subscription, 'QueueArn')) : queueOfSam(scope, base)
  found.mappings.push({
    ...base,
    ...settingsIn(scope, MAPPING_SETTINGS, base.id, own),
    queue,
    function: target,
    reportBatchItemFailures: known(false, position),
    isMadeBySam: true,
  })
}

/** The queue that SAM makes has the defaults of AWS, and no redrive policy. */
function queueOfSam(scope: Scope, { id: event, position }: MappingBase): Queue {
  const id = `the queue of ${event}`
  const settings = settingsIn(scope, QUEUE_SETTINGS, id, { kind: 'absent' })
  return { id, position, ...settings, redrive: absent, isMadeBySam: true }
}

/** The findings that the metadata of a resource accepts, or those of the template, for all resources. */
function addAcceptances(scope: Scope, found: Collected, file: string, resource: string, metadata: Resolved): void {
  const accepted = property(scope, metadata, 'bounded-sqs-batch', 'accept')
  if (accepted.kind !== 'map') return
  for (const [rule, node] of accepted.entries) {
    const reason = valueIn(textOf(resolve(scope, node))) ?? ''
    const { position } = node
    const place = { file: position.file ?? file, line: position.line }
    found.acceptances.push({ rule, resource, reason: reason.trim(), place })
  }
}
