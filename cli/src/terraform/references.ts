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
const OWN_KEYS = ['each.key', 'each.value', 'count.index']

/** What `each` and `count` mean in the declaration of a resource or of a module call. */
interface Each {
  /** The key of the instance in `count` or `for_each`. Empty if there is none. */
  key: string
  /** The keys of all instances of the declaration. */
  keys: readonly string[]
  forEach?: Expression | undefined
  /** The expression is the `for_each` itself, whose keys are those of the resources that it refers to. */
  isForEach?: true
}

/** Where an expression is. */
interface Scope {
  module: Module
  /** Names the expression. Each is followed once, because module calls can refer to outputs of each other. */
  place: string
  /** Missing in an output. */
  each?: Each
}

function eachOf({ key }: { key: string }, siblings: readonly { key: string }[], forEach: Expression | undefined): Each {
  return { key, keys: siblings.map((sibling) => sibling.key), forEach }
}

/** The references of an expression. Those of a block are in its arguments. */
function referencesOf(expression: unknown): readonly string[] {
  if (typeof expression !== 'object' || expression === null) return []
  const { references } = expression as Expression
  return references ?? ('constant_value' in expression ? [] : Object.values(expression).flatMap(referencesOf))
}

/** Terraform lists `a.b[0].c`, `a.b[0]` and `a.b` for one reference. The longest one has all information. */
function longest(references: readonly string[]) {
  return references.filter(
    (reference) => !references.some((other) => other.startsWith(`${reference}.`) || other.startsWith(`${reference}[`)),
  )
}

/** Whether an expression selects the instance of the same key: it has the own key, and both declarations have equal keys. */
function isPaired(references: readonly string[], { keys, isForEach }: Each, some: readonly { key: string }[]) {
  const hasOwnKey = isForEach || OWN_KEYS.some((own) => references.includes(own))
  return hasOwnKey && some.length === keys.length && some.every((one) => keys.includes(one.key))
}

/** The instances of one declaration. */
function instancesOf(module: Module, mode: string, type: string | undefined, name: string | undefined) {
  return module.instances.filter((one) => one.mode === mode && one.type === type && one.name === name)
}

