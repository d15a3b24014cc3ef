import { test } from 'tap'
import { detect } from '../../src/doctor/check.ts'
import { concurrency, filters } from '../support/rule-cases.ts'
import { cloudFormation, findingsIn, getAtt, ids, read, sam } from '../support/templates.ts'

test('several mappings of one function: their maximum concurrencies are added up, and reported once', async (t) => {
  const template = cloudFormation({
    mapping: concurrency(4),
    function: { ReservedConcurrentExecutions: 11, Runtime: 'nodejs18.x' },
    queue: { VisibilityTimeout: 20 },
  })
  const { Orders } = template.Resources
  const more = { Two: Orders, Three: Orders }
  const findings = await findingsIn(t, { Resources: { ...template.Resources, ...more } })
  t.strictSame(ids(findings), [
    'concurrency-above-reserved Handler',
    'visibility-below-timeout Queue',
    'duplicate-mapping Two',
  ])
  t.match(findings[0]?.message, /concurrency of its 3 mappings together is 12, above the reserved concurrency of 11\./)
})

test('mappings without a maximum concurrency: the fix depends on the reserved concurrency', async (t) => {
  async function said(ReservedConcurrentExecutions: number, mapping = {}) {
    const { Resources } = cloudFormation({ function: { ReservedConcurrentExecutions }, mapping })
    const findings = await findingsIn(t, { Resources: { ...Resources, Second: Resources.Orders } })
    return findings
      .filter(({ rule }) => rule === 'reserved-concurrency')
      .map(({ resource, fix, set }) => [resource, fix, ...(set === undefined ? [] : [set])])
  }
  const concurrencyOf = (most: string) => `"ScalingConfig": { "MaximumConcurrency": ${most} }`
  t.strictSame(await said(2499), [
    ['Orders', 'Set MaximumConcurrency to at most 1,000.', concurrencyOf('1000')],
    ['Second', 'Set MaximumConcurrency to at most 1,000.', concurrencyOf('1000')],
  ])
  t.strictSame(await said(2500), [])
  t.equal((await said(5)).length, 2)
  t.strictSame((await said(5))[0], ['Orders', 'Set MaximumConcurrency to at most 2.', concurrencyOf('2')])
  const raised = 'Set MaximumConcurrency to at most 2, and ReservedConcurrentExecutions to 4 or more.'
  t.strictSame((await said(3))[1], ['Second', raised, concurrencyOf('2')])
  const provisioned = { ProvisionedPollerConfig: { MinimumPollers: 3 } }
  const pollers = '"ProvisionedPollerConfig": { "MaximumPollers": 99 }'
  t.strictSame((await said(1999, provisioned))[0], ['Orders', 'Set MaximumPollers to at most 99.', pollers])
})

test('a reserved concurrency of 0, and a maximum concurrency that is not known: the fix is 2 or more', async (t) => {
  const mapping = { ScalingConfig: { 'Fn::ImportValue': 'x' } }
  const [finding] = await findingsIn(t, cloudFormation({ mapping, function: { ReservedConcurrentExecutions: 0 } }))
  t.equal(finding?.fix, 'Set ReservedConcurrentExecutions to 2 or more.')
})

test('if the limits of other mappings exceed the reserved concurrency, a mapping without a limit gets the lowest one', async (t) => {
  const { Resources } = cloudFormation({ function: { ReservedConcurrentExecutions: 3 } })
  const { Orders: limited } = cloudFormation({ mapping: concurrency(4) }).Resources
  const findings = await findingsIn(t, { Resources: { ...Resources, Second: limited } })
  t.strictSame(
    findings.filter(({ rule }) => rule.includes('reserved')).map(({ rule, fix }) => [rule, fix]),
    [
      [
        'concurrency-above-reserved',
        'Set MaximumConcurrency of Second to at most 3, or ReservedConcurrentExecutions to 4 or more.',
      ],
      ['reserved-concurrency', 'Set MaximumConcurrency to at most 2.'],
    ],
  )
})

/** Two conditions that exclude each other. It is not known which of them holds. */
const STAGES = {
  Parameters: { Stage: { Type: 'String' } },
  Conditions: {
    Prod: { 'Fn::Equals': [{ Ref: 'Stage' }, 'prod'] },
    Other: { 'Fn::Not': [{ Condition: 'Prod' }] },
  },
}

/**
 * Two mappings of one function, with a queue each. Each has a maximum concurrency of 5, together more than the reserved
 * concurrency.
 */
