import type { References } from '../model/tree.ts'
import { cached } from '../shared/cached.ts'
import type { Expression, Instance, Module } from './plan.ts'

/** A key in brackets: `["a.b"]` or `[0]`. */
const KEY = String.raw`\[(?:"(?:[^"\\]|\\.)*"|\d+)\]`
const RESOURCE = new RegExp(String.raw`^(data\.)?([\w-]+)\.([\w-]+)(${KEY})?`)
const MODULE = new RegExp(String.raw`^module\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)

interface Found {
  /** The attributes that are named of each instance. Undefined stands for the instance as a whole. */
  instances: Map<Instance, Set<string | undefined>>
  /** What a plan does not show: local values, and outputs of modules without resources. */
  unresolved: Set<string>
  /** The expressions that were followed: module calls can refer to outputs of each other. */
  followed: Set<string>
}

/** Where an expression is, and what `each` and `count` mean there. */
interface Place {
  module: Module
  name: string
  /** The key of the instance in `count` or `for_each`. Empty if there is none, and in an output. */
  key: string
  /** The keys of all instances of the declaration. */
  keys: readonly string[]
  forEach?: Expression | undefined
}

function namesIn(expression: unknown): readonly string[] {
  if (typeof expression !== 'object' || expression === null) return []
  const { references } = expression as Expression
  return references ?? ('constant_value' in expression ? [] : Object.values(expression).flatMap(namesIn))
}

/** Terraform lists `a.b[0].c`, `a.b[0]` and `a.b` for one reference. The longest one has all information. */
function longest(references: readonly string[]) {
  return references.filter(
    (reference) => !references.some((other) => other.startsWith(`${reference}.`) || other.startsWith(`${reference}[`)),
  )
}

function instancesOf(module: Module, mode: string, type: string | undefined, name: string | undefined) {
  return module.instances.filter((one) => one.mode === mode && one.type === type && one.name === name)
}

/** Follows the references of an expression through variables, outputs and `for_each`, to resources. */
export function referencesOf(instance: Instance, expression: unknown): References {
  const { config, module, address, key } = instance
  const found: Found = { instances: new Map(), unresolved: new Set(), followed: new Set() }
  const keys = instancesOf(module, instance.mode, instance.type, instance.name).map((one) => one.key)
  const place = { module, name: address, key, keys, forEach: config?.for_each_expression }
  follow(found, expression, place)
  const to = Array.from(found.instances).flatMap(([one, attributes]) =>
    Array.from(attributes, (attribute) => ({ id: one.address, attribute })),
  )
  return { to, unresolved: [...found.unresolved] }
}

function follow(found: Found, expression: unknown, place: Place, isForEach = false): void {
  const { module, name, key, keys, forEach } = place
  if (found.followed.has(name)) return
  found.followed.add(name)
  const references = longest(namesIn(expression))
  // An expression with its own key, or a `for_each` of one resource, selects the instance of the same key.
  const hasOwnKey = references.some((one) => one === 'each.key' || one === 'count.index')
  const isKeyed = isForEach ? references.length === 1 : hasOwnKey
  function pick<T extends { key: string }>(some: readonly T[], wanted: string | undefined): readonly T[] {
    const hasEqualKeys = some.length === keys.length && some.every((one) => keys.includes(one.key))
    const selected = wanted ?? (isKeyed && hasEqualKeys ? key : undefined)
    return selected === undefined ? some : some.filter((one) => one.key === selected)
  }
  for (const reference of references) {
    const variable = /^var\.([\w-]+)/.exec(reference)?.[1]
    const [call, callKey, output] = MODULE.exec(reference)?.slice(1) ?? []
    const [data, type, resource, resourceKey] = RESOURCE.exec(reference)?.slice(1) ?? []
    if (variable !== undefined) followVariable(found, variable, module)
    else if (/^each\.value\b/.test(reference)) {
      follow(found, forEach, { ...place, name: `for_each of ${name}` }, true)
    } else if (call !== undefined) {
      const children = module.children.filter((child) => child.name === call)
      if (children.length === 0) found.unresolved.add(reference) // it has only outputs, or it is not created
      // For `module.queue[each.key].arn`, Terraform lists only `module.queue`: the output can be any of them.
      for (const child of pick(children, callKey)) followOutputs(found, child, output)
    } else if (resource === undefined || reference.startsWith('local.')) found.unresolved.add(reference)
    else {
      // `each.key` and `path.module` have the form of a resource, but no resource has such a type.
      const same = instancesOf(module, data ? 'data' : 'managed', type, resource)
      const attribute = /\.([\w-]+)$/.exec(reference.slice(String(RESOURCE.exec(reference)?.[0]).length))?.[1]
      for (const one of pick(same, resourceKey)) cached(found.instances, one, () => new Set()).add(attribute)
    }
  }
}

function followVariable(found: Found, variable: string, { address, name: own, key, parent, call }: Module): void {
  if (!parent) return // the value of a variable of the root module is known
  const keys = parent.children.filter(({ name }) => name === own).map((one) => one.key)
  const name = `${address} ${variable}`
  follow(found, call.expressions?.[variable], { module: parent, name, key, keys, forEach: call.for_each_expression })
}

function followOutputs(found: Found, module: Module, wanted: string | undefined): void {
  for (const [output, { expression }] of Object.entries(module.config.outputs ?? {})) {
    const place = { module, name: `output ${module.address} ${output}`, key: '', keys: [] }
    if (wanted === undefined || output === wanted) follow(found, expression, place)
  }
}

/** Whether the configuration sets the argument. Setting it to null is the same as omitting it. */
export function declares({ config }: Instance, argument: string): boolean {
  const expression = config?.expressions?.[argument] as Expression | undefined
  return expression !== undefined && expression.constant_value !== null
}
