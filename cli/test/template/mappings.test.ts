// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { type Test, test } from 'tap'
import type { Mapping } from '../../src/model/model.ts'
import { valueIn } from '../../src/model/setting.ts'
import {
  cloudFormation,
  findingsIn,
  getAtt,
  ids,
  only,
  read,
  sam,
  short,
  withVisibility,
} from '../support/templates.ts'

const UNKNOWN = { 'Fn::ImportValue': 'x' }

test('a queue in another stack: the rest of the mapping is checked', async (t) => {
  const change = { mapping: { FunctionResponseTypes: undefined, BatchSize: 20_000, Queue: UNKNOWN } }
  const findings = await findingsIn(t, sam(change))
  t.strictSame(ids(findings), [
    'batch-size Handler/Orders',
    'report-batch-item-failures Handler/Orders',
    'not-checked Handler/Orders',
  ])
  t.equal(
    findings[2]?.message,
    'Not checked: the visibility timeout, redrive policy and retention of its queue, and whether it is a FIFO queue. Reason: ' +
      'Fn::ImportValue x comes from another stack.',
  )
})

test('a FIFO queue in another stack is recognised by its ARN', async (t) => {
  const findings = await findingsIn(t, sam({ mapping: { Queue: 'arn:aws:sqs:eu-west-1:123456789012:orders.fifo' } }))
  t.strictSame(ids(findings), [
    'fifo-batch-size Handler/Orders',
    'fifo-window Handler/Orders',
    'not-checked Handler/Orders',
  ])
  t.match(
    findings[2]?.message,
    'of arn:aws:sqs:eu-west-1:123456789012:orders.fifo. Reason: it is not in this template.',
  )
})

/** The CloudFormation template with another function or queue in its mapping, and more resources. */
function joined(ends: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const { Resources } = cloudFormation()
  const Orders = { ...Resources.Orders, Properties: { ...Resources.Orders.Properties, ...ends } }
  return { Resources: { ...Resources, Orders, ...more } }
}

async function endsOf(t: Test, template: unknown) {
  const { mappings } = await read(t, template)
  return mappings.map(({ function: target, queue }) => [
    target.unreadReason === undefined ? target.id : target.unreadReason,
    queue.unreadReason === undefined ? queue.id : queue.unreadReason,
  ])
}

function named(template: ReturnType<typeof joined>, FunctionName: string, QueueName: string) {
  const { Handler, Queue, ...rest } = template.Resources
  return {
    Resources: {
      ...rest,
      Handler: { ...Handler, Properties: { ...Handler.Properties, FunctionName } },
      Queue: { ...Queue, Properties: { ...Queue.Properties, QueueName } },
    },
  }
}

const ALIAS = { Type: 'AWS::Lambda::Alias', Properties: { FunctionName: { Ref: 'Handler' }, Name: 'live' } }
const VERSION = { Type: 'AWS::Lambda::Version', Properties: { FunctionName: getAtt('Handler') } }

for (const [title, FunctionName] of [
  ['a Ref of the function', { Ref: 'Handler' }],
  ['its ARN', getAtt('Handler')],
  ['a Sub with an alias', { 'Fn::Sub': '${Handler}:live' }],
  ['a Join of its ARN and $LATEST', { 'Fn::Join': [':', [getAtt('Handler'), '$LATEST']] }],
  ['a Sub with a version of the template', { 'Fn::Sub': '${Handler}:${Version.Version}' }],
  ['a Ref of an alias', { Ref: 'Alias' }],
  ['a Ref of a version', { Ref: 'Version' }],
  [
    'the expression that the CDK writes for an alias',
    { 'Fn::Join': ['', [{ 'Fn::Select': [6, { 'Fn::Split': [':', { Ref: 'Alias' }] }] }, ':live']] },
  ],
  ['its name', 'handler'],
  ['its name with an alias', 'handler:live'],
  ['an ARN with its name', 'arn:aws:lambda:eu-west-1:123456789012:function:handler:live'],
  [
    'an ARN with its name and this region',
    { 'Fn::Sub': 'arn:aws:lambda:${AWS::Region}:123456789012:function:handler' },
  ],
] as const) {
  test(`FunctionName is ${title}: the function is found`, async (t) => {
    const template = named(joined({ FunctionName }, { Alias: ALIAS, Version: VERSION }), 'handler', 'orders')
    t.strictSame(await endsOf(t, template), [['Handler', 'Queue']])
  })
}

