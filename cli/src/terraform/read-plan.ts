import type { Mapping, Model, Unread } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { MAPPING_SETTINGS } from '../model/settings.ts'
import { findFunction, functionOfMapping } from './functions.ts'
import { type Instance, type Plan, type parseTerraformJson, toPlan } from './plan.ts'
import { findQueue, QUEUE, queueOfMapping } from './queues.ts'
import { referencesOf } from './references.ts'
import { AFTER_APPLY, listAt, settingsAt, textAt } from './values.ts'

const MAPPING = 'aws_lambda_event_source_mapping'
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

/** Reads the SQS event source mappings of a plan or a state of Terraform or OpenTofu. */
export function readPlan(shown: NonNullable<ReturnType<typeof parseTerraformJson>>): Model {
  const plan = toPlan(shown)
  const managed = plan.instances.filter(({ mode }) => mode === 'managed')
  const all = managed.filter(({ type }) => type === MAPPING)
  const notRead = managed.flatMap(({ address: id, type }): Unread[] => {
    const unreadReason = NOT_READ.find(([types]) => types.test(type))?.[1]
    return unreadReason === undefined ? [] : [{ id, unreadReason }]
  })
  const open = all.filter((mapping) => readsQueue(mapping) === undefined)
  const read = all.filter(readsQueue)
  const unreadResources = [
    ...open.map(({ address: id }) => ({ id, what: 'whether it reads SQS', unreadReason: AFTER_APPLY })),
    ...read.flatMap((mapping) => doubtsAbout(plan, mapping)),
    ...notRead,
    ...(plan.incomplete === undefined ? [] : [{ id: 'the plan', unreadReason: plan.incomplete }]),
  ]
  const fix = plan.isState ? CHECK_DEPLOYED_FIX : CHECK_STATE_FIX
  return { syntax: 'terraform', mappings: read.map((mapping) => toMapping(plan, mapping)), unreadResources, fix }
}

function toMapping(plan: Plan, mapping: Instance): Mapping {
  return {
    id: mapping.address,
    ...settingsAt(MAPPING_SETTINGS, mapping),
    queue: queueOfMapping(plan, mapping),
    function: functionOfMapping(plan, mapping),
  }
}

/** Why the queue or the function of a mapping may be another one than the one that is checked. */
function doubtsAbout(plan: Plan, mapping: Instance): Unread[] {
  const found = { queue: findQueue(plan, mapping, 'event_source_arn'), function: findFunction(plan, mapping) }
  return Object.entries(found).flatMap(([kind, { instance, doubt }]) =>
    instance && doubt !== undefined
      ? [{ id: mapping.address, what: `whether its ${kind} is ${instance.address}`, unreadReason: doubt }]
      : [],
  )
}

/**
 * Whether a mapping reads a queue. An unknown ARN counts as that of a queue, unless the references or the arguments of
 * the mapping show another service. Undefined if these are not known.
 */
function readsQueue(mapping: Instance): boolean | undefined {
  const arn = textAt(mapping, 'event_source_arn')
  if (arn.state === 'known') return !arn.value.startsWith('arn:') || arn.value.split(':')[2] === 'sqs'
  const { instances, unresolved } = referencesOf(mapping, 'event_source_arn')
  const types = Array.from(instances, ({ type }) => type)
  if (unresolved.size === 0 && types.length > 0) {
    if (types.every((type) => OTHER_SOURCES.test(type))) return false
    if (types.every((type) => type === QUEUE)) return true
  }
  const others = OTHER_SERVICES.map((name) => listAt(mapping, name))
  if (others.some((other) => (valueIn(other) ?? []).length > 0)) return false
  return others.some(({ state }) => state === 'unknown') ? undefined : true
}
