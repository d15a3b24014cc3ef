import { test } from 'tap'
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

for (const [name, fix] of [
  ['MinimumConcurrency', 'Correct the name. Did you mean MaximumConcurrency?'],
  ['Novelty', 'Check the name of the property.'],
] as const) {
  test(`another unknown property, ${name}, may be new: it is listed as not checked`, async (t) => {
    const [finding, ...more] = await findingsIn(t, sam({ mapping: { ScalingConfig: { [name]: 5 } } }))
    t.strictSame(more, [])
    t.match(finding, { rule: 'not-checked', resource: 'Handler/Orders', fix })
    const what = `the property ${name}. Reason: it is not known to this version of doctor`
    t.equal(finding?.message, `Not checked: ${what}.`)
  })
}

test('a misspelled property whose value is not known is listed as not checked', async (t) => {
  const template = sam({ mapping: { BatchSise: { 'Fn::ImportValue': 'size' } } })
  const [finding, ...more] = await findingsIn(t, template)
  t.strictSame(more, [])
  t.match(finding, {
    rule: 'not-checked',
    resource: 'Handler/Orders',
    fix: 'Correct the name. Did you mean BatchSize?',
  })
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
