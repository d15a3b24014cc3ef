import { absent, known, type Limit, numberSetting, type Setting, unknown } from '../doctor/model.ts'
import type { Resolved, Resolver } from './resolve.ts'
import { gapOf } from './text.ts'

const ABSENT: Resolved = { kind: 'absent' }

/** Reads resources and their properties as settings. */
export const createReader = (resolver: Resolver) => {
  const { resolve, resources } = resolver

  const property = (parent: Resolved, name: string): Resolved => {
    if (parent.kind === 'unknown') return parent
    if (parent.kind !== 'map') return ABSENT
    const child = parent.entries.get(name)
    if (child) return resolve(child)
    const included = parent.entries.has('Fn::Transform')
    return included ? { kind: 'unknown', reason: 'Fn::Transform may add it', place: parent.place } : ABSENT
  }
  const resource = (id: string): Resolved => {
    const declaration = resources.get(id)
    return declaration ? resolve(declaration) : ABSENT
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

  return {
    ...resolver,
    property,
    text,
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
      return type.kind === 'scalar' ? String(type.value) : ''
    },
    propertiesOf: (id: string) => property(resource(id), 'Properties'),
    /** A name that the template gives a resource, where it is known. */
    nameOf: (id: string, key: 'QueueName' | 'FunctionName') => {
      const name = text(property(property(resource(id), 'Properties'), key))
      return name.state === 'known' ? name.value : undefined
    },
  }
}

export type Reader = ReturnType<typeof createReader>