const WEIGHTED = { AdditionalVersionWeights: [{ FunctionVersion: '2', FunctionWeight: 0.5 }] }
const OTHER = 'its versions may have other settings than Handler'
for (const [title, FunctionName, alias, reason] of [
  ['an alias of version 3', { Ref: 'Alias' }, { FunctionVersion: '3' }, OTHER],
  ['an alias of an imported version', { Ref: 'Alias' }, { FunctionVersion: UNKNOWN }, OTHER],
  ['a Sub with a version', { 'Fn::Sub': '${Handler}:3' }, {}, OTHER],
  ['a Join of its ARN and a version', { 'Fn::Join': [':', [getAtt('Handler'), '7']] }, {}, OTHER],
  ['its name with a version', 'handler:3', {}, OTHER],
  ['an ARN with a version', 'arn:aws:lambda:eu-west-1:123456789012:function:handler:3', {}, OTHER],
  ['a Sub with an alias of version 3', { 'Fn::Sub': '${Handler}:live' }, { FunctionVersion: '3' }, OTHER],
  ['a Sub with a weighted alias', { 'Fn::Sub': '${Handler}:live' }, { RoutingConfig: WEIGHTED }, OTHER],
  ['its name with a weighted alias', 'handler:live', { RoutingConfig: WEIGHTED }, OTHER],
  ['its name with an alias that is not in the template', 'handler:old', {}, OTHER],
  ['its name with the alias of another function', 'handler:old', { Name: 'old', FunctionName: 'other' }, OTHER],
] as const) {
  test(`FunctionName is ${title}: the settings of that version are not known`, async (t) => {
    const Alias = { ...ALIAS, Properties: { ...ALIAS.Properties, ...alias } }
    const template = named(joined({ FunctionName }, { Alias }), 'handler', 'orders')
    t.strictSame(await endsOf(t, template), [[reason, 'Queue']])
    t.strictSame(ids(await findingsIn(t, template)), ['not-checked Orders'])
    t.equal(only((await read(t, template)).mappings).function.aliasOf?.id, 'Handler')
  })
}

test('an alias that SAM creates: the function is found, even if Globals sets AutoPublishAlias', async (t) => {
  const { Handler, Queue, Dead } = sam().Resources
  const { Orders } = cloudFormation({ mapping: { FunctionName: { 'Fn::Sub': '${Worker}:live' } } }).Resources
  const Worker = { ...Handler, Properties: { ...Handler.Properties, Events: {} } }
  const published = { ...Worker, Properties: { ...Worker.Properties, AutoPublishAlias: 'live' } }
  const Globals = { Function: { AutoPublishAlias: 'live' } }
  const found = (template: object) => endsOf(t, { Transform: 'AWS::Serverless-2016-10-31', ...template })
  t.strictSame(await found({ Resources: { Worker: published, Queue, Dead, Orders } }), [['Worker', 'Queue']])
  t.strictSame(await found({ Globals, Resources: { Worker, Queue, Dead, Orders } }), [['Worker', 'Queue']])
  t.strictSame(await found({ Resources: { Worker, Queue, Dead, Orders } }), [
    ['its versions may have other settings than Worker', 'Queue'],
  ])
})

test('of two aliases with the same name, neither is known to be used', async (t) => {
  const template = joined({ FunctionName: { 'Fn::Sub': '${Handler}:live' } }, { Blue: ALIAS, Green: ALIAS })
  t.strictSame(await endsOf(t, template), [[OTHER, 'Queue']])
})

for (const [title, FunctionName, reason] of [
  ['the name of a function that is not in the template', 'other', 'it is not in this template'],
  ['imported', UNKNOWN, 'Fn::ImportValue x comes from another stack'],
  ['a queue', { Ref: 'Queue' }, 'it is a resource of type AWS::SQS::Queue'],
  ['an alias of itself', { Ref: 'Loop' }, 'it is a resource of type AWS::Lambda::Alias'],
  ['absent', undefined, 'no name is given'],
] as const) {
  test(`FunctionName is ${title}: its function is not checked`, async (t) => {
    const Loop = { Type: 'AWS::Lambda::Alias', Properties: { FunctionName: { Ref: 'Loop' }, Name: 'live' } }
    const template = joined({ FunctionName }, { Loop })
    t.strictSame(await endsOf(t, template), [[reason, 'Queue']])
    t.strictSame(ids(await findingsIn(t, template)), ['not-checked Orders'])
  })
}

