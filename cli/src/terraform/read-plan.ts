import { link } from '../linker/link.ts'
import type { Declaration, Inventory, Kind, Unread } from '../model/declaration.ts'
import type { Model } from '../model/model.ts'
import { codeOfFunction } from './code-of-function.ts'
import { type Instance, type Plan, type TerraformJson, toPlan } from './plan.ts'
import { referencesOf } from './references.ts'
import { valuesOf } from './values.ts'

const KINDS: readonly [type: RegExp, kind: Kind][] = [
  [/^aws_lambda_function$/, 'function'],
  [/^aws_sqs_queue$/, 'queue'],
  [/^aws_lambda_alias$/, 'alias'],
  [/^aws_lambda_event_source_mapping$/, 'mapping'],
  [/^aws_lambda_function_event_invoke_config$/, 'invokeConfig'],
  [/^aws_sqs_queue_redrive_policy$/, 'redrivePolicy'],
  [/^aws_sqs_queue_redrive_allow_policy$/, 'redriveAllowPolicy'],
  [/^aws_iam_role$/, 'role'],
  [/^aws_iam_(role_)?policy(_attachment)?$/, 'policy'],
  [/^aws_(sqs_queue|kms_key)_policy$/, 'resourcePolicy'],
  [/^aws_kms_key$/, 'key'],
  [/^aws_kms_alias$/, 'keyAlias'],
  [/^aws_(sns_topic_subscription|cloudwatch_event_target|s3_bucket_notification)$/, 'sender'],
  [/^aws_(kinesis|dynamodb|mq|msk|docdb)_/, 'stream'],
]

/** Resources that may create SQS event source mappings, functions or queues, and that are not read. */
const NOT_READ: readonly [type: RegExp, reason: string][] = [
  [/^awscc_(lambda_event_source_mapping|lambda_function|sqs_queue)$/, 'resources of the provider awscc are not read'],
  [/^aws_cloudcontrolapi_resource$/, 'resources of the Cloud Control API are not read'],
  [/cloudformation_stack(_instances|_set_instance)?$/, 'its resources are in a separate template'],
]
/** Arguments and blocks of subscriptions, functions, targets of rules, schedules and pipes. */
const NAMES_DEAD_LETTERS = /^(redrive_policy|dead_letter_(config|queue|arn)|on_failure)$/
/** An index of `count` or `for_each` in an address. */
const INDEX = /\[("(\\.|[^"\\])*"|\d+)\]/g

export function readPlan(shown: TerraformJson): Model {
  return link(inventoryOf(toPlan(shown)))
}

export function inventoryOf(plan: Plan): Inventory {
  const { instances, incomplete } = plan
  const notRead = instances.flatMap(({ address: id, type }): Unread[] => {
    const unreadReason = NOT_READ.find(([types]) => types.test(type))?.[1]
    return unreadReason === undefined ? [] : [{ id, unreadReason }]
  })
  return {
    format: 'terraform',
    declarations: instances.map((instance) => declarationOf(plan, instance)),
    deadLetterTargets: instances.flatMap(deadLetterTargetsOf),
    elsewhere: 'it is not in this plan or state',
    open: incomplete,
    unreadResources: [...notRead, ...(incomplete === undefined ? [] : [{ id: 'the plan', unreadReason: incomplete }])],
  }
}

function declarationOf(plan: Plan, instance: Instance): Declaration {
  const { address: id, type, values } = instance
  const kind = KINDS.find(([types]) => types.test(type))?.[1] ?? 'other'
  const text = (name: string) => (typeof values[name] === 'string' ? (values[name] as string) : undefined)
  return {
    kind,
    type,
    id,
    declaredAs: id.replaceAll(INDEX, ''),
    properties: kind === 'other' ? { state: 'absent' } : valuesOf(instance),
    names: {
      arn: text('arn'),
      url: text('url') ?? text('id'),
      name: text(kind === 'function' ? 'function_name' : 'name'),
      version: text('version'),
    },
    ...(kind === 'function' ? { code: () => codeOfFunction(instance, plan.data) } : {}),
    mentions: () => mentionsIn(instance),
  }
}

/** The resources in expressions, and the ARNs in values. */
function mentionsIn(instance: Instance): string[] {
  const { values, config } = instance
  return [JSON.stringify(values), ...referencesOf(instance, config?.expressions).to.map(({ id }) => id)]
}

/** What is below names of dead-letter queues and of destinations of failures, in values or in expressions. */
function deadLettersIn(parts: unknown): unknown[] {
  if (typeof parts !== 'object' || parts === null) return []
  return Object.entries(parts).flatMap(([name, part]) => (NAMES_DEAD_LETTERS.test(name) ? [part] : deadLettersIn(part)))
}

function deadLetterTargetsOf(instance: Instance): Inventory['deadLetterTargets'] {
  const { address: owner, values, config } = instance
  const arns = JSON.stringify(deadLettersIn(values)).match(/arn:[^"\\]+/g) ?? []
  const { to } = referencesOf(instance, deadLettersIn(config?.expressions))
  return [...arns.map((text) => ({ owner, text })), ...to.map(({ id }) => ({ owner, id }))]
}
