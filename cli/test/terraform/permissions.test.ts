// The role of a function in a plan or a state, and what its policies allow.
import { test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import type { Model } from '../../src/model/model.ts'
import { check } from '../support/doctor.ts'
import { readShown, resource, shownPlan, terraformState } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

const BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
const ROLE = 'arn:aws:iam::123456789012:role/orders'
const OWN = 'arn:aws:iam::123456789012:policy/own'

function policy(...Action: string[]) {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] })
}

/** The missing permissions of a function that calls `deadLetter()`. */
function missing(model: Model): string[] {
  const code = { inline: "import { deadLetter } from 'middy-bounded-sqs-batch/sqs'\ndeadLetter({ client })" }
  const mappings = model.mappings.map((mapping) => ({ ...mapping, function: { ...mapping.function, code } }))
  const findings: Finding[] = check({ kind: 'plan', syntax: 'terraform', model: { ...model, mappings } })
  return findings.filter(({ rule }) => rule === 'missing-permission').map(({ message }) => message.split('. ')[0] ?? '')
}

const NO_SEND = ['The function calls deadLetter(), but no statement of its role allows sqs:SendMessage']
const role = (values: object = {}) =>
  resource('aws_iam_role.orders', { arn: ROLE, name: 'orders', id: 'orders', ...values })
const attached = (policy_arn: string, to = 'orders') =>
  resource('aws_iam_role_policy_attachment.own', { role: to, policy_arn })

for (const [title, resources, expected] of [
  ['a role that is not in the state', [], []],
  ['an inline policy', [role({ inline_policy: [{ name: 'own', policy: policy('sqs:SendMessage') }] })], []],
  ['a managed policy of AWS', [role({ managed_policy_arns: [BASIC] })], NO_SEND],
  [
    'a policy of the role',
    [role(), resource('aws_iam_role_policy.own', { role: 'orders', policy: policy('sqs:*') })],
    [],
  ],
  [
    'a policy of another role',
    [role(), resource('aws_iam_role_policy.own', { role: 'other', policy: policy('sqs:*') })],
    NO_SEND,
  ],
  ['an attached policy of AWS without SQS', [role(), attached(BASIC)], NO_SEND],
  ['an attached policy that is not in the state', [role(), attached(OWN)], []],
  [
    'an attached policy of the state',
    [role(), attached(OWN), resource('aws_iam_policy.own', { arn: OWN, policy: policy('s3:GetObject') })],
    NO_SEND,
  ],
  [
    'a policy that is attached to several roles',
    [
      role(),
      resource('aws_iam_policy_attachment.own', { roles: ['other', 'orders'], policy_arn: OWN }),
      resource('aws_iam_policy.own', { arn: OWN, policy: policy('sqs:SendMessage') }),
    ],
    [],
  ],
  ['a policy that is no document', [role(), resource('aws_iam_role_policy.own', { role: 'orders', policy: 'x' })], []],
] as const) {
  test(`the role of a function in a state: ${title}`, async (t) => {
    const state = terraformState({ function: { Role: ROLE }, terraform: resources })
    t.strictSame(missing(readShown(state)), expected)
  })
}

/** A plan that creates a function with its role, and a policy of the role. */
function planWith(ofPolicy: object, more: readonly { address: string; values: Record<string, unknown> }[] = []) {
  const arn = (to: string) => ({ references: ref(`${to}.arn`) })
  return shownPlan({
    resources: [
      { address: 'aws_sqs_queue.queue', values: {}, unknown: ['arn'] },
      { address: 'aws_iam_role.orders', values: { name: 'orders' }, unknown: ['arn', 'id'] },
      {
        address: 'aws_lambda_function.handler',
        values: { function_name: 'handler' },
        unknown: ['arn', 'role'],
        expressions: { role: arn('aws_iam_role.orders') },
      },
      {
        address: 'aws_lambda_event_source_mapping.orders',
        values: {},
        unknown: ['event_source_arn', 'function_name'],
        expressions: {
          event_source_arn: arn('aws_sqs_queue.queue'),
          function_name: arn('aws_lambda_function.handler'),
        },
      },
      {
        address: 'aws_iam_role_policy.own',
        values: {},
        unknown: ['id', 'role'],
        expressions: { role: { references: ref('aws_iam_role.orders.id') } },
        ...ofPolicy,
      },
      ...more,
    ],
  })
}

for (const [title, ofPolicy, expected] of [
  ['a document that is known', { values: { policy: policy('s3:GetObject') } }, NO_SEND],
  ['a document that allows it', { values: { policy: policy('sqs:SendMessage') } }, []],
  ['a document that is known only after apply', { unknown: ['id', 'role', 'policy'] }, []],
  ['a role that is not known', { values: { policy: policy('s3:GetObject') }, expressions: {} }, []],
] as const) {
  test(`the role of a function in a plan: ${title}`, async (t) => {
    t.strictSame(missing(readShown(planWith(ofPolicy))), expected)
  })
}