for (const [title, EventSourceArn, queue] of [
  ['its ARN as text', { 'Fn::GetAtt': 'Queue.Arn' }, 'Queue'],
  ['Sub', { 'Fn::Sub': '${Queue.Arn}' }, 'Queue'],
  ['made of its name', { 'Fn::Sub': 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders' }, 'Queue'],
  [
    'joined with its name',
    {
      'Fn::Join': [
        '',
        [
          'arn:aws:sqs:',
          { Ref: 'AWS::Region' },
          ':',
          { Ref: 'AWS::AccountId' },
          ':',
          { 'Fn::GetAtt': ['Queue', 'QueueName'] },
        ],
      ],
    },
    'Queue',
  ],
  ['of the same name in another account', 'arn:aws:sqs:eu-west-1:123456789012:orders', 'it is not in this template'],
  [
    "a nested stack's",
    { 'Fn::GetAtt': ['Nested', 'Outputs.Arn'] },
    'it comes from Nested, of type AWS::CloudFormation::Stack',
  ],
  ['no ARN', 'orders', 'orders is not an ARN'],
] as const) {
  test(`EventSourceArn is ${title}`, async (t) => {
    const Nested = { Type: 'AWS::CloudFormation::Stack' }
    const template = named(joined({ EventSourceArn }, { Nested }), 'handler', 'orders')
    t.strictSame(await endsOf(t, template), [['Handler', queue]])
  })
}

test('event sources of other services are ignored, by their ARN, type or properties', async (t) => {
  const mapping = (Properties: Record<string, unknown>) => ({
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: { FunctionName: { Ref: 'Handler' }, ...Properties },
  })
  const { mappings, unreadResources } = await read(
    t,
    joined(
      {},
      {
        Table: { Type: 'AWS::DynamoDB::Table', Properties: {} },
        A: mapping({ EventSourceArn: 'arn:aws:kinesis:eu-west-1:123456789012:stream/orders' }),
        B: mapping({ EventSourceArn: { 'Fn::GetAtt': ['Table', 'StreamArn'] } }),
        C: mapping({ EventSourceArn: UNKNOWN, StartingPosition: 'LATEST' }),
        D: mapping({ SelfManagedEventSource: {}, Topics: ['orders'] }),
        E: mapping({ EventSourceArn: UNKNOWN, Queues: ['orders'] }),
      },
    ),
  )
  t.strictSame([mappings.map(({ id }) => id), unreadResources], [['Orders'], []])
})

test('a property of other services does not hide a mapping that is known to read SQS', async (t) => {
  for (const EventSourceArn of [getAtt('Queue'), 'arn:aws:sqs:eu-west-1:123456789012:orders']) {
    const { mappings } = await read(t, joined({ EventSourceArn, StartingPosition: 'LATEST' }))
    t.equal(only(mappings).id, 'Orders')
  }
  const { Resources } = joined({ StartingPosition: 'LATEST' })
  const Queue = { ...Resources.Queue, Properties: { FifoQueue: UNKNOWN } }
  t.equal(only((await read(t, { Resources: { ...Resources, Queue } })).mappings).id, 'Orders')
})

/** Two queues with the same name. The condition decides which one exists. */
function sameName(Default?: string) {
  const { Resources } = joined({ EventSourceArn: { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders' } })
  const queue = (Condition: string) => ({ ...Resources.Queue, Condition, Properties: { QueueName: 'orders' } })
  return {
    Parameters: { Stage: { Type: 'String', ...(Default ? { Default } : {}) } },
    Conditions: { Prod: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] }, Dev: { 'Fn::Not': [{ Condition: 'Prod' }] } },
    Resources: { ...Resources, Queue: queue('Dev'), Other: queue('Prod') },
  }
}
test('of two queues with the same name, the one whose condition is true is used', async (t) => {
  t.strictSame(await endsOf(t, sameName('dev')), [['Handler', 'Queue']])
  t.strictSame(await endsOf(t, sameName('prod')), [['Handler', 'Other']])
  t.strictSame(await endsOf(t, sameName()), [['Handler', 'Queue and Other have the same name']])
})

test('an ARN with a given account id refers to the queue of that name', async (t) => {
  const EventSourceArn = { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:orders' }
  async function inArn(arn: unknown, account: string) {
    const template = named(joined({ EventSourceArn: arn }), 'handler', 'orders')
    return only((await read(t, template, { 'AWS::AccountId': account })).mappings).queue.id
  }
  t.equal(await inArn(EventSourceArn, '123456789012'), 'Queue')
  t.equal(await inArn('arn:aws:sqs:eu-west-1:123456789012:orders', '123456789012'), 'Queue')
  const other = 'arn:aws:sqs:eu-west-1:123456789012:orders'
  t.equal(await inArn(other, '210987654321'), other)
})

test('an ARN with a given account id and the name of a queue refers to that queue only in this account', async (t) => {
  const account = '210987654321'
  const EventSourceArn = { 'Fn::Sub': `arn:aws:sqs:eu-west-1:${account}:\${Queue.QueueName}` }
  const deadLetterTargetArn = { 'Fn::Sub': `arn:aws:sqs:eu-west-1:${account}:\${Dead.QueueName}` }
  const RedrivePolicy = { deadLetterTargetArn, maxReceiveCount: 5 }
  async function found(...parameters: Record<string, string>[]) {
    const mapped = only((await read(t, joined({ EventSourceArn }), ...parameters)).mappings).queue
    const { queue } = only((await read(t, sam({ queue: { RedrivePolicy } }), ...parameters)).mappings)
    return [mapped, valueIn(queue.redrive)?.deadLetterQueue].map((one) => one?.unreadReason ?? one?.id)
  }
  const elsewhere = 'it is not in this template'
  t.strictSame(await found(), [elsewhere, elsewhere])
  t.strictSame(await found({ 'AWS::AccountId': '123456789012' }), [elsewhere, elsewhere])
  t.strictSame(await found({ 'AWS::AccountId': account }), ['Queue', 'Dead'])
})

test('names with placeholders are equal if their placeholders are equal', async (t) => {
  const name = (text: string) => ({ 'Fn::Sub': text }) as unknown as string
  const ends = (queue: string) => ({
    FunctionName: name('${AWS::StackName}-handler'),
    EventSourceArn: { 'Fn::Sub': `arn:aws:sqs:\${AWS::Region}:\${AWS::AccountId}:${queue}` },
  })
  const template = (queue: string) =>
    named(joined(ends(queue)), name('${AWS::StackName}-handler'), name('${AWS::StackName}-orders'))
  t.strictSame(await endsOf(t, template('${AWS::StackName}-orders')), [['Handler', 'Queue']])
  t.strictSame(await endsOf(t, template('${AWS::StackName}-other')), [
    ['Handler', 'AWS::StackName is known only after deployment (set it with --parameter AWS::StackName=…)'],
  ])
})

for (const [title, EventSourceArn, reason] of [
  [
    'an ARN without a name',
    { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}' },
    'arn:aws:sqs:${AWS::Region}:${AWS::AccountId} has no name of a queue',
  ],
  [
    'one of two ARNs',
    { 'Fn::Select': [1, { 'Fn::Split': ['|', { 'Fn::Join': ['|', [getAtt('Queue'), getAtt('Dead')]] }] }] },
    'Queue.Arn is known only after deployment',
  ],
  ['a dynamic reference', '{{resolve:ssm:/arn}}', 'it is a dynamic reference ({{resolve:…}})'],
  [
    'an ARN with a dynamic reference for a name',
    { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:{{resolve:ssm:/name}}' },
    'it is a dynamic reference ({{resolve:…}})',
  ],
] as const) {
  test(`EventSourceArn is ${title}: its queue is not known`, async (t) => {
    t.strictSame(await endsOf(t, joined({ EventSourceArn })), [['Handler', reason]])
  })
}

for (const [title, FunctionName, id, reason] of [
  ['empty', '', 'its function', 'its name is empty'],
  [
    'a dynamic reference',
    '{{resolve:ssm:/name}}',
    '{{resolve:ssm:/name}}',
    'it is a dynamic reference ({{resolve:…}})',
  ],
  [
    'what the CDK makes of fromFunctionName',
    {
      'Fn::Select': [
        6,
        {
          'Fn::Split': [
            ':',
            { 'Fn::Sub': 'arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:other' },
          ],
        },
      ],
    },
    'other',
    'it is not in this template',
  ],
] as const) {
  test(`FunctionName is ${title}: its function is not known`, async (t) => {
    const { unreadReason, id: said } = only((await read(t, joined({ FunctionName }))).mappings).function
    t.strictSame([said, unreadReason], [id, reason])
  })
}

test('a queue is found by its reference, although that is a URL', async (t) => {
  t.strictSame(await endsOf(t, joined({ EventSourceArn: { Ref: 'Queue' } })), [['Handler', 'Queue']])
})

test('a redrive policy may be written as JSON text', async (t) => {
  for (const RedrivePolicy of [
    '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":2}',
    { 'Fn::Sub': '{"deadLetterTargetArn":"${Dead.Arn}","maxReceiveCount":"2"}' },
  ]) {
    const [finding] = await findingsIn(t, sam({ queue: { RedrivePolicy } }))
    t.match(finding, { rule: 'max-receive-count', message: /^maxReceiveCount is 2\. / })
  }
  const elsewhere = '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":2}'
  t.strictSame(ids(await findingsIn(t, sam({ queue: { RedrivePolicy: elsewhere } }))), [
    'max-receive-count Queue',
    'not-checked Queue',
  ])
  const dead = { MessageRetentionPeriod: 60 }
  const RedrivePolicy = { 'Fn::Sub': '{"deadLetterTargetArn":"${Dead.Arn}","maxReceiveCount":5}' }
  t.strictSame(ids(await findingsIn(t, sam({ queue: { RedrivePolicy }, dead }))), ['dead-letter-retention Dead'])
  for (const text of ['x', '[]', '5', '"x"']) {
    t.strictSame(ids(await findingsIn(t, sam({ queue: { RedrivePolicy: text } }))), ['invalid-value Queue'], text)
  }
  t.strictSame(ids(await findingsIn(t, sam({ queue: { RedrivePolicy: '{{resolve:ssm:/x}}' } }))), ['not-checked Queue'])
})

test('a finding about a missing setting has the nearest line', async (t) => {
  const text = `Parameters:
  Times: { Type: CommaDelimitedList, Default: '10, 20' }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Select [0, !Ref Times]
      RedrivePolicy: { deadLetterTargetArn: !Ref AWS::StackId, maxReceiveCount: 5 }
  Handler:
    Type: AWS::Lambda::Function
    Properties: { PackageType: Image, Timeout: 30 }
  Good:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Handler
      EventSourceArn: !GetAtt Queue.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
  Bare:
    Type: AWS::Lambda::EventSourceMapping
  Empty:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionResponseTypes: [ReportBatchItemFailures]
`
  t.strictSame(
    (await findingsIn(t, text)).map(({ rule, resource, line }) => `${rule} ${resource}:${line}`),
    [
      'visibility-below-timeout Queue:7',
      'report-batch-item-failures Bare:18',
      'not-checked Queue:8',
      'not-checked Bare:18',
      'not-checked Bare:18',
      'not-checked Empty:22',
      'not-checked Empty:22',
    ],
  )
})

test('IgnoreGlobals: a function does not take some or all properties from Globals', async (t) => {
  async function of(IgnoreGlobals: unknown) {
    const template = sam({ function: { Timeout: undefined, MemorySize: undefined } })
    const Handler = { ...template.Resources.Handler, IgnoreGlobals }
    const Globals = { Function: { Timeout: 60, MemorySize: 256 } }
    const { mappings } = await read(t, { ...template, Globals, Resources: { ...template.Resources, Handler } })
    const { timeout, memory } = only(mappings).function
    return [short(timeout), short(memory)]
  }
  t.strictSame(await of(undefined), [60, 256])
  t.strictSame(await of('*'), [3, 128])
  t.strictSame(await of(['Timeout']), [3, 256])
  t.strictSame(await of(['*']), [3, 128])
  t.strictSame(await of([]), [60, 256])
})

test('Globals apply only to SAM, and settings of the function override them', async (t) => {
  const Globals = { Function: { Timeout: 20, MemorySize: 256, Runtime: 'nodejs18.x', ReservedConcurrentExecutions: 7 } }
  const change = { function: { Timeout: 10, MemorySize: undefined, Runtime: undefined } }
  const settings = ({ function: target }: Mapping) => [
    short(target.timeout),
    short(target.memory),
    short(target.runtime),
    short(target.reservedConcurrency),
  ]
  const inSam = await read(t, { ...sam(change), Globals })
  t.strictSame(settings(only(inSam.mappings)), [10, 256, 'nodejs18.x', 7])
  const inCloudFormation = await read(t, { ...cloudFormation(change), Globals })
  t.strictSame(settings(only(inCloudFormation.mappings)), [10, 128, 'absent', 'absent'])
})

test('FunctionResponseTypes may be a Ref of a list parameter, or contain Fn::If with AWS::NoValue', async (t) => {
  async function reports(FunctionResponseTypes: string, parameters: Record<string, string> = {}) {
    const text = withVisibility('30').replace(
      'Queue: !GetAtt',
      `FunctionResponseTypes: ${FunctionResponseTypes}, Queue: !GetAtt`,
    )
    return valueIn(only((await read(t, text, parameters)).mappings).reportBatchItemFailures)
  }
  t.equal(await reports('!Ref Names'), true)
  t.equal(await reports('!Ref Names', { Names: 'a,b' }), false)
  t.equal(await reports('[!If [Dev, ReportBatchItemFailures, !Ref AWS::NoValue]]'), true)
  t.equal(await reports('[!If [NotDev, ReportBatchItemFailures, !Ref AWS::NoValue]]'), false)
  t.equal(await reports('!If [NotDev, [ReportBatchItemFailures], !Ref AWS::NoValue]'), false)
})

test('YAML: anchors, merge keys, and the booleans and comments of YAML 1.1', async (t) => {
  const { mappings } = await read(
    t,
    `AWSTemplateFormatVersion: 2010-09-09
Resources:
  Queue: # the source
    Type: AWS::SQS::Queue
    Properties: { FifoQueue: yes, RedrivePolicy: &redrive { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 7 } }
  Other: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: *redrive } }
  Dead: { Type: AWS::SQS::Queue }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        One: { Type: SQS, Properties: &event { Queue: !GetAtt Queue.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures] } }
        Two: { Type: SQS, Properties: { <<: *event, Queue: !GetAtt Other.Arn, BatchSize: 6 } }
`,
  )
  t.strictSame(
    mappings.map(({ id, queue, batchSize, reportBatchItemFailures }) => [
      id,
      queue.id,
      valueIn(queue.fifo),
      valueIn(batchSize),
      valueIn(reportBatchItemFailures),
      valueIn(valueIn(queue.redrive)?.maxReceiveCount ?? { state: 'absent' }),
    ]),
    [
      ['Handler/One', 'Queue', true, 5, true, 7],
      ['Handler/Two', 'Other', false, 6, true, 7],
    ],
  )
})

test('conditions, macros, loops and nested stacks are listed', async (t) => {
  const text = `${withVisibility('30')}
  Off: { Type: AWS::Lambda::EventSourceMapping, Condition: NotDev, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
  Fn::ForEach::Queues: [Name, [a, b], {}]
  Nested: { Type: AWS::Serverless::Application }
  Events: { Type: AWS::Serverless::Function, Properties: { Events: !FindInMap [a, b, c] } }
Transform: [AWS::Serverless-2016-10-31, OurMacro]
`
  const { mappings, unreadResources, absentResources } = await read(t, text)
  t.strictSame(
    mappings.map(({ id }) => id),
    ['Handler/Orders'],
  )
  t.strictSame(
    unreadResources.map(({ id, unreadReason }) => [id, unreadReason]),
    [
      ['OurMacro', 'a macro may change the template'],
      ['Fn::ForEach::Queues', 'the resources that it generates are known only after deployment'],
      ['Nested', 'its resources are in a separate template'],
      ['Events', 'its Events are not known: Mappings has no a.b.c'],
    ],
  )
  t.match(absentResources, [{ id: 'Off', unreadReason: 'its condition NotDev is false with these parameters' }])
  const prod = await read(t, text, { Stage: 'prod' })
  t.strictSame(
    prod.mappings.map(({ id }) => id),
    ['Handler/Orders', 'Off'],
  )
})

test('a macro in the properties may add missing settings', async (t) => {
  const included = { 'Fn::Transform': { Name: 'AWS::Include', Parameters: { Location: 's3://x' } } }
  const findings = await findingsIn(t, sam({ mapping: { ...included, FunctionResponseTypes: undefined } }))
  t.match(findings[0], { rule: 'report-batch-item-failures', severity: 'warning', message: / Also not checked: / })
})

test('a queue whose dead-letter queue is the queue itself', async (t) => {
  async function found(deadLetterTargetArn: unknown) {
    const queue = { QueueName: 'orders', RedrivePolicy: { deadLetterTargetArn, maxReceiveCount: 5 } }
    const findings = await findingsIn(t, sam({ queue }), { 'AWS::AccountId': '123456789012' })
    return findings.map(({ rule, resource, message, fix }) => [`${rule} ${resource}`, message.split('. ')[0], fix])
  }
  const itself = [
    'no-redrive-policy Queue',
    'The redrive policy names the queue itself as its dead-letter queue',
    'Set deadLetterTargetArn to the ARN of another queue.',
  ]
  for (const arn of [getAtt('Queue'), { 'Fn::Sub': '${Queue.Arn}' }, 'arn:aws:sqs:eu-west-1:123456789012:orders']) {
    t.strictSame(await found(arn), [itself])
  }
})

test('two queues can be the dead-letter queues of each other', async (t) => {
  const { Resources } = sam()
  const Dead = {
    ...Resources.Dead,
    Properties: { RedrivePolicy: { deadLetterTargetArn: getAtt('Queue'), maxReceiveCount: 5 } },
  }
  t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Dead } })), [])
})

