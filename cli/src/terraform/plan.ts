import { UsageError } from '../shared/errors.ts'
import { parseObject } from '../shared/json.ts'

/** The expression of an argument or an output. It lists its references, but not its operators and functions. */
export interface Expression {
  references?: readonly string[]
  /** The value of a literal. Terraform does not show the value of a function call, such as `jsonencode`. */
  constant_value?: unknown
}

interface ConfigResource {
  mode: string
  type: string
  name: string
  expressions?: Record<string, unknown>
  for_each_expression?: Expression
}

interface ModuleCall {
  expressions?: Record<string, unknown>
  for_each_expression?: Expression
  module?: ConfigModule
}

interface ConfigModule {
  resources?: readonly ConfigResource[]
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

interface ResourceChange {
  address: string
  deposed?: string
  change: { after_unknown?: unknown }
}

/** What `terraform show -json` prints for a plan or a state. Other keys are ignored, as the documentation demands. */
export interface TerraformJson {
  format_version?: string
  errored?: boolean
  complete?: boolean
  values?: { root_module?: ShownModule }
  planned_values?: { root_module?: ShownModule }
  prior_state?: { values?: { root_module?: ShownModule } }
  resource_changes?: readonly ResourceChange[]
  configuration?: { root_module?: ConfigModule }
}

/** One instance of a module call, or the root module. */
export interface Module {
  address: string
  /** The key in brackets, `["eu"]` or `[0]`. Empty without `count` and `for_each`. */
  key: string
  /** The call, and all modules that it makes. Missing for the root module. */
  caller?: { parent: Module; call: ModuleCall; siblings: readonly Module[] }
  /** Empty in a state. */
  config: ConfigModule
  instances: Instance[]
  children: Map<string, Module[]>
}

/** One instance of a resource or of a data source. */
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
  config?: ConfigResource | undefined
  module: Module
}

export interface Plan {
  instances: readonly Instance[]
  isState: boolean
  /** Why the plan may not show everything. */
  incomplete?: string | undefined
}

const SHOW = 'terraform show -json'

/** Parses the output of `terraform show -json`. Undefined if the text is something else, such as a template. */
export function parseTerraformJson(file: string, text: string): TerraformJson | undefined {
  const refuse = (what: string, how: string) =>
    new UsageError(`${file} is ${what}. ${how} | bounded-sqs-batch doctor -`)
  if (text.startsWith('PK\u0003\u0004')) {
    throw refuse('a plan of Terraform in its binary form', `Run: ${SHOW} ${file}`)
  }
  if (text.startsWith('{"@level"')) {
    throw refuse('the log of "terraform plan -json"', `Run: terraform plan -out plan.out && ${SHOW} plan.out`)
  }
  const document = parseObject(text)
  if (!document || 'Resources' in document) return undefined
  if ('lineage' in document && 'serial' in document) throw refuse('a state file of Terraform', `Run: ${SHOW}`)
  if (typeof document.format_version !== 'string') return undefined
  // Major version 0 is the format of Terraform before 1.1, which has the same keys.
  if (!/^[01]\./.test(document.format_version)) {
    throw new UsageError(
      `${file} has format version ${document.format_version}, but doctor can read only versions 0 and 1`,
    )
  }
  return document as TerraformJson
}

/** Lists the instances of all modules, with their declarations. */
export function toPlan(shown: TerraformJson): Plan {
  const isState = shown.planned_values === undefined
  const changes = (shown.resource_changes ?? []).filter(({ deposed }) => deposed === undefined)
  const unknowns = new Map(changes.map(({ address, change }) => [address, change.after_unknown]))
  const config = shown.configuration?.root_module ?? {}
  const root: Module = { address: '', key: '', config, instances: [], children: new Map() }
  addInstances(root, (shown.planned_values ?? shown.values)?.root_module, unknowns)
  // If Terraform read a data source while it planned, the plan lists it only in the prior state.
  addInstances(root, shown.prior_state?.values?.root_module, unknowns, ['data'])
  const incomplete = shown.errored
    ? 'planning failed, so the plan is not complete'
    : shown.complete === false
      ? 'the plan is not complete: -target or a deferred change omits resources'
      : undefined
  return { instances: instancesIn(root), isState, incomplete }
}

/** Adds the resources of a module and of its children, except those that it already has. */
function addInstances(
  module: Module,
  shown: ShownModule | undefined,
  unknowns: ReadonlyMap<string, unknown>,
  modes = ['managed', 'data'],
): void {
  for (const { address, mode, type, name, index, values = {} } of shown?.resources ?? []) {
    if (!modes.includes(mode) || module.instances.some((one) => one.address === address)) continue
    const config = module.config.resources?.find((one) => one.mode === mode && one.type === type && one.name === name)
    const key = index === undefined ? '' : `[${JSON.stringify(index)}]`
    module.instances.push({ address, mode, type, name, key, values, unknown: unknowns.get(address), config, module })
  }
  for (const child of shown?.child_modules ?? []) addInstances(childAt(module, child.address), child, unknowns, modes)
}

/** Finds or makes the child at an address. An address is that of the parent, then `.module.NAME`, then the key. */
function childAt(parent: Module, address: string): Module {
  const own = parent.address === '' ? address : address.slice(parent.address.length + 1)
  const named = own.slice('module.'.length)
  const name = named.replace(/\[.*/s, '')
  const key = named.slice(name.length)
  const siblings = parent.children.get(name) ?? []
  parent.children.set(name, siblings)
  const existing = siblings.find((module) => module.key === key)
  if (existing) return existing
  const call = parent.config.module_calls?.[name] ?? {}
  const caller = { parent, call, siblings }
  const module: Module = { address, key, caller, config: call.module ?? {}, instances: [], children: new Map() }
  siblings.push(module)
  return module
}

function instancesIn({ instances, children }: Module): Instance[] {
  return [...instances, ...[...children.values()].flat().flatMap(instancesIn)]
}