/** Follows the references of an argument through variables, outputs and `for_each`, to resources and data sources. */
export function resolveArgument(instance: Instance, argument: string): Resolution {
  const { config, module, address: place } = instance
  const leaves = new Map<string, Leaf>()
  const unresolved = new Set<string>()
  const followed = new Set<string>()

  function follow(expression: unknown, scope: Scope): void {
    if (followed.has(scope.place)) return
    followed.add(scope.place)
    const references = longest(referencesOf(expression))
    for (const reference of references) followOne(reference, references, scope)
  }

  /**
   * The instances that a reference can mean. `wanted` is the key in the reference itself, which a plan often omits. If
   * `each.value` selects the instance, it is unresolved.
   */
  function pick<T extends { key: string }>(
    some: readonly T[],
    wanted: string | undefined,
    references: readonly string[],
    each: Each | undefined,
  ): readonly T[] {
    if (wanted !== undefined) return some.filter((one) => one.key === wanted)
    if (!each || !isPaired(references, each, some)) return some
    const paired = some.filter((one) => one.key === each.key)
    // The value, or another reference of the `for_each`, can assign any of the instances to a key.
    const isByValue = references.includes('each.value') && !references.includes('each.key')
    const isUncertain = each.isForEach ? references.length > 1 : isByValue
    if (isUncertain && paired.length < some.length) unresolved.add('each.value')
    return paired
  }

  function followOne(reference: string, references: readonly string[], { module, place, each }: Scope): void {
    const variable = /^var\.([\w-]+)/.exec(reference)?.[1]
    const call = MODULE.exec(reference)
    const resource = RESOURCE.exec(reference)
    if (each && /^each\.value\b/.test(reference)) {
      const { key, keys, forEach } = each
      follow(forEach, { module, place: `for_each of ${place}`, each: { key, keys, isForEach: true } })
    } else if (variable !== undefined) followVariable(variable, module)
    else if (call?.[1] !== undefined) {
      const children = module.children.get(call[1])
      if (!children) unresolved.add(reference) // It has only outputs, or it is not created.
      // For `module.queue[each.key].arn`, Terraform lists only `module.queue`, so the output can be any of them.
      for (const child of pick(children ?? [], call[2], references, each)) followOutputs(child, call[3])
    } else if (!resource || reference.startsWith('local.')) unresolved.add(reference)
    else {
      const [, data, type, name, wanted, attribute = ''] = resource
      const same = instancesOf(module, data ? 'data' : 'managed', type, name)
      for (const instance of pick(same, wanted, references, each)) {
        leaves.set(`${instance.address} ${attribute}`, { instance, attribute })
      }
    }
  }

  function followVariable(name: string, { address, key, caller }: Module): void {
    if (!caller) return // The value of a variable of the root module is known.
    const { parent, call, siblings } = caller
    const each = eachOf({ key }, siblings, call.for_each_expression)
    follow(call.expressions?.[name], { module: parent, place: `${address} ${name}`, each })
  }

  function followOutputs(module: Module, wanted: string | undefined): void {
    for (const [name, { expression }] of Object.entries(module.config.outputs ?? {})) {
      const isWanted = wanted === undefined || name === wanted
      if (isWanted) follow(expression, { module, place: `output ${module.address} ${name}` })
    }
  }

  const siblings = instancesOf(module, instance.mode, instance.type, instance.name)
  follow(config?.expressions?.[argument], {
    module,
    place,
    each: eachOf(instance, siblings, config?.for_each_expression),
  })
  return { leaves: [...leaves.values()], unresolved: [...unresolved] }
}

/** Whether the configuration sets the argument. Setting it to null is the same as omitting it. */
export function declares({ config }: Instance, argument: string): boolean {
  const expression = config?.expressions?.[argument] as Expression | undefined
  return expression !== undefined && expression.constant_value !== null
}

/** The resource that an argument refers to. */
export type ReferenceLookup = Found | NotFound

interface Found {
  instance: Instance
  attribute?: string | undefined
  /** The reason why another resource may be meant. */
  doubt?: string | undefined
  reason?: undefined
  arn?: undefined
}

interface NotFound {
  instance?: undefined
  attribute?: undefined
  doubt?: undefined
  reason: string
  arn?: string
  /** Without these, it can be any resource. */
  candidates?: readonly Instance[] | undefined
}

/** The only resource of these types that an argument refers to. */
export function findReferenced({ leaves, unresolved }: Resolution, types: readonly string[]): ReferenceLookup {
  const fitting = leaves.filter(({ instance }) => types.includes(instance.type))
  const candidates = [...new Set(fitting.map(({ instance }) => instance))]
  const also = unresolved.length === 0 ? '' : `${unresolved.join(' and ')}, which a plan does not show`
  const [first] = fitting
  if (!first) return { reason: also ? `${AFTER_APPLY}, and depends on ${also}` : AFTER_APPLY }
  if (candidates.length > 1) {
    const names = candidates.map(({ address }) => address).join(' or ')
    return { reason: `it is known only after apply whether it is ${names}`, candidates: also ? undefined : candidates }
  }
  const attribute = leaves.length === 1 && !also ? first.attribute : undefined
  return { instance: first.instance, attribute, doubt: also && `it also depends on ${also}` }
}

/** Whether a resource can be the one that an argument refers to, although this is not certain. */
export function isPossible(found: ReferenceLookup, instance: Instance): found is NotFound {
  return !found.instance && (found.candidates?.includes(instance) ?? true)
}

/** All resources that an argument or a block mentions. */
export function mentionedBy(instance: Instance, argument: string): Instance[] {
  return resolveArgument(instance, argument).leaves.map((leaf) => leaf.instance)
}