function twoMappings(
  first: Record<string, unknown>,
  second: Record<string, unknown>,
  of: Record<string, unknown> = {},
) {
  const { Resources } = cloudFormation({ mapping: concurrency(5), function: { ReservedConcurrentExecutions: 9 } })
  const { Orders, Handler } = Resources
  const mapping = ({ Condition, ...settings }: Record<string, unknown>) => ({
    ...Orders,
    Condition,
    Properties: { ...Orders.Properties, ...settings },
  })
  const EventSourceArn = getAtt('Other')
  return {
    ...STAGES,
    Resources: {
      ...Resources,
      Other: Resources.Queue,
      Handler: { ...Handler, ...of },
      Orders: mapping(first),
      Second: mapping({ EventSourceArn, ...second }),
    },
  }
}

const OPEN = 'the parameter Stage has no default (set it with --parameter Stage=…)'
test('mappings that may not exist, and mappings without a limit, do not change the sum of those that run', async (t) => {
  const found = async (second: Record<string, unknown>) =>
    ids(await findingsIn(t, twoMappings(concurrency(10), second)))
  t.strictSame(await found({ Condition: 'Prod', ...concurrency(2) }), ['concurrency-above-reserved Handler'])
  t.strictSame(await found({ ScalingConfig: undefined }), [
    'concurrency-above-reserved Handler',
    'reserved-concurrency Second',
  ])
})

test('if the mappings that run need as much as one that may not exist, the finding counts those that run', async (t) => {
  const { Resources, ...rest } = twoMappings({}, {})
  const { Properties } = Resources.Orders
  const Third = { ...Resources.Orders, Condition: 'Prod', Properties: { ...Properties, ...concurrency(10) } }
  const findings = await findingsIn(t, { ...rest, Resources: { ...Resources, Third } })
  t.strictSame(ids(findings), ['concurrency-above-reserved Handler', 'not-checked Queue'])
  t.match(findings[0]?.message, /^The maximum concurrency of its 2 mappings together is 10, above /)
})

test('mappings with the condition of their function are added up', async (t) => {
  const Condition = 'Prod'
  const template = twoMappings({ Condition }, { Condition }, { Condition })
  t.strictSame(ids(await findingsIn(t, template)), ['concurrency-above-reserved Handler'])
  t.strictSame(ids(await findingsIn(t, template, { Stage: 'prod' })), ['concurrency-above-reserved Handler'])
})

test('a finding has the values, the fix and the line', async (t) => {
  const template = `Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 100
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
  Dead:
    Type: AWS::SQS::Queue
    Properties: { MessageRetentionPeriod: 1209600 }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Timeout: 30
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Orders.Arn
            BatchSize: 50
            MaximumBatchingWindowInSeconds: 2
`
  const [first, second, ...more] = await findingsIn(t, template)
  t.strictSame(more, [])
  t.match(first, { rule: 'report-batch-item-failures', line: 16, file: /template\.yaml$/ })
  t.strictSame(Object.keys(first ?? {}), [
    'rule',
    'severity',
    'resource',
    'message',
    'fix',
    'set',
    'source',
    'file',
    'line',
  ])
  t.match(second, { rule: 'visibility-headroom', line: 5, resource: 'Orders', fix: 'Set VisibilityTimeout to 182.' })
  t.match(
    second?.message,
    'The visibility timeout (100 s) is below 6 times the timeout of Handler (30 s) plus the batching window (2 s). ',
  )
})

/** Two mappings of a queue, the second one with a filter. Each has its own function. */
function twoReaders(first: Record<string, unknown>, second: Record<string, unknown>, queue: unknown = getAtt('Queue')) {
  const { Resources } = cloudFormation({ mapping: { EventSourceArn: queue } })
  const { Handler, Orders } = Resources
  const withFilter = { ...Orders.Properties, ...filters('{"body":{"kind":["a"]}}') }
  return {
    ...STAGES,
    Resources: {
      ...Resources,
      Handler: { ...Handler, ...first },
      Orders: { ...Orders, ...first },
      Worker: { ...Handler, ...second },
      Second: { ...Orders, ...second, Properties: { ...withFilter, FunctionName: { Ref: 'Worker' } } },
    },
  }
}

for (const [title, first, second] of [
  ['only one exists at a time', { Condition: 'Prod' }, { Condition: 'Other' }],
  ['one may not exist', {}, { Condition: 'Prod' }],
] as const) {
  test(`two mappings of a queue with different filters, of which ${title}: not checked`, async (t) => {
    const template = twoReaders(first, second)
    const findings = await findingsIn(t, template)
    t.strictSame(ids(findings), ['filter-criteria Second', 'not-checked Queue'])
    const id = 'Condition' in first ? 'Orders' : 'Second'
    t.equal(
      findings[1]?.message,
      `Not checked: whether several mappings read the queue at the same time (Orders, Second). Reason: the condition Prod of ${id}: ${OPEN}.`,
    )
    const rules = async (Stage: string) => (await findingsIn(t, template, { Stage })).map(({ rule }) => rule)
    t.equal((await rules('prod')).includes('competing-filters'), !('Condition' in first))
    t.notOk((await rules('dev')).includes('competing-filters'))
  })
}

