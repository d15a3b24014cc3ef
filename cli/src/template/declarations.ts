import type { Condition, Declaration, Kind } from '../model/declaration.ts'
import { absent } from '../model/setting.ts'
import { placeholder, readable } from '../model/text.ts'
import { at, entriesOf, itemsOf, knownText, lazyMap, type Tree, textIn, textsOf } from '../model/tree.ts'
import { codeOfFunction } from './code-of-function.ts'
import { mapAt } from './document.ts'
import { evaluate, GENERATOR, holds, parametersOf } from './evaluate.ts'
import { allowedActionsOf } from './permissions.ts'
import { type Scope, scopeAround } from './scope.ts'
import { isInvokedOtherwise } from './users.ts'

const SAM_FUNCTION = 'AWS::Serverless::Function'
const KINDS: readonly [type: RegExp, kind: Kind][] = [
  [/^AWS::(Lambda|Serverless)::Function$/, 'function'],
  [/^AWS::SQS::Queue$/, 'queue'],
  [/^AWS::Lambda::Alias$/, 'alias'],
  [/^AWS::Lambda::Version$/, 'version'],
  [/^AWS::Lambda::EventSourceMapping$/, 'mapping'],
  [/^AWS::Lambda::EventInvokeConfig$/, 'invokeConfig'],
  [/^AWS::SNS::Subscription$/, 'subscription'],
  [/^AWS::(Kinesis|DynamoDB|MSK|AmazonMQ|DocDB)::/, 'stream'],
]
/** Logical ids have no slash. That of a resource of another stack begins with the name of the stack. */
const ELSEWHERE = /\//

/** A resource of a template, as far as it is written there. */
export interface Written {
  id: string
  type: string
  /** Everything beside the properties, such as Metadata. */
  attributes: Tree
  properties: Tree
  node: Tree
}

/** The resources of a template, and what SAM makes of events and subscriptions. */
export function declarationsIn(scope: Scope): Declaration[] {
  return Array.from(scope.resources, ([id, node]) => written(scope, id, node)).flatMap((one) => {
    const declaration = declarationOf(scope, one)
    const made = declaration.condition?.holds === false && one.type !== SAM_FUNCTION ? [] : madeOf(one, declaration)
    return [declaration, ...made]
  })
}

export function written(scope: Scope, id: string, node: Tree): Written {
  const attributes = evaluate(scope, node)
  const type = readable(textIn(at(attributes, 'Type')))
  return { id, type, attributes, properties: propertiesOf(scope, type, attributes), node }
}

/** The properties of a resource. A macro next to Properties can change them. SAM adds those of Globals. */
function propertiesOf(scope: Scope, type: string, attributes: Tree): Tree {
  const own = at(attributes, 'Properties')
  const properties =
    own.state === 'map' && attributes.state === 'map' && attributes.entries.has('Fn::Transform')
      ? { ...own, open: { reason: 'Fn::Transform may add it' } }
      : own
  if (type !== SAM_FUNCTION) return properties
  const globals = mapAt(scope.root, 'Globals')
  if (globals.state === 'absent') return properties
  return withGlobals(properties, at(evaluate(scope, globals), 'Function'), textsOf(at(attributes, 'IgnoreGlobals')))
}

/** SAM merges maps key by key. A property that is AWS::NoValue is not taken from Globals. */
function withGlobals(own: Tree, globals: Tree, ignored: readonly string[] = []): Tree {
  if (own.state === 'absent')
    return withGlobals(
      lazyMap([], () => undefined),
      globals,
      ignored,
    )
  if (own.state !== 'map' || ignored.includes('*')) return own
  if (globals.state === 'unknown') return { ...own, open: { reason: globals.reason } }
  if (globals.state !== 'map') return own
  const { entries, open = globals.open } = own
  const ofGlobals = [...globals.entries.keys()].filter((name) => !ignored.includes(name))
  function get(name: string): Tree | undefined {
    const inGlobals = ofGlobals.includes(name) ? at(globals, name) : absent
    const value = entries.get(name)
    if (value) return value.state === 'map' ? withGlobals(value, inGlobals) : value
    // A macro of the function itself may add it.
    return inGlobals.state === 'absent' || (own.state === 'map' && own.open) ? undefined : inherited(inGlobals)
  }
  return lazyMap([...entries.keys(), ...ofGlobals], get, { open, position: own.position })
}

/** A value of Globals, which the function itself does not set. */
function inherited(tree: Tree): Tree {
  const section = 'Globals'
  if (tree.state !== 'map') return { ...tree, section }
  const { entries, position } = tree
  const get = (name: string) => (entries.has(name) ? inherited(at(tree, name)) : undefined)
  return lazyMap(entries.keys(), get, { section, position })
}

function declarationOf(scope: Scope, one: Written): Declaration {
  const { id, type, properties, node } = one
  const kind = KINDS.find(([types]) => types.test(type))?.[1] ?? 'other'
  const nameOf = (name: string) => textIn(at(properties, name)) || undefined
  const declaration: Declaration = {
    kind,
    type,
    id,
    position: node.position,
    properties,
    get names() {
      const name = nameOf(kind === 'queue' ? 'QueueName' : kind === 'alias' ? 'Name' : 'FunctionName')
      return { name, url: placeholder(id) }
    },
    get condition() {
      return conditionOf(scope, one)
    },
    isElsewhere: ELSEWHERE.test(id),
  }
  if (kind === 'function')
    Object.defineProperties(declaration, Object.getOwnPropertyDescriptors(functionOf(scope, one)))
  return declaration
}