test('YAML aliases that double the size at every level: the value is unknown, and reading ends', async (t) => {
  const levels = Array.from({ length: 60 }, (_, i) => `  a${i + 1}: &a${i + 1} !Join ['', [*a${i}, *a${i}]]`)
  const text = `Metadata:\n  a0: &a0 xxxxxxxxxx\n${levels.join('\n')}${withVisibility('*a60')}`
  const { mappings } = await read(t, text)
  t.equal(short(only(mappings).queue.visibilityTimeout), 'the text is longer than 100000 characters')
})

/** The CloudFormation template with a resource whose name begins with that of another. */
function derived(id: string, resource: object, ends: Record<string, unknown>) {
  return joined(ends, { [id]: resource })
}

test('a queue whose name contains that of another is a different queue', async (t) => {
  const QueueName = { 'Fn::Sub': '${Queue.QueueName}-retry' }
  const Retry = { Type: 'AWS::SQS::Queue', Properties: { QueueName } }
  const arn = (name: string) => ({ 'Fn::Sub': `arn:aws:sqs:\${AWS::Region}:\${AWS::AccountId}:${name}` })
  const template = derived('Retry', Retry, { EventSourceArn: arn('${Queue.QueueName}-retry') })
  t.strictSame(await endsOf(t, template), [['Handler', 'Retry']])
  t.strictSame(ids(await findingsIn(t, template)), ['visibility-headroom Retry', 'no-redrive-policy Retry'])
  t.strictSame(await endsOf(t, derived('Retry', Retry, { EventSourceArn: arn('${Queue.QueueName}-other') })), [
    ['Handler', 'Queue.QueueName is known only after deployment'],
  ])
})

