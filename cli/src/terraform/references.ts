import type { References } from '../model/tree.ts'
import type { Expression, Instance, Module } from './plan.ts'

/** A key in brackets: `["a.b"]` or `[0]`. */
const KEY = String.raw`\[(?:"(?:[^"\\]|\\.)*"|\d+)\]`
const RESOURCE = new RegExp(String.raw`^(data\.)?([\w-]+)\.([\w-]+)(${KEY})?(?:.*\.([\w-]+)$)?`)
const MODULE = new RegExp(String.raw`^module\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)

interface Found {
  /** The instances, each with an attribute that is named. Undefined stands for the instance as a whole. */
  to: Map<string, References['to'][number]>
  /** What a plan does not show: local values, and outputs of modules without resources. */
  unresolved: Set<string>
  /** The expressions that were followed: module calls can refer to outputs of each other. */
  followed: Set<string>
}

/** Where an expression is: in a resource, a module call or an output. */
interface Place {
  module: Module
  name: string
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

/** Those with a key, or all of them: which one `each.key` or `count.index` selects is known only after apply. */
function withKey<T extends { address: string }>(some: readonly T[], key: string | undefined): readonly T[] {
  return key === undefined ? some : some.filter(({ address }) => address.endsWith(key))
}

/** Follows the references of an expression through variables, outputs and `for_each`, to resources. */
export function referencesOf({ config, module, address }: Instance, expression: unknown): References {
  const found: Found = { to: new Map(), unresolved: new Set(), followed: new Set() }
  follow(found, expression, { module, name: address, forEach: config?.for_each_expression })
  return { to: [...found.to.values()], unresolved: [...found.unresolved] }
}

function follow(found: Found, expression: unknown, place: Place): void {
  const { module, name, forEach } = place
  if (found.followed.has(name)) return
  found.followed.add(name)
  for (const reference of longest(namesIn(expression))) {
    const variable = /^var\.([\w-]+)/.exec(reference)?.[1]
    const [call, callKey, output] = MODULE.exec(reference)?.slice(1) ?? []
    const [data, type, resource, key, attribute] = RESOURCE.exec(reference)?.slice(1) ?? []
    if (variable !== undefined) followVariable(found, variable, module)
    else if (/^each\.value\b/.test(reference)) follow(found, forEach, { ...place, name: `for_each of ${name}` })
    else if (call !== undefined) {
      const children = module.children.filter((child) => child.name === call)
      if (children.length === 0) found.unresolved.add(reference) // it has only outputs, or it is not created
      // For `module.queue[each.key].arn`, Terraform lists only `module.queue`: the output can be any of them.
      for (const child of withKey(children, callKey)) followOutputs(found, child, output)
    } else if (resource === undefined || reference.startsWith('local.')) found.unresolved.add(reference)
    else if (!data) {
      // `each.key` and `path.module` have the form of a resource, but no resource has such a type.
      const same = module.instances.filter((one) => one.type === type && one.name === resource)
      for (const { address: id } of withKey(same, key)) found.to.set(`${id} ${attribute}`, { id, attribute })
    }
  }
}

function followVariable(found: Found, variable: string, { address, parent, call }: Module): void {
  if (!parent) return // the value of a variable of the root module is known
  const place = { module: parent, name: `${variable} of ${address}`, forEach: call.for_each_expression }
  follow(found, call.expressions?.[variable], place)
}

function followOutputs(found: Found, module: Module, wanted: string | undefined): void {
  for (const [output, { expression }] of Object.entries(module.config.outputs ?? {})) {
    if (wanted !== undefined && output !== wanted) continue
    follow(found, expression, { module, name: `output ${output} of ${module.address}` })
  }
}
