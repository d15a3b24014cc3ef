import { patternSetting, tooManyFilters } from '../model/filters.ts'
import {
  type Mapping,
  type Model,
  type Pattern,
  type Queue,
  type Unread,
  unreadFunction,
  unreadQueue,
} from '../model/model.ts'
import { absent, invalid, known, mapSetting, type Setting, unknown, valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS } from '../model/settings.ts'
import { createFunctions } from './functions.ts'
import { type Instance, type parseTerraformJson, toPlan } from './plan.ts'
import { arnSetting, createQueues } from './queues.ts'
import { type ReferenceLookup, type Resolution, resolveArgument } from './references.ts'
import { AFTER_APPLY, hasUnknown, identified, listAt, settingsAt, textAt, valueAt } from './values.ts'

/** Arguments that only mappings of other services have: streams, brokers and clusters. */
const OTHER_SERVICES = ['starting_position', 'queues', 'topics', 'self_managed_event_source']
const OTHER_SOURCES = /^aws_(kinesis|dynamodb|mq|msk|docdb)_/

/** Resources that may create SQS event source mappings, functions or queues, and that are not read. */
const NOT_READ: readonly [type: RegExp, reason: string][] = [
  [/^awscc_(lambda_event_source_mapping|lambda_function|sqs_queue)$/, 'resources of the provider awscc are not read'],
  [/^aws_cloudcontrolapi_resource$/, 'resources of the Cloud Control API are not read'],
  [/cloudformation_stack(_instances|_set_instance)?$/, 'its resources are in a separate template'],
]

const CHECK_STATE_FIX = 'Check the state after apply: terraform show -json | bounded-sqs-batch doctor -'
const CHECK_DEPLOYED_FIX = 'Check the deployed function with --function NAME.'

function reportBatchItemFailuresOf(types: Setting<readonly unknown[]>): Setting<boolean> {
  if (types.state === 'unknown') return types
  const on = valueIn(types)?.includes('ReportBatchItemFailures') ?? false
  return !on && valueIn(types)?.includes(null) ? unknown(AFTER_APPLY) : known(on)
}

function otherTypesOf(types: Setting<readonly unknown[]>): string[] {
  return (valueIn(types) ?? []).filter((type) => type !== null && type !== 'ReportBatchItemFailures').map(String)
}

function provisionedOf(mapping: Instance): Setting<boolean> {
  const settings = ['minimum_pollers', 'maximum_pollers'].map((name) =>
    valueAt(mapping, 'provisioned_poller_config', 0, name),
  )
  const on = settings.some((setting) => setting.state === 'known' && setting.value !== 0)
  const unresolved = settings.find((setting) => setting.state === 'unknown')
  return unresolved && !on ? unresolved : known(on)
}

function filtersOf(mapping: Instance): Setting<readonly Setting<Pattern>[]> {
  const filters = listAt(mapping, 'filter_criteria', 0, 'filter')
  const isPartlyUnknown = hasUnknown(mapping, 'filter_criteria')
  return mapSetting(filters, (list) => {
    const patterns = list.map((filter): Setting<Pattern> => {
      const pattern = (filter as { pattern?: unknown } | null)?.pattern
      if (typeof pattern === 'string') return patternSetting(known(pattern))
      return isPartlyUnknown ? unknown(AFTER_APPLY) : patternSetting(absent)
    })
    return tooManyFilters(patterns.length) ?? known(patterns)
  })
}

/** The settings of a mapping, apart from its queue and its function. */
function settingsOf(mapping: Instance) {
  const types = listAt(mapping, 'function_response_types')
  return {
    ...settingsAt(MAPPING_SETTINGS, mapping),
    reportBatchItemFailures: identified(mapping, 'reportBatchItemFailures', reportBatchItemFailuresOf(types)),
    otherResponseTypes: otherTypesOf(types),
    provisioned: provisionedOf(mapping),
    filters: identified(mapping, 'filters', filtersOf(mapping)),
  }
}

