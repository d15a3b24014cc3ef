// biome-ignore-all lint/suspicious/noTemplateCurlyInString: text of templates
// The road to the queue: who sends to it, with which key, and whether the role of the function may read it. For each rule,
// what is wrong, what is right, what is not known, and the same in another format.
import { type Test, test } from 'tap'
import { cloudFormation, findingsIn, getAtt, ids, read, sam } from '../support/templates.ts'
import {
  findingsInPlan,
  plannedResources,
  shownPlan,
  terraformPlan,
  terraformState,
  withAddresses,
} from '../support/terraform.ts'

type Resources = Readonly<Record<string, { Type: string; Properties: Record<string, unknown> }>>
type Values = Record<string, unknown>

const QUEUE = getAtt('Queue')
const ARN = 'arn:aws:sqs:eu-west-1:123456789012:Queue'
const URL = 'https://sqs.eu-west-1.amazonaws.com/123456789012/Queue'
const READ = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']

function resource(Type: string, Properties: Values) {
  return { Type, Properties }
}

const SUBSCRIPTION = resource('AWS::SNS::Subscription', { TopicArn: 'x', Protocol: 'sqs', Endpoint: QUEUE })
const TOPIC = resource('AWS::SNS::Topic', { Subscription: [{ Protocol: 'sqs', Endpoint: QUEUE }] })
const RULE = resource('AWS::Events::Rule', { ScheduleExpression: 'rate(1 day)', Targets: [{ Id: 'a', Arn: QUEUE }] })
const BUCKET = resource('AWS::S3::Bucket', {
  NotificationConfiguration: { QueueConfigurations: [{ Event: 's3:ObjectCreated:*', Queue: QUEUE }] },
})

/** A statement with a principal, or with what replaces parts of it. */
function statement(Principal: unknown, Action: unknown = 'sqs:SendMessage', more: Values = {}) {
  return { Effect: 'Allow', Principal, Action, Resource: '*', ...more }
}
function service(name: string) {
  return { Service: `${name}.amazonaws.com` }
}
function policy(...Statement: unknown[]) {
  return resource('AWS::SQS::QueuePolicy', { Queues: [{ Ref: 'Queue' }], PolicyDocument: { Statement } })
}
const ALL = { Principal: '*', Action: 'sqs:*', Resource: '*' }
const NO_SEND = ['sender-not-allowed Sender']

