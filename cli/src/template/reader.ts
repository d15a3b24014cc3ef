import { absent, known, mapSetting, type Position, type Setting, unknown } from '../model/setting.ts'
import { type AnyRow, type ReadSettings, readTable, type Table, toBoolean } from '../model/settings.ts'
import { isObject } from '../shared/json.ts'
import { isPlain, type Node } from './document.ts'
import type { Resolved, Resolver } from './resolve.ts'
import { formOf, readable, whyUnknown } from './text.ts'

/**
 * Keys of loops and macros. On deployment, CloudFormation can add entries next to such a key. The template does not
 * show them.
 */
export const GENERATOR = /^Fn::(ForEach::|Transform$)/

function generatorIn(resolved: Resolved): string | undefined {
  return resolved.kind === 'map' ? [...resolved.entries.keys()].find((key) => GENERATOR.test(key)) : undefined
}

/** Reads resources and their properties as settings. */
export function createReader(resolver: Resolver, folder = process.cwd()) {
  const { resolve, holds, resources } = resolver

  /** A property of a map. An absent property has the position of the map. */
  function property(parent: Resolved, name: string): Resolved {
    const { kind, position } = parent
    if (kind === 'unknown' || kind === 'absent') return parent
    if (kind !== 'map')
      return { kind: 'unknown', reason: `the value around it is a ${formOf(parent)}, but must be a map`, position }
    const child = parent.entries.get(name)
    if (child) return resolve(child)
    const generator = generatorIn(parent)
    return generator === undefined
      ? { kind: 'absent', position }
      : { kind: 'unknown', reason: `${generator} may add it`, position }
  }
  function resource(id: string): Resolved {
    const declaration = resources.get(id)
    return declaration ? resolve(declaration) : { kind: 'absent' }
  }

  /** A scalar as text, numbers and booleans included. */
  function text(resolved: Resolved): Setting<string> {
    const { position } = resolved
    if (resolved.kind === 'absent') return absent
    if (resolved.kind === 'unknown') return unknown(resolved.reason, position)
    if (resolved.kind !== 'scalar') return unknown(`it is a ${resolved.kind}`, position)
    const value = String(resolved.value)
    const unresolved = whyUnknown(value)
    return unresolved === undefined ? known(value, position) : unknown(unresolved, position)
  }

  /** A map. Some maps, such as RedrivePolicy, can also be JSON text. Placeholders in the text are kept. */
  function map(resolved: Resolved): Resolved {
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

  /** The value of a row. Only scalars have their value. For other rows, it is only known that there is a value. */
  function rowValue(resolved: Resolved): Setting<unknown> {
    const { kind, position } = resolved
    return kind === 'list' || kind === 'map' ? known(kind === 'list' ? [] : {}, position) : text(resolved)
  }

  /** The settings of a table. `get` returns the value of a row, by default that at its path in `properties`. */
  function settings<T extends Table>(
    table: T,
    id: string,
    properties: Resolved,
    get = (row: AnyRow) => rowValue(at(properties, row)),
    managed?: Setting<unknown>,
  ): ReadSettings<T> {
    return readTable(table, get, (name) => `${id} ${name}`, managed)
  }
  function at(properties: Resolved, { path }: Pick<AnyRow, 'path'>): Resolved {
    return path.map(String).reduce(property, properties)
  }

  return {
    ...resolver,
    /** The folder of the template, to which the paths in it are relative. */
    folder,
    property,
    at,
    rowValue,
    settings,
    text,
    map,
    boolean: (resolved: Resolved) =>
      mapSetting(text(resolved), (value): Setting<boolean> => toBoolean(value, resolved.position)),
    positionOf: (id: string): Position | undefined => resources.get(id)?.position,
    metadataOf: (id: string) => property(resource(id), 'Metadata'),
    /** The type of a resource; empty if it has none. */
    typeOf: (id: string) => {
      const type = property(resource(id), 'Type')
      return type.kind === 'scalar' ? readable(String(type.value)) : ''
    },
    /** The properties of a resource. A macro next to Properties can change them, so it is included. */
    propertiesOf: (id: string): Resolved => {
      const declaration = resource(id)
      const properties = property(declaration, 'Properties')
      const macro = declaration.kind === 'map' ? declaration.entries.get('Fn::Transform') : undefined
      if (!macro || properties.kind !== 'map') return properties
      return { ...properties, entries: new Map([...properties.entries, ['Fn::Transform', macro]]) }
    },
    /**
     * The name that the template gives to a resource, with placeholders for parts that are known only after deployment.
     */
    nameOf: (id: string, key: 'QueueName' | 'FunctionName' | 'Name') => {
      const name = property(property(resource(id), 'Properties'), key)
      return name.kind === 'scalar' ? String(name.value) : undefined
    },
    /** Whether a resource of SAM does not take this property from Globals. */
    ignoresGlobals: (id: string, name: string): boolean => {
      const ignored = property(resource(id), 'IgnoreGlobals')
      const items = ignored.kind === 'list' ? ignored.items.map(resolve) : [ignored]
      return items.some((item) => {
        const { state, value = '' } = { value: undefined, ...text(item) }
        return state === 'known' && (value === '*' || value === name)
      })
    },
    /** The condition of a resource, and whether it holds. */
    conditionOf: (id: string) => {
      const name = text(property(resource(id), 'Condition'))
      return name.state === 'known' ? { name: name.value, verdict: holds(name.value) } : undefined
    },
  }
}

export type Reader = ReturnType<typeof createReader>

/** The node of a value in JSON text. */
function toNode(value: unknown, position: Position): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => toNode(item, position)), position }
  return { kind: 'scalar', value: isPlain(value) ? value : JSON.stringify(value), position }
}
