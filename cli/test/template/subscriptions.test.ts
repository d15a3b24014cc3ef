// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { inventoryOf } from '../../src/template/read-template.ts'
import { scopeOf } from '../../src/template/scope.ts'
import { linkedQueue, reference } from '../support/linked.ts'

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
  const scope = scopeOf(parseDocument('template.yaml', text))
  return linkedQueue(inventoryOf(scope, 'template.yaml'), reference('S'))?.subscriptions
}

const ENDS = 'Protocol: sqs, Endpoint: !GetAtt S.Arn'
const SUBSCRIPTION = `  Sub: { Type: AWS::SNS::Subscription, Properties: { ${ENDS}, TopicArn: !Ref Topic } }`
const position = { line: 8, column: 3 }
const wrapped = (id: string) => ({ state: 'known', value: false, isDefault: true, id: `${id} isRaw` })

test('the subscriptions of a queue', async (t) => {
  t.strictSame(subscriptionsIn(''), [])
  t.strictSame(subscriptionsIn(SUBSCRIPTION), [{ id: 'Sub', position, isRaw: wrapped('Sub') }])
  const inline = `  Own:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - { Protocol: email, Endpoint: !GetAtt S.Arn }
        - { ${ENDS} }
        - { Protocol: sqs, Endpoint: !GetAtt Other.Arn }
        - { ${ENDS}, RawMessageDelivery: true }`
  t.strictSame(subscriptionsIn(inline), [
    { id: 'Own', position: { line: 13, column: 11 }, isRaw: wrapped('Own') },
    {
      id: 'Own',
      position: { line: 15, column: 11 },
      isRaw: { state: 'known', value: true, position: { line: 15, column: 53 } },
    },
  ])
})

for (const [title, type, properties, condition = ''] of [
  ['of another protocol', 'AWS::SNS::Subscription', 'Protocol: lambda, Endpoint: !GetAtt S.Arn'],
  ['of a protocol that is not known', 'AWS::SNS::Subscription', 'Protocol: !Ref Open, Endpoint: !GetAtt S.Arn'],
  ['of another queue', 'AWS::SNS::Subscription', 'Protocol: sqs, Endpoint: !GetAtt Other.Arn'],
  ['whose condition is false', 'AWS::SNS::Subscription', ENDS, ', Condition: Never'],
  ['of another type', 'AWS::SNS::SubscriptionX', ENDS],
  ['of another type', 'XAWS::SNS::Subscription', ENDS],
  ['inside text', 'AWS::SNS::Topic', 'Subscription: text'],
  ['of another type', 'AWS::SNS::TopicX', `Subscription: [{ ${ENDS} }]`],
  ['of another type', 'XAWS::SNS::Topic', `Subscription: [{ ${ENDS} }]`],
] as const) {
  test(`a subscription ${title} is not one of the queue: ${type}`, async (t) => {
    t.strictSame(subscriptionsIn(`  Sub: { Type: ${type}, Properties: { ${properties} }${condition} }`), [])
  })
}

test('a subscription of a queue that is not known may be one of the queue', async (t) => {
  const found = subscriptionsIn(
    '  Sub: { Type: AWS::SNS::Subscription, Properties: { Protocol: sqs, Endpoint: !Ref Open } }',
  )
  t.match(found, [{ id: 'Sub', isRaw: { state: 'unknown', reason: /^its endpoint is not known: / } }])
})
