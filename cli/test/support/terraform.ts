// What `terraform show -json` prints, written by hand: no registry of this project has a binary of Terraform or
// OpenTofu. The form is that of https://developer.hashicorp.com/terraform/internals/json-format, and the attributes,
// defaults and empty values are those of the schemas of the AWS provider 6.
import { check, type Finding } from '../../src/doctor/check.ts'
import type { CheckOptions } from '../../src/doctor/rule.ts'
import type { Model } from '../../src/model.ts'
import { parseShown } from '../../src/terraform/plan.ts'
import { readPlan } from '../../src/terraform/read-plan.ts'
import { type Change, OPTIONS, settings } from './templates.ts'

type Values = Record<string, unknown>

const ACCOUNT = 'eu-west-1:123456789012'

/** The names of the resources of the rule cases, and their addresses. */
const ADDRESSES: Readonly<Record<string, string>> = {
  mapping: 'aws_lambda_event_source_mapping.orders',
  Handler: 'aws_lambda_function.handler',
  Queue: 'aws_sqs_queue.queue',
  Dead: 'aws_sqs_queue.dead',
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

/** A redrive policy is JSON text. */
function redrivePolicy(policy: unknown): unknown {
  const resolve = (_key: string, value: unknown) =>
    typeof value === 'object' && value !== null
      ? (referenced(value) ?? (referenced(value) === null ? undefined : value))
      : value
  return policy === undefined ? '' : JSON.stringify(policy, resolve)
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
  const { mapping, function: target, queue, dead } = settings(change)
  const { RedrivePolicy, ...queueSettings } = queue as Values
  const { DeadLetterQueue: _ofSam, ...functionSettings } = target as Values
  const { Queue: _alsoOfSam, ...mappingSettings } = mapping as Values
  const queueDefaults = { fifo_queue: false, visibility_timeout_seconds: 30, message_retention_seconds: 345_600 }
  const queueOf = (name: string, settings: Values, policy: unknown) => {
    const [arn, url] = ['Arn', 'QueueUrl'].map((attribute) => referenced({ 'Fn::GetAtt': [name, attribute] }))
    return { ...queueDefaults, name, arn, id: url, url, redrive_policy: policy, ...toAttributes(settings) }
  }
  const arn = referenced({ 'Fn::GetAtt': ['Handler', 'Arn'] })
  return [
    resource(ADDRESSES.Dead ?? '', queueOf('Dead', dead, '')),
    resource(ADDRESSES.Queue ?? '', queueOf('Queue', queueSettings, redrivePolicy(RedrivePolicy))),
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
    resource(ADDRESSES.mapping ?? '', {
      event_source_arn: referenced({ 'Fn::GetAtt': ['Queue', 'Arn'] }),
      function_name: arn,
      enabled: true,
      ...{ scaling_config: [], provisioned_poller_config: [], filter_criteria: [], function_response_types: null },
      ...{ batch_size: null, starting_position: null, queues: null, topics: null, self_managed_event_source: [] },
      ...toAttributes(mappingSettings),
    }),
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

const EXPRESSIONS: Readonly<Record<string, Values>> = {
  'aws_sqs_queue.queue': { redrive_policy: { references: ['aws_sqs_queue.dead.arn', 'aws_sqs_queue.dead'] } },
  'aws_lambda_event_source_mapping.orders': {
    event_source_arn: { references: ['aws_sqs_queue.queue.arn', 'aws_sqs_queue.queue'] },
    function_name: { references: ['aws_lambda_function.handler.arn', 'aws_lambda_function.handler'] },
  },
}
const COMPUTED = ['arn', 'id', 'url', 'redrive_policy', 'version', 'event_source_arn']

/** The same as a plan that creates them. ARNs and the text of the redrive policy are known only after apply. */
export function terraformPlan(change: Change = {}) {
  const isUnknown = (address: string, name: string) =>
    COMPUTED.includes(name) || (name === 'function_name' && address === ADDRESSES.mapping)
  const all = resources(change).map((one) => {
    const entries = Object.entries(one.values)
    const known = entries.filter(([name]) => !isUnknown(one.address, name))
    const unknown = entries.filter(([name]) => isUnknown(one.address, name)).map(([name]) => [name, true])
    return { shown: { ...one, values: Object.fromEntries(known) }, after_unknown: Object.fromEntries(unknown) }
  })
  const withoutPolicy = change.queue && 'RedrivePolicy' in change.queue && change.queue.RedrivePolicy === undefined
  return {
    format_version: '1.2',
    terraform_version: '1.13.4',
    planned_values: { root_module: { resources: all.map(({ shown }) => shown) } },
    resource_changes: all.map(({ shown: { address, mode, type, name, values }, after_unknown }) => {
      const change = { actions: ['create'], before: null, after: values, after_unknown }
      return { address, mode, type, name, change }
    }),
    configuration: {
      root_module: {
        resources: all.map(({ shown: { address, mode, type, name } }) => {
          const isUnset = withoutPolicy && address === ADDRESSES.Queue
          return { address, mode, type, name, expressions: isUnset ? {} : (EXPRESSIONS[address] ?? {}) }
        }),
      },
    },
    complete: true,
    errored: false,
  }
}

export function readShown(shown: unknown): Model {
  const parsed = parseShown('plan.json', JSON.stringify(shown))
  if (!parsed) throw new Error('it is not a plan or a state')
  return readPlan(parsed)
}

export function findingsInPlan(shown: unknown, options: Partial<CheckOptions> = {}): Finding[] {
  return check(readShown(shown), { ...OPTIONS, ...options })
}