test('a function whose name contains that of another is a different function', async (t) => {
  const FunctionName = { 'Fn::Sub': '${Handler}-slow' }
  const Slow = { Type: 'AWS::Lambda::Function', Properties: { FunctionName, Runtime: 'nodejs24.x', Timeout: 300 } }
  const template = derived('Slow', Slow, { FunctionName })
  t.strictSame(await endsOf(t, template), [['Slow', 'Queue']])
  t.strictSame(ids(await findingsIn(t, template)), ['visibility-below-timeout Queue'])
  const alias = { 'Fn::Sub': '${Handler}-slow:live' }
  const Live = { Type: 'AWS::Lambda::Alias', Properties: { FunctionName: { Ref: 'Slow' }, Name: 'live' } }
  t.strictSame(await endsOf(t, joined({ FunctionName: alias }, { Slow, Live })), [['Slow', 'Queue']])
})

test('a dead-letter queue whose name contains that of another is a different queue', async (t) => {
  const QueueName = { 'Fn::Sub': '${Dead.QueueName}-dlq' }
  const deadLetterTargetArn = { 'Fn::Sub': 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Dead.QueueName}-dlq' }
  const { Resources } = cloudFormation({ queue: { RedrivePolicy: { deadLetterTargetArn, maxReceiveCount: 5 } } })
  const Other = { Type: 'AWS::SQS::Queue', Properties: { QueueName, MessageRetentionPeriod: 60 } }
  t.strictSame(ids(await findingsIn(t, { Resources: { ...Resources, Other } })), ['dead-letter-retention Other'])
})

