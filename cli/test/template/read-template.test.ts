// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what Fn::Sub fills
import { test } from 'tap'
import type { Mapping, Model } from '../../src/model/model.ts'
import { UsageError } from '../../src/shared/errors.ts'
import {
  checkParameters,
  parametersOf,
  parseParameters,
  parseTemplate,
  readModel,
  readTemplate,
} from '../../src/template/read-template.ts'
import { short, templateFile } from '../support/templates.ts'

function modelOf(text: string, given: Record<string, string> = {}): Model {
  return readModel(parseTemplate('template.yaml', text), new Map(Object.entries(given)))
}

const known = (value: unknown, line: number, column = 7) => ({ state: 'known', value, position: { line, column } })
const byDefault = (value: unknown, name: string) => ({ state: 'known', value, isDefault: true, id: `Orders ${name}` })
const absent = { state: 'absent' }

test('a mapping with its queue and its function', async (t) => {
  const { mappings, ...model } = modelOf(`
Parameters: { Size: { Type: Number, Default: 100 } }
Resources:
  Queue: { Type: AWS::SQS::Queue }
  Handler: { Type: AWS::Lambda::Function }
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Handler
      EventSourceArn: !GetAtt Queue.Arn
      BatchSize: !Ref Size
`)
  t.strictSame(model, {
    otherReaders: [],
    unreadResources: [],
    acceptances: [],
    defaulted: ['Size'],
  })
  const [{ queue, function: target, ...mapping } = {} as Mapping, ...more] = mappings
  t.strictSame([queue?.id, target?.id, more], ['Queue', 'Handler', []])
  t.strictSame(mapping, {
    id: 'Orders',
    position: { line: 6, column: 3 },
    fix: undefined,
    sourceArn: undefined,
    functionName: undefined,
    target: 'function Handler ',
    streamSettings: [],
    reportBatchItemFailures: {
      state: 'known',
      value: false,
      isDefault: true,
      id: 'Orders reportBatchItemFailures',
    },
    batchSize: known(100, 11),
    window: byDefault(0, 'window'),
    maximumConcurrency: absent,
    minimumPollers: absent,
    maximumPollers: absent,
    filters: absent,
    runs: byDefault(true, 'runs'),
  })
})

/** The mapping `Orders` with these properties. The line of the first one is 6. */
function mappingOf(...properties: string[]): Mapping {
  const { mappings } = modelOf(`Resources:
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:orders
${properties.map((property) => `      ${property}\n`).join('')}`)
  return mappings[0] as Mapping
}

const position = { line: 6, column: 7 }
const unknown = (reason: string) => ({ state: 'unknown', reason, position })
const IMPORT = 'Fn::ImportValue x comes from another stack'
const NO_LIST = { ...unknown('it is not a list'), fix: 'Set it to a list.' }
const at = (column: number) => ({ line: 6, column })
const BODY = { json: '{"body":["a"]}' }
for (const [criteria, setting] of [
  ['{}', absent],
  ['~', absent],
  ['text', { ...unknown('the value around it is a single value, but must be a map') }],
  ['!ImportValue x', unknown(IMPORT)],
  ['{ Filters: text }', { ...NO_LIST, position: at(25) }],
  ['{ Filters: [] }', known([], 6, 25)],
  ['{ Filters: [!Ref AWS::NoValue] }', known([], 6, 25)],
  [`{ Filters: [{ Pattern: '{"body":["a"]}' }] }`, known([known(BODY, 6, 37)], 6, 25)],
  ['{ Filters: [{ Pattern: !ImportValue x }] }', known([{ ...unknown(IMPORT), position: at(37) }], 6, 25)],
  ['{ Filters: [!ImportValue x] }', known([{ ...unknown(IMPORT), position: at(48) }], 6, 25)],
  [
    '{ Filters: [{ Pattern: { body: [a], b: c } }] }',
    known([known({ error: 'it is an object, but must be JSON text' }, 6, 37)], 6, 25),
  ],
  ['{ Filters: [{ Pattern: [a] }] }', known([known({ error: 'it is an array, but must be JSON text' }, 6, 37)], 6, 25)],
] as const) {
  test(`FilterCriteria: ${criteria}`, async (t) => {
    t.strictSame(mappingOf(`FilterCriteria: ${criteria}`).filters, setting)
  })
}
test('a filter that is AWS::NoValue does not count', async (t) => {
  const { filters } = mappingOf(`FilterCriteria: { Filters: [!Ref AWS::NoValue, !ImportValue x] }`)
  t.strictSame(filters, known([{ ...unknown(IMPORT), position: at(67) }], 6, 25))
})

