// What `terraform show -json` prints, written by hand: no registry of this project has a binary of Terraform or
// OpenTofu. The format is that of https://developer.hashicorp.com/terraform/internals/json-format. The attributes,
// defaults and empty values come from the schemas of the AWS provider 6.
import type { Finding } from '../../src/doctor/check.ts'
import type { Model } from '../../src/model/model.ts'
import { type Plan, parseTerraformJson, toPlan } from '../../src/terraform/plan.ts'
import { readPlan } from '../../src/terraform/read-plan.ts'
import { check } from './doctor.ts'
import { type Change, settings } from './templates.ts'

type Values = Record<string, unknown>

const ACCOUNT = 'eu-west-1:123456789012'

/** The names of the resources of the rule cases, and their addresses. */
const ADDRESSES: Readonly<Record<string, string>> = {
  mapping: 'aws_lambda_event_source_mapping.orders',
  second: 'aws_lambda_event_source_mapping.second',
  Handler: 'aws_lambda_function.handler',
  Queue: 'aws_sqs_queue.queue',
  Dead: 'aws_sqs_queue.dead',
  Sender: 'aws_cloudwatch_event_target.other',
}

/** The addresses in place of the names in `rule resource`. */
export function withAddresses(found: readonly string[]): string[] {
  return found.map((id) => id.replace(/\w+$/, (name) => ADDRESSES[name] ?? name))
}

const NAMES: Readonly<Record<string, string>> = {
  VisibilityTimeout: 'visibility_timeout_seconds',
  MessageRetentionPeriod: 'message_retention_seconds',
  QueueName: 'name',
  Filters: 'filter',
}

function toAttribute(name: string): string {
  return NAMES[name] ?? name.replaceAll(/(?<!^)(?=[A-Z])/g, '_').toLowerCase()
}

/** A reference of CloudFormation as the value that it has after deployment. */
function referenced(value: unknown): unknown {
  const { Ref: ref, 'Fn::GetAtt': [id, attribute] = [] } = value as { Ref?: string; 'Fn::GetAtt'?: string[] }
  if (ref === 'AWS::NoValue') return null
  const name = ref ?? id
  if (name === undefined) return undefined
  if (attribute === 'QueueName') return name
  const isQueue = name !== 'Handler'
  if (attribute !== 'Arn') return `https://sqs.eu-west-1.amazonaws.com/123456789012/${name}`
  return isQueue ? `arn:aws:sqs:${ACCOUNT}:${name}` : `arn:aws:lambda:${ACCOUNT}:function:${name}`
}

/** A property of CloudFormation as an attribute of the provider. Maps are blocks, which are lists. */
function toValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => toValue(item))
  if (typeof value !== 'object' || value === null) return value
  const known = referenced(value)
  return known === undefined ? [toAttributes(value as Values)] : known
}

