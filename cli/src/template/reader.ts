import { absent, known, type Position, type Setting, unknown, valueIn } from '../model/setting.ts'
import { type Row, readTable, type SettingsOf, type Table } from '../model/settings.ts'
import { isObject } from '../shared/json.ts'
import { isPlain, type Node } from './document.ts'
import { holds, itemsOf, type Resolved, rawText, resolve, type Scope, scopeAround, type Verdict } from './resolve.ts'
import { formOf, partsOf, placeholder, placeholdersIn, readable, resourceOf, whyUnknown } from './text.ts'

export const ELSEWHERE = 'it is not in this template'
export const FUNCTION = /^AWS::(Lambda|Serverless)::Function$/
export const QUEUE = /^AWS::SQS::Queue$/
export const ALIAS = /^AWS::Lambda::Alias$/
export const VERSION = /^AWS::Lambda::Version$/

/**
 * Keys of loops and macros. On deployment, CloudFormation can add entries next to such a key. The template does not
 * show them.
 */
export const GENERATOR = /^Fn::(ForEach::|Transform$)/

/** A property of a map. An absent property has the position of the map. */
export function property(scope: Scope, parent: Resolved, ...[name, ...path]: readonly [string, ...string[]]): Resolved {
  const child = propertyOf(scope, parent, name)
  return path.length === 0 ? child : property(scope, child, ...(path as [string, ...string[]]))
}

function propertyOf(scope: Scope, parent: Resolved, name: string): Resolved {
  const { kind, position } = parent
  if (kind === 'unknown' || kind === 'absent') return parent
  if (kind !== 'map')
    return { kind: 'unknown', reason: `the value around it is a ${formOf(parent)}, but must be a map`, position }
  const child = parent.entries.get(name)
  if (child) return resolve(scope, child)
  const generator = [...parent.entries.keys()].find((key) => GENERATOR.test(key))
  return generator === undefined
    ? { kind: 'absent', position }
    : { kind: 'unknown', reason: `${generator} may add it`, position }
}

/** The value at the path of a setting. */
export function valueAt(scope: Scope, properties: Resolved, { path }: Pick<Row, 'path'>): Resolved {
  return path.map(String).reduce((parent, name) => property(scope, parent, name), properties)
}

/** A scalar as text, numbers and booleans included. */
export function textOf(resolved: Resolved): Setting<string> {
  const { position } = resolved
  if (resolved.kind === 'absent') return absent
  if (resolved.kind === 'unknown') return unknown(resolved.reason, position)
  if (resolved.kind !== 'scalar') return unknown(`it is a ${resolved.kind}`, position)
  const value = String(resolved.value)
  const reason = whyUnknown(value)
  return reason === undefined ? known(value, position) : unknown(reason, position)
}

/** A map, which can also be JSON text, such as RedrivePolicy. Placeholders in the text are kept. */
export function mapOf(resolved: Resolved): Resolved {
  if (resolved.kind !== 'scalar') return resolved
  const json = String(resolved.value)
  const { position = { line: 1, column: 1 } } = resolved
  try {
    const value: unknown = JSON.parse(json.replaceAll('\0', '\\u0000'))
    if (!isObject(value)) return resolved
    const nodes = Object.entries(value).map(([key, child]): [string, Node] => [
      key,
      toNode(child, { ...position, key }),
    ])
    return { kind: 'map', entries: new Map(nodes), position }
  } catch {
    const reason = whyUnknown(json)
    return reason === undefined ? resolved : { kind: 'unknown', reason, position }
  }
}

/** The node of a value in JSON text. */
function toNode(value: unknown, position: Position): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => toNode(item, position)), position }
  return { kind: 'scalar', value: isPlain(value) ? value : JSON.stringify(value), position }
}

/** The value of a setting. Of a map, it is only known that there is a value. */
export function settingOf(scope: Scope, resolved: Resolved, item?: Row['item']): Setting<unknown> {
  if (resolved.kind === 'map') return known({}, resolved.position)
  if (resolved.kind !== 'list') return textOf(resolved)
  const items = resolved.items.map((node) => resolve(scope, node)).filter(({ kind }) => kind !== 'absent')
  const values = items.map((one) => settingOf(scope, item ? property(scope, one, item[0]) : one))
  return known(values, resolved.position)
}

