import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { misspelledNames } from '../../src/template/misspelled-names.ts'
import { createReader } from '../../src/template/reader.ts'
import { createResolver } from '../../src/template/resolve.ts'
import { cloudFormation, findingsIn, ids, sam } from '../support/templates.ts'

for (const [title, change, resource, name, fix] of [
  ['a letter too few', { mapping: { BatchSze: 5 } }, 'mapping', 'BatchSze', 'BatchSize'],
  ['a wrong letter', { mapping: { BatchSise: 5 } }, 'mapping', 'BatchSise', 'BatchSize'],
  ['two exchanged letters', { mapping: { BatchSzie: 5 } }, 'mapping', 'BatchSzie', 'BatchSize'],
  ['another case', { mapping: { batchSize: 5 } }, 'mapping', 'batchSize', 'BatchSize'],
  [
    'a setting in a map',
    { mapping: { ScalingConfig: { MaximumConcurency: 5 } } },
    'mapping',
    'MaximumConcurency',
    'MaximumConcurrency',
  ],
  ['a function', { function: { Timeut: 900 } }, 'Handler', 'Timeut', 'Timeout'],
  ['a function, in another case', { function: { timeout: 900 } }, 'Handler', 'timeout', 'Timeout'],
  ['a queue', { queue: { VisibilityTimeOuts: 200 } }, 'Queue', 'VisibilityTimeOuts', 'VisibilityTimeout'],
] as const) {
  test(`a misspelled property is an error: ${title}`, async (t) => {
    for (const [template, mapping] of [
      [sam(change), 'Handler/Orders'],
      [cloudFormation(change), 'Orders'],
    ] as const) {
      const [finding, ...more] = await findingsIn(t, template)
      t.strictSame(more, [])
      t.match(finding, { rule: 'invalid-value', resource: resource === 'mapping' ? mapping : resource })
      t.match(finding?.message, `there is no property ${name}. AWS rejects this value.`)
      t.equal(finding?.fix, `Correct the name. Did you mean ${fix}?`)
    }
  })
}

test('other unknown properties are no finding: cfn-lint reports them', async (t) => {
  const change = {
    mapping: { ScalingConfig: { MinimumConcurrency: 5 }, Novelty: 1 },
    function: { Architectures: ['arm64'], Novelty: 1, Tymeut: 900, KmsKeyArm: 'key' },
    queue: { KmsMasterKeyIds: 'key' },
  }
  for (const template of [sam(change), cloudFormation(change)]) t.strictSame(await findingsIn(t, template), [])
})

test('a misspelled property whose value is not known is no finding: Fn::If may remove it', async (t) => {
  t.strictSame(await findingsIn(t, sam({ mapping: { BatchSise: { 'Fn::ImportValue': 'size' } } })), [])
})

test('a misspelled property or section of Globals is an error', async (t) => {
  const found = async (more: object) => {
    const findings = await findingsIn(t, { ...sam(), ...more })
    return findings.map(({ rule, resource, message, fix }) => [rule, resource, message.split('.')[0], fix])
  }
  const error = (resource: string, name: string, meant: string, kind = 'section') => [
    ['invalid-value', resource, `there is no ${kind} ${name}`, `Correct the name. Did you mean ${meant}?`],
  ]
  t.strictSame(
    await found({ Globals: { Function: { Timout: 30 } } }),
    error('Globals', 'Timout', 'Timeout', 'property'),
  )
  t.strictSame(await found({ Globals: { Functions: { Timeout: 30 } } }), error('Globals', 'Functions', 'Function'))
  t.strictSame(await found({ Global: { Function: { Timeout: 30 } } }), error('the template', 'Global', 'Globals'))
  t.strictSame(await found({ Globals: { Api: { TracingEnabled: true }, Function: { Tracing: 'Active' } } }), [])
})

