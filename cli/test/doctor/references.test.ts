// biome-ignore-all lint/suspicious/noTemplateCurlyInString: text of templates
// References that AWS refuses, resources that do not exist, and settings that a queue never uses.
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { runDoctor } from '../support/doctor.ts'
import { filesIn } from '../support/files.ts'
import { type Change, cloudFormation, findingsIn, getAtt, sam } from '../support/templates.ts'

const FUNCTION = { InlineCode: 'throw 1' }

/** The findings without infos, as severity, rule, resource and the first sentence. */
async function found(t: Test, template: object) {
  return (await findingsIn(t, template))
    .filter(({ severity }) => severity !== 'info')
    .map(({ severity, rule, resource, message }) => `${severity} ${rule} ${resource}: ${message.split('. ')[0]}`)
}

for (const [value, said] of [
  [{ Ref: 'Queue' }, 'it is the URL of Queue, but must be an ARN'],
  [{ 'Fn::GetAtt': ['Queue', 'QueueUrl'] }, 'it is the URL of Queue, but must be an ARN'],
  [{ 'Fn::GetAtt': ['Queue', 'QueueName'] }, 'it is the name of Queue, but must be an ARN'],
  [
    { 'Fn::Join': [':', ['arn:aws:sqs', { Ref: 'AWS::Region' }, { Ref: 'AWS::AccountId' }, { Ref: 'Queue' }]] },
    'it is the URL of Queue, but must be an ARN',
  ],
  ['orders', 'it is the name of orders, but must be an ARN'],
  ['arn:aws:sns:eu-west-1:123456789012:orders', 'it is not the ARN of a queue'],
] as const) {
  test(`the source of a mapping is ${JSON.stringify(value)}`, async (t) => {
    const expected = [`error invalid-value Handler/Orders: EventSourceArn: ${said}`]
    t.strictSame(await found(t, sam({ function: FUNCTION, mapping: { Queue: value } })), expected)
    if (String(value).startsWith('arn:')) return // a mapping of another service
    const { Resources } = cloudFormation({ function: FUNCTION })
    const Properties = { ...Resources.Orders.Properties, EventSourceArn: value }
    const template = { Resources: { ...Resources, Orders: { ...Resources.Orders, Properties } } }
    t.strictSame(await found(t, template), [expected[0]?.replace('Handler/', '')])
  })
}

const CONDITIONS = {
  Parameters: { Stage: { Type: 'String', Default: 'dev' } },
  Conditions: { IsProd: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] } },
}

test('a redrive policy to a queue whose condition is false', async (t) => {
  const { Resources } = sam({ function: FUNCTION })
  const Dead = { ...Resources.Dead, Condition: 'IsProd' }
  const template = { ...CONDITIONS, Resources: { ...Resources, Dead } }
  t.strictSame(await found(t, template), [
    'error invalid-value Queue: deadLetterTargetArn: it refers to Dead, which does not exist: the condition IsProd of Dead is false with these parameters',
  ])
})

test('a mapping whose condition is false is named, with the parameter', async (t) => {
  const { Resources } = cloudFormation({ function: { ...FUNCTION, Runtime: 'nodejs24.x' } })
  const Second = { ...Resources.Orders, Condition: 'IsProd' }
  const template = { ...CONDITIONS, Resources: { ...Resources, Second } }
  const findings = await findingsIn(t, template)
  t.match(findings, [
    {
      severity: 'info',
      rule: 'not-checked',
      resource: 'Second',
      message:
        'Not checked: this mapping. Reason: its condition IsProd is false with these parameters (set it with --parameter Stage=…).',
      fix: 'Set the parameter, or check the deployed function with --function NAME.',
    },
  ])
})

test('of a condition that another one decides, all parameters are named', async (t) => {
  const { Resources } = cloudFormation({ function: { ...FUNCTION, Runtime: 'nodejs24.x' } })
  const template = {
    Parameters: { Stage: { Type: 'String', Default: 'dev' }, Second: { Type: 'String', Default: 'no' } },
    Conditions: {
      ...CONDITIONS.Conditions,
      HasSecond: { 'Fn::And': [{ Condition: 'IsProd' }, { 'Fn::Equals': [{ Ref: 'Second' }, 'yes'] }] },
    },
    Resources: { ...Resources, Second: { ...Resources.Orders, Condition: 'HasSecond' } },
  }
  t.match(await findingsIn(t, template), [
    { message: /its condition HasSecond is false with .* \(set it with --parameter Second=… --parameter Stage=…\)\.$/ },
  ])
})

test('a queue whose logical id is SQS is not a dead-letter queue because of a destination of type SQS', async (t) => {
  const { Resources } = sam({
    function: { ...FUNCTION, EventInvokeConfig: { DestinationConfig: { OnFailure: { Type: 'SQS' } } } },
  })
  const text = JSON.stringify({
    ...Resources,
    Queue: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 185 } },
  })
  const template = {
    Resources: JSON.parse(
      text.replaceAll('"Queue"', '"SQS"').replaceAll('"SQS":{"Fn::GetAtt"', '"Queue":{"Fn::GetAtt"'),
    ),
  }
  t.match(await found(t, template), [/^warning no-redrive-policy SQS: /, /^warning unused-failure-settings Handler: /])
})