function toAttributes(properties: Values): Values {
  const entries = Object.entries(properties).map(([name, value]) => [toAttribute(name), toValue(value)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/** A value of CloudFormation with the values of its references. */
export function resolved<T>(value: T): T {
  const resolve = (_key: string, part: unknown) =>
    typeof part === 'object' && part !== null
      ? (referenced(part) ?? (referenced(part) === null ? undefined : part))
      : part
  return JSON.parse(JSON.stringify(value, resolve))
}

/** A policy of a queue is JSON text. */
function toText(policy: unknown): unknown {
  if (policy === undefined || typeof policy === 'string') return policy ?? ''
  return JSON.stringify(resolved(policy))
}

export function resource(address: string, values: Values) {
  const [type = '', name] = address.split('.')
  return {
    address,
    mode: 'managed',
    type,
    name,
    provider_name: 'registry.terraform.io/hashicorp/aws',
    schema_version: 0,
    values,
    sensitive_values: {},
  }
}

function resources(change: Change) {
  const { mapping, second, function: target, queue, dead } = settings(change)
  const { RedrivePolicy, ...queueSettings } = queue as Values
  const { RedriveAllowPolicy, ...deadSettings } = dead as Values
  const { DeadLetterQueue: _ofSam, ...functionSettings } = target as Values
  const { Queue: _alsoOfSam, ...mappingSettings } = mapping as Values
  const queueDefaults = { fifo_queue: false, visibility_timeout_seconds: 30, message_retention_seconds: 345_600 }
  function queueOf(name: string, settings: Values, policy: unknown) {
    const [arn, url] = ['Arn', 'QueueUrl'].map((attribute) => referenced({ 'Fn::GetAtt': [name, attribute] }))
    const ownName = settings.FifoQueue ? `${name}.fifo` : name
    return { ...queueDefaults, name: ownName, arn, id: url, url, redrive_policy: policy, ...toAttributes(settings) }
  }
  const arn = referenced({ 'Fn::GetAtt': ['Handler', 'Arn'] })
  const mappingOf = (settings: Values) => ({
    event_source_arn: referenced({ 'Fn::GetAtt': ['Queue', 'Arn'] }),
    function_name: arn,
    enabled: true,
    ...{ scaling_config: [], provisioned_poller_config: [], filter_criteria: [], function_response_types: null },
    ...{ batch_size: null, starting_position: null, queues: null, topics: null, self_managed_event_source: [] },
    ...toAttributes(settings),
  })
  return [
    resource(ADDRESSES.Dead ?? '', {
      ...queueOf('Dead', deadSettings, ''),
      redrive_allow_policy: toText(RedriveAllowPolicy),
    }),
    resource(ADDRESSES.Queue ?? '', queueOf('Queue', queueSettings, toText(RedrivePolicy))),
    resource(ADDRESSES.Handler ?? '', {
      function_name: 'Handler',
      arn,
      version: '$LATEST',
      timeout: 3,
      memory_size: 128,
      reserved_concurrent_executions: -1,
      package_type: 'Zip',
      ...{ dead_letter_config: [], tenancy_config: [], durable_config: [], capacity_provider_config: [] },
      ...toAttributes(functionSettings),
    }),
    resource(ADDRESSES.mapping ?? '', mappingOf(mappingSettings)),
    ...(second ? [resource(ADDRESSES.second ?? '', mappingOf(second))] : []),
    ...(change.terraform ?? []).map(({ address, values }) => resource(address, values)),
  ]
}

/** The resources of a rule case as a state, in which every value is known. */
export function terraformState(change: Change = {}) {
  return {
    format_version: '1.0',
    terraform_version: '1.13.4',
    values: { root_module: { resources: resources(change) } },
  }
}

function isMapping(address: string) {
  return address === ADDRESSES.mapping || address === ADDRESSES.second
}

const COMPUTED = ['arn', 'id', 'url', 'version']

/** The expressions that refer to another resource, whose computed attributes are known only after apply. */
function expressionsOf(address: string, { event_source_arn: source }: Values, change: Change): Values {
  const references = (to: string, attribute: string) => ({ references: [`${to}.${attribute}`, to] })
  if (address === ADDRESSES.Queue) return redriveExpression(settings(change).queue.RedrivePolicy)
  if (!isMapping(address)) return {}
  const attribute = /^arn:/.test(String(source)) ? 'arn' : /^https:/.test(String(source)) ? 'url' : 'name'
  return {
    event_source_arn: references('aws_sqs_queue.queue', attribute),
    function_name: references('aws_lambda_function.handler', 'arn'),
  }
}

/**
 * The expression of a redrive policy. A plan shows the text of the policy only if it refers to nothing that is known
 * only after apply.
 */
function redriveExpression(policy: unknown): Values {
  if (policy === undefined) return {}
  const { deadLetterTargetArn: target = {} } = policy as { deadLetterTargetArn?: object }
  const { Ref: ref, 'Fn::GetAtt': [id = ref, attribute = 'id'] = [] } = target as {
    Ref?: string
    'Fn::GetAtt'?: string[]
  }
  const address = ADDRESSES[id ?? '']
  if (address === undefined || attribute === 'QueueName') return { redrive_policy: {} }
  const reference = `${address}.${attribute.replace('Queue', '').toLowerCase()}`
  return { redrive_policy: { references: [reference, address] } }
}

/** Whether a plan that creates the resources does not show the redrive policy of the queue. */
export function isPolicyOpen(change: Change = {}): boolean {
  const { redrive_policy: expression = {} } = redriveExpression(settings(change).queue.RedrivePolicy)
  return 'references' in (expression as object)
}

/** The attribute of the queue that a value contains. It is known only after apply. */
function queueAttribute(value: unknown): 'arn' | 'url' | undefined {
  const text = JSON.stringify(value ?? null)
  return text.includes(`${ACCOUNT}:Queue`) ? 'arn' : /https:[^"]+\/Queue"/.test(text) ? 'url' : undefined
}

/** The expression of an argument or a block, in which values that contain an attribute of the queue are references. */
function toExpression(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toExpression)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, toExpression(part)]))
  }
  const attribute = queueAttribute(value)
  return attribute
    ? { references: [`aws_sqs_queue.queue.${attribute}`, 'aws_sqs_queue.queue'] }
    : { constant_value: value }
}

/** The resources of a plan that creates them. */
export function plannedResources(change: Change = {}): PlannedResource[] {
  const others = (change.terraform ?? []).map(({ address }) => address)
  function isUnknown(address: string, name: string, value: unknown) {
    if (others.includes(address)) return queueAttribute(value) !== undefined
    if (isMapping(address)) return name === 'function_name' || (name === 'event_source_arn' && value !== 'Queue')
    if (name === 'redrive_policy') return value === '' || isPolicyOpen(change)
    return COMPUTED.includes(name)
  }
  return resources(change).map(({ address, values }) => {
    const unknown = Object.keys(values).filter((name) => isUnknown(address, name, values[name]))
    const known = Object.entries(values).filter(([name]) => !unknown.includes(name))
    const ofOther = unknown.map((name) => [name, toExpression(values[name])])
    const expressions = others.includes(address) ? Object.fromEntries(ofOther) : expressionsOf(address, values, change)
    return { address, values: Object.fromEntries(known), unknown, expressions }
  })
}