test('a misspelled type or key of a resource or an event is an error', async (t) => {
  const { Resources } = cloudFormation()
  const { Orders, Queue } = Resources
  const found = async (more: object) => {
    const findings = await findingsIn(t, { Resources: { ...Resources, ...more } })
    return findings.map(({ rule, resource, message, fix }) => [rule, resource, message.split('.')[0], fix])
  }
  const error = (resource: string, reason: string, meant: string) => [
    ['invalid-value', resource, reason, `Correct the name. Did you mean ${meant}?`],
  ]
  const { Type, ...untyped } = Orders
  const second = (declaration: object) => found({ Second: declaration })
  t.strictSame(
    await second({ ...untyped, Type: `${Type}s` }),
    error('Second', `there is no resource type ${Type}s`, Type),
  )
  t.strictSame(await second({ ...untyped, type: Type }), error('Second', 'there is no property type', 'Type'))
  t.strictSame(await second({ Type: 'AWS::SQS::QueuePolicy', Properties: {} }), [])
  const Conditions = 'Prod'
  t.strictSame(
    await found({ Queue: { ...Queue, Conditions } }),
    error('Queue', 'there is no property Conditions', 'Condition'),
  )
  const template = sam()
  const { Handler } = template.Resources
  const { Events, ...properties } = Handler.Properties
  const Second = { Type: 'SQS', Propertie: Events.Orders.Properties }
  const WithEvent = { ...Handler, Properties: { ...properties, Events: { ...Events, Second } } }
  const [finding] = await findingsIn(t, { ...template, Resources: { ...template.Resources, Handler: WithEvent } })
  t.match(finding, { rule: 'invalid-value', resource: 'Handler/Second' })
  t.match(finding?.message, 'there is no property Propertie. ')
})

const MISSPELLED = { mapping: { BatchSise: 5 } }
const Off = { 'Fn::Equals': ['a', 'b'] }
for (const [title, template] of [
  ['removed', cloudFormation({ mapping: { BatchSise: { Ref: 'AWS::NoValue' } } })],
  ['of a macro', { ...cloudFormation(MISSPELLED), Transform: 'OurMacro' }],
  ['of a resource that does not exist', withCondition(cloudFormation(MISSPELLED))],
  [
    'of another resource',
    { Resources: { ...cloudFormation().Resources, Other: { Type: 'AWS::S3::Bucket', Properties: { Tag: 1 } } } },
  ],
] as const) {
  test(`an unknown property that is ${title} is no error`, async (t) => {
    t.notOk(ids(await findingsIn(t, template)).some((id) => id.startsWith('invalid-value')))
  })
}

/** The template, whose mapping does not exist, and a second mapping without unknown properties. */
function withCondition({ Resources }: ReturnType<typeof cloudFormation>) {
  const { Orders: Second } = cloudFormation().Resources
  return { Conditions: { Off }, Resources: { ...Resources, Orders: { ...Resources.Orders, Condition: 'Off' }, Second } }
}

test('properties of events of other services, and those of SAM, are known', async (t) => {
  const mapping = { Enabled: true, KmsKeyArn: 'key', ProvisionedPollerConfig: { PollerGroupName: 'group' } }
  const queue = { Tags: [], SqsManagedSseEnabled: true }
  t.strictSame(ids(await findingsIn(t, sam({ mapping, queue }))), [])
  const { Resources } = sam()
  const { Properties } = Resources.Handler
  const Events = { ...Properties.Events, Timer: { Type: 'Schedule', Properties: { Schedule: 'rate(1 day)' } } }
  const Handler = { ...Resources.Handler, Properties: { ...Properties, Events } }
  t.strictSame(ids(await findingsIn(t, { ...sam(), Resources: { ...Resources, Handler } })), [])
})

function misspelledIn(text: string) {
  return misspelledNames(createReader(createResolver(parseDocument('template.yaml', text), new Map())))
}

test('a misspelled type has the position of the type, a fix and the page that describes resources', async (t) => {
  t.strictSame(misspelledIn('Resources: { Queue: { Type: AWS::SQS::Queues } }'), [
    {
      id: 'Queue',
      position: { line: 1, column: 23 },
      reason: 'there is no resource type AWS::SQS::Queues',
      fix: 'Correct the name. Did you mean AWS::SQS::Queue?',
      source:
        'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html',
    },
  ])
})

for (const [title, declaration] of [
  ['a key of another resource', '{ Type: AWS::S3::Bucket, Conditions: x, Properties: { Delay: 1 } }'],
  [
    'an event of another resource',
    '{ Type: Custom::X, Properties: { Events: { One: { Type: SQS, Propertie: {} } } } }',
  ],
  [
    'a property of an event of another service',
    '{ Type: AWS::Serverless::Function, Properties: { Events: { One: { Type: Schedule, Properties: { Enable: 1 } } } } }',
  ],
  [
    'a key of a map that has no settings',
    '{ Type: AWS::Lambda::EventSourceMapping, Properties: { DestinationConfig: { DestinationConfigs: 1 } } }',
  ],
] as const) {
  test(`a name that is not read is no error: ${title}`, async (t) => {
    t.strictSame(misspelledIn(`Resources: { One: ${declaration} }`), [])
  })
}