const SQS = 'arn:aws:sqs:eu-west-1:123456789012:orders'
for (const [title, properties, expected] of [
  ['of a queue that is not known', 'EventSourceArn: !ImportValue x', ['Orders']],
  ['without an event source', 'BatchSize: 1', ['Orders']],
  ['of a stream', 'EventSourceArn: arn:aws:kinesis:eu-west-1:123456789012:stream/x', []],
  ['with StartingPosition', 'EventSourceArn: !ImportValue x, StartingPosition: LATEST', []],
  ['with Queues', 'EventSourceArn: !ImportValue x, Queues: [x]', []],
  ['with Topics', 'Topics: [x]', []],
  ['with SelfManagedEventSource', 'SelfManagedEventSource: {}', []],
  ['with Topics that are not known', 'Topics: !ImportValue x', [`Orders: ${IMPORT}`]],
  ['with Queues, beside Topics that are not known', 'Topics: !ImportValue x, Queues: [x]', []],
  ['with Topics, of a queue', `EventSourceArn: ${SQS}, Topics: [x]`, ['Orders']],
  ['with Topics, of a queue whose kind is not known', 'EventSourceArn: !GetAtt Queue.Arn, Topics: [x]', ['Orders']],
] as const) {
  test(`whether a mapping reads SQS: a mapping ${title}`, async (t) => {
    const { mappings, unreadResources } = modelOf(`Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { FifoQueue: !ImportValue y } }
  Orders: { Type: AWS::Lambda::EventSourceMapping, Properties: { ${properties} } }
`)
    const unread = unreadResources.map(({ id, unreadReason }) => `${id}: ${unreadReason}`)
    t.strictSame([...mappings.map(({ id }) => id), ...unread], expected)
    t.strictSame(
      unreadResources.map(({ position }) => position),
      unread.map(() => ({ line: 3, column: 3 })),
    )
  })
}

/** A template whose mapping has a condition with an open result, if nothing decides it. */
const CONDITIONAL = `Conditions: { Always: !Equals [a, a], Never: !Equals [a, b], Gone: !Condition Missing }
Resources:
  Handler: { Type: AWS::Lambda::Function HANDLER }
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Condition: MAPPING
    Properties: { FunctionName: !Ref Handler, EventSourceArn: ${SQS}, Enabled: ENABLED }
`
const OPEN = { name: 'Gone', reason: 'the condition Gone of Orders: there is no condition Missing' }
for (const [title, mapping, handler, enabled, condition, runs] of [
  ['true', 'Always', '', 'true', undefined, true],
  ['not known', 'Gone', '', 'true', OPEN, OPEN.reason],
  ['not known, and the same as that of the function', 'Gone', ', Condition: Gone', 'true', OPEN, true],
  ['not known, and another one than that of the function', 'Gone', ', Condition: Always', 'true', OPEN, OPEN.reason],
  ['not known, while the mapping is not enabled', 'Gone', '', 'false', OPEN, false],
] as const) {
  test(`a mapping whose condition is ${title}`, async (t) => {
    const text = CONDITIONAL.replace('MAPPING', mapping).replace(' HANDLER', handler).replace('ENABLED', enabled)
    const [found] = modelOf(text).mappings
    t.strictSame([found?.condition, short(found?.runs)], [condition, runs])
  })
}

test('a mapping or a function of SAM whose condition is false does not exist', async (t) => {
  const { mappings, otherReaders, unreadResources } = modelOf(`Conditions: { Never: !Equals [a, b] }
Resources:
  Queue: { Type: AWS::SQS::Queue, Condition: Never }
  Pipe: { Type: AWS::Pipes::Pipe, Condition: Never, Properties: { Source: !GetAtt Live.Arn } }
  Orders: { Type: AWS::Lambda::EventSourceMapping, Condition: Never }
  Handler: { Type: AWS::Serverless::Function, Condition: Never, Properties: { Events: { A: { Type: SQS } } } }
  Live: { Type: AWS::SQS::Queue }
`)
  const unreadReason = 'its condition Never is false with these parameters'
  t.strictSame([mappings, otherReaders], [[], []])
  t.strictSame(unreadResources, [
    { id: 'Orders', position: { line: 5, column: 3 }, unreadReason, what: 'this mapping' },
    { id: 'Handler/A', position: { line: 6, column: 89 }, unreadReason, what: 'this mapping' },
  ])
})