test('two mappings of a queue with the same condition and different filters', async (t) => {
  const Condition = 'Prod'
  t.strictSame(ids(await findingsIn(t, twoReaders({ Condition }, { Condition }))), [
    'competing-filters Queue',
    'filter-criteria Second',
  ])
})

test('SAM: events of functions that do not exist at the same time may read the same queue', async (t) => {
  const { Resources } = sam()
  const { Conditions, Parameters } = twoReaders({}, {})
  const handler = (Condition: string) => ({ ...Resources.Handler, Condition })
  const template = { ...sam(), Parameters, Conditions }
  const found = async (one: string, other: string) =>
    ids(await findingsIn(t, { ...template, Resources: { ...Resources, Handler: handler(one), More: handler(other) } }))
  t.strictSame(await found('Prod', 'Other'), ['not-checked Queue'])
  t.strictSame(await found('Prod', 'Prod'), ['shared-queue Queue'])
})

test('two mappings of a queue in another stack are compared by its ARN', async (t) => {
  const orders = { 'Fn::Sub': 'arn:aws:sqs:$' + '{AWS::Region}:123456789012:orders' }
  const [finding] = await findingsIn(t, twoReaders({}, {}, orders))
  t.match(finding, { rule: 'competing-filters', resource: 'arn:aws:sqs:$' + '{AWS::Region}:123456789012:orders' })
  const imported = { 'Fn::ImportValue': 'orders' }
  t.notOk((await findingsIn(t, twoReaders({}, {}, imported))).some(({ rule }) => rule === 'competing-filters'))
})

test('two mappings of a queue have the same filters, with other keys first, or twice: they do not compete', async (t) => {
  const one = '{"body":{"kind":["a"],"type":["b"]}}'
  const same = '{ "body": { "type": ["b"], "kind": ["a"] } }'
  for (const second of [filters(same), filters(same, one)]) {
    const found = ids(await findingsIn(t, cloudFormation({ mapping: filters(one), second })))
    t.strictSame(found, ['duplicate-mapping Second', 'filter-criteria Orders', 'filter-criteria Second'])
  }
  const [other] = await findingsIn(
    t,
    cloudFormation({
      mapping: filters('{"body":{"n":[{"numeric":[">",1]}]}}'),
      second: filters('{"body":{"n":[{"numeric":["<",1]}]}}'),
    }),
  )
  t.equal(other?.rule, 'competing-filters')
})

test('two mappings of a queue, of which one may have filters, which are not checked', async (t) => {
  const second = { FilterCriteria: { 'Fn::ImportValue': 'x' } }
  t.strictSame(ids(await findingsIn(t, cloudFormation({ second }))), ['duplicate-mapping Second', 'not-checked Second'])
  const pattern = filters({ 'Fn::ImportValue': 'x' })
  t.strictSame(ids(await findingsIn(t, cloudFormation({ second: pattern }))), [
    'competing-filters Queue',
    'duplicate-mapping Second',
    'filter-criteria Second',
    'not-checked Second',
  ])
})

test('two mappings of a queue, one with filters, and one with filters that are not known', async (t) => {
  const mapping = filters('{"body":{"kind":["a"]}}')
  const second = { FilterCriteria: { 'Fn::ImportValue': 'x' } }
  const findings = await findingsIn(t, cloudFormation({ mapping, second }))
  t.strictSame(ids(findings), ['duplicate-mapping Second', 'filter-criteria Orders', 'not-checked Second'])
})

test('a disabled mapping does not read its queue, so its finding need not be accepted', async (t) => {
  const { Resources } = cloudFormation()
  const { Handler, Orders } = Resources
  const ofFunction = (name: string, more: object = {}) => {
    return { ...Orders, Properties: { ...Orders.Properties, FunctionName: { Ref: name }, ...more } }
  }
  const more = {
    Other: Handler,
    More: Handler,
    Second: ofFunction('Other'),
    Third: ofFunction('More', { Enabled: false }),
  }
  const detected = detect({ kind: 'template', model: await read(t, { Resources: { ...Resources, ...more } }) })
  t.strictSame(
    detected
      .filter(({ finding }) => finding.rule === 'shared-queue')
      .map(({ finding, scopes }) => [finding.rule, finding.message.split('. ')[0], scopes.map(([, id]) => id)]),
    [['shared-queue', '2 mappings read the queue: Orders, Second', ['Orders', 'Second']]],
  )
})

test('two filters, of which one is not known: it is not known whether messages that are not JSON are deleted', async (t) => {
  const mapping = filters('{"body":{"kind":["a"]}}', { 'Fn::ImportValue': 'x' })
  const [finding] = await findingsIn(t, cloudFormation({ mapping }))
  t.equal(finding?.rule, 'filter-criteria')
  t.match(finding?.message, /^Lambda deletes messages that do not match any of the 2 filters\. /)
})