/** The settings of a table. `get` returns the value of a row, by default that at its path in `properties`. */
export function settingsIn<T extends Table>(
  scope: Scope,
  table: T,
  id: string,
  properties: Resolved,
  get = (row: Row) => settingOf(scope, valueAt(scope, properties, row), row.item),
): SettingsOf<T> {
  return readTable(table, get, (name) => `${id} ${name}`)
}

function declarationOf(scope: Scope, id: string): Resolved {
  const declaration = scope.resources.get(id)
  return declaration ? resolve(scope, declaration) : { kind: 'absent' }
}

export function positionOf(scope: Scope, id: string): Position | undefined {
  return scope.resources.get(id)?.position
}

/** A property beside Properties: Type, Metadata, IgnoreGlobals. */
export function attributeOf(scope: Scope, id: string, name: string): Resolved {
  return property(scope, declarationOf(scope, id), name)
}

/** The type of a resource; empty if it has none. */
export function typeOf(scope: Scope, id: string): string {
  return readable(rawText(attributeOf(scope, id, 'Type')))
}

/** The properties of a resource. A macro next to Properties can change them, so it is included. */
export function propertiesOf(scope: Scope, id: string): Resolved {
  const declaration = declarationOf(scope, id)
  const properties = property(scope, declaration, 'Properties')
  const macro = declaration.kind === 'map' ? declaration.entries.get('Fn::Transform') : undefined
  if (!macro || properties.kind !== 'map') return properties
  return { ...properties, entries: new Map([...properties.entries, ['Fn::Transform', macro]]) }
}

/** The condition of a resource, and whether it holds. */
export function conditionOf(scope: Scope, id: string): { name: string; verdict: Verdict } | undefined {
  const name = valueIn(textOf(attributeOf(scope, id, 'Condition')))
  const declaration = scope.resources.get(id)
  if (name === undefined || !declaration) return undefined
  const own = scopeAround(scope, declaration)
  return { name: own.prefix + name, verdict: holds(own, name) }
}

/** The resources of a type that exist with the parameters. */
export function resourcesOf(scope: Scope, type: RegExp): string[] {
  const ids = [...scope.resources.keys()].filter((id) => type.test(typeOf(scope, id)))
  return ids.filter((id) => conditionOf(scope, id)?.verdict !== false)
}

/**
 * The resource that a name or an ARN refers to. Empty if there is none. If it refers to several resources, the result
 * is the first one that has one of the `types` or, if none has, the first one. A name that merely contains the name
 * of a resource does not refer to it.
 */
export function resourceIn(scope: Scope, value: string, ...types: readonly RegExp[]): string {
  const names = partsOf(value).flatMap((part) => placeholdersIn(part).filter((name) => part === placeholder(name)))
  const ids = names.map(resourceOf).filter((id) => scope.resources.has(id))
  return ids.find((id) => types.some((type) => type.test(typeOf(scope, id)))) ?? ids[0] ?? ''
}

/** The only one of these resources with a name. Names with placeholders are equal if their placeholders are equal. */
export function onlyNamed(
  scope: Scope,
  ids: readonly string[],
  key: 'QueueName' | 'FunctionName' | 'Name',
  name: string,
): { id: string } | { reason: string } {
  const same = ids.filter((id) => rawText(property(scope, attributeOf(scope, id, 'Properties'), key)) === name)
  const [id, ...more] = same
  if (id === undefined) return { reason: whyUnknown(name) ?? ELSEWHERE }
  return more.length === 0 ? { id } : { reason: `${same.join(' and ')} have the same name` }
}

/** The texts of a list, or of a single text. */
export function textsOf(scope: Scope, resolved: Resolved): string[] {
  const items = resolved.kind === 'list' ? itemsOf(resolved).map((item) => resolve(scope, item)) : [resolved]
  return items.flatMap((item) =>
    item.kind === 'scalar' && whyUnknown(rawText(item)) === undefined ? rawText(item) : [],
  )
}