const UNUSED = { DeadLetterQueue: { Type: 'SQS', TargetArn: getAtt('Dead') } }
for (const [title, change, isFound] of [
  ['only a queue', {}, true],
  ['an event of another service', { function: { Events: { Timer: { Type: 'Schedule' } } } }, false],
  [
    'a text that nothing fills',
    { resources: { Rule: { Type: 'AWS::Events::Rule', Properties: { Description: '${Handler}' } } } },
    true,
  ],
  ['events that a macro makes', { function: { Events: { 'Fn::Transform': { Name: 'Events' } } } }, false],
  ['a URL', { function: { FunctionUrlConfig: { AuthType: 'NONE' } } }, false],
  [
    'a rule',
    { resources: { Rule: { Type: 'AWS::Events::Rule', Properties: { Targets: [{ Arn: getAtt('Handler') }] } } } },
    false,
  ],
  [
    'an alarm, which does not invoke it',
    { resources: { Alarm: { Type: 'AWS::CloudWatch::Alarm', Properties: { Name: { Ref: 'Handler' } } } } },
    true,
  ],
  [
    'a subscription to the topic that SAM makes for its failures, which does not invoke it',
    {
      resources: {
        Mail: { Type: 'AWS::SNS::Subscription', Properties: { Topic: { Ref: 'Handler.DestinationTopic' } } },
      },
    },
    true,
  ],
  [
    'a rule that names its alias',
    {
      resources: { Rule: { Type: 'AWS::Events::Rule', Properties: { Targets: [{ Arn: { Ref: 'Handler.Alias' } }] } } },
    },
    false,
  ],
] as const) {
  test(`a dead-letter queue of a function that is invoked by ${title}`, async (t) => {
    const { Resources, ...template } = sam({ ...(change as Change), function: { ...FUNCTION, ...UNUSED } })
    const { Events, ...more } = ((change as Change).function ?? {}) as { Events?: object }
    const Properties = {
      ...Resources.Handler.Properties,
      ...more,
      Events: { ...Resources.Handler.Properties.Events, ...Events },
    }
    const Handler = { ...Resources.Handler, Properties }
    const findings = await found(t, { ...template, Resources: { ...Resources, Handler } })
    const said = 'warning unused-failure-settings Handler: The function has DeadLetterQueue, but only queues invoke it'
    t.strictSame(findings, isFound ? [said] : [])
  })
}

test('a resource with failure settings of a function', async (t) => {
  const Config = {
    Type: 'AWS::Lambda::EventInvokeConfig',
    Properties: { FunctionName: { Ref: 'Handler' }, MaximumRetryAttempts: 1 },
  }
  t.strictSame(await found(t, cloudFormation({ function: { Code: { ZipFile: 'throw 1' } }, resources: { Config } })), [
    'warning unused-failure-settings Handler: The function has EventInvokeConfig, but only queues invoke it',
  ])
})

test('a mapping of which nothing could be checked is a warning with --strict', async (t) => {
  const unknown = (name: string) => ({ 'Fn::ImportValue': name })
  const Properties = {
    FunctionName: unknown('f'),
    EventSourceArn: unknown('q'),
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  }
  const Resources = { Orders: { Type: 'AWS::Lambda::EventSourceMapping', Properties } }
  const file = join(filesIn(t, { 'template.json': JSON.stringify({ Resources }) }), 'template.json')
  t.equal((await runDoctor(t, [file])).code, 0)
  const { code, stdout } = await runDoctor(t, [file], { strict: true })
  t.equal(code, 1)
  t.match(stdout, /warning not-checked Orders {2}Not checked: /)
})

test('an input that cannot be read does not hide the findings of the others', async (t) => {
  const off = sam({ function: { InlineCode: 'batchItemFailures' }, mapping: { FunctionResponseTypes: undefined } })
  const root = filesIn(t, {
    'wrong.json': JSON.stringify(off),
    'broken.json': '{ "Resources": ',
    'large.yaml': `Resources:\n${'  A: 1\n'.repeat(1_000_000)}`,
    'cdk.out/manifest.json': JSON.stringify({
      artifacts: { A: null, B: { type: 'aws:cloudformation:stack', properties: { templateFile: 'gone.json' } } },
    }),
  })
  const files = ['broken.json', 'large.yaml', 'cdk.out', 'gone.yaml', 'wrong.json'].map((name) => join(root, name))
  const { code, stdout, stderr } = await runDoctor(t, files)
  t.equal(code, 1)
  t.match(stdout, 'error report-batch-item-failures Handler/Orders')
  t.match(stderr.replaceAll(`${root}/`, '').split('\n'), [
    /^bounded-sqs-batch: broken\.json:1:16: not valid JSON: /,
    'bounded-sqs-batch: large.yaml is too large to be a template: CloudFormation accepts at most 1 MB',
    'bounded-sqs-batch: there is no file cdk.out/gone.json',
    'bounded-sqs-batch: there is no file gone.yaml',
    '',
  ])
})