/** What is listed as not read: the id, the reason, the line and the fix. */
function unreadIn(text: string) {
  return modelOf(text).unreadResources.map(({ id, unreadReason, position, fix }) => [
    id,
    unreadReason,
    position?.line,
    fix,
  ])
}

const MAY_CHANGE = 'a macro may change the template'
for (const [transform, expected] of [
  ['Transform: AWS::Serverless-2016-10-31', []],
  ['Transform: AWS::LanguageExtensions', []],
  ['Transform: AWS::CodeDeployBlueGreen', []],
  ['Transform: AWS::SecretsManager-2020-07-23', []],
  ['Transform: [AWS::Serverless-2016-10-31, Own]', [['Own', MAY_CHANGE, 1, undefined]]],
  ['Transform: AWS::LanguageExtensionsX', [['AWS::LanguageExtensionsX', MAY_CHANGE, 1, undefined]]],
  ['Transform: AWS::CodeDeployBlueGreenX', [['AWS::CodeDeployBlueGreenX', MAY_CHANGE, 1, undefined]]],
  ['Transform: XAWS::Serverless-1', [['XAWS::Serverless-1', MAY_CHANGE, 1, undefined]]],
  ['Transform: { Name: AWS::Include, Parameters: {} }', [['AWS::Include', MAY_CHANGE, 1, undefined]]],
  ['Fn::Transform: { Name: Own, Parameters: {} }', [['Own', MAY_CHANGE, 1, undefined]]],
  ['Transform: !ImportValue x', [['Transform', MAY_CHANGE, 1, undefined]]],
  ['Fn::Transform: [!ImportValue x]', [['Fn::Transform', MAY_CHANGE, 1, undefined]]],
  ['Transform: ~', []],
  ['Transform: []', []],
] as const) {
  test(`a macro of the template: ${transform}`, async (t) => {
    t.strictSame(unreadIn(`${transform}\nResources: {}\n`), expected)
  })
}

const GENERATED = 'the resources that it generates are known only after deployment'
const NESTED = 'its resources are in a separate template'
const RUN = 'Run doctor on that template.'
const CHANGES = 'a macro may change it'
const WITH_MACRO = 'Properties: { Tags: [], Fn::Transform: { Name: Own } }'
for (const [resource, expected] of [
  ['Fn::ForEach::Queues: [Name, [a], {}]', [['Fn::ForEach::Queues', GENERATED, 2, undefined]]],
  ['Fn::Transform: { Name: Own, Parameters: {} }', [['Fn::Transform', GENERATED, 2, undefined]]],
  ['A: { Type: !ImportValue x }', [['A', `its Type is not known: ${IMPORT}`, 2, undefined]]],
  ['A: {}', []],
  ['A: { Type: AWS::CloudFormation::Stack }', [['A', NESTED, 2, RUN]]],
  ['A: { Type: AWS::CloudFormation::StackSet }', [['A', NESTED, 2, RUN]]],
  ['A: { Type: AWS::Serverless::Application }', [['A', NESTED, 2, RUN]]],
  ['A: { Type: My::Own::MODULE }', [['A', NESTED, 2, RUN]]],
  ['A: { Type: AWS::CloudFormation::StackX }', []],
  ['A: { Type: XAWS::CloudFormation::Stack }', []],
  ['A: { Type: My::Own::MODULEX }', []],
  [`A: { Type: AWS::Lambda::Function, ${WITH_MACRO} }`, [['A', CHANGES, 2, undefined]]],
  [`A: { Type: AWS::SQS::Queue, ${WITH_MACRO} }`, [['A', CHANGES, 2, undefined]]],
  [`A: { Type: AWS::SQS::QueueX, ${WITH_MACRO} }`, []],
  [`A: { Type: XAWS::SQS::Queue, ${WITH_MACRO} }`, []],
  ['A: { Type: AWS::SQS::Queue }', []],
  ['A: { Type: AWS::SQS::Queue, Properties: { Name: Fn::Transform } }', []],
  [
    `A: { Type: AWS::Serverless::Function, ${WITH_MACRO} }`,
    [
      ['A', CHANGES, 2, undefined],
      ['A', 'its Events are not known: Fn::Transform may add it', 2, undefined],
    ],
  ],
] as const) {
  test(`a resource that is not read, or is ignored: ${resource}`, async (t) => {
    t.strictSame(unreadIn(`Resources:\n  ${resource}\n`), expected)
  })
}

