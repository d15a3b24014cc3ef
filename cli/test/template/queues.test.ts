// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import type { Queue } from '../../src/model/model.ts'
import { textTree } from '../../src/model/partial-text.ts'
import { mapAt, parseDocument } from '../../src/template/document.ts'
import { evaluate } from '../../src/template/evaluate.ts'
import { inventoryOf } from '../../src/template/read-template.ts'
import { scopeOf } from '../../src/template/scope.ts'
import { linkedQueue, reference } from '../support/linked.ts'
import { short } from '../support/templates.ts'

function queuesIn(text: string, given: Record<string, string> = {}) {
  const scope = scopeOf(parseDocument('template.yaml', text), new Map(Object.entries(given)))
  const queueOf = (id: string) => linkedQueue(inventoryOf(scope, 'template.yaml'), reference(id)) as Queue
  return { queueOf, scope }
}

const known = (value: unknown, line: number, column = 7) => ({ state: 'known', value, position: { line, column } })
const byDefault = (value: unknown, id: string) => ({ state: 'known', value, isDefault: true, id })
const unknown = (reason: string, line: number, column = 7) => ({
  state: 'unknown',
  reason,
  position: { line, column },
})

test('the settings of a queue and of its dead-letter queue', async (t) => {
  const { queueOf } = queuesIn(`
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 5
  Dead:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 1209600
`)
  const { senders, ...queue } = queueOf('Queue')
  t.strictSame(senders?.(), [])
  t.strictSame(queue, {
    id: 'Queue',
    queueName: { state: 'absent' },
    fix: undefined,
    hasOwnKey: false,
    position: { line: 3, column: 3 },
    visibilityTimeout: known(60, 6),
    retention: byDefault(345_600, 'Queue retention'),
    delay: byDefault(0, 'Queue delay'),
    maximumMessageSize: byDefault(1_048_576, 'Queue maximumMessageSize'),
    contentBasedDeduplication: byDefault(false, 'Queue contentBasedDeduplication'),
    fifo: byDefault(false, 'Queue fifo'),
    redrive: known(
      {
        maxReceiveCount: known(5, 9, 9),
        arn: unknown('Dead.Arn is known only after deployment', 8, 9),
        deadLetterQueue: {
          id: 'Dead',
          position: { line: 10, column: 3 },
          unreadReason: undefined,
          fifo: byDefault(false, 'Dead fifo'),
          retention: known(1_209_600, 13),
          queueName: { state: 'absent' },
          refusal: undefined,
        },
      },
      7,
    ),
    isDeadLetterQueue: false,
  })
  const { redrive, isDeadLetterQueue } = queueOf('Dead')
  t.strictSame([redrive, isDeadLetterQueue], [{ state: 'absent' }, true])
})

