import { test } from 'tap'
import type { Finding } from '../../src/doctor/check.ts'
import { known } from '../../src/model/setting.ts'
import { check } from '../support/doctor.ts'
import { functionOf, mappingOf, queueOf } from '../support/models.ts'
import { cloudFormation, findingsIn, getAtt, ids } from '../support/templates.ts'

/** The parts of a finding that identify its setting. */
function short({ rule, resource, line }: Finding) {
  return `${rule} ${resource}:${line}`
}

function threeSources(dead: string) {
  return `Resources:
  Dead: { Type: AWS::SQS::Queue${dead} }
  A: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } } }
  B: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } } }
  C: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } } }
  Handler:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Events:
        A: { Type: SQS, Properties: { Queue: !GetAtt A.Arn, FunctionResponseTypes: [ReportBatchItemFailures] } }
        B: { Type: SQS, Properties: { Queue: !GetAtt B.Arn, FunctionResponseTypes: [ReportBatchItemFailures] } }
        C: { Type: SQS, Properties: { Queue: !GetAtt C.Arn, FunctionResponseTypes: [ReportBatchItemFailures] } }
`
}
for (const [title, properties, found] of [
  ['too short', ', Properties: { MessageRetentionPeriod: 86400 }', 'dead-letter-retention Dead:2'],
  ['not known', ', Properties: { MessageRetentionPeriod: !ImportValue x }', 'not-checked Dead:2'],
  ['refused by SQS', ', Properties: { MessageRetentionPeriod: 59 }', 'invalid-value Dead:2'],
] as const) {
  test(`three sources share a dead-letter queue, its retention is ${title}: one finding`, async (t) => {
    t.strictSame((await findingsIn(t, threeSources(properties))).map(short), [found])
  })
}

function globals(settings: string, functions: number) {
  return `Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    ${settings}
Resources:
  Dead: { Type: AWS::SQS::Queue, Properties: { MessageRetentionPeriod: 1209600 } }
${Array.from(
  { length: functions },
  (
    _,
    n,
  ) => `  Queue${n}: { Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 } } }
  Handler${n}:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue${n}.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 5 }
`,
).join('')}`
}
for (const [settings, found] of [
  ['TenancyConfig: { TenantIsolationMode: A }', 'tenant-isolation Globals:4'],
  ['TenancyConfig: !ImportValue x', 'not-checked Globals:4'],
  ['Timeout: 1200', 'invalid-value Globals:4'],
  ['ReservedConcurrentExecutions: 4', 'concurrency-above-reserved Globals:4'],
] as const) {
  test(`Globals have ${settings}: one finding, which names the functions`, async (t) => {
    async function find(functions: number) {
      const [finding, ...more] = await findingsIn(t, globals(settings, functions))
      t.strictSame([finding && short(finding), more], [found, []])
      return finding?.message
    }
    t.match(await find(1), /\. It applies to Handler0\.$/)
    t.match(await find(2), /\. It applies to Handler0, Handler1\.$/)
    t.match(await find(100), /\. It applies to Handler0, Handler1, Handler2 and 97 more\.$/)
  })
}

test('a capacity provider in Globals: a timeout of 5,400 s is valid', async (t) => {
  const settings = '{ Runtime: provided.al2023, Timeout: 5400, CapacityProviderConfig: { Arn: !ImportValue x } }'
  t.strictSame(ids(await findingsIn(t, globals(settings, 1))), ['visibility-below-timeout Queue0'])
})

test('a setting of the function itself and the same setting in Globals give separate findings', async (t) => {
  const template = globals('TenancyConfig: { TenantIsolationMode: A }', 2).replace(
    '    Properties:\n      E',
    '    Properties:\n      TenancyConfig: { TenantIsolationMode: B }\n      E',
  )
  const found = await findingsIn(t, template)
  t.strictSame(found.map(short), ['tenant-isolation Handler0:11', 'tenant-isolation Globals:4'])
  t.match(found[1]?.message, /\. It applies to Handler1\.$/)
})

