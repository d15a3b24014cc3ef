import { test } from 'tap'
import { findingsIn, ids, only, read } from '../support/templates.ts'

/** A function that receives the messages of a topic through a queue, connected by SAM. */
function template(subscription: string, settings = 'Timeout: 3') {
  return `Transform: AWS::Serverless-2016-10-31
Parameters: { Open: { Type: String } }
Conditions: { Open: !Equals [!Ref Open, 'yes'] }
Resources:
  Topic: { Type: AWS::SNS::Topic }
  Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }
  Queue:
    Type: AWS::SQS::Queue
    Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: batchItemFailures
      ${settings}
      Events:
        Sqs: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, FunctionResponseTypes: [ReportBatchItemFailures] } }
        Topic:
          Type: SNS
          Properties:
            Topic: !Ref Topic
            ${subscription}
`
}

const FIX =
  'SqsSubscription has no setting for it. Declare the queue, its subscription, and an event of Type: SQS instead.'
function own(more = '') {
  return `SqsSubscription: { QueueArn: !GetAtt Queue.Arn, QueueUrl: !Ref Queue${more} }`
}

for (const [title, subscription] of [
  ['a queue that SAM makes', 'SqsSubscription: true'],
  ['a queue of the template', own()],
  [
    'a queue of the template, and response types that SAM ignores',
    own(', FunctionResponseTypes: [ReportBatchItemFailures]'),
  ],
] as const) {
  test(`SqsSubscription with ${title}: ReportBatchItemFailures is off`, async (t) => {
    const [finding, ...more] = await findingsIn(t, template(subscription))
    t.strictSame(ids(more), [
      subscription === 'SqsSubscription: true' ? 'no-redrive-policy the queue of Handler/Topic' : 'shared-queue Queue',
    ])
    t.match(finding, {
      rule: 'report-batch-item-failures',
      severity: 'error',
      resource: 'Handler/Topic',
      message: /^ReportBatchItemFailures is off, but the function can report failures: /,
      line: 21,
      fix: FIX,
      set: undefined,
    })
  })
}

test('SqsSubscription with a queue that SAM creates: its visibility timeout is 30 s, and it has no redrive policy', async (t) => {
  const elsewhere = template('SqsSubscription: true', 'Timeout: 60').replace(
    '!GetAtt Queue.Arn',
    'arn:aws:sqs:eu-west-1:123456789012:orders',
  )
  const findings = await findingsIn(t, elsewhere)
  t.strictSame(ids(findings), [
    'report-batch-item-failures Handler/Topic',
    'visibility-below-timeout the queue of Handler/Topic',
    'no-redrive-policy the queue of Handler/Topic',
    'not-checked Handler/Sqs',
  ])
  t.match(findings[1], {
    message: 'The visibility timeout (30 s, the default) is below the timeout of Handler (60 s).',
    line: 17,
  })
  t.strictSame(
    findings.slice(1, 3).map((finding) => finding.fix),
    [FIX, FIX],
  )
})

test('SqsSubscription: the batch size is checked, and there is no window', async (t) => {
  const [, second, ...more] = await findingsIn(t, template(own(', BatchSize: 100, MaximumBatchingWindowInSeconds: 5')))
  t.strictSame(ids(more), ['shared-queue Queue'])
  t.match(second, {
    rule: 'batch-needs-window',
    resource: 'Handler/Topic',
    fix: FIX,
    set: undefined,
  })
})

test('SqsSubscription of a function with a reserved concurrency: SAM cannot set the maximum concurrency', async (t) => {
  const findings = await findingsIn(t, template(own(), 'ReservedConcurrentExecutions: 10'))
  t.match(
    findings.find(({ rule, resource }) => rule === 'reserved-concurrency' && resource === 'Handler/Topic'),
    {
      fix: FIX,
      set: undefined,
    },
  )
})

for (const subscription of ['SqsSubscription: false', 'SqsSubscription: !Ref AWS::NoValue', 'Region: eu-west-1']) {
  test(`${subscription}: the topic invokes the function directly, so there is no mapping`, async (t) => {
    const model = await read(t, template(subscription))
    t.equal(only(model.mappings).id, 'Handler/Sqs')
    t.strictSame(model.unreadResources, [])
  })
}

test('an SqsSubscription that is known only after deployment is listed', async (t) => {
  const findings = await findingsIn(t, template('SqsSubscription: !If [Open, true, false]'))
  t.strictSame(
    findings.map(({ rule, resource, line, message }) => [rule, resource, line, message]),
    [
      [
        'not-checked',
        'Handler/Topic',
        21,
        'Not checked: this item. Reason: its SqsSubscription is not known: the parameter Open has no default (set it with --parameter Open=…).',
      ],
    ],
  )
})