const ACCOUNT = '123456789012'
const RESOURCES = `
Value: VALUE
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: orders } }
  Named: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub '\${AWS::StackName}-named' } }
  Twin: { Type: AWS::SQS::Queue, Properties: { QueueName: same } }
  Same: { Type: AWS::SQS::Queue, Properties: { QueueName: same } }
  Stream: { Type: AWS::Kinesis::Stream }
  Table: { Type: AWS::DynamoDB::Table }
  Cluster: { Type: AWS::MSK::Cluster }
  Broker: { Type: AWS::AmazonMQ::Broker }
  Documents: { Type: AWS::DocDB::DBCluster }
  Custom: { Type: Custom::AWS::Kinesis::Stream }
  Nested: { Type: AWS::CloudFormation::Stack }
`
/** The queue that a value of EventSourceArn refers to: its id, why it was not read, and whether it is a FIFO queue. */
function found(value: string, given: Record<string, string> = {}) {
  const { scope } = queuesIn(RESOURCES.replace('VALUE', value), given)
  const queue = linkedQueue(inventoryOf(scope, 'template.yaml'), evaluate(scope, mapAt(scope.document, 'Value')))
  return queue && [queue.id, queue.unreadReason, short(queue.fifo)]
}
const ELSEWHERE = 'it is not in this template'
const IMPORT = 'Fn::ImportValue x comes from another stack'
const NESTED = 'Nested.Outputs.Arn is known only after deployment'
const unread = (reason: string) => ['its queue', reason, reason]
const FOUND: [value: string, expected: unknown, given?: Record<string, string>][] = [
  ['!Ref Queue', ['Queue', undefined, false]],
  ['!GetAtt Queue.Arn', ['Queue', undefined, false]],
  ['!ImportValue x', unread(IMPORT)],
  ['~', unread('it is not set')],
  ['[a]', unread('it is a list')],
  ["''", unread('it is empty')],
  ['orders', ['Queue', undefined, false]],
  ["'{{resolve:ssm:/arn}}'", unread('it is a dynamic reference ({{resolve:…}})')],
  ['arn:aws:kinesis:eu-west-1:123456789012:stream/orders', undefined],
  [
    "!Sub 'arn:aws:x${Nested.Outputs.Arn}:eu-west-1:123456789012:orders'",
    ['arn:aws:x${Nested.Outputs.Arn}:eu-west-1:123456789012:orders', NESTED, false],
  ],
  ['arn:aws:sqs:eu-west-1:123456789012', ['arn:aws:sqs:eu-west-1:123456789012', ELSEWHERE, false]],
  ["!Sub 'arn:aws:sqs:${AWS::Region}'", ['arn:aws:sqs:${AWS::Region}', ELSEWHERE, false]],

  // Other resources
  ['!GetAtt Stream.Arn', undefined],
  ['!GetAtt Table.StreamArn', undefined],
  ['!Ref Cluster', undefined],
  ['!Ref Broker', undefined],
  ['!Ref Documents', undefined],
  ['!Ref Custom', unread('it comes from Custom, of type Custom::AWS::Kinesis::Stream')],
  ['!GetAtt Nested.Outputs.Arn', unread('it comes from Nested, of type AWS::CloudFormation::Stack')],

  // Names
  ["!Sub 'arn:aws:sqs:eu-west-1:${AWS::AccountId}:orders'", ['Queue', undefined, false]],
  ["!Sub 'arn:aws:sqs:eu-west-1:${AWS::AccountId}:${AWS::StackName}-named'", ['Named', undefined, false]],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:${AWS::AccountId}:same'",
    ['arn:aws:sqs:eu-west-1:${AWS::AccountId}:same', 'Twin and Same have the same name', false],
  ],
  ['arn:aws:sqs:eu-west-1:123456789012:orders', ['arn:aws:sqs:eu-west-1:123456789012:orders', ELSEWHERE, false]],
  ['arn:aws:sqs:eu-west-1:123456789012:orders', ['Queue', undefined, false], { 'AWS::AccountId': ACCOUNT }],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:123456789012:${Queue.QueueName}'",
    ['arn:aws:sqs:eu-west-1:123456789012:${Queue.QueueName}', ELSEWHERE, ELSEWHERE],
  ],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:123456789012:${Queue.QueueName}'",
    ['Queue', undefined, false],
    { 'AWS::AccountId': ACCOUNT },
  ],
  ["!Sub 'arn:aws:sqs:eu-west-1:${Nested.Outputs.Account}:${Queue.QueueName}'", ['Queue', undefined, false]],

  // FIFO queues
  ['arn:aws:sqs:eu-west-1:123456789012:x.fifo', ['arn:aws:sqs:eu-west-1:123456789012:x.fifo', ELSEWHERE, true]],
  ['arn:aws:sqs:eu-west-1:123456789012:x.fifo-y', ['arn:aws:sqs:eu-west-1:123456789012:x.fifo-y', ELSEWHERE, false]],
  [
    "'arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/a}}'",
    ['arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/a}}', ELSEWHERE, ELSEWHERE],
  ],
  [
    "'arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/a}}x'",
    ['arn:aws:sqs:eu-west-1:123456789012:{{resolve:ssm:/a}}x', ELSEWHERE, false],
  ],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:123456789012:a-${Nested.Outputs.Name}'",
    ['arn:aws:sqs:eu-west-1:123456789012:a-${Nested.Outputs.Name}', ELSEWHERE, ELSEWHERE],
  ],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:123456789012:a-${Nested.Outputs.Name}x'",
    ['arn:aws:sqs:eu-west-1:123456789012:a-${Nested.Outputs.Name}x', ELSEWHERE, false],
  ],
  [
    "!Sub 'arn:aws:sqs:eu-west-1:123456789012:${AWS::StackName}'",
    ['arn:aws:sqs:eu-west-1:123456789012:${AWS::StackName}', ELSEWHERE, false],
  ],
]
for (const [value, expected, given] of FOUND) {
  test(`the queue of EventSourceArn: ${value}${given ? ' in this account' : ''}`, async (t) => {
    t.strictSame(found(value, given), expected)
  })
}