/** A queue with two functions. The second function has these settings. */
function twoFunctions(VisibilityTimeout: number, Timeout: number, MaximumBatchingWindowInSeconds = 5) {
  const { Resources } = cloudFormation({ queue: { VisibilityTimeout } })
  const Slow = { Type: 'AWS::Lambda::Function', Properties: { Runtime: 'nodejs24.x', Timeout } }
  const ends = { FunctionName: { Ref: 'Slow' }, EventSourceArn: getAtt('Queue'), MaximumBatchingWindowInSeconds }
  const Second = { ...Resources.Orders, Properties: { ...Resources.Orders.Properties, ...ends } }
  return { Resources: { ...Resources, Slow, Second } }
}
for (const [title, template, rule, what, fix] of [
  [
    'below both timeouts',
    twoFunctions(20, 300),
    'visibility-below-timeout',
    'The visibility timeout (20 s) is below the timeout of Slow (300 s). ',
    'Set VisibilityTimeout to 1805.',
  ],
  [
    'below both timeouts, which are equal',
    twoFunctions(20, 30),
    'visibility-below-timeout',
    'The visibility timeout (20 s) is below the timeout of Handler (30 s). ',
    'Set VisibilityTimeout to 185.',
  ],
  [
    'below only the second timeout',
    twoFunctions(185, 300),
    'visibility-below-timeout',
    'The visibility timeout (185 s) is below the timeout of Slow (300 s). ',
    'Set VisibilityTimeout to 1805.',
  ],
  [
    'enough for only the first function',
    twoFunctions(185, 31),
    'visibility-headroom',
    'below 6 times the timeout of Slow (31 s) plus the batching window (5 s). ',
    'Set VisibilityTimeout to 191.',
  ],
  [
    'enough for the second timeout, but not for its window',
    twoFunctions(185, 30, 6),
    'visibility-headroom',
    'below 6 times the timeout of Slow (30 s) plus the batching window (6 s). ',
    'Set VisibilityTimeout to 186.',
  ],
  [
    'below one timeout, and too short for the other function',
    twoFunctions(20, 10, 300),
    'visibility-below-timeout',
    'below the timeout of Handler (30 s). ',
    'Set VisibilityTimeout to 360.',
  ],
] as const) {
  test(`one queue, two functions: a visibility timeout ${title}`, async (t) => {
    const [finding, ...more] = await findingsIn(t, template)
    t.strictSame(ids(more), ['shared-queue Queue'])
    t.match(finding, { rule, resource: 'Queue', fix })
    t.match(finding?.message, what)
  })
}

test('two functions of one queue: if the timeout of one is unknown, the other is checked', async (t) => {
  const { Resources } = twoFunctions(40, 300)
  const Handler = { ...Resources.Handler, Properties: { Runtime: 'nodejs24.x', Timeout: { 'Fn::ImportValue': 'x' } } }
  const findings = await findingsIn(t, { Resources: { ...Resources, Handler } })
  t.strictSame(ids(findings), ['visibility-below-timeout Queue', 'shared-queue Queue', 'not-checked Handler'])
  t.equal(findings[0]?.fix, 'Set VisibilityTimeout to 1805.')
})

test('the fix for several functions suffices for all of them', async (t) => {
  const functions = globals('ReservedConcurrentExecutions: 4', 3)
  let most = 0
  const growing = functions.replaceAll('MaximumConcurrency: 5', () => `MaximumConcurrency: ${[5, 50, 7][most++]}`)
  const [reserved, ...none] = await findingsIn(t, growing)
  const fix = 'Set MaximumConcurrency of Handler1/Orders to at most 4, or ReservedConcurrentExecutions to 50 or more.'
  t.strictSame([none, reserved?.fix], [[], fix])
  t.match(reserved?.message, /^The maximum concurrency is 50, .+ It applies to Handler0, Handler1, Handler2\.$/)
})

test('a setting of two queues: the finding shows the most severe problem, also if the other needs a higher value', (t) => {
  const visibilityTimeout = known(20, { line: 4, column: 7 })
  const mappings = [30, 10].map((timeout) => {
    const queue = queueOf({ id: `Queue${timeout}`, visibilityTimeout })
    const target = functionOf({ id: `Handler${timeout}`, timeout: known(timeout) })
    return mappingOf({ id: `Orders${timeout}`, queue, function: target, window: known(timeout === 10 ? 300 : 0) })
  })
  const findings = check({ kind: 'template', syntax: 'yaml', model: { mappings, unreadResources: [] } })
  t.match(findings, [
    {
      rule: 'visibility-below-timeout',
      message: /is below the timeout of Handler30 \(30 s\)\. .* It applies to Queue30, Queue10\.$/,
      set: 'VisibilityTimeout: 180',
    },
  ])
  t.equal(findings.length, 1)
  t.end()
})
