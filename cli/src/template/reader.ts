import { absent, known, type Limit, numberSetting, type Setting, unknown } from '../model.ts'
import type { Node } from './document.ts'
import type { Resolved, Resolver } from './resolve.ts'
import { gapOf, readable } from './text.ts'

/** Keys beside which there may be more than is written: a loop or a macro makes it. */
export const MAKER = /^Fn::(ForEach::|Transform$)/

function makerIn(resolved: Resolved): string | undefined {
  return resolved.kind === 'map' ? [...resolved.entries.keys()].find((key) => MAKER.test(key)) : undefined
}

/** Reads resources and their properties as settings. */
export function createReader(resolver: Resolver) {
  const { resolve, holds, resources } = resolver

  /** What is absent has the place of what it is missing in. */
  const property = (parent: Resolved, name: string): Resolved => {
    const { kind, place } = parent
    if (kind === 'unknown' || kind === 'absent') return parent
    if (kind !== 'map') return { kind: 'unknown', reason: `there is a ${kind} where a map belongs`, place }
    const child = parent.entries.get(name)
    if (child) return resolve(child)
    const maker = makerIn(parent)
    return maker === undefined ? { kind: 'absent', place } : { kind: 'unknown', reason: `${maker} may add it`, place }
  }
  const resource = (id: string): Resolved => {
    const declaration = resources.get(id)
    return declaration ? resolve(declaration) : { kind: 'absent' }
  }

  /** One value as text; a number and a boolean too. */
  const text = (resolved: Resolved): Setting<string> => {
    const { place } = resolved
    if (resolved.kind === 'absent') return absent
    if (resolved.kind === 'unknown') return unknown(resolved.reason, place)
    if (resolved.kind !== 'scalar') return unknown(`it is a ${resolved.kind}`, place)
    const value = String(resolved.value)
    const gap = gapOf(value)
    return gap === undefined ? known(value, place) : unknown(gap, place)
  }

  /** What is meant to be a map, which may be written as JSON text too. The holes of the text stay. */
  const map = (resolved: Resolved): Resolved => {
    if (resolved.kind !== 'scalar') return resolved
    const json = String(resolved.value)
    const { place = { line: 1, column: 1 } } = resolved
    try {
      const value: unknown = JSON.parse(json.replaceAll('\0', '\\u0000'))
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return resolved
      const nodes = Object.entries(value).map(([key, value]): [string, Node] => {
        const scalar = typeof value === 'object' && value !== null ? JSON.stringify(value) : value
        return [key, { kind: 'scalar', value: scalar, place: { ...place } }] // each is a setting of its own
      })
      return { kind: 'map', entries: new Map(nodes), place }
    } catch {
      const reason = gapOf(json)
      return reason === undefined ? resolved : { kind: 'unknown', reason, place }
    }
  }

  return {
    ...resolver,
    property,
    text,
    map,
    number: (limit: Limit, resolved: Resolved): Setting<number> => {
      const setting = text(resolved)
      if (setting.state === 'unknown') return setting
      return setting.state === 'absent'
        ? numberSetting(limit, undefined)
        : numberSetting(limit, setting.value, setting.place)
    },
    /** A resource's type; empty where it has none. */
    typeOf: (id: string) => {
      const type = property(resource(id), 'Type')
      return type.kind === 'scalar' ? readable(String(type.value)) : ''
    },
    /** With the macro beside them, which gets and may change them. */
    propertiesOf: (id: string): Resolved => {
      const declaration = resource(id)
      const properties = property(declaration, 'Properties')
      const macro = declaration.kind === 'map' ? declaration.entries.get('Fn::Transform') : undefined
      if (!macro || properties.kind !== 'map') return properties
      return { ...properties, entries: new Map([...properties.entries, ['Fn::Transform', macro]]) }
    },
    /** A name that the template gives a resource, with holes where only a deployment knows it. */
    nameOf: (id: string, key: 'QueueName' | 'FunctionName') => {
      const name = property(property(resource(id), 'Properties'), key)
      return name.kind === 'scalar' ? String(name.value) : undefined
    },
    /** The condition that a resource is made under, and whether it holds. */
    conditionOf: (id: string) => {
      const name = text(property(resource(id), 'Condition'))
      return name.state === 'known' ? { name: name.value, verdict: holds(name.value) } : undefined
    },
  }
}

export type Reader = ReturnType<typeof createReader>