/** Reads the SQS event source mappings of a plan or a state of Terraform or OpenTofu. */
export function readPlan(shown: NonNullable<ReturnType<typeof parseTerraformJson>>): Model {
  const plan = toPlan(shown)
  const { find, toQueue } = createQueues(plan)
  const functionOf = createFunctions(plan)
  const mappings: Mapping[] = []
  const otherReaders: Mapping[] = []
  const unreadResources: Unread[] = []

  function arnOf(mapping: Instance, found: ReferenceLookup): Setting<string> {
    const arn = textAt(mapping, 'event_source_arn')
    if (arn.state === 'known') return arnSetting(arn.value)
    if (!found.instance || !['id', 'url', 'name'].some((name) => name === found.attribute)) return arn
    const { address } = found.instance
    return invalid(`${address}.${found.attribute} is not the ARN of ${address}`, `Use the ARN: ${address}.arn.`)
  }

  /**
   * Whether a mapping reads a queue. An unknown ARN counts as that of a queue, unless the references or the arguments of
   * the mapping show another service. Undefined if these are not known.
   */
  function readsQueue(mapping: Instance): boolean | undefined {
    const arn = textAt(mapping, 'event_source_arn')
    if (arn.state === 'known') return !arn.value.startsWith('arn:') || arn.value.split(':')[2] === 'sqs'
    const isQueue = isQueueArn(resolveArgument(mapping, 'event_source_arn'))
    if (isQueue !== undefined) return isQueue
    const others = OTHER_SERVICES.map((name) => listAt(mapping, name))
    if (others.some((other) => (valueIn(other) ?? []).length > 0)) return false
    return others.some(({ state }) => state === 'unknown') ? undefined : true
  }

  function queueOf(found: ReferenceLookup): Queue {
    if (found.instance) return toQueue(found.instance)
    const queue = unreadQueue(found.arn ?? 'its queue', found.reason)
    return found.arn === undefined ? queue : { ...queue, fifo: known(found.arn.endsWith('.fifo')) }
  }

  function addMapping(mapping: Instance): void {
    const { address: id } = mapping
    const isOfQueue = readsQueue(mapping)
    if (isOfQueue === undefined) unreadResources.push({ id, what: 'whether it reads SQS', unreadReason: AFTER_APPLY })
    if (!isOfQueue) return
    const found = find(mapping, 'event_source_arn')
    const queue = queueOf(found)
    const { lambdaFunction, doubt } = functionOf(mapping)
    if (found.instance && found.doubt) {
      unreadResources.push({ id, what: `whether its queue is ${queue.id}`, unreadReason: found.doubt })
    }
    if (doubt) unreadResources.push({ id, what: `whether its function is ${lambdaFunction.id}`, unreadReason: doubt })
    const arn = identified(mapping, 'arn', arnOf(mapping, found))
    mappings.push({ id, queue, function: lambdaFunction, arn, ...settingsOf(mapping) })
  }

  /** Adds a pipe of EventBridge, which reads its queue like a mapping does. */
  function addPipe(pipe: Instance): void {
    const found = find(pipe, 'source')
    if (!found.instance) return
    const { address: id } = pipe
    const filters = mapSetting(listAt(pipe, 'source_parameters', 0, 'filter_criteria', 0, 'filter'), (list) =>
      known(list.map((filter) => patternSetting(textOf((filter as { pattern?: unknown } | null)?.pattern)))),
    )
    otherReaders.push({
      id,
      ...settingsOf(pipe),
      filters,
      runs: known(valueIn(textAt(pipe, 'desired_state')) !== 'STOPPED'),
      arn: textAt(pipe, 'source'),
      queue: toQueue(found.instance),
      function: unreadFunction(id, 'it is a pipe'),
    })
  }
  function textOf(pattern: unknown): Setting<string> {
    return typeof pattern === 'string' ? known(pattern) : unknown(AFTER_APPLY)
  }

  for (const instance of plan.instances) {
    if (instance.mode !== 'managed') continue
    if (instance.type === 'aws_lambda_event_source_mapping') addMapping(instance)
    if (instance.type === 'aws_pipes_pipe') addPipe(instance)
  }
  for (const { address: id, type, mode } of plan.instances) {
    const reason = NOT_READ.find(([types]) => mode === 'managed' && types.test(type))?.[1]
    if (reason !== undefined) unreadResources.push({ id, unreadReason: reason })
  }
  if (plan.incomplete !== undefined) unreadResources.push({ id: 'the plan', unreadReason: plan.incomplete })
  return {
    syntax: 'terraform',
    mappings,
    otherReaders,
    unreadResources,
    fix: plan.isState ? CHECK_DEPLOYED_FIX : CHECK_STATE_FIX,
  }
}

/** Whether an unknown ARN is that of a queue. Undefined if its references do not show this. */
function isQueueArn({ leaves, unresolved }: Resolution): boolean | undefined {
  const types = leaves.map(({ instance }) => instance.type)
  if (unresolved.length > 0 || types.length === 0) return undefined
  if (types.every((type) => OTHER_SOURCES.test(type))) return false
  return types.every((type) => type === 'aws_sqs_queue') ? true : undefined
}
