// What this library needs, and what a template shows of it: the permissions of the role, and the memory.
import { type Test, test } from 'tap'
import { findingsIn, sam } from '../support/templates.ts'

const DEAD_LETTER = "import { deadLetter } from 'middy-bounded-sqs-batch/sqs'\ndeadLetter({ client })"
const BACKOFF = "import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'\nretryBackoff({ client })"

function statement(...Action: string[]) {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] }
}
const BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'

/** The findings of a function with this code, as rule and text. */
async function found(t: Test, code: string, properties: object = {}, resources: Record<string, unknown> = {}) {
  const RedrivePolicy = { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount: 15 }
  const queue = { RedrivePolicy }
  const template = sam({ function: { InlineCode: code, ...properties }, queue, resources: resources as never })
  return (await findingsIn(t, template)).map(
    ({ rule, severity, message }) => `${severity} ${rule}: ${message.split('. ')[0]}`,
  )
}

const NO_SEND =
  'warning missing-permission: The function calls deadLetter(), but no statement of its role allows sqs:SendMessage'
const NO_CHANGE =
  'warning missing-permission: The function calls retryBackoff(), but no statement of its role allows sqs:ChangeMessageVisibility'

for (const [title, code, policies, expected] of [
  ['no policy', DEAD_LETTER, undefined, [NO_SEND]],
  ['a policy template of SAM', DEAD_LETTER, [{ SQSSendMessagePolicy: { QueueName: 'x' } }], []],
  ['a policy template for receiving', DEAD_LETTER, [{ SQSPollerPolicy: { QueueName: 'x' } }], [NO_SEND]],
  ['a policy template for receiving', BACKOFF, [{ SQSPollerPolicy: { QueueName: 'x' } }], []],
  ['another policy template of SAM', BACKOFF, [{ S3ReadPolicy: { BucketName: 'x' } }], [NO_CHANGE]],
  ['a statement', DEAD_LETTER, [statement('s3:GetObject', 'sqs:SendMessage')], []],
  ['a statement with other letters', DEAD_LETTER, [statement('SQS:sendmessage')], []],
  ['a statement with a wildcard', DEAD_LETTER, [statement('sqs:Send*')], []],
  ['a statement that allows everything', BACKOFF, [statement('*')], []],
  ['a statement with two wildcards', DEAD_LETTER, [statement('sqs:S?nd*')], []],
  ['a statement with a shorter name', DEAD_LETTER, [statement('sqs:Send')], [NO_SEND]],
  ['a statement with a longer name', DEAD_LETTER, [statement('sqs:SendMessageBatch')], [NO_SEND]],
  ['a policy of AWS without SQS', DEAD_LETTER, [BASIC], [NO_SEND]],
  ['a policy of AWS with SQS', DEAD_LETTER, ['AmazonSQSFullAccess'], []],
  ['a policy that is not in the template', DEAD_LETTER, ['arn:aws:iam::1:policy/own'], []],
  ['a policy that is not known', DEAD_LETTER, [{ 'Fn::ImportValue': 'policy' }], []],
  ['code that calls nothing of SQS', 'throw 1', undefined, []],
] as const) {
  test(`the policies of a function of SAM: ${title}`, async (t) => {
    t.strictSame(await found(t, code, policies && { Policies: policies }), expected)
  })
}

const READ = statement('sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes')
/** A role that may read queues, and what else it has. */
function role({ Policies = [], ...properties }: { Policies?: readonly object[]; [name: string]: unknown }) {
  const all = [{ PolicyDocument: READ }, ...Policies]
  return { Role: { Type: 'AWS::IAM::Role', Properties: { ...properties, Policies: all } } }
}
const ROLE = { Role: { 'Fn::GetAtt': ['Role', 'Arn'] } }
function policyOf(Type: string, properties: object) {
  return { Policy: { Type, Properties: { PolicyDocument: statement('sqs:SendMessage'), ...properties } } }
}

const UNKNOWN = [{ 'Fn::ImportValue': 'role' }]

for (const [title, resources, expected] of [
  ['without a policy', role({}), [NO_SEND]],
  ['with a policy of AWS', role({ ManagedPolicyArns: [BASIC] }), [NO_SEND]],
  ['with a policy of its own', role({ Policies: [{ PolicyDocument: statement('sqs:SendMessage') }] }), []],
  [
    'with a policy that is a resource',
    { ...role({}), ...policyOf('AWS::IAM::Policy', { Roles: [{ Ref: 'Role' }] }) },
    [],
  ],
  [
    'with a policy of another role',
    { ...role({}), Other: { Type: 'AWS::IAM::Role' }, ...policyOf('AWS::IAM::Policy', { Roles: [{ Ref: 'Other' }] }) },
    [NO_SEND],
  ],
  [
    'with a policy that names the role',
    { ...role({}), ...policyOf('AWS::IAM::RolePolicy', { RoleName: { Ref: 'Role' } }) },
    [],
  ],
  [
    'with a policy of a role that is not known',
    { ...role({}), ...policyOf('AWS::IAM::Policy', { Roles: UNKNOWN }) },
    [],
  ],
  [
    'with a policy of its name',
    { ...role({ RoleName: 'app' }), ...policyOf('AWS::IAM::Policy', { Roles: ['app'] }) },
    [],
  ],
  [
    'with a policy of another name',
    { ...role({ RoleName: 'app' }), ...policyOf('AWS::IAM::ManagedPolicy', { Roles: ['other'] }) },
    [NO_SEND],
  ],
  ['with a policy that is elsewhere', role({ ManagedPolicyArns: [{ 'Fn::ImportValue': 'x' }] }), []],
  ['that is elsewhere', {}, []],
] as const) {
  test(`a role ${title}`, async (t) => {
    t.strictSame(await found(t, DEAD_LETTER, ROLE, resources), expected)
  })
}

for (const [memory, said] of [
  [undefined, '128 MB, the default'],
  [511, '511 MB'],
  [512, undefined],
] as const) {
  test(`a function that calls SQS with ${memory} MB`, async (t) => {
    const properties = { MemorySize: memory, Policies: [statement('*')] }
    const expected =
      said === undefined ? [] : [`warning memory-for-sqs: The function calls deadLetter(), but its memory is ${said}`]
    t.strictSame(await found(t, DEAD_LETTER, properties), expected)
    t.strictSame(await found(t, 'throw 1', properties), [])
  })
}
