import type { Condition, Declaration, Kind } from '../model/declaration.ts'
import { placeholder, readable, textTree } from '../model/partial-text.ts'
import { absent, known } from '../model/setting.ts'
import { at, entriesOf, knownText, knownValue, type Tree, textIn, textsOf, toTree, withEntries } from '../model/tree.ts'
import { codeOfFunction } from './code-of-function.ts'
import { mapAt, nodesIn } from './document.ts'
import { conditionAt, evaluate, isGenerator } from './evaluate.ts'
import { mentionsIn } from './mentions.ts'
import { type Scope, scopeAround } from './scope.ts'

const SAM_FUNCTION = 'AWS::Serverless::Function'
const KINDS = new Map<string, Kind>([
  ['AWS::Lambda::Function', 'function'],
  [SAM_FUNCTION, 'function'],
  ['AWS::SQS::Queue', 'queue'],
  ['AWS::Lambda::Alias', 'alias'],
  ['AWS::Lambda::Version', 'version'],
  ['AWS::Lambda::EventSourceMapping', 'mapping'],
  ['AWS::Lambda::EventInvokeConfig', 'invokeConfig'],
  ['AWS::IAM::Role', 'role'],
  ['AWS::IAM::Policy', 'policy'],
  ['AWS::IAM::RolePolicy', 'policy'],
  ['AWS::IAM::ManagedPolicy', 'policy'],
  ['AWS::SQS::QueuePolicy', 'resourcePolicy'],
  ['AWS::SQS::QueueInlinePolicy', 'resourcePolicy'],
  ['AWS::KMS::Key', 'key'],
  ['AWS::KMS::Alias', 'keyAlias'],
])
const STREAM = /^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/
/** The properties with the names of resources that others can name. */
const NAMES: Partial<Record<Kind, string>> = {
  function: 'FunctionName',
  queue: 'QueueName',
  alias: 'Name',
  role: 'RoleName',
  keyAlias: 'AliasName',
}
/** What one can do about the queue and the mapping that SAM makes for a topic: they have no other settings. */
const INSTEAD_OF_SUBSCRIPTION =
  'Declare the queue, its subscription, and an event of Type: SQS instead of SqsSubscription.'
const SENDS = toTree({ Protocol: 'sqs' }, known)
const STATEMENT = { Effect: 'Allow', Principal: { Service: 'sns.amazonaws.com' }, Action: 'sqs:SendMessage' }
const ALLOWS = toTree({ PolicyDocument: { Statement: STATEMENT } }, known)
/** Events of SAM that become mappings. */
const POLLED = new Set(['SQS', 'Kinesis', 'DynamoDB', 'MSK', 'MQ', 'SelfManagedKafka', 'DocumentDB'])

export interface Written extends Declaration {
  /** Everything beside the properties, such as Metadata. */
  attributes: Tree
}

export function resourcesIn(scope: Scope): Written[] {
  const globals = at(evaluate(scope, mapAt(scope.document, 'Globals')), 'Function')
  return Array.from(scope.resources, ([id, node]) => resourceOf(scope, id, node, globals))
}

function resourceOf(scope: Scope, id: string, node: Tree, globals: Tree): Written {
  const { position } = node
  const attributes = evaluate(scope, node)
  const type = readable(textIn(at(attributes, 'Type')))
  const kind = KINDS.get(type) ?? (STREAM.test(type) ? 'stream' : 'other')
  const nameKey = NAMES[kind]
  const isOfSam = type === SAM_FUNCTION
  const own = ownProperties(attributes)
  const properties = isOfSam ? withGlobals(own, globals, textsOf(at(attributes, 'IgnoreGlobals'))) : own
  return {
    kind,
    type,
    id,
    position,
    properties,
    attributes,
    names: { name: nameKey && (textIn(at(properties, nameKey)) || undefined), url: placeholder(id) },
    condition: conditionOf(scope, id, attributes),
    // Logical ids have no slash. That of a resource of another stack begins with the name of the stack.
    isElsewhere: id.includes('/'),
    mentions: () => mentionsIn(scope, node),
    code: () => codeOfFunction(scope.folder, isOfSam, properties, at(attributes, 'Metadata')),
    hasOtherEvents: () => hasOtherEvents(properties),
  }
}

/** A macro next to Properties can change them. */
function ownProperties(attributes: Tree): Tree {
  const own = at(attributes, 'Properties')
  const hasMacro = attributes.state === 'map' && attributes.entries.has('Fn::Transform')
  return own.state === 'map' && hasMacro ? { ...own, open: { reason: 'Fn::Transform may add it' } } : own
}

