import { absent, known, unknown } from '../model/setting.ts'
import { at, itemsOf, type References, type Tree, toTree, withEntries } from '../model/tree.ts'
import type { Instance } from './plan.ts'
import { referencesOf } from './references.ts'

export const AFTER_APPLY = 'it is known only after apply'

/**
 * The values of an instance. Terraform shows an argument that is not set as null, and a block that is not set as an
 * empty list.
 */
export function valuesOf(instance: Instance): Tree {
  const { values, unknown: mask } = instance
  const tree = masked(
    toTree(values, (text): Tree => (text === '' ? absent : known(text))),
    mask,
  )
  if (tree.state !== 'map') return tree
  const entries = Array.from(tree.entries, ([name, value]) => [name, argumentOf(instance, name, value)] as const)
  return { state: 'map', entries: new Map(entries) }
}

function argumentOf(instance: Instance, name: string, value: Tree): Tree {
  const expression = instance.config?.expressions?.[name]
  // If the configuration does not declare a policy, the provider keeps the existing one, or sets none.
  if (name === 'redrive_policy' && value.state === 'unknown' && expression === undefined) return absent
  if (expression === undefined || (value.state !== 'known' && value.state !== 'unknown')) return value
  return {
    ...value,
    get refersTo(): References {
      return referencesOf(instance, expression)
    },
  }
}

/** A value with `after_unknown`, which has `true` in place of each part that is known only after apply. */
function masked(tree: Tree, mask: unknown): Tree {
  if (mask === true) return unknown(AFTER_APPLY)
  const hasUnknown = typeof mask === 'object' && mask !== null && /true/.test(JSON.stringify(mask))
  if (!hasUnknown || tree.state === 'known') return tree
  if (!Array.isArray(mask)) {
    const parts = Object.entries(mask).map(([name, part]) => [name, masked(at(tree, name), part)])
    return withEntries(tree, Object.fromEntries(parts))
  }
  const items = itemsOf(tree)
  const length = Math.max(items.length, mask.length)
  return { state: 'list', items: Array.from({ length }, (_, index) => masked(items[index] ?? absent, mask[index])) }
}
