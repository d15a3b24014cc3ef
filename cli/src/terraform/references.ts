import type { Expression, Instance, Module } from './plan.ts'

/** A resource or data source that an expression refers to, and the attribute, such as `arn`. */
export interface Leaf {
  instance: Instance
  attribute: string
}

/** `unresolved` lists the local values that the argument refers to. A plan does not show what they refer to. */
export interface Resolution {
  leaves: readonly Leaf[]
  unresolved: readonly string[]
}

/** A key in brackets: `["a.b"]` or `[0]`. */
const KEY = String.raw`\[(?:"(?:[^"\\]|\\.)*"|\d+)\]`
const RESOURCE = new RegExp(String.raw`^(data\.)?([\w-]+)\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)
const MODULE = new RegExp(String.raw`^module\.([\w-]+)(${KEY})?(?:\.([\w-]+))?`)
const WITHOUT_RESOURCES = /^(each\.key|count|path|terraform|tofu|self)\b/

/**
 * Where an expression is: in an output, or in the declaration of a resource or of a module call. `key` is the key of the
 * instance in `count` or `for_each`. It is empty if there is none.
 */
interface Scope {
  module: Module
  key: string
  forEach?: Expression | undefined
  /** The expression is a `for_each`, whose keys are those of the resources that it refers to. */
  isForEach?: true
}

function referencesOf(expression: unknown): readonly string[] {
  return (expression as Expression | undefined)?.references ?? []
}

/** Terraform lists `a.b[0].c`, `a.b[0]` and `a.b` for one reference. The longest one has all information. */
function longest(references: readonly string[]) {
  return references.filter(
    (reference) => !references.some((other) => other.startsWith(`${reference}.`) || other.startsWith(`${reference}[`)),
  )
}

/** Follows the references of an argument through variables, outputs and `for_each`, to resources and data sources. */
export function resolveArgument({ config, key, module }: Instance, argument: string): Resolution {
  const leaves = new Map<string, Leaf>()
  const unresolved = new Set<string>()
  const seen = new Set<string>()

  function follow(references: readonly string[], scope: Scope): void {
    // Terraform lists `queue[each.key]` as `queue` and `each.key`. The expression refers to the instance with the same
    // key.
    const isPaired =
      scope.isForEach || references.some((reference) => /^(each\.(key|value)|count\.index)$/.test(reference))
    function pick<T extends { key: string }>(some: readonly T[], wanted: string | undefined) {
      const paired = isPaired ? some.filter((one) => one.key === scope.key) : []
      if (wanted !== undefined) return some.filter((one) => one.key === wanted)
      return paired.length > 0 ? paired : some
    }
    for (const reference of longest(references)) {
      const id = `${scope.module.address} ${scope.key} ${reference}`
      if (seen.has(id)) continue
      seen.add(id)
      followOne(reference, scope, pick)
    }
  }

  function followOne(
    reference: string,
    { module, key, forEach }: Scope,
    pick: <T extends { key: string }>(some: readonly T[], wanted: string | undefined) => readonly T[],
  ): void {
    const [, variable] = /^var\.([\w-]+)/.exec(reference) ?? []
    const [, called, calledKey, output] = MODULE.exec(reference) ?? []
    if (/^each\.value\b/.test(reference)) follow(referencesOf(forEach), { module, key, isForEach: true })
    else if (WITHOUT_RESOURCES.test(reference)) return
    else if (variable !== undefined) {
      const { parent, call } = module
      if (!parent) return // The value of a variable of the root module is known.
      const scope = { module: parent, key: module.key, forEach: call?.for_each_expression }
      follow(referencesOf(call?.expressions?.[variable]), scope)
    } else if (called !== undefined) {
      // For `module.queue[each.key].arn`, Terraform lists only `module.queue`, so the output can be any of them.
      for (const child of pick(module.children.get(called) ?? [], calledKey)) {
        const outputs = child.config?.outputs ?? {}
        for (const name of output === undefined ? Object.keys(outputs) : [output]) {
          follow(referencesOf(outputs[name]?.expression), { module: child, key: '' })
        }
      }
    } else if (reference.startsWith('local.')) unresolved.add(reference)
    else {
      const [, data, type, name, wanted, attribute = ''] = RESOURCE.exec(reference) ?? []
      const mode = data ? 'data' : 'managed'
      const same = module.instances.filter((one) => one.mode === mode && one.type === type && one.name === name)
      for (const instance of pick(same, wanted)) leaves.set(`${instance.address} ${attribute}`, { instance, attribute })
    }
  }

  follow(referencesOf(config?.expressions?.[argument]), { module, key, forEach: config?.for_each_expression })
  return { leaves: [...leaves.values()], unresolved: [...unresolved] }
}

/** Whether the configuration sets the argument. Setting it to null is the same as omitting it. */
export function declares({ config }: Instance, argument: string): boolean {
  const expression = config?.expressions?.[argument] as Expression | undefined
  return expression !== undefined && expression.constant_value !== null
}
