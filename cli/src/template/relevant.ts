import { FUNCTION_SETTINGS, MAPPING_SETTINGS, QUEUE_SETTINGS, type Table } from '../model/settings.ts'
import { entriesOf, type Node, nodesIn, scalarText } from './document.ts'
import { resourceOf } from './text.ts'

type Entries = ReadonlyMap<string, Node>

/** The names of the properties in a table, and of others that are read. */
function namesOf(table: Table, others: readonly string[]): readonly string[] {
  const ofTable = Object.values(table).flatMap(({ path, sam = [] }) => [path[0], sam[0]])
  return [...new Set([...ofTable.filter((name) => name !== undefined).map(String), ...others])]
}

/** The properties that are read, by the type of their resource. */
export const READ_PROPERTIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['AWS::Lambda::EventSourceMapping', namesOf(MAPPING_SETTINGS, ['FunctionName'])],
  ['AWS::SQS::Queue', namesOf(QUEUE_SETTINGS, ['QueueName', 'RedriveAllowPolicy'])],
  ['AWS::Lambda::Function', namesOf(FUNCTION_SETTINGS, ['FunctionName', 'CapacityProviderConfig'])],
  [
    'AWS::Serverless::Function',
    namesOf(FUNCTION_SETTINGS, ['FunctionName', 'CapacityProviderConfig', 'AutoPublishAlias', 'Events']),
  ],
])
/** Other types, of which all properties are read. */
const ALL_PROPERTIES =
  /^AWS::(Lambda::(Alias|Version|EventInvokeConfig)|SQS::Queue(Inline)?Policy|SNS::Subscription|Pipes::Pipe)$/

/** The events of SAM that are read. */
function readEvents(events: Node): Node {
  if (events.kind !== 'map') return events
  const read = Array.from(events.entries).filter(([, event]) =>
    /^S[QN]S$/.test(scalarText(entriesOf(event).get('Type')) ?? 'SQS'),
  )
  return { ...events, entries: new Map(read) }
}

/** A declaration with only its condition and the properties that are read. */
function readPart(declaration: Node, names: readonly string[]): Node {
  const { position } = declaration
  const condition = entriesOf(declaration).get('Condition')
  const properties = entriesOf(declaration).get('Properties')
  const entries = new Map<string, Node>()
  if (condition) entries.set('Condition', condition)
  if (!properties) return { kind: 'map', entries, position }
  if (properties.kind !== 'map') return declaration
  const read = Array.from(properties.entries).filter(([name]) => names.includes(name) || name.startsWith('Fn::'))
  const kept = read.map(([name, node]): [string, Node] => [name, name === 'Events' ? readEvents(node) : node])
  return { kind: 'map', entries: entries.set('Properties', { ...properties, entries: new Map(kept) }), position }
}

/** The parts of a template that `doctor` reads, by the ids of their resources. */
export function readParts(document: Node): ReadonlyMap<string, Node> {
  const resources = entriesOf(entriesOf(document).get('Resources'))
  return new Map(
    Array.from(resources).flatMap(([id, declaration]): [string, Node][] => {
      const type = String(scalarText(entriesOf(declaration).get('Type')))
      const names = READ_PROPERTIES.get(type)
      if (names) return [[id, readPart(declaration, names)]]
      return ALL_PROPERTIES.test(type) ? [[id, declaration]] : []
    }),
  )
}

/** The names in the text of Fn::Sub, apart from its own variables. */
export function variablesIn(argument: Node): string[] {
  const [head, variables] = argument.kind === 'list' ? argument.items : [argument]
  const own = entriesOf(variables)
  const names = Array.from(String(scalarText(head)).matchAll(/\$\{\s*([\w:.]+)\s*\}/g), ([, name]) => String(name))
  return names.filter((name) => !own.has(name))
}

/** The parameters, resources and conditions that a part of a template refers to. */
export function namesIn(root: Node): string[] {
  return Array.from(nodesIn(root).keys()).flatMap((node) => {
    const condition = scalarText(entriesOf(node).get('Condition'))
    if (condition !== undefined) return condition
    const [entry, ...more] = entriesOf(node)
    if (!entry || more.length > 0) return []
    const [key, value] = entry
    if (key === 'Fn::Sub') return variablesIn(value).map(resourceOf)
    const [head] = value.kind === 'list' ? value.items : [value]
    const name = scalarText(head)
    return name !== undefined && /^(Ref|Fn::If|Fn::GetAtt)$/.test(key) ? resourceOf(name) : []
  })
}

/** The names that the parts of a template refer to, with those that their conditions refer to. */
export function namesWithConditions(parts: Iterable<Node>, conditions: Entries): Set<string> {
  const names = new Set([...parts].flatMap(namesIn))
  for (const name of names) {
    const condition = conditions.get(name)
    for (const inner of condition ? namesIn(condition) : []) names.add(inner)
  }
  return names
}