test('a queue is found by an ARN whose region is an attribute of another resource', async (t) => {
  const Other = { Type: 'Custom::Region' }
  const EventSourceArn = { 'Fn::Sub': 'arn:aws:sqs:${Other.Region}:${AWS::AccountId}:${Queue.QueueName}' }
  t.strictSame(await endsOf(t, derived('Other', Other, { EventSourceArn })), [['Handler', 'Queue']])
})

test('an alias that routes to two versions: the settings of its versions are listed as not checked', async (t) => {
  async function found(RoutingConfig: unknown) {
    const FunctionVersion = { 'Fn::GetAtt': ['Version', 'Version'] }
    const Properties = { FunctionName: { Ref: 'Handler' }, FunctionVersion, RoutingConfig }
    const Live = { Type: 'AWS::Lambda::Alias', Properties }
    const { Resources } = joined({ FunctionName: { Ref: 'Live' } }, { Live, Version: VERSION })
    const Handler = { ...Resources.Handler, Properties: { Runtime: 'nodejs18.x', ReservedConcurrentExecutions: 2 } }
    const findings = await findingsIn(t, { Resources: { ...Resources, Handler } })
    return findings.map(({ rule, resource, message }) => (rule === 'not-checked' ? message : `${rule} ${resource}`))
  }
  for (const RoutingConfig of [
    { AdditionalVersionWeights: [{ FunctionVersion: '3', FunctionWeight: 0.1 }] },
    UNKNOWN,
  ]) {
    t.strictSame(await found(RoutingConfig), [
      'reserved-concurrency Orders',
      'Not checked: the settings of Live. Reason: its versions may have other settings than Handler.',
    ])
  }
  for (const RoutingConfig of [undefined, { AdditionalVersionWeights: [] }]) {
    t.strictSame(await found(RoutingConfig), ['reserved-concurrency Orders'])
  }
})