test('an unread queue has the position of the reference', async (t) => {
  const { scope } = queuesIn('Resources: {}')
  const position = { line: 7, column: 8 }
  const tree = { ...textTree('arn:aws:sqs:eu-west-1:123456789012:\0X\0'), position }
  const queue = linkedQueue(inventoryOf(scope, 'template.yaml'), tree)
  t.strictSame([queue?.position, queue?.fifo], [position, unknown(ELSEWHERE, 7, 8)])
})

const BY_NAME = { state: 'known', value: true, position: undefined, id: 'Queue fifo' }
for (const [properties, expected] of [
  ['{}', byDefault(false, 'Queue fifo')],
  ['{ FifoQueue: true }', known(true, 3, 49)],
  ['{ FifoQueue: !ImportValue x }', unknown(IMPORT, 3, 49)],
  ['{ FifoQueue: !ImportValue x, QueueName: orders.fifo }', BY_NAME],
  ['{ FifoQueue: !ImportValue x, QueueName: orders }', unknown(IMPORT, 3, 49)],
  ['{ QueueName: orders.fifo }', BY_NAME],
  ['{ QueueName: orders }', byDefault(false, 'Queue fifo')],
  ['{ FifoQueue: true, QueueName: !Ref Queue }', known(true, 3, 49)],
] as const) {
  test(`whether a queue is a FIFO queue: ${properties}`, async (t) => {
    const { queueOf } = queuesIn(`
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: ${properties} }
`)
    t.strictSame(queueOf('Queue').fifo, expected)
  })
}

/** The redrive policy of a queue: the ARN of its dead-letter queue and what is known about it, or what is wrong. */
function redrive(policy: string) {
  const text = `
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: { RedrivePolicy: ${policy} }
  Dead: { Type: AWS::SQS::Queue }
`
  const { redrive } = queuesIn(text).queueOf('Queue')
  if (redrive.state !== 'known') return 'reason' in redrive ? [redrive.reason, redrive.fix] : redrive.state
  const { arn, maxReceiveCount, deadLetterQueue } = redrive.value
  const { id, unreadReason, fifo, retention } = deadLetterQueue
  return [short(arn), short(maxReceiveCount), id, unreadReason, short(fifo), short(retention)]
}

