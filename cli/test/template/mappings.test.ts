// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { type Test, test } from 'tap'
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
    'invalid-value Handler/Orders',
    'report-batch-item-failures Handler/Orders',
    'not-checked Handler/Orders',
  ])
  t.equal(
    findings[2]?.message,
    'Not checked: the visibility timeout, redrive policy and retention of its queue, whether it is a FIFO queue, and whether other mappings read it. Reason: ' +
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
for (const [title, FunctionName] of [
  ['its name', 'handler'],
  ['a Ref of an alias', { Ref: 'Alias' }],
  [
    'the expression that the CDK writes for an alias',
    { 'Fn::Join': ['', [{ 'Fn::Select': [6, { 'Fn::Split': [':', { Ref: 'Alias' }] }] }, ':live']] },
  ],
  [
    'an ARN with its name and this region',
    { 'Fn::Sub': 'arn:aws:lambda:${AWS::Region}:123456789012:function:handler' },
  ],
] as const) {
  test(`FunctionName is ${title}: the function is found`, async (t) => {
    const template = named(joined({ FunctionName }, { Alias: ALIAS }), 'handler', 'orders')
    t.strictSame(await endsOf(t, template), [['Handler', 'Queue']])
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
  t.strictSame(await endsOf(t, template), [['its versions may have other settings than Handler', 'Queue']])
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

for (const [title, FunctionName, id, reason] of [
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
