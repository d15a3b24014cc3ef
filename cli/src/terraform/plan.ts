import { UsageError } from '../shared/errors.ts'
import { parseObject } from '../shared/json.ts'

// What is read of the output of `terraform show -json`. Other keys are ignored, as the documentation demands.

/** The expression of an argument or an output: its references, without its operators and functions. */
export interface Expression {
  references?: readonly string[]
  /** The value of a literal. Terraform does not show the value of a function call, such as `jsonencode`. */
  constant_value?: unknown
}

/** A resource, or the call of a module. */
interface Declared {
  mode?: string
  type?: string
  name?: string
  expressions?: Record<string, unknown>
  for_each_expression?: Expression
  module?: ConfigModule
}

interface ConfigModule {
  resources?: readonly Declared[]
  module_calls?: Readonly<Record<string, Declared>>
  outputs?: Readonly<Record<string, { expression?: Expression }>>
}

interface ShownResource {
  address: string
  mode: string
  type: string
  name: string
  values?: Record<string, unknown>
}

interface ShownModule {
  resources?: readonly ShownResource[]
  child_modules?: readonly (ShownModule & { address: string })[]
}

interface Shown {
  root_module?: ShownModule
}

export interface TerraformJson {
  format_version?: string
  errored?: boolean
  complete?: boolean
  values?: Shown
  planned_values?: Shown
  prior_state?: { values?: Shown }
  resource_changes?: readonly { address: string; deposed?: string; change: { after_unknown?: unknown } }[]
  configuration?: { root_module?: ConfigModule }
}

export interface Module {
  /** With its key in brackets, `module.queue["eu"]`, if it has `count` or `for_each`. Empty for the root. */
  address: string
  name: string
  parent?: Module
  call: Declared
  /** Empty in a state. */
  config: ConfigModule
  instances: Instance[]
  children: Module[]
}

export interface Instance extends ShownResource {
  values: Record<string, unknown>
  /** The values that are known only after apply: `true` in place of each of them. */
  unknown: unknown
  /** Its declaration. Missing in a state, in which all values are known. */
  config?: Declared | undefined
  module: Module
}

export interface Plan {
  instances: readonly Instance[]
  /** The data sources, most of which Terraform has read while it planned. */
  data: readonly ShownResource[]
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
  const root: Module = { address: '', name: '', call: {}, config, instances: [], children: [] }
  const planned = (shown.planned_values ?? shown.values)?.root_module
  const incomplete = 'the plan is not complete: planning failed, or -target or a deferred change omits resources'
  return {
    instances: instancesIn(root, planned, unknowns),
    data: [planned, shown.prior_state?.values?.root_module].flatMap(dataIn),
    incomplete: shown.errored || shown.complete === false ? incomplete : undefined,
  }
}

function dataIn({ resources = [], child_modules: children = [] }: ShownModule = {}): ShownResource[] {
  return [...resources.filter(({ mode }) => mode === 'data'), ...children.flatMap(dataIn)]
}

/** Adds the resources and the modules that are shown in a module. Returns all resources. */
function instancesIn(module: Module, shown: ShownModule = {}, unknowns: ReadonlyMap<string, unknown>): Instance[] {
  for (const resource of shown.resources ?? []) {
    const { address, mode, type, name, values = {} } = resource
    if (mode !== 'managed') continue
    const config = module.config.resources?.find((one) => one.mode === mode && one.type === type && one.name === name)
    module.instances.push({ ...resource, values, unknown: unknowns.get(address), config, module })
  }
  const inChildren = (shown.child_modules ?? []).flatMap((child) => {
    const { address } = child
    // The address of the parent, then `.module.NAME`, then the key.
    const [name = ''] = address.slice(module.address.length).match(/(?<=^\.?module\.)[\w-]+/) ?? []
    const call = module.config.module_calls?.[name] ?? {}
    const own: Module = { address, name, parent: module, call, config: call.module ?? {}, instances: [], children: [] }
    module.children.push(own)
    return instancesIn(own, child, unknowns)
  })
  return [...module.instances, ...inChildren]
}