/** The same as a plan that creates the resources. */
export function terraformPlan(change: Change = {}) {
  return shownPlan({ resources: plannedResources(change) })
}

interface PlannedResource {
  /** The address in its module: `aws_sqs_queue.this[0]`. */
  address: string
  values: Values
  /** The arguments and attributes that are known only after apply. Inside of blocks, as a plan shows them. */
  unknown?: readonly string[] | Values
  expressions?: Values
  /** The references of its for_each, or the expression. */
  forEach?: readonly string[] | Values
}

export interface PlannedModule {
  resources: readonly PlannedResource[]
  /** By their address in this module: `module.queue["eu"]`. */
  modules?: Readonly<Record<string, PlannedModule & { call?: Values; forEach?: readonly string[] | Values }>>
  outputs?: Readonly<Record<string, readonly string[]>>
}

function forEachOf(forEach: readonly string[] | Values | undefined): Values {
  if (!forEach) return {}
  return { for_each_expression: Array.isArray(forEach) ? { references: forEach } : forEach }
}

function partsOf(address: string) {
  const [, data, type = '', name = '', key] = /^(data\.)?([\w-]+)\.([\w-]+)(?:\[(.*)\])?$/.exec(address) ?? []
  return { mode: data ? 'data' : 'managed', type, name, index: key === undefined ? undefined : JSON.parse(key) }
}

const AWS = 'registry.terraform.io/hashicorp/aws'

/** A plan that creates resources. Data sources are already read. */
export function shownPlan(root: PlannedModule) {
  const changes: unknown[] = []
  const values = (module: PlannedModule, prefix: string, mode: string): Values => ({
    ...(prefix === '' ? {} : { address: prefix.slice(0, -1) }),
    resources: module.resources.flatMap(({ address, values }) => {
      const parts = partsOf(address)
      const shown = { address: prefix + address, ...parts, provider_name: AWS, schema_version: 0 }
      return parts.mode === mode ? { ...shown, values, sensitive_values: {} } : []
    }),
    child_modules: Object.entries(module.modules ?? {}).map(([name, child]) =>
      values(child, `${prefix}${name}.`, mode),
    ),
  })
  function addChanges(module: PlannedModule, prefix: string): void {
    for (const { address, values: after, unknown = [] } of module.resources) {
      const { mode, type, name, index } = partsOf(address)
      const after_unknown = Array.isArray(unknown) ? Object.fromEntries(unknown.map((name) => [name, true])) : unknown
      const change = { actions: ['create'], before: null, after, after_unknown, before_sensitive: false }
      if (mode === 'managed') changes.push({ address: prefix + address, mode, type, name, index, change })
    }
    for (const [name, child] of Object.entries(module.modules ?? {})) addChanges(child, `${prefix}${name}.`)
  }
  const configuration = ({ resources, modules = {}, outputs = {} }: PlannedModule): Values => ({
    resources: resources.map(({ address, expressions = {}, forEach }) => {
      const { mode, type, name } = partsOf(address)
      const of = { address: address.replace(/\[.*/, ''), mode, type, name, provider_config_key: 'aws', expressions }
      return { ...of, ...forEachOf(forEach) }
    }),
    module_calls: Object.fromEntries(
      Object.entries(modules).map(([name, { call = {}, forEach, ...module }]) => {
        const own = { source: './module', expressions: call, module: configuration(module) }
        const key = name.replace(/^module\./, '').replace(/\[.*/, '')
        return [key, { ...own, ...forEachOf(forEach) }]
      }),
    ),
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, references]) => [name, { expression: { references } }]),
    ),
  })
  addChanges(root, '')
  return {
    format_version: '1.2',
    terraform_version: '1.13.4',
    planned_values: { root_module: values(root, '', 'managed') },
    resource_changes: changes,
    prior_state: { format_version: '1.0', values: { root_module: values(root, '', 'data') } },
    configuration: { root_module: configuration(root) },
    applyable: true,
    complete: true,
    errored: false,
  }
}

function parse(shown: unknown) {
  const parsed = parseTerraformJson('plan.json', JSON.stringify(shown))
  if (!parsed) throw new Error('it is not a plan or a state')
  return parsed
}

export function readShown(shown: unknown): Model {
  return readPlan(parse(shown))
}

/** The plan or state that `terraform show -json` prints, with its instances. */
export function planIn(shown: unknown): Plan {
  return toPlan(parse(shown))
}

export function findingsInPlan(shown: unknown): Finding[] {
  const kind = (shown as { planned_values?: unknown }).planned_values === undefined ? 'state' : 'plan'
  return check({ kind, syntax: 'terraform', model: readShown(shown) })
}