/** What only functions have. */
function functionOf(scope: Scope, one: Written): Partial<Declaration> {
  const { type, attributes, properties } = one
  return {
    get code() {
      return codeOfFunction(scope.folder, type === SAM_FUNCTION, properties, at(attributes, 'Metadata'))
    },
    get publishedAlias() {
      return knownText(at(properties, 'AutoPublishAlias'))
    },
    facts: {
      isInvokedOtherwise: () => isInvokedOtherwise(scope, one),
      allowedActions: () => allowedActionsOf(scope, one),
    },
  }
}

/** The condition of a resource. If it is false, the reason names the parameters that decide about it. */
function conditionOf(scope: Scope, { id, attributes, node }: Written): Condition | undefined {
  const name = knownText(at(attributes, 'Condition'))
  if (name === undefined) return undefined
  const own = scopeAround(scope, node)
  const verdict = holds(own, name)
  if (typeof verdict === 'object') {
    return { name: own.prefix + name, holds: undefined, reason: `the condition ${name} of ${id}: ${verdict.reason}` }
  }
  const parameters = [...parametersOf(own, name)].map((parameter) => `--parameter ${parameter}=…`).join(' ')
  const how = parameters === '' ? '' : ` (set it with ${parameters})`
  const reason = `its condition ${name} is false with these parameters${how}`
  return { name: own.prefix + name, holds: verdict, reason }
}

/** What SAM makes of the events of a function, and the subscriptions that a topic lists itself. */
function madeOf(one: Written, declaration: Declaration): Declaration[] {
  const { type, properties } = one
  if (type === SAM_FUNCTION && !declaration.isElsewhere) return eventsOf(one, declaration)
  if (type !== 'AWS::SNS::Topic') return []
  return itemsOf(at(properties, 'Subscription')).map((item) => ({
    ...part(one.id, item.position, declaration),
    kind: 'subscription',
    properties: item,
  }))
}

function part(id: string, position: Tree['position'], { condition }: Declaration) {
  return { id, type: 'part', position, names: {}, condition, readsQueue: true }
}

function eventsOf({ id, properties }: Written, declaration: Declaration): Declaration[] {
  return entriesOf(at(properties, 'Events')).flatMap(([name, event]): Declaration[] => {
    if (GENERATOR.test(name)) return []
    const base = part(`${id}/${name}`, positionOfEntry(at(properties, 'Events'), name) ?? event.position, declaration)
    const type = knownText(at(event, 'Type'))
    const ofEvent = at(event, 'Properties')
    if (type === 'SNS') return topicEvent(id, base, at(ofEvent, 'SqsSubscription'))
    if (type !== 'SQS') return []
    return [{ ...base, kind: 'mapping', properties: mappingOf(id, ofEvent, at(ofEvent, 'Queue')) }]
  })
}

function positionOfEntry(map: Tree, name: string): Tree['position'] {
  return map.state === 'map' ? map.entries.get(name)?.position : undefined
}

/** The properties of an event, with the names that they have in a mapping. */
function mappingOf(functionId: string, event: Tree, source: Tree, more: [string, Tree][] = []): Tree {
  const ends = new Map<string, Tree>([
    ['FunctionName', { state: 'unknown', reason: '', text: placeholder(functionId) }],
    ['EventSourceArn', source],
    ...more,
  ])
  const entries = event.state === 'map' ? event.entries : new Map<string, Tree>()
  const open = event.state === 'unknown' ? event : event.state === 'map' ? event.open : undefined
  const get = (name: string) => ends.get(name) ?? entries.get(name)
  return lazyMap([...entries.keys(), ...ends.keys()], get, {
    open: open && { reason: open.reason },
    position: event.position,
  })
}

/**
 * With `SqsSubscription: true`, SAM makes a queue between a topic and a function. With an object, it uses the queue in
 * `QueueArn`. The batch size is the only setting of the mapping that SAM sets.
 */
function topicEvent(functionId: string, base: ReturnType<typeof part>, subscription: Tree): Declaration[] {
  const { state, position } = subscription
  if (state === 'unknown' || state === 'absent' || textIn(subscription) === 'false') return []
  const isOwn = state === 'map'
  const id = `the queue of ${base.id}`
  const queue: Declaration = { ...base, id, kind: 'queue', properties: absent, isMadeBySam: true }
  const source: Tree = isOwn
    ? at(subscription, 'QueueArn')
    : { state: 'unknown', reason: '', text: placeholder(`${id}.Arn`) }
  const batchSize = isOwn ? at(subscription, 'BatchSize') : absent
  const none: Tree = { state: 'list', items: [], position }
  const more: [string, Tree][] = [
    ['FunctionResponseTypes', none],
    ['BatchSize', batchSize],
  ]
  const properties = mappingOf(functionId, { state: 'map', entries: new Map(), position }, source, more)
  return [...(isOwn ? [] : [queue]), { ...base, kind: 'mapping', properties, isMadeBySam: true }]
}
