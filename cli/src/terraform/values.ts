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
  const entries = Array.from(tree.entries, ([name, value]): [string, Tree] => {
    const expression = instance.config?.expressions?.[name]
    if (isKept(instance, name) && value.state === 'unknown' && expression === undefined) return [name, absent]
    return [name, argumentOf(instance, value, expression)]
  })
  return { state: 'map', entries: new Map(entries) }
}

/** If the configuration does not declare these arguments, the provider keeps the existing value, or sets none. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  aws_sqs_queue: ['redrive_policy', 'redrive_allow_policy', 'policy'],
  aws_kms_key: ['policy'],
  aws_iam_role: ['managed_policy_arns', 'inline_policy'],
}

function isKept({ type }: Instance, name: string): boolean {
  return KEPT[type]?.includes(name) === true
}

/** A value with its references. Blocks are lists of maps, in values and in expressions. */
function argumentOf(instance: Instance, value: Tree, expression: unknown): Tree {
  if (expression === undefined) return value
  if (value.state === 'list' && Array.isArray(expression)) {
    return { ...value, items: value.items.map((item, index) => argumentOf(instance, item, expression[index])) }
  }
  if (value.state === 'map') {
    const parts = expression as Readonly<Record<string, unknown>>
    const entries = Array.from(
      value.entries,
      ([name, part]) => [name, argumentOf(instance, part, parts[name])] as const,
    )
    return { ...value, entries: new Map(entries) }
  }
  if (value.state !== 'known' && value.state !== 'unknown') return value
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
