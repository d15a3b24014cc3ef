// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { createLookup } from '../../src/template/lookup.ts'
import { createQueues } from '../../src/template/queues.ts'
import { createReader } from '../../src/template/reader.ts'
import { createResolver } from '../../src/template/resolve.ts'

/** The subscriptions of the queue S. */
function subscriptionsIn(resources: string, sections = '') {
  const text = `${sections}
Conditions: { Always: !Equals [a, a], Never: !Equals [a, b], Open: !Equals [!Ref AWS::Region, a] }
Parameters: { Open: { Type: String } }
Resources:
  S: { Type: AWS::SQS::Queue }
  Other: { Type: AWS::SQS::Queue }
  Topic: { Type: AWS::SNS::Topic }
${resources}
`
  const reader = createReader(createResolver(parseDocument('template.yaml', text), new Map()))
  return createQueues(reader, createLookup(reader)).findQueue(reader.refOf('S'))?.subscriptions
}

const ENDS = 'Protocol: sqs, Endpoint: !GetAtt S.Arn'
const SUBSCRIPTION = `  Sub: { Type: AWS::SNS::Subscription, Properties: { ${ENDS}, TopicArn: !Ref Topic } }`
const position = { line: 8, column: 3 }
const yes = { state: 'known', value: true, position: undefined }
const no = { state: 'known', value: false, position: undefined }
const wrapped = (id: string) => ({ state: 'known', value: false, isDefault: true, id: `${id} isRaw` })
const unknown = (reason: string) => ({ state: 'unknown', reason, position: undefined })

test('the subscriptions of a queue', async (t) => {
  t.strictSame(subscriptionsIn(''), [])
  t.strictSame(subscriptionsIn(SUBSCRIPTION), [{ id: 'Sub', position, isRaw: wrapped('Sub'), isAllowed: no }])
  const inline = `  Own:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - { Protocol: email, Endpoint: !GetAtt S.Arn }
        - { ${ENDS} }
        - { Protocol: sqs, Endpoint: !GetAtt Other.Arn }
        - { ${ENDS}, RawMessageDelivery: true }`
  t.strictSame(subscriptionsIn(inline), [
    { id: 'Own', position: { line: 13, column: 11 }, isRaw: wrapped('Own'), isAllowed: no },
    {
      id: 'Own',
      position: { line: 15, column: 11 },
      isRaw: { state: 'known', value: true, position: { line: 15, column: 53 } },
      isAllowed: no,
    },
  ])
})

for (const [title, type, properties, condition = ''] of [
  ['of another protocol', 'AWS::SNS::Subscription', 'Protocol: lambda, Endpoint: !GetAtt S.Arn'],
  ['of a protocol that is not known', 'AWS::SNS::Subscription', 'Protocol: !Ref Open, Endpoint: !GetAtt S.Arn'],
  ['of another queue', 'AWS::SNS::Subscription', 'Protocol: sqs, Endpoint: !GetAtt Other.Arn'],
  ['of a queue that is not known', 'AWS::SNS::Subscription', 'Protocol: sqs, Endpoint: !Ref Open'],
  ['whose condition is false', 'AWS::SNS::Subscription', ENDS, ', Condition: Never'],
  ['of another type', 'AWS::SNS::SubscriptionX', ENDS],
  ['of another type', 'XAWS::SNS::Subscription', ENDS],
  ['inside text', 'AWS::SNS::Topic', 'Subscription: text'],
  ['of another type', 'XAWS::SNS::Topic', `Subscription: [{ ${ENDS} }]`],
] as const) {
  test(`a subscription ${title} is not one of the queue: ${type}`, async (t) => {
    t.strictSame(subscriptionsIn(`  Sub: { Type: ${type}, Properties: { ${properties} }${condition} }`), [])
  })
}