/** A function of SAM. Its events are in line 4. */
const withEvents = (events: string) => `Resources:
  Queue: { Type: AWS::SQS::Queue }
  Handler: { Type: AWS::Serverless::Function, Properties: {
    Events: ${events} } }
`
for (const [title, events, expected] of [
  ['none', '~', []],
  ['not known', '!ImportValue x', [['Handler', `its Events are not known: ${IMPORT}`, 4, undefined]]],
  ['a loop', '{ Fn::ForEach::A: [x, [y], {}] , B: {} }', [['Handler/Fn::ForEach::A', GENERATED, 4, undefined]]],
  [
    'an event that is not known',
    '{ A: !ImportValue x, B: { Type: S3 } }',
    [['Handler/A', `its Type is not known: ${IMPORT}`, 4, undefined]],
  ],
  [
    'a type that is not known',
    '{ A: { Type: !ImportValue x } }',
    [['Handler/A', `its Type is not known: ${IMPORT}`, 4, undefined]],
  ],
  ['types that only contain sqs', '{ A: { Type: xsqs }, B: { Type: sqsx } }', []],
  ['SNS without a queue', '{ A: { Type: SNS, Properties: { Topic: x } } }', []],
  ['SNS with SqsSubscription: false', '{ A: { Type: SNS, Properties: { SqsSubscription: false } } }', []],
  [
    'SNS whose subscription is not known',
    '{ A: { Type: SNS, Properties: { SqsSubscription: !ImportValue x } } }',
    [['Handler/A', `its SqsSubscription is not known: ${IMPORT}`, 4, undefined]],
  ],
] as const) {
  test(`events of a function of SAM: ${title}`, async (t) => {
    t.strictSame(unreadIn(withEvents(events)), expected)
    t.strictSame(modelOf(withEvents(events)).mappings, [])
  })
}

test('an SQS event', async (t) => {
  const { mappings } = modelOf(
    withEvents('{ A: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, BatchSize: 7 } } }'),
  )
  const [{ id, position, condition, batchSize, queue, function: target } = {} as Mapping] = mappings
  t.strictSame(
    [id, position?.line, condition, short(batchSize), queue.id, target.id],
    ['Handler/A', 4, undefined, 7, 'Queue', 'Handler'],
  )
})

for (const [title, subscription, expected] of [
  ['a queue that SAM makes', 'true', ['HandlerAQueue', true, 30, 10]],
  ['a queue that SAM makes, and a batch size', '{ BatchSize: 7 }', ['HandlerAQueue', true, 30, 7]],
  ['a queue of the template', '{ QueueArn: !GetAtt Queue.Arn, BatchSize: 7 }', ['Queue', false, 30, 7]],
  ['the URL of a queue', '{ QueueArn: !Ref Queue }', ['Queue', false, 30, 10]],
] as const) {
  test(`the subscription of a function of SAM to a topic, with ${title}`, async (t) => {
    const event = `{ A: { Type: SNS, Properties: { SqsSubscription: ${subscription} } } }`
    const { mappings, unreadResources } = modelOf(withEvents(event))
    const [{ id, position, batchSize, queue, fix } = {} as Mapping] = mappings
    t.strictSame([id, position?.line, unreadResources], ['Handler/A', 4, []])
    t.strictSame([queue.id, queue.fix !== undefined, short(queue.visibilityTimeout), short(batchSize)], expected)
    t.match(fix, /^Declare the queue/)
  })
}

test('an SQS event of something else than a queue', async (t) => {
  const [mapping] = modelOf(withEvents('{ A: { Type: SQS, Properties: { Queue: arn:aws:sns:a:1:x } } }')).mappings
  const { id, unreadReason, position } = mapping?.queue ?? {}
  t.strictSame([id, unreadReason, position?.line], ['its queue', 'it is not a queue', 4])
})