/** What sends to the queue, and the policies of the queue. */
const SENDERS: readonly [title: string, resources: Resources, found: readonly string[]][] = [
  ['wrong: a subscription without a policy', { Sender: SUBSCRIPTION }, NO_SEND],
  ['wrong: a topic with a subscription', { Sender: TOPIC }, NO_SEND],
  ['wrong: a rule with a schedule', { Sender: RULE }, NO_SEND],
  ['wrong: a bucket', { Sender: BUCKET }, NO_SEND],
  ['wrong: another service', { Sender: SUBSCRIPTION, Policy: policy(statement(service('events'))) }, NO_SEND],
  ['wrong: another action', { Sender: RULE, Policy: policy(statement(service('events'), 'sqs:Receive*')) }, NO_SEND],
  [
    'wrong: the role of somebody',
    { Sender: RULE, Policy: policy(statement({ AWS: 'arn:aws:iam::123456789012:root' })) },
    NO_SEND,
  ],
  [
    'wrong: the policy of another queue',
    {
      Sender: SUBSCRIPTION,
      Policy: resource('AWS::SQS::QueuePolicy', {
        Queues: [{ Ref: 'Dead' }],
        PolicyDocument: { Statement: [statement('*')] },
      }),
    },
    NO_SEND,
  ],
  [
    'wrong: a denial of what is not encrypted',
    { Sender: BUCKET, Policy: policy({ ...ALL, Effect: 'Deny', Condition: { Bool: {} } }) },
    NO_SEND,
  ],
  [
    'wrong: everything but sending',
    { Sender: RULE, Policy: policy({ ...ALL, Action: undefined, Effect: 'Allow', NotAction: 'sqs:Send*' }) },
    NO_SEND,
  ],
  ['right: the service', { Sender: SUBSCRIPTION, Policy: policy(statement(service('sns'))) }, []],
  [
    'right: one of several services',
    { Sender: RULE, Policy: policy(statement({ Service: ['s3.amazonaws.com', 'events.amazonaws.com'] })) },
    [],
  ],
  ['right: everybody', { Sender: BUCKET, Policy: policy(statement('*')) }, []],
  ['right: everybody, as an account', { Sender: BUCKET, Policy: policy(statement({ AWS: '*' })) }, []],
  ['right: a wildcard in the middle', { Sender: BUCKET, Policy: policy(statement('*', 'sqs:*Message')) }, []],
  ['right: other letters', { Sender: BUCKET, Policy: policy(statement('*', 'SQS:sendmessage')) }, []],
  [
    'right: NotAction',
    { Sender: BUCKET, Policy: policy({ ...statement('*', undefined), NotAction: 'sqs:Delete*' }) },
    [],
  ],
  [
    'right: a condition, and a denial of what is not encrypted',
    {
      Sender: SUBSCRIPTION,
      Policy: policy(statement(service('sns'), 'sqs:SendMessage', { Condition: { ArnEquals: {} } }), {
        ...ALL,
        Effect: 'Deny',
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    },
    [],
  ],
  [
    'right: an inline policy',
    {
      Sender: RULE,
      Policy: resource('AWS::SQS::QueueInlinePolicy', {
        Queue: { Ref: 'Queue' },
        PolicyDocument: { Statement: statement(service('events')) },
      }),
    },
    [],
  ],
  ['right: mail', { Sender: resource('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: QUEUE }) }, []],
  [
    'right: a schedule, which has a role',
    { Sender: resource('AWS::Scheduler::Schedule', { Target: { Arn: QUEUE, RoleArn: 'x' } }) },
    [],
  ],
  [
    'unknown: a rule with a role',
    { Sender: resource('AWS::Events::Rule', { Targets: [{ Arn: QUEUE, RoleArn: 'x' }] }) },
    [],
  ],
  ['unknown: an imported principal', { Sender: RULE, Policy: policy(statement({ 'Fn::ImportValue': 'x' })) }, []],
  [
    'unknown: an imported document',
    {
      Sender: RULE,
      Policy: resource('AWS::SQS::QueuePolicy', {
        Queues: [{ Ref: 'Queue' }],
        PolicyDocument: { 'Fn::ImportValue': 'x' },
      }),
    },
    [],
  ],
  [
    'unknown: a policy of imported queues',
    {
      Sender: RULE,
      Policy: resource('AWS::SQS::QueuePolicy', {
        Queues: { 'Fn::ImportValue': 'x' },
        PolicyDocument: { Statement: [] },
      }),
    },
    [],
  ],
  [
    'unknown: a custom resource that gets the queue',
    { Sender: RULE, Policy: resource('Custom::Policy', { Queue: { Ref: 'Queue' } }) },
    [],
  ],
  [
    'unknown: a denial without a condition',
    { Sender: RULE, Policy: policy(statement('*'), { ...ALL, Effect: 'Deny' }) },
    [],
  ],
  [
    'unknown: a connector of SAM',
    {
      Sender: RULE,
      Policy: resource('AWS::Serverless::Connector', { Source: { Id: 'Sender' }, Destination: { Id: 'Queue' } }),
    },
    [],
  ],
  [
    'unknown: another queue',
    { Sender: resource('AWS::SNS::Subscription', { Protocol: 'sqs', Endpoint: { 'Fn::ImportValue': 'x' } }) },
    [],
  ],
]

/** The senders to the queue of a template. */
async function sendersIn(t: Test, template: object) {
  const [mapping] = (await read(t, template)).mappings
  return mapping?.queue.senders?.() ?? []
}

for (const [title, resources, found] of SENDERS) {
  test(`who may send to the queue, ${title}`, async (t) => {
    const template = cloudFormation({ resources })
    t.strictSame(ids(await findingsIn(t, template)), found)
    const expected = { wrong: false, right: true }[title.split(':')[0] ?? '']
    for (const { maySend } of await sendersIn(t, template)) t.equal(maySend, expected)
  })
}

const IN_BUCKET = { QueueConfigurations: [{ QueueArn: QUEUE }] }
const OF_CDK = resource('Custom::S3BucketNotifications', { NotificationConfiguration: IN_BUCKET })
for (const [name, Sender] of [
  ['sns', SUBSCRIPTION],
  ['sns', TOPIC],
  ['events', RULE],
  ['s3', BUCKET],
  ['s3', OF_CDK],
] as const) {
  test(`who may send to the queue: ${Sender.Type} is of the service ${name}`, async (t) => {
    for (const other of ['sns', 'events', 's3']) {
      const Policy = policy(statement(service(other)))
      t.match(await sendersIn(t, cloudFormation({ resources: { Sender, Policy } })), [
        { id: 'Sender', service: `${name}.amazonaws.com`, maySend: other === name, usesKey: true },
      ])
    }
  })
}

test('who may send to the queue: a finding has the line of the sender', async (t) => {
  const [finding] = await findingsIn(t, cloudFormation({ resources: { Sender: TOPIC } }))
  t.match(finding, {
    rule: 'sender-not-allowed',
    message: /^Sender sends to Queue, but no policy of the queue allows sns\.amazonaws\.com to send\./,
    line: /^\d+$/,
  })
})

test('who may send to the queue: a sender or a policy with a condition that is not known', async (t) => {
  const Condition = 'Own'
  const Conditions = { Own: { 'Fn::Equals': [{ 'Fn::ImportValue': 'x' }, 'x'] } }
  const found = async (resources: Resources) => {
    return ids(await findingsIn(t, { ...cloudFormation({ resources }), Conditions }))
  }
  t.strictSame(await found({ Sender: { ...SUBSCRIPTION, Condition } as never }), [])
  const Policy = { ...policy(statement('*')), Condition } as never
  t.strictSame(await found({ Sender: SUBSCRIPTION, Policy }), [])
  const { Resources } = cloudFormation()
  const both = { Sender: { ...SUBSCRIPTION, Condition }, Queue: { ...Resources.Queue, Condition } }
  t.strictSame(await found(both as never), ['sender-not-allowed Sender'], 'the queue has the same condition')
  const Never = { 'Fn::Equals': ['a', 'b'] }
  const never = { ...cloudFormation({ resources: { Sender: { ...SUBSCRIPTION, Condition } } as never }) }
  t.strictSame(ids(await findingsIn(t, { ...never, Conditions: { Own: Never } })), [], 'there is no sender')
})

function inTerraform(...terraform: { address: string; values: Values }[]) {
  const change = { terraform }
  return [terraformState(change), terraformPlan(change)]
}
const TARGET = { address: 'aws_cloudwatch_event_target.other', values: { rule: 'x', arn: ARN } }
const IN_PLAN = 'not-checked Queue'
const document = (...Statement: unknown[]) => JSON.stringify({ Statement })

for (const [title, resources, found] of [
  ['wrong: a rule', [TARGET], NO_SEND],
  ['unknown: a rule with a role', [{ ...TARGET, values: { ...TARGET.values, role_arn: 'x' } }], []],
  [
    'wrong: a subscription',
    [{ address: 'aws_sns_topic_subscription.other', values: { protocol: 'sqs', endpoint: ARN } }],
    ['sender-not-allowed aws_sns_topic_subscription.other'],
  ],
  [
    'right: a policy',
    [
      TARGET,
      {
        address: 'aws_sqs_queue_policy.own',
        values: { queue_url: URL, policy: document(statement(service('events'))) },
      },
    ],
    [],
  ],
  [
    'right: a policy for a subscription',
    [
      { address: 'aws_sns_topic_subscription.other', values: { protocol: 'sqs', endpoint: ARN } },
      { address: 'aws_sqs_queue_policy.own', values: { queue_url: URL, policy: document(statement(service('sns'))) } },
    ],
    [],
  ],
  [
    'right: a policy for a bucket',
    [
      { address: 'aws_s3_bucket_notification.other', values: { queue: [{ queue_arn: ARN }] } },
      { address: 'aws_sqs_queue_policy.own', values: { queue_url: URL, policy: document(statement(service('s3'))) } },
    ],
    [],
  ],
  [
    'unknown: a policy that is not a document',
    [TARGET, { address: 'aws_sqs_queue_policy.own', values: { queue_url: URL, policy: 'x' } }],
    [],
  ],
] as const) {
  test(`who may send to the queue, in Terraform, ${title}`, (t) => {
    const [state, plan] = inTerraform(...(resources as unknown as { address: string; values: Values }[])).map((shown) =>
      ids(findingsInPlan(shown)),
    )
    t.strictSame(state, withAddresses(found))
    t.strictSame(plan, withAddresses([...found, IN_PLAN]))
    t.end()
  })
}

test('who may send to the queue, in Terraform, wrong: a bucket, whose queue is in a block', (t) => {
  const address = 'aws_s3_bucket_notification.other'
  const bucket = { address, values: { queue: [{ queue_arn: ARN }] } }
  t.strictSame(ids(findingsInPlan(terraformState({ terraform: [bucket] }))), [`sender-not-allowed ${address}`])
  const expressions = { queue: [{ queue_arn: { references: ['aws_sqs_queue.queue.arn', 'aws_sqs_queue.queue'] } }] }
  const unknown = { queue: [{ queue_arn: true }] }
  const planned = { address, values: { queue: [{ events: ['s3:ObjectCreated:*'] }] }, unknown, expressions }
  const plan = shownPlan({ resources: [...plannedResources(), planned] })
  t.strictSame(ids(findingsInPlan(plan)), [`sender-not-allowed ${address}`, `not-checked aws_sqs_queue.queue`])
  t.end()
})

const KEY = { KmsMasterKeyId: { Ref: 'Key' } }
const OWN_KEY = (...Statement: unknown[]) => resource('AWS::KMS::Key', { KeyPolicy: { Statement } })
const ROOT = statement({ AWS: { 'Fn::Sub': 'arn:aws:iam::${AWS::AccountId}:root' } }, 'kms:*')
const SENDS = { Sender: SUBSCRIPTION, Policy: policy(statement(service('sns'))) }
const STOPPED = ['key-stops-sender Sender']
const FOR_SNS = (...actions: string[]) => statement(service('sns'), actions)

for (const [title, queue, resources, found] of [
  ['wrong: the key of AWS', { KmsMasterKeyId: 'alias/aws/sqs' }, {}, STOPPED],
  ['wrong: the ARN of the key of AWS', { KmsMasterKeyId: 'arn:aws:kms:eu-west-1:1:alias/aws/sqs' }, {}, STOPPED],
  ['unknown: a key with a similar alias', { KmsMasterKeyId: 'alias/aws/sqs2' }, {}, []],
  ['wrong: a key for the account', KEY, { Key: OWN_KEY(ROOT) }, STOPPED],
  ['wrong: a key that allows only one action', KEY, { Key: OWN_KEY(ROOT, FOR_SNS('kms:Decrypt')) }, STOPPED],
  ['wrong: a key for another service', KEY, { Key: OWN_KEY(ROOT, statement(service('s3'), 'kms:*')) }, STOPPED],
  ['wrong: a key without a policy', KEY, { Key: resource('AWS::KMS::Key', {}) }, STOPPED],
  [
    'wrong: the alias of a key',
    { KmsMasterKeyId: { Ref: 'Alias' } },
    { Key: OWN_KEY(ROOT), Alias: resource('AWS::KMS::Alias', { AliasName: 'alias/own', TargetKeyId: { Ref: 'Key' } }) },
    STOPPED,
  ],
  ['right: both actions', KEY, { Key: OWN_KEY(ROOT, FOR_SNS('kms:GenerateDataKey*', 'kms:Decrypt')) }, []],
  ['right: SSE-SQS', { SqsManagedSseEnabled: true }, {}, []],
  ['unknown: an imported key', { KmsMasterKeyId: { 'Fn::ImportValue': 'x' } }, {}, []],
  ['unknown: a key that is elsewhere', { KmsMasterKeyId: 'alias/own' }, {}, []],
] as const) {
  test(`the key of a queue with a sender, ${title}`, async (t) => {
    const template = cloudFormation({ queue, resources: { ...SENDS, ...(resources as Resources) } })
    t.strictSame(ids(await findingsIn(t, template)), found)
    const expected = { wrong: false, right: true }[title.split(':')[0] ?? '']
    t.strictSame(
      (await sendersIn(t, template)).map(({ usesKey }) => usesKey),
      [expected],
    )
  })
}

test('the key of a queue with a sender, in a state of Terraform', (t) => {
  const key = 'arn:aws:kms:eu-west-1:123456789012:key/1'
  const found = (document: unknown) => {
    const terraform = [
      { address: 'aws_cloudwatch_event_target.other', values: { arn: ARN } },
      {
        address: 'aws_sqs_queue_policy.own',
        values: { queue_url: URL, policy: JSON.stringify({ Statement: statement('*') }) },
      },
      { address: 'aws_kms_key.own', values: { arn: key, id: '1', policy: JSON.stringify(document) } },
    ]
    return ids(findingsInPlan(terraformState({ queue: { KmsMasterKeyId: key }, terraform })))
  }
  t.strictSame(found({ Statement: statement({ AWS: 'arn:aws:iam::123456789012:root' }, 'kms:*') }), [
    'key-stops-sender aws_cloudwatch_event_target.other',
  ])
  t.strictSame(found({ Statement: statement(service('events'), 'kms:*') }), [])
  t.end()
})

/** A function with this role, and what its policies allow. */
function withRole(Properties: Values) {
  return { Role: resource('AWS::IAM::Role', Properties) }
}
function allowing(...Action: string[]) {
  return { Policies: [{ PolicyDocument: { Statement: [{ Effect: 'Allow', Action, Resource: '*' }] } }] }
}
const BASIC = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
const SQS = { 'Fn::Sub': 'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole' }
const NO_READ = ['role-cannot-read Handler']
const QUEUE_OF = (AWS: unknown) => ({ Policy: policy(statement({ AWS }, 'sqs:*')) })

for (const [title, resources, found, queue] of [
  ['wrong: no policy', withRole({}), NO_READ],
  ['wrong: only logs', withRole({ ManagedPolicyArns: [BASIC] }), NO_READ],
  ['wrong: two of three actions', withRole(allowing('sqs:ReceiveMessage', 'sqs:DeleteMessage')), NO_READ],
  ['wrong: a queue policy for the account', { ...withRole({}), ...QUEUE_OF({ Ref: 'AWS::AccountId' }) }, NO_READ],
  ['right: the three actions', withRole(allowing(...READ)), []],
  ['right: the policy of AWS', withRole({ ManagedPolicyArns: [BASIC, SQS] }), []],
  ['right: wildcards', withRole(allowing('sqs:*Message', 'sqs:Get*')), []],
  ['right: a queue policy for the role', { ...withRole({}), ...QUEUE_OF(getAtt('Role')) }, []],
  ['unknown: an imported policy', withRole({ ManagedPolicyArns: [{ 'Fn::ImportValue': 'x' }] }), []],
  [
    'unknown: a policy of AWS without a list of its actions',
    withRole({ ManagedPolicyArns: ['arn:aws:iam::aws:policy/PowerUserAccess'] }),
    [],
  ],
  ['unknown: a role that is elsewhere', {}, []],
  [
    'unknown: a denial',
    withRole({
      Policies: [
        ...allowing(...READ).Policies,
        { PolicyDocument: { Statement: { Effect: 'Deny', Action: 'sqs:DeleteMessage', Resource: 'x' } } },
      ],
    }),
    [],
  ],
  [
    'wrong: no kms:Decrypt for a key of the template',
    { ...withRole(allowing(...READ)), Key: OWN_KEY(ROOT) },
    NO_READ,
    KEY,
  ],
  ['right: kms:Decrypt', { ...withRole(allowing(...READ, 'kms:Decrypt')), Key: OWN_KEY(ROOT) }, [], KEY],
  [
    'right: the key allows the role',
    { ...withRole(allowing(...READ)), Key: OWN_KEY(ROOT, statement({ AWS: getAtt('Role') }, 'kms:Decrypt')) },
    [],
    KEY,
  ],
  [
    'right: the key of AWS, which allows the account',
    withRole(allowing(...READ)),
    [],
    { KmsMasterKeyId: 'alias/aws/sqs' },
  ],
  ['unknown: an imported key', withRole(allowing(...READ)), [], { KmsMasterKeyId: { 'Fn::ImportValue': 'x' } }],
] as readonly [string, Resources, readonly string[], Values?][]) {
  test(`the role of the function, ${title}`, async (t) => {
    const change = { function: { Role: getAtt('Role') }, resources, queue: queue ?? {} }
    t.strictSame(ids(await findingsIn(t, cloudFormation(change))), found)
    t.strictSame(ids(await findingsIn(t, sam(change))), found, 'a function of SAM')
  })
}

test('the role of the function: the one that SAM makes may read the queue, but has no kms:Decrypt', async (t) => {
  const Key = OWN_KEY(ROOT)
  t.strictSame(ids(await findingsIn(t, sam({ queue: KEY, resources: { Key } }))), NO_READ)
  const decrypts = { Policies: [{ KMSDecryptPolicy: { KeyId: { Ref: 'Key' } } }] }
  t.strictSame(ids(await findingsIn(t, sam({ queue: KEY, function: decrypts, resources: { Key } }))), [])
})

test('the role of the function, in a state of Terraform', (t) => {
  const arn = 'arn:aws:iam::123456789012:role/own'
  const found = (policy_arn: string) => {
    const terraform = [
      {
        address: 'aws_iam_role.own',
        values: { arn, name: 'own', id: 'own', inline_policy: [], managed_policy_arns: [] },
      },
      { address: 'aws_iam_role_policy_attachment.own', values: { role: 'own', policy_arn } },
    ]
    return ids(findingsInPlan(terraformState({ function: { Role: arn }, terraform })))
  }
  t.strictSame(found(BASIC), withAddresses(NO_READ))
  t.strictSame(found('arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole'), [])
  t.strictSame(found('arn:aws:iam::123456789012:policy/own'), [])
  t.end()
})

test('a subscription that SAM makes: its queue, its policy, and the key of a queue of the template', async (t) => {
  const found = async (SqsSubscription: unknown, queue: Values = {}) => {
    const Events = { Topic: { Type: 'SNS', Properties: { Topic: 'x', SqsSubscription } } }
    const { Resources, ...template } = sam({ queue })
    const Handler = { ...Resources.Handler, Properties: { ...Resources.Handler.Properties, Events } }
    return findingsIn(t, { ...template, Resources: { ...Resources, Handler } })
  }
  const made = await found(true)
  t.strictSame(ids(made), [
    'report-batch-item-failures Handler/Topic',
    'visibility-headroom HandlerTopicQueue',
    'no-redrive-policy HandlerTopicQueue',
  ])
  t.ok(made.every(({ fix, set }) => /^Declare the queue, its subscription/.test(fix) && set === undefined))
  const given = { QueueArn: QUEUE, QueueUrl: { Ref: 'Queue' } }
  t.strictSame(ids(await found(given)), ['report-batch-item-failures Handler/Topic'])
  const withKey = ids(await found(given, { KmsMasterKeyId: 'alias/aws/sqs' }))
  t.ok(withKey.includes('key-stops-sender Handler/Topic'))
})