const DEAD = 'Dead.Arn is known only after deployment'
const OTHER = 'arn:aws:sqs:eu-west-1:123456789012:other'
const OBJECT = 'Set it to an object with deadLetterTargetArn and maxReceiveCount.'
const NO_QUEUE = 'it is not a queue'
for (const [title, policy, expected] of [
  [
    'a map',
    '{ deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }',
    [DEAD, 5, 'Dead', undefined, false, 345_600],
  ],
  [
    'JSON text',
    `!Sub '{"deadLetterTargetArn":"\${Dead.Arn}","maxReceiveCount":5}'`,
    [DEAD, 5, 'Dead', undefined, false, 345_600],
  ],
  [
    'another account',
    `{ deadLetterTargetArn: ${OTHER}, maxReceiveCount: 5 }`,
    [OTHER, 5, OTHER, ELSEWHERE, false, ELSEWHERE],
  ],
  [
    'an import',
    '{ deadLetterTargetArn: !ImportValue x, maxReceiveCount: 5 }',
    [IMPORT, 5, 'its dead-letter queue', IMPORT, IMPORT, IMPORT],
  ],
  [
    'the ARN of another service',
    '{ deadLetterTargetArn: arn:aws:sns:a:1:x, maxReceiveCount: 5 }',
    ['it is not the ARN of a queue', 5, 'its dead-letter queue', NO_QUEUE, NO_QUEUE, NO_QUEUE],
  ],
  ['nothing', '!Ref AWS::NoValue', 'absent'],
  ['an import of the policy', '!ImportValue x', [IMPORT, undefined]],
  ['a list', '[a]', ['it is a list', OBJECT]],
  ['text', 'x', ['it is a single value', OBJECT]],
  ['a list as text', "'[]'", ['it is a single value', OBJECT]],
  ['a number as text', "'5'", ['it is a single value', OBJECT]],
  ['no count', '{ deadLetterTargetArn: !GetAtt Dead.Arn }', [DEAD, 'absent', 'Dead', undefined, false, 345_600]],
  [
    'the queue itself',
    '{ deadLetterTargetArn: !GetAtt Queue.Arn, maxReceiveCount: 5 }',
    ['Queue.Arn is known only after deployment', 5, 'Queue', undefined, false, 345_600],
  ],
] as const) {
  test(`the redrive policy of a queue: ${title}`, async (t) => {
    t.strictSame(redrive(policy), expected)
  })
}

for (const [title, more, expected] of [
  ['nothing', '', false],
  [
    'a redrive policy',
    'One: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } } }',
    true,
  ],
  [
    'its name in a redrive policy',
    "One: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !Sub 'arn:aws:sqs:a:${AWS::AccountId}:dead', maxReceiveCount: 5 } } }",
    true,
  ],
  [
    'a redrive policy with a condition',
    'One: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: !If [Gone, { deadLetterTargetArn: !GetAtt Dead.Arn }, 1] } }',
    true,
  ],
  [
    'a redrive policy of another queue',
    'One: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Other.Arn, maxReceiveCount: 5 } } }',
    false,
  ],
  [
    'a text of which a part is not known',
    'One: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: !Sub \'{ "deadLetterTargetArn": "${Dead.Arn}", "maxReceiveCount": ${Open} }\' } }',
    true,
  ],
  [
    'a value for a condition that is false',
    `One: { Type: Any, Properties: { OnFailure: { A: !If [Never, !GetAtt Dead.Arn, !GetAtt Other.Arn] } } }
Conditions: { Never: !Equals [a, b] }`,
    false,
  ],
  ['no redrive policy', 'One: { Type: AWS::SQS::Queue, Properties: { Tags: [DeadLetterQueue, Dead] } }', false],
  ...['RedrivePolicy', 'DeadLetterConfig', 'DeadLetterQueue', 'DeadLetterArn', 'DeadLetterTargetArn', 'OnFailure'].map(
    (key) => [key, `One: { Type: Any, Properties: { Deep: [{ ${key}: { A: !GetAtt Dead.Arn } }] } }`, true] as const,
  ),
  ['XOnFailure', 'One: { Type: Any, Properties: { XOnFailure: !GetAtt Dead.Arn } }', false],
  ['OnFailureX', 'One: { Type: Any, Properties: { OnFailureX: !GetAtt Dead.Arn } }', false],
] as const) {
  test(`whether ${title} shows that a queue is a dead-letter queue`, async (t) => {
    const { queueOf } = queuesIn(`
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  Other: { Type: AWS::SQS::Queue }
  ${more}
`)
    t.equal(queueOf('Dead').isDeadLetterQueue, expected)
  })
}

test('a queue whose policy is not known is not its own dead-letter queue', async (t) => {
  const { queueOf } = queuesIn(`
Resources: { Queue: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { a: !GetAtt Queue.Arn } } } }
`)
  t.equal(queueOf('Queue').isDeadLetterQueue, false)
})