/** A queue policy. `source` restricts it to topics. */
function policy(properties: string, source = '', type = 'AWS::SQS::QueuePolicy', more = '') {
  const condition = source && `, Condition: { ArnEquals: { 'aws:SourceArn': ${source} } }`
  const statement = `{ Effect: Allow, Action: 'sqs:SendMessage', Principal: { Service: sns.amazonaws.com }${condition} }`
  return `  Policy:
    Type: ${type}
    Properties: { ${properties}, PolicyDocument: { Statement: [${statement}] } }${more}`
}
const OWN = 'Queues: [!Ref S]'
const NOT_KNOWN = unknown('the policy of the queue is not known')
for (const [title, resources, expected] of [
  ['no policy', '', no],
  ['a policy of the queue', policy(OWN), yes],
  ['a policy by its ARN', policy('Queues: [!GetAtt S.Arn]'), yes],
  ['a policy of several queues', policy('Queues: [!Ref Other, !Ref S]'), yes],
  ['a policy of another queue', policy('Queues: [!Ref Other]'), no],
  ['an inline policy', policy('Queue: !Ref S', '', 'AWS::SQS::QueueInlinePolicy'), yes],
  ['an inline policy of another queue', policy('Queue: !Ref Other', '', 'AWS::SQS::QueueInlinePolicy'), no],
  ['a policy of another type', policy(OWN, '', 'AWS::SQS::QueuePolicyX'), no],
  ['a policy of another type', policy(OWN, '', 'XAWS::SQS::QueuePolicy'), no],
  ['a policy whose condition is true', policy(OWN, '', undefined, '\n    Condition: Always'), yes],
  ['a policy whose condition is false', policy(OWN, '', undefined, '\n    Condition: Never'), no],
  ['a policy whose condition is not known', policy(OWN, '', undefined, '\n    Condition: Open'), yes],
  [
    'a policy of queues that are not known',
    policy('Queues: !Ref Open'),
    unknown('Policy may allow it, but its queues are not known'),
  ],
  [
    'a policy of a queue that is not known',
    policy('Queues: [!Ref Open]'),
    unknown('Policy may allow it, but its queues are not known'),
  ],
  ['a policy for the topic', policy(OWN, '!Ref Topic'), yes],
  ['a policy for the ARN of the topic', policy(OWN, '!GetAtt Topic.TopicArn'), yes],
  ['a policy for several topics', policy(OWN, '[!Ref Other, !Ref Topic]'), yes],
  ['a policy for another topic', policy(OWN, '!Ref Other'), no],
  ['a policy for a topic that is given as text', policy(OWN, 'arn:aws:sns:eu-west-1:123456789012:orders'), NOT_KNOWN],
  ['a policy for a topic that is not known', policy(OWN, '!Ref Open'), NOT_KNOWN],
  ['a policy for no topic', policy(OWN, '!Ref AWS::NoValue'), NOT_KNOWN],
  [
    'a policy that is not known',
    `  Policy: { Type: AWS::SQS::QueuePolicy, Properties: { ${OWN}, PolicyDocument: !Ref Open } }`,
    NOT_KNOWN,
  ],
  ['a policy for an action that is not known', policy(OWN).replace("'sqs:SendMessage'", '!Ref Open'), NOT_KNOWN],
  ['a policy without a document', `  Policy: { Type: AWS::SQS::QueuePolicy, Properties: { ${OWN} } }`, NOT_KNOWN],
  ['a connector', '  Connector: { Type: AWS::Serverless::Connector }', unknown('a connector of SAM may allow it')],
  ['a connector in a resource', '  Any: { Type: Any, Connectors: {} }', unknown('a connector of SAM may allow it')],
  ['a connector whose condition is false', '  Connector: { Type: AWS::Serverless::Connector, Condition: Never }', no],
  ['a loop', '  Fn::ForEach::Policies: [Name, [a], {}]', unknown('a macro or a loop may add a policy')],
] as const) {
  test(`whether a queue policy allows a subscription: ${title}`, async (t) => {
    const [subscription] = subscriptionsIn(`${SUBSCRIPTION}\n${resources}`) ?? []
    t.strictSame(subscription?.isAllowed, expected)
  })
}

test('a topic that is not known', async (t) => {
  const subscribed = `  Sub: { Type: AWS::SNS::Subscription, Properties: { ${ENDS}, TopicArn: !Ref Open } }`
  const isAllowed = (resources: string) => subscriptionsIn(`${subscribed}\n${resources}`)?.[0]?.isAllowed
  t.strictSame(isAllowed(policy(OWN)), yes)
  t.strictSame(isAllowed(policy(OWN, '!Ref Topic')), NOT_KNOWN)
  t.strictSame(isAllowed(policy(OWN, 'arn:aws:sns:eu-west-1:123456789012:orders')), NOT_KNOWN)
})

test('a policy for the topic that has the subscription', async (t) => {
  const topic = `  Own: { Type: AWS::SNS::Topic, Properties: { Subscription: [{ ${ENDS} }] } }\n`
  const isAllowed = (source: string) => subscriptionsIn(topic + policy(OWN, source))?.[0]?.isAllowed
  t.strictSame(isAllowed('!Ref Own'), yes)
  t.strictSame(isAllowed('!Ref Topic'), no)
})
