// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import { entriesOf, type Node, parseDocument } from '../../src/template/document.ts'
import { namesIn, namesWithConditions, READ_PROPERTIES, readParts, variablesIn } from '../../src/template/relevant.ts'

const parse = (text: string) => parseDocument('template.yaml', text)

/** A node as plain JSON. */
function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  return Object.fromEntries(Array.from(node.entries, ([key, value]) => [key, plain(value)]))
}

const OF_FUNCTION = [
  ...['Timeout', 'MemorySize', 'Runtime', 'ReservedConcurrentExecutions', 'DeadLetterConfig', 'DeadLetterQueue'],
  ...['TenancyConfig', 'EventInvokeConfig', 'RecursiveLoop', 'LoggingConfig', 'DurableConfig', 'FunctionName'],
  'CapacityProviderConfig',
]
test('the properties that are read, by the type of their resource', async (t) => {
  t.strictSame(Object.fromEntries(READ_PROPERTIES), {
    'AWS::Lambda::EventSourceMapping': [
      ...['EventSourceArn', 'Queue', 'FunctionResponseTypes', 'BatchSize', 'MaximumBatchingWindowInSeconds'],
      ...['ScalingConfig', 'ProvisionedPollerConfig', 'FilterCriteria', 'Enabled', 'BisectBatchOnFunctionError'],
      ...['DestinationConfig', 'MaximumRecordAgeInSeconds', 'MaximumRetryAttempts', 'ParallelizationFactor'],
      ...['StartingPosition', 'TumblingWindowInSeconds', 'FunctionName'],
    ],
    'AWS::SQS::Queue': [
      ...[
        'FifoQueue',
        'VisibilityTimeout',
        'MessageRetentionPeriod',
        'DelaySeconds',
        'MaximumMessageSize',
        'RedrivePolicy',
        'QueueName',
      ],
      'RedriveAllowPolicy',
    ],
    'AWS::Lambda::Function': OF_FUNCTION,
    'AWS::Serverless::Function': [...OF_FUNCTION, 'AutoPublishAlias', 'Events'],
  })
})

for (const [title, declaration, expected] of [
  [
    'the properties that are read',
    '{ Type: AWS::SQS::Queue, Properties: { QueueName: a, Tags: b }, Metadata: c }',
    { Properties: { QueueName: 'a' } },
  ],
  [
    'a map with types',
    '{ Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { a: { Type: S3 } } } }',
    { Properties: { RedrivePolicy: { a: { Type: 'S3' } } } },
  ],
  [
    'a macro',
    '{ Type: AWS::SQS::Queue, Properties: { Fn::Transform: a, xFn::b: c } }',
    { Properties: { 'Fn::Transform': 'a' } },
  ],
  ['a condition', '{ Type: AWS::SQS::Queue, Condition: Always }', { Condition: 'Always' }],
  ['nothing', '{ Type: AWS::SQS::Queue }', {}],
  [
    'properties that are not a map',
    '{ Type: AWS::SQS::Queue, Properties: [a], Tags: b }',
    { Type: 'AWS::SQS::Queue', Properties: ['a'], Tags: 'b' },
  ],
  [
    'the events of SQS and SNS',
    '{ Type: AWS::Serverless::Function, Properties: { Events: { A: { Type: SQS }, B: { Type: SNS }, C: { Type: S3 }, D: {}, E: { Type: XSQS }, F: { Type: SQSX } } } }',
    { Properties: { Events: { A: { Type: 'SQS' }, B: { Type: 'SNS' }, D: {} } } },
  ],
  [
    'events that are not a map',
    '{ Type: AWS::Serverless::Function, Properties: { Events: [a] } }',
    { Properties: { Events: ['a'] } },
  ],
  [
    'a property with the name of events',
    '{ Type: AWS::Lambda::Function, Properties: { Events: { C: { Type: S3 } } } }',
    { Properties: {} },
  ],
  ...[
    'Lambda::Alias',
    'Lambda::Version',
    'Lambda::EventInvokeConfig',
    'SQS::QueuePolicy',
    'SQS::QueueInlinePolicy',
    'SNS::Subscription',
    'Pipes::Pipe',
  ].map((type) => [type, `{ Type: AWS::${type}, Tags: b }`, { Type: `AWS::${type}`, Tags: 'b' }] as const),
  ['another type', '{ Type: AWS::SNS::Topic, Tags: b }', undefined],
  ['a type that begins in the same way', '{ Type: AWS::SQS::QueuePolicyX, Tags: b }', undefined],
  ['a type that ends in the same way', '{ Type: XAWS::SQS::QueuePolicy, Tags: b }', undefined],
  ['no type', '{ Tags: b }', undefined],
] as const) {
  test(`the parts of a declaration that are read: ${title}`, async (t) => {
    const part = readParts(parse(`Resources: { A: ${declaration} }`)).get('A')
    t.strictSame(part && [part.kind, plain(part)], expected && ['map', expected])
  })
}

test('the parts have the positions of the template', async (t) => {
  const parts = readParts(
    parse('Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      Events: {}\n'),
  )
  const part = parts.get('A')
  const properties = entriesOf(part).get('Properties')
  const events = entriesOf(properties).get('Events')
  t.strictSame(
    [part, properties, events].map((node) => [node?.kind, node?.position]),
    [
      ['map', { line: 2, column: 3 }],
      ['map', { line: 4, column: 5 }],
      ['map', { line: 5, column: 7 }],
    ],
  )
  t.strictSame([...parts.keys()], ['A'])
})

for (const [text, names] of [
  ['a${B}c${ D.E }f${AWS::Region}', ['B', 'D.E', 'AWS::Region']],
  ['["a${B}${C}", { C: 1 }]', ['B']],
  ['["a${B}"]', ['B']],
  ['a${!B}', []],
  ['a${B-C}', []],
  ['a${  B}${C  }', ['B', 'C']],
  ['~', []],
] as const) {
  test(`the names in the text of Fn::Sub: ${text}`, async (t) => {
    t.strictSame(variablesIn(entriesOf(parse(`a: ${text}`)).get('a') as Node), names)
  })
}

for (const [text, names] of [
  ['!Ref A', ['A']],
  ['!GetAtt A.Arn', ['A']],
  ['!GetAtt [A, Arn]', ['A']],
  ['!If [A, 1, !Ref B]', ['A', 'B']],
  ["!Sub 'x${A.Arn}${B}'", ['A', 'B']],
  ['{ Condition: A, Type: !Ref B }', ['A', 'B']],
  ['!Condition A', ['A']],
  ['{ Ref: A, b: c }', []],
  ['{ xRef: A }', []],
  ['{ Refx: A }', []],
  ['!Ref [[A]]', []],
  ['!Join [A, [B]]', []],
  ['{}', []],
  ['text', []],
] as const) {
  test(`the names in a part of a template: ${text}`, async (t) => {
    t.strictSame(namesIn(entriesOf(parse(`a: ${text}`)).get('a') as Node), names)
  })
}

test('the names in parts of a template, and in their conditions', async (t) => {
  const conditions = entriesOf(parse('A: !Not [!Condition B]\nB: !Equals [!Ref C, d]\nE: !Ref F\n'))
  const parts = ['!If [A, !Ref Queue, 1]', '!Ref Handler'].map(
    (text) => entriesOf(parse(`a: ${text}`)).get('a') as Node,
  )
  t.strictSame([...namesWithConditions(parts, conditions)], ['A', 'Queue', 'Handler', 'B', 'C'])
})
