// What is found in plans and states. The tests of functions, queues and mappings have what is read.
import { test } from 'tap'
import { findingsInPlan, type PlannedModule, shownPlan, terraformState } from '../support/terraform.ts'
import { lambda, mapping, queue, ref } from '../support/terraform-modules.ts'

const ORDERS = 'aws_lambda_event_source_mapping.orders'
const QUEUE_ARN = 'arn:aws:sqs:eu-west-1:123456789012:orders'
const REPORTS = { function_response_types: ['ReportBatchItemFailures'] }
const TO_QUEUE = ref('aws_sqs_queue.orders.arn')
const TO_HANDLER = ref('aws_lambda_function.handler.arn')

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

/** A mapping, and other resources. By default, the mapping refers to the queue and the function. */
function planOf(others: readonly Resource[], settings: Values = {}, target: readonly string[] = TO_HANDLER) {
  return shownPlan({ resources: [...others, mapping(ORDERS, { ...REPORTS, ...settings }, TO_QUEUE, target)] })
}

function handler(settings: Values = {}) {
  return lambda('aws_lambda_function.handler', { function_name: 'handler', ...settings })
}
const DEAD = queue('aws_sqs_queue.dead', { name: 'dead', message_retention_seconds: 1_209_600 })
const POLICY = JSON.stringify({ deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:123456789012:dead', maxReceiveCount: 5 })

/** A queue with values that are known, among them those that an earlier apply has set. */
function orders(settings: Values = {}, expressions: Values = {}): Resource {
  const created = queue('aws_sqs_queue.orders', { name: 'orders', ...settings }, expressions)
  return { ...created, unknown: created.unknown.filter((name) => !(name in settings)) }
}
const QUEUE = orders({ redrive_policy: POLICY }, { redrive_policy: { references: ref('aws_sqs_queue.dead.arn') } })

function messages(plan: unknown) {
  return findingsInPlan(plan).map(({ resource, message }) => `${resource}: ${message}`)
}

test('a function and a dead-letter queue in data sources are not checked', (t) => {
  const dead: Resource = { address: 'data.aws_sqs_queue.dead', values: { name: 'dead' }, unknown: ['arn', 'url'] }
  const source = orders({}, { redrive_policy: { references: ref('data.aws_sqs_queue.dead.arn') } })
  const data: Resource = { address: 'data.aws_lambda_function.handler', values: { function_name: 'handler' } }
  const resources = [source, dead, data]
  const name = ref('data.aws_lambda_function.handler.function_name')
  t.strictSame(messages(planOf(resources, { function_name: 'handler' }, name)), [
    'aws_sqs_queue.orders: Not checked: maxReceiveCount. Reason: the redrive policy is known only after apply.',
    'aws_lambda_event_source_mapping.orders: Not checked: the settings of handler. Reason: it is not in this plan or state.',
    'aws_sqs_queue.orders: Not checked: the retention of its dead-letter queue, and whether it is a FIFO queue. Reason: it is known only after apply.',
  ])
  t.end()
})

const INCOMPLETE = 'the plan is not complete: planning failed, or -target or a deferred change omits resources'
for (const [key, value, reason] of [
  ['errored', true, INCOMPLETE],
  ['complete', false, INCOMPLETE],
] as const) {
  test(`a plan with ${key}: ${value} is checked, and listed`, (t) => {
    const plan = { ...planOf([QUEUE, DEAD, handler()]), [key]: value }
    t.strictSame(messages(plan), [`the plan: Not checked: this item. Reason: ${reason}.`])
    t.end()
  })
}

test('in a state of OpenTofu, the fix for settings that were not checked is to check the deployed function', (t) => {
  const state = {
    ...terraformState({ mapping: { EventSourceArn: `${QUEUE_ARN}-elsewhere` } }),
    terraform_version: '1.10.6',
  }
  const [finding, ...more] = findingsInPlan(state)
  t.strictSame(more, [])
  t.equal(finding?.fix, 'Check the deployed function with --function NAME.')
  t.strictSame(Object.keys(finding ?? {}), ['rule', 'severity', 'resource', 'message', 'fix', 'source'])
  t.end()
})
