import { isObject } from '../shared/json.ts'
import type { Expression, Instance, Module } from './plan.ts'
import { AFTER_APPLY } from './values.ts'

/** A resource or data source that an expression refers to, and the attribute, such as `arn`. */
interface Leaf {
  instance: Instance
  attribute: string
}

/** `unresolved` lists the references whose values a plan does not show: local values, and perhaps `each.value`. */
export interface Resolution {
  leaves: readonly Leaf[]
  unresolved: readonly string[]
}

/** A key in brackets: `["a.b"]` or `[0]`. */
const KEY = String.raw`\[(?:"(?:[^"\\]|\\.)*"|\d+)\]`
const RESOURCE = new RegExp(String.raw`^(data\.)?([\w-]+)\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)
const MODULE = new RegExp(String.raw`^module\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)
const WITHOUT_RESOURCES = /^(each\.key|count|path|terraform|tofu|self)\b/
const OWN_KEY = /^(each\.key|each\.value|count\.index)$/
const OTHER_PART = /^(each\.value|var|local)\b/

/** Where an expression is: in an output, or in the declaration of a resource or of a module call. */
interface Scope {
  module: Module
  /** The key of the instance in `count` or `for_each`. Empty if there is none. */
  key: string
  /** The keys of all instances of the declaration. */
  keys: readonly string[]
  forEach?: Expression | undefined
  /** The expression is a `for_each`, whose keys are those of the resources that it refers to. */
  isForEach?: true
}

function keysOf({ key }: { key: string }, siblings: readonly { key: string }[]) {
  return { key, keys: siblings.map((sibling) => sibling.key) }
}

/** The references of an expression. Those of a block are in its arguments. */
function referencesOf(expression: unknown): readonly string[] {
  if (Array.isArray(expression)) return expression.flatMap(referencesOf)
  if (!isObject(expression)) return []
  const { references } = expression as Expression
  return references ?? ('constant_value' in expression ? [] : Object.values(expression).flatMap(referencesOf))
}

/** Terraform lists `a.b[0].c`, `a.b[0]` and `a.b` for one reference. The longest one has all information. */
function longest(references: readonly string[]) {
  return references.filter(
    (reference) => !references.some((other) => other.startsWith(`${reference}.`) || other.startsWith(`${reference}[`)),
  )
}

/**
 * Whether an expression certainly selects the instance that has the key of the scope. Terraform lists both
 * `queue[each.key]` and `queue["${each.key}-dead"]` as `queue` and `each.key`.
 */
function isPaired(references: readonly string[], { key, keys, isForEach }: Scope, some: readonly { key: string }[]) {
  if (isForEach) return true
  if (!references.some((reference) => OWN_KEY.test(reference))) return false
  // If both declarations have the same keys, the expression adds no text: the longest key plus a text would not exist.
  if (some.length === keys.length && some.every((one) => keys.includes(one.key))) return true
  if (!references.includes('each.key') || references.some((reference) => OTHER_PART.test(reference))) return false
  // A fixed text such as `-dead` may be added, unless no other key contains this one.
  return some.every((one) => one.key === key || !one.key.includes(key.slice(2, -2)))
}

/** Whether an expression uses `each.value`, which can differ from the key, but neither `each.key` nor `count.index`. */
function isPairedByValue(references: readonly string[]) {
  return references.includes('each.value') && !references.some((one) => /^(each\.key|count\.index)$/.test(one))
}

/** The scope with the values of its `for_each` as keys. Undefined if the plan does not show all values as text. */
function withValuesAsKeys(scope: Scope): Scope | undefined {
  const values = scope.forEach?.constant_value
  if (!isObject(values) || !Object.values(values).every((value) => typeof value === 'string')) return undefined
  const asKey = (key: string) => `[${JSON.stringify(values[JSON.parse(key)[0]])}]`
  return { ...scope, key: asKey(scope.key), keys: scope.keys.map(asKey) }
}

/** The instances that a reference can mean. `wanted` is the key in the reference itself, which a plan often omits. */
function pick<T extends { key: string }>(
  some: readonly T[],
  wanted: string | undefined,
  references: readonly string[],
  scope: Scope,
): readonly T[] {
  if (wanted !== undefined) return some.filter((one) => one.key === wanted)
  const paired = some.filter((one) => one.key === scope.key)
  return paired.length > 0 && isPaired(references, scope, some) ? paired : some
}

/** The instances of one declaration. */
function instancesOf({ module, mode, type, name }: Pick<Instance, 'module' | 'mode' | 'type' | 'name'>) {
  return module.instances.filter((one) => one.mode === mode && one.type === type && one.name === name)
}