test('mappings of other stacks of the CDK app are only compared', async (t) => {
  const { mappings, otherReaders, acceptances } = modelOf(`Conditions: { Never: !Equals [a, b] }
Resources:
  Queue: { Type: AWS::SQS::Queue }
  Own: { Type: AWS::Lambda::EventSourceMapping, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
  Shop/A: { Type: AWS::Lambda::EventSourceMapping, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
  Shop/B: { Type: AWS::Lambda::EventSourceMapping, Condition: Never, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
  Shop/C: { Type: AWS::Serverless::Function, Properties: { Events: { A: { Type: SQS } } } }
  Last: { Type: AWS::Lambda::EventSourceMapping, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
`)
  t.strictSame(
    [mappings, otherReaders].map((list) => list?.map(({ id }) => id)),
    [['Own', 'Last'], ['Shop/A']],
  )
  t.strictSame(acceptances, [])
})

test('accepted findings', async (t) => {
  const { acceptances } = modelOf(`Resources:
  A:
    Metadata:
      bounded-sqs-batch:
        accept:
          batch-size: ' because '
          fifo-window: !ImportValue x
  B: { Metadata: { bounded-sqs-batch: { accept: text } } }
Metadata: { bounded-sqs-batch: { accept: { outage: known } } }
`)
  t.strictSame(acceptances, [
    { rule: 'batch-size', resource: 'A', reason: 'because', place: { file: 'template.yaml', line: 6 } },
    { rule: 'fifo-window', resource: 'A', reason: '', place: { file: 'template.yaml', line: 7 } },
    { rule: 'outage', resource: '*', reason: 'known', place: { file: 'template.yaml', line: 9 } },
  ])
})

test('--parameter NAME=VALUE', async (t) => {
  t.strictSame([...parseParameters()], [])
  t.strictSame(
    [...parseParameters(['A=1', 'B=', 'C=x=y', 'A=2'])],
    [
      ['A', '2'],
      ['B', ''],
      ['C', 'x=y'],
    ],
  )
  for (const text of ['A', '=x', '']) {
    t.throws(() => parseParameters([text]), new UsageError(`--parameter ${text}: write --parameter NAME=VALUE`))
  }
  t.strictSame([...parseParameters(['A=x'])], [['A', 'x']])
})

test('the parameters of a template', async (t) => {
  const names = (text: string) => parametersOf(parseTemplate('template.yaml', text))
  t.strictSame(names('Parameters: { A: {}, B: {} }\nResources: {}'), ['A', 'B'])
})

test('a parameter that no template has', async (t) => {
  const given = new Map([
    ['A', '1'],
    ['C', '2'],
  ])
  checkParameters(given, ['A', 'B', 'C'])
  checkParameters(new Map([['AWS::Region', 'x']]), [])
  t.throws(() => checkParameters(new Map([['AWS::Regoin', 'x']]), []), UsageError)
  const refused = (names: string[]) => t.throws(() => checkParameters(given, names)) as unknown as Error
  const message = '--parameter C: no template has a parameter of this name. The parameters are: A, B'
  t.strictSame(refused(['A', 'B', 'B']), new UsageError(message))
  t.match(refused([]).message, /The parameters are: none$/)
})

test('the parameters whose defaults were used', async (t) => {
  const file = templateFile(
    t,
    `Parameters: { A: { AllowedValues: [1, 2] }, B: { Default: 3 }, C: { Default: 4 } }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: !Ref A, DelaySeconds: !Ref B } }
  Orders: { Type: AWS::Lambda::EventSourceMapping, Properties: { EventSourceArn: !GetAtt Queue.Arn } }
`,
  )
  t.strictSame((await readTemplate(file, new Map())).defaulted, ['B', 'C'])
  t.equal(parseTemplate('a.json', ' { "Resources": {} }').syntax, 'json')
})

test('a file is read with the parameters', async (t) => {
  const file = templateFile(t, 'Parameters: { A: { Type: String } }\nResources: {}\n')
  const { mappings } = await readTemplate(file, new Map([['A', '1']]))
  t.strictSame(mappings, [])
  const message = '--parameter B: no template has a parameter of this name. The parameters are: A'
  await t.rejects(readTemplate(file, new Map([['B', '1']])), { message })
  await t.rejects(readTemplate('main.tf', new Map()), { message: /^main\.tf is a configuration of Terraform\./ })
})
