import { absent, unknown } from '../model/setting.ts'
import type { References, Scalar, Tree } from '../model/tree.ts'
import type { Instance } from './plan.ts'
import { declares, referencesOf } from './references.ts'

export const AFTER_APPLY = 'it is known only after apply'

/**
 * The values of an instance. Terraform shows an argument that is not set as null, and a block that is not set as an
 * empty list. A data source does not show all arguments.
 */
export function valuesOf(instance: Instance): Tree {
  const { address, mode, values, unknown: isUnknown } = instance
  const tree = merge(values, isUnknown)
  if (tree.state !== 'map') return tree
  const entries = new Map(
    Array.from(tree.entries.keys(), (name) => [name, argumentOf(instance, name, tree.entries.get(name) ?? absent)]),
  )
  const open = { reason: `${address} does not show it`, id: `${address} shows it` }
  return { ...tree, entries, ...(mode === 'data' ? { open } : {}) }
}

/** The value of an argument, with what its expression refers to. */
function argumentOf(instance: Instance, name: string, value: Tree): Tree {
  // If the configuration does not declare a policy, the provider keeps the existing one, or sets none.
  if (name === 'redrive_policy' && value.state === 'unknown' && !declares(instance, name)) return absent
  const expression = instance.config?.expressions?.[name]
  if (expression === undefined || (value.state !== 'known' && value.state !== 'unknown')) return value
  return {
    ...value,
    get refersTo(): References {
      return referencesOf(instance, expression)
    },
  }
}

/** Merges `values` and `after_unknown`, which has `true` in place of each value that is known only after apply. */
function merge(value: unknown, isUnknown: unknown): Tree {
  if (isUnknown === true) return unknown(AFTER_APPLY)
  const parts = hasUnknown(isUnknown) ? isUnknown : undefined
  if (Array.isArray(value) || (Array.isArray(parts) && isEmpty(value))) {
    const list = (value ?? []) as unknown[]
    const length = Math.max(list.length, Array.isArray(parts) ? parts.length : 0)
    return { state: 'list', items: Array.from({ length }, (_, index) => merge(list[index], step(parts, index))) }
  }
  if (typeof value === 'object' && value !== null) return mergeMap(value, parts)
  if (isEmpty(value)) return parts === undefined ? absent : mergeMap({}, parts)
  return { state: 'known', value: value as Scalar }
}

function mergeMap(value: object, parts: unknown): Tree {
  const names = new Set([...Object.keys(value), ...Object.keys(parts ?? {})])
  return {
    state: 'map',
    entries: new Map(Array.from(names, (name) => [name, merge(step(value, name), step(parts, name))])),
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function hasUnknown(parts: unknown): parts is object {
  return typeof parts === 'object' && parts !== null && /true/.test(JSON.stringify(parts))
}

function step(value: unknown, name: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[name] : undefined
}