/** Follows the references of an argument through variables, outputs and `for_each`, to resources and data sources. */
export function resolveArgument(instance: Instance, argument: string): Resolution {
  const { config, module } = instance
  const leaves = new Map<string, Leaf>()
  const unresolved = new Set<string>()
  const seen = new Set<string>()

  function follow(references: readonly string[], scope: Scope): void {
    const own = longest(references)
    for (const reference of own) {
      const id = `${scope.module.address} ${scope.key} ${reference}`
      if (seen.has(id)) continue
      seen.add(id)
      followOne(reference, own, scope)
    }
  }

  /** Like `pick()`, but uses the values of `for_each` for `each.value`. Without them, `each.value` is unresolved. */
  function pickByEachValue<T extends { key: string }>(
    some: readonly T[],
    wanted: string | undefined,
    references: readonly string[],
    scope: Scope,
  ): readonly T[] {
    if (wanted !== undefined || !isPairedByValue(references)) return pick(some, wanted, references, scope)
    const shown = withValuesAsKeys(scope)
    if (shown)
      return pick(
        some,
        wanted,
        references.map((one) => (one === 'each.value' ? 'each.key' : one)),
        shown,
      )
    const picked = pick(some, wanted, references, scope)
    if (picked.length < some.length) unresolved.add('each.value')
    return picked
  }

  function followOne(reference: string, references: readonly string[], scope: Scope): void {
    const { module, key, keys, forEach } = scope
    const [, variable] = /^var\.([\w-]+)/.exec(reference) ?? []
    const [, called, calledKey, output] = MODULE.exec(reference) ?? []
    if (/^each\.value\b/.test(reference)) follow(referencesOf(forEach), { module, key, keys, isForEach: true })
    else if (WITHOUT_RESOURCES.test(reference)) return
    else if (variable !== undefined) {
      const { parent, call } = module
      if (!parent) return // The value of a variable of the root module is known.
      const siblings = [...parent.children.values()].find((modules) => modules.includes(module)) ?? []
      const ofCall = { module: parent, ...keysOf(module, siblings), forEach: call?.for_each_expression }
      follow(referencesOf(call?.expressions?.[variable]), ofCall)
    } else if (called !== undefined) {
      // For `module.queue[each.key].arn`, Terraform lists only `module.queue`, so the output can be any of them.
      for (const child of pickByEachValue(module.children.get(called) ?? [], calledKey, references, scope)) {
        const outputs = child.config?.outputs ?? {}
        for (const name of output === undefined ? Object.keys(outputs) : [output]) {
          follow(referencesOf(outputs[name]?.expression), { module: child, key: '', keys: [''] })
        }
      }
    } else if (reference.startsWith('local.')) unresolved.add(reference)
    else {
      const [, data, type = '', name = '', wanted, attribute = ''] = RESOURCE.exec(reference) ?? []
      const same = instancesOf({ module, mode: data ? 'data' : 'managed', type, name })
      for (const instance of pickByEachValue(same, wanted, references, scope)) {
        leaves.set(`${instance.address} ${attribute}`, { instance, attribute })
      }
    }
  }

  const scope = { module, ...keysOf(instance, instancesOf(instance)), forEach: config?.for_each_expression }
  follow(referencesOf(config?.expressions?.[argument]), scope)
  return { leaves: [...leaves.values()], unresolved: [...unresolved] }
}

/** Whether the configuration sets the argument. Setting it to null is the same as omitting it. */
export function declares({ config }: Instance, argument: string): boolean {
  const expression = config?.expressions?.[argument] as Expression | undefined
  return expression !== undefined && expression.constant_value !== null
}

/** The resource that an argument refers to. */
export type ReferenceLookup =
  /** `doubt` is the reason why another resource may be meant. */
  | { instance: Instance; attribute?: string | undefined; doubt?: string | undefined }
  | { instance?: undefined; reason: string; arn?: string; candidates: readonly Instance[] }

/** The only resource of these types that an argument refers to. */
export function findReferenced(resolution: Resolution, types: readonly string[]): ReferenceLookup {
  const { leaves, unresolved } = resolution
  const fitting = leaves.filter(({ instance }) => types.includes(instance.type))
  const candidates = [...new Set(fitting.map(({ instance }) => instance))]
  const [instance, ...more] = candidates
  const also = unresolved.length === 0 ? '' : `${unresolved.join(' and ')}, which a plan does not show`
  if (instance && more.length === 0) {
    const attribute = leaves.length === 1 && !also ? fitting[0]?.attribute : undefined
    return { instance, attribute, doubt: also && `it also depends on ${also}` }
  }
  if (instance) {
    const names = candidates.map(({ address }) => address).join(' or ')
    return { reason: `it is known only after apply whether it is ${names}`, candidates }
  }
  return { reason: also ? `${AFTER_APPLY}, and depends on ${also}` : AFTER_APPLY, candidates }
}

/** All resources that an argument or a block mentions. */
export function mentionedBy(instance: Instance, argument: string): Instance[] {
  return resolveArgument(instance, argument).leaves.map((leaf) => leaf.instance)
}