test('redrive policies that AWS rejects give a finding with the reason and the fix', async (t) => {
  const finding = async (RedrivePolicy: unknown, change: Parameters<typeof sam>[0] = {}) =>
    (await findingsIn(t, sam({ ...change, queue: { RedrivePolicy, ...change.queue } })))[0]
  t.match(await finding({ DeadLetterTargetArn: getAtt('Dead'), MaxReceiveCount: 5 }), {
    message: /^RedrivePolicy: it needs deadLetterTargetArn and maxReceiveCount\./,
    fix: 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.',
  })
  const policy = { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 5 }
  t.match(await finding(policy, { dead: { FifoQueue: true } }), {
    message: /^deadLetterTargetArn: Dead is a FIFO queue, but Queue is a standard queue\./,
    fix: 'Use a standard queue as the dead-letter queue.',
  })
})

test('a dead-letter queue does not need a redrive policy, even if the policy that refers to it is unknown', async (t) => {
  const { Resources } = cloudFormation()
  const Second = { ...Resources.Orders, Properties: { ...Resources.Orders.Properties, EventSourceArn: getAtt('Dead') } }
  const Dead = { ...Resources.Dead, Properties: { ...Resources.Dead.Properties, VisibilityTimeout: 185 } }
  async function found(RedrivePolicy: unknown) {
    const Queue = { ...Resources.Queue, Properties: { ...Resources.Queue.Properties, RedrivePolicy } }
    const Parameters = { Max: { Type: 'Number' } }
    const Conditions = { Prod: { 'Fn::Equals': [{ Ref: 'Max' }, 5] } }
    return ids(await findingsIn(t, { Parameters, Conditions, Resources: { ...Resources, Queue, Dead, Second } }))
  }
  const text = { 'Fn::Sub': '{"deadLetterTargetArn":"${Dead.Arn}","maxReceiveCount":${Max}}' }
  t.strictSame(await found(text), ['not-checked Queue'])
  const policy = { deadLetterTargetArn: getAtt('Dead'), maxReceiveCount: 5 }
  t.strictSame(await found({ 'Fn::If': ['Prod', policy, { Ref: 'AWS::NoValue' }] }), ['not-checked Queue'])
  t.strictSame(await found({ 'Fn::ImportValue': 'policy' }), ['no-redrive-policy Dead', 'not-checked Queue'])
})

for (const Queue of [{ 'Fn::GetAtt': ['Table', 'StreamArn'] }, 'arn:aws:sns:eu-west-1:123456789012:orders']) {
  test(`an SQS event whose Queue is not a queue gives one finding: ${JSON.stringify(Queue)}`, async (t) => {
    const { Resources } = sam({ mapping: { Queue } })
    const findings = await findingsIn(t, { Resources: { ...Resources, Table: { Type: 'AWS::DynamoDB::Table' } } })
    t.strictSame(ids(findings), ['not-checked Handler/Orders'])
    t.match(findings[0]?.message, /^Not checked: the visibility timeout, .+ Reason: it is not a queue\.$/)
  })
}

test('a setting inside a list or text instead of a map is listed as not checked', async (t) => {
  for (const ScalingConfig of [5000, [{ MaximumConcurrency: 5000 }]]) {
    const findings = await findingsIn(t, sam({ mapping: { ScalingConfig } }))
    t.strictSame(ids(findings), ['not-checked Handler/Orders'])
    const kind = Array.isArray(ScalingConfig) ? 'list' : 'single value'
    t.equal(
      findings[0]?.message,
      `Not checked: MaximumConcurrency. Reason: the value around it is a ${kind}, but must be a map.`,
    )
  }
})