/** SAM merges maps key by key. A property that is AWS::NoValue is not taken from Globals. */
function withGlobals(tree: Tree, globals: Tree, ignored: readonly string[] = []): Tree {
  if (globals.state === 'absent' || ignored.includes('*')) return tree
  const own = withEntries(tree, {})
  if (globals.state === 'unknown') return { ...own, open: { reason: globals.reason } }
  if (globals.state !== 'map') return own
  const { open } = own
  const entries = new Map(own.entries)
  for (const [name, inGlobals] of globals.entries) {
    const value = entries.get(name)
    if (ignored.includes(name) || inGlobals.state === 'absent') continue
    if (value?.state === 'map') entries.set(name, withGlobals(value, inGlobals))
    // A macro of the function itself may add it.
    else if (!value && !open) entries.set(name, { ...inGlobals, section: 'Globals' })
  }
  return { ...own, entries, open: open ?? globals.open }
}

/** Whether SAM makes an invoker of the function that is not a mapping. If this is not known, it counts. */
function hasOtherEvents(properties: Tree): boolean {
  const events = at(properties, 'Events')
  const arePolled = entriesOf(events).every(([, event]) => POLLED.has(textIn(at(event, 'Type'))))
  return events.state === 'unknown' || !arePolled || at(properties, 'FunctionUrlConfig').state !== 'absent'
}

/** The condition of a resource. If it is false, the reason names the parameters that decide about it. */
function conditionOf(scope: Scope, id: string, attributes: Tree): Condition | undefined {
  const condition = knownText(at(attributes, 'Condition'))
  if (condition === undefined) return undefined
  const own = scopeAround(scope, attributes)
  const verdict = conditionAt(own, condition)
  const name = own.prefix + condition
  if (verdict.state === 'unknown') {
    return { name, holds: undefined, reason: `the condition ${condition} of ${id}: ${verdict.reason}` }
  }
  const parameters = [...parametersOf(own, condition)].map((parameter) => `--parameter ${parameter}=…`).join(' ')
  const how = parameters === '' ? '' : ` (set it with ${parameters})`
  const reason = `its condition ${condition} is false with these parameters${how}`
  return { name, holds: knownValue(verdict) === true, reason }
}

function parametersOf(scope: Scope, condition: string): Set<string> {
  const found = new Set<string>()
  const conditions = new Set([condition])
  for (const name of conditions) {
    for (const node of nodesIn(mapAt(scope.document, 'Conditions', name))) {
      const [parameter, other] = [knownText(mapAt(node, 'Ref')), knownText(mapAt(node, 'Condition'))]
      if (other !== undefined) conditions.add(other)
      if (mapAt(scope.document, 'Parameters', String(parameter)).state !== 'absent') found.add(String(parameter))
    }
  }
  return found
}

/** What SAM makes of the events of a function: mappings, and what an `SqsSubscription` to a topic needs. */
export function madeOf(resource: Written): Declaration[] {
  const { id, type, properties, condition, isElsewhere } = resource
  if (type !== SAM_FUNCTION || isElsewhere) return []
  const owner: Tree = { state: 'unknown', reason: '', text: placeholder(id) }
  return entriesOf(at(properties, 'Events')).flatMap(([name, event]): Declaration[] => {
    if (isGenerator(name)) return []
    const own = { type: 'part', id: `${id}/${name}`, position: event.position, names: {}, condition }
    const mappingOf = (ofEvent: Tree, source: Tree): Declaration => {
      // The other properties have the names that they have in a mapping.
      const ofMapping = withEntries(ofEvent, { FunctionName: owner, EventSourceArn: source })
      return { ...own, kind: 'mapping', readsQueue: true, properties: ofMapping }
    }
    const ofEvent = at(event, 'Properties')
    if (knownText(at(event, 'Type')) === 'SQS') return [mappingOf(ofEvent, at(ofEvent, 'Queue'))]
    const subscription = subscriptionIn(event)
    if (!subscription) return []
    const queue = { ...own, kind: 'queue' as const, id: `${id}${name}Queue`, properties: withEntries(absent, {}) }
    const given = at(subscription, 'QueueArn')
    const source = given.state === 'absent' ? textTree(placeholder(`${queue.id}.Arn`)) : given
    const fix = INSTEAD_OF_SUBSCRIPTION
    return [
      ...(given.state === 'absent' ? [{ ...queue, fix }] : []),
      { ...mappingOf(subscription, source), fix },
      { ...own, kind: 'other', type: 'AWS::SNS::Subscription', properties: withEntries(SENDS, { Endpoint: source }) },
      { ...own, kind: 'resourcePolicy', properties: withEntries(ALLOWS, { Queues: source }) },
    ]
  })
}

/** Of an event of a topic with a queue in between: the settings of its mapping. */
function subscriptionIn(event: Tree): Tree | undefined {
  const subscription = at(event, 'Properties', 'SqsSubscription')
  if (knownText(at(event, 'Type')) !== 'SNS' || textIn(subscription) === 'false') return undefined
  if (subscription.state === 'absent' || subscription.state === 'unknown') return undefined
  return subscription.state === 'map' ? subscription : withEntries(absent, {})
}
