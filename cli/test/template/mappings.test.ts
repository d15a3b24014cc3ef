// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { type Test, test } from 'tap'
import { cloudFormation, findingsIn, getAtt, ids, read, sam } from '../support/templates.ts'

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

test('a finding about a missing setting has the nearest line', async (t) => {
  const text = `Parameters:
  Time: { Type: Number, Default: 10 }
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref Time
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
