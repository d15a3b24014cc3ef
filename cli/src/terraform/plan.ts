import { UsageError } from '../shared/errors.ts'
import { parseObject } from '../shared/json.ts'

// What is read of the output of `terraform show -json`. Other keys are ignored, as the documentation demands.

/** The expression of an argument or an output: its references, without its operators and functions. */
export interface Expression {
  references?: readonly string[]
  /** The value of a literal. Terraform does not show the value of a function call, such as `jsonencode`. */
  constant_value?: unknown
}

interface Declared {
  expressions?: Record<string, unknown>
  for_each_expression?: Expression
}

interface ModuleCall extends Declared {
  module?: ConfigModule
}

interface ConfigModule {
  resources?: readonly (Declared & Pick<ShownResource, 'mode' | 'type' | 'name'>)[]
  module_calls?: Readonly<Record<string, ModuleCall>>
  outputs?: Readonly<Record<string, { expression?: Expression }>>
}

interface ShownResource {
  address: string
  mode: string
  type: string
  name: string
  index?: string | number
  values?: Record<string, unknown>
}

interface ShownModule {
  resources?: readonly ShownResource[]
  child_modules?: readonly (ShownModule & { address: string })[]
}

export interface TerraformJson {
  format_version?: string
  errored?: boolean
  complete?: boolean
  values?: { root_module?: ShownModule }
  planned_values?: { root_module?: ShownModule }
  prior_state?: { values?: { root_module?: ShownModule } }
  resource_changes?: readonly { address: string; deposed?: string; change: { after_unknown?: unknown } }[]
  configuration?: { root_module?: ConfigModule }
}

export interface Module {
  address: string
  name: string
  /** The key in brackets, `["eu"]` or `[0]`. Empty without `count` and `for_each`. */
  key: string
  parent?: Module
  call: ModuleCall
  /** Empty in a state. */
  config: ConfigModule
  instances: Instance[]
  children: Module[]
}

export interface Instance {
  address: string
  mode: string
  type: string
  name: string
  key: string
  values: Record<string, unknown>
  /** The values that are known only after apply: `true` in place of each of them. */
  unknown: unknown
  /** Its declaration. Missing in a state, in which all values are known. */
  config?: Declared | undefined
  module: Module
}

export interface Plan {
  instances: readonly Instance[]
  incomplete?: string | undefined
}

/** Parses the output of `terraform show -json`. Undefined if the text is something else. */
export function parseTerraformJson(file: string, text: string): TerraformJson | undefined {
  // A binary plan, the log of `terraform plan -json`, and a state file.
  if (text.startsWith('PK\u0003\u0004') || /^{("@level"|[^{}]*"serial"[^{}]*"lineage")/.test(text)) {
    const how = 'Run: terraform show -json plan.out | bounded-sqs-batch doctor -'
    throw new UsageError(`${file} is of Terraform, but not the output of "terraform show -json". ${how}`)
  }
  const document = parseObject(text)
  if (!document || 'Resources' in document) return undefined
  const { format_version: version } = document
  if (typeof version !== 'string') return undefined
  // Major version 0 is the format of Terraform before 1.1, which has the same keys.
  if (/^[01]\./.test(version)) return document as TerraformJson
  throw new UsageError(`${file} has format version ${version}, but doctor can read only versions 0 and 1`)
}

export function toPlan(shown: TerraformJson): Plan {
  const changes = (shown.resource_changes ?? []).filter(({ deposed }) => deposed === undefined)
  const unknowns = new Map(changes.map(({ address, change }) => [address, change.after_unknown]))
  const config = shown.configuration?.root_module ?? {}
  const root: Module = { address: '', name: '', key: '', call: {}, config, instances: [], children: [] }
  addInstances(root, (shown.planned_values ?? shown.values)?.root_module, unknowns)
  // If Terraform read a data source while it planned, the plan lists it only in the prior state.
  addInstances(root, shown.prior_state?.values?.root_module, unknowns, ['data'])
  const isIncomplete = shown.errored || shown.complete === false
  const incomplete = 'the plan is not complete: planning failed, or -target or a deferred change omits resources'
  return { instances: instancesIn(root), incomplete: isIncomplete ? incomplete : undefined }
}

/** Adds the resources of a module and of its children, except those that it already has. */
function addInstances(
  module: Module,
  shown: ShownModule = {},
  unknowns: ReadonlyMap<string, unknown>,
  modes = ['managed', 'data'],
): void {
  for (const { address, mode, type, name, index, values = {} } of shown.resources ?? []) {
    if (!modes.includes(mode) || module.instances.some((one) => one.address === address)) continue
    const config = module.config.resources?.find((one) => one.mode === mode && one.type === type && one.name === name)
    const key = index === undefined ? '' : `[${JSON.stringify(index)}]`
    module.instances.push({ address, mode, type, name, key, values, unknown: unknowns.get(address), config, module })
  }
  for (const child of shown.child_modules ?? []) addInstances(childAt(module, child.address), child, unknowns, modes)
}

/** Finds or makes the child at an address: that of the parent, then `.module.NAME`, then the key. */
function childAt(parent: Module, address: string): Module {
  const existing = parent.children.find((child) => child.address === address)
  if (existing) return existing
  const own = address.slice(parent.address === '' ? 0 : parent.address.length + 1).slice('module.'.length)
  const name = own.replace(/\[.*/s, '')
  const call = parent.config.module_calls?.[name] ?? {}
  const ends = { address, name, key: own.slice(name.length) }
  const module: Module = { ...ends, parent, call, config: call.module ?? {}, instances: [], children: [] }
  parent.children.push(module)
  return module
}

function instancesIn({ instances, children }: Module): Instance[] {
  return [...instances, ...children.flatMap(instancesIn)]
}
