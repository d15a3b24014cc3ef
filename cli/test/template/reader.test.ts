import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import {
  ALIAS,
  attributeOf,
  FUNCTION,
  GENERATOR,
  mapOf,
  onlyNamed,
  positionOf,
  propertiesOf,
  QUEUE,
  resourceIn,
  resourcesOf,
  textOf,
  textsOf,
  VERSION,
} from '../../src/template/reader.ts'
import { scopeOf } from '../../src/template/resolve.ts'

const TEMPLATE = `
Conditions: { Always: !Equals [a, a], Never: !Equals [a, b], Open: !Equals [!Ref AWS::Region, a] }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { QueueName: orders } }
  Same: { Type: AWS::SQS::Queue, Condition: Open, Properties: { QueueName: orders } }
  Removed: { Type: AWS::SQS::Queue, Condition: Never, Properties: { QueueName: orders } }
  Dead: { Type: AWS::SQS::Queue, Condition: Always, Properties: { QueueName: !Sub '\${AWS::StackName}-dead' } }
  Unnamed: { Type: AWS::SQS::Queue }
  Handler: { Type: AWS::Lambda::Function, Properties: { FunctionName: handler } }
  Sam: { Type: AWS::Serverless::Function }
  Alias: { Type: AWS::Lambda::Alias }
  Version: { Type: AWS::Lambda::Version }
  Policy: { Type: AWS::SQS::QueuePolicy }
  Macro: { Type: AWS::SQS::Queue, Fn::Transform: { Name: Own } }
`

const scope = scopeOf(parseDocument('template.yaml', TEMPLATE))

test('resources by type, without those whose condition is false', async (t) => {
  t.strictSame(resourcesOf(scope, QUEUE), ['Queue', 'Same', 'Dead', 'Unnamed', 'Macro'])
  t.strictSame(resourcesOf(scope, FUNCTION), ['Handler', 'Sam'])
})

test('the only resource of a name: a name that several have refers to none of them', async (t) => {
  const queueNamed = (name: string) => onlyNamed(scope, resourcesOf(scope, QUEUE), 'QueueName', name)
  t.strictSame(queueNamed('\0AWS::StackName\0-dead'), { id: 'Dead' })
  t.strictSame(queueNamed('orders'), { reason: 'Queue and Same have the same name' })
  t.strictSame(queueNamed('none'), { reason: 'it is not in this template' })
  t.strictSame(queueNamed('a\0Queue.Arn\0'), { reason: 'Queue.Arn is known only after deployment' })
})

for (const [title, value, types, id] of [
  ['a reference', '\0Queue\0', [], 'Queue'],
  ['an attribute', '\0Queue.Arn\0', [], 'Queue'],
  ['a part of an ARN', 'arn:aws:sqs:\0AWS::Region\0:1:\0Queue.QueueName\0', [], 'Queue'],
  ['a name that contains that of a resource', '\0Queue.QueueName\0-retry', [], ''],
  ['a name of a resource that is not there', '\0Gone\0', [], ''],
  ['text', 'Queue', [], ''],
  ['nothing', '', [], ''],
  ['two resources', '\0Queue\0:\0Alias\0', [], 'Queue'],
  ['two resources, of which the second has the type', '\0Queue\0:\0Alias\0', [FUNCTION, ALIAS], 'Alias'],
  ['two resources, of which none has the type', '\0Queue\0:\0Alias\0', [FUNCTION], 'Queue'],
] as const) {
  test(`the resource in ${title}`, async (t) => {
    t.equal(resourceIn(scope, value, ...types), id)
  })
}

test('the types of functions, queues, aliases and versions', async (t) => {
  for (const [type, name] of [
    [FUNCTION, 'AWS::Lambda::Function'],
    [FUNCTION, 'AWS::Serverless::Function'],
    [QUEUE, 'AWS::SQS::Queue'],
    [ALIAS, 'AWS::Lambda::Alias'],
    [VERSION, 'AWS::Lambda::Version'],
  ] as const) {
    t.strictSame(
      [name, `${name}X`, `X${name}`].map((one) => type.test(one)),
      [true, false, false],
      name,
    )
  }
})

const position = { line: 3, column: 5 }
const scalar = (value: string | number | boolean) => ({ kind: 'scalar', value, position }) as const

test('the text of a value that is not a single one', async (t) => {
  t.strictSame(textOf({ kind: 'list', items: [], position }), { state: 'unknown', reason: 'it is a list', position })
  t.strictSame(textOf({ kind: 'map', entries: new Map(), position }).state, 'unknown')
  t.strictSame(textOf({ kind: 'absent' }), { state: 'absent' })
})

test('a map as JSON text: each value has the position of the text and its key', async (t) => {
  const map = mapOf(scalar('{ "a": "\0Queue.Arn\0", "b": [1, [null]], "c": { "d": 2 } }'))
  const at = (key: string) => ({ ...position, key })
  const list = (items: object[]) => ({ kind: 'list', items, position: at('b') })
  t.strictSame(map, {
    kind: 'map',
    entries: new Map<string, unknown>([
      ['a', { kind: 'scalar', value: '\0Queue.Arn\0', position: at('a') }],
      [
        'b',
        list([
          { kind: 'scalar', value: 1, position: at('b') },
          list([{ kind: 'scalar', value: null, position: at('b') }]),
        ]),
      ],
      ['c', { kind: 'scalar', value: '{"d":2}', position: at('c') }],
    ]),
    position,
  })
  const { position: standard } = mapOf({ kind: 'scalar', value: '{}' })
  t.strictSame(standard, { line: 1, column: 1 })
})

test('what is not the JSON text of a map stays as it is, or is not known', async (t) => {
  const list = { kind: 'list', items: [], position } as const
  for (const value of [list, { kind: 'absent' } as const, scalar('text'), scalar('[1]'), scalar(5)]) {
    t.equal(mapOf(value), value)
  }
  const reason = 'Queue.Arn is known only after deployment'
  t.strictSame(mapOf(scalar('{ "a": \0Queue.Arn\0 }')), { kind: 'unknown', reason, position })
})

test('a resource that is not there, and one without properties', async (t) => {
  t.strictSame(attributeOf(scope, 'Gone', 'Type'), { kind: 'absent' })
  t.equal(positionOf(scope, 'Gone'), undefined)
  t.equal(propertiesOf(scope, 'Macro').kind, 'unknown', 'the macro may add some')
  t.equal(propertiesOf(scope, 'Sam').kind, 'absent')
})

test('the texts of a list: only those that are known', async (t) => {
  const items = [scalar('a'), scalar('\0Queue.Arn\0'), scalar(5), { kind: 'list', items: [], position } as const]
  t.strictSame(textsOf(scope, { kind: 'list', items, position }), ['a', '5'])
  t.strictSame(textsOf(scope, scalar('b')), ['b'])
  t.strictSame(textsOf(scope, { kind: 'absent' }), [])
})

test('the keys of loops and macros', async (t) => {
  for (const key of ['Fn::Transform', 'Fn::ForEach::Queues']) t.ok(GENERATOR.test(key), key)
  for (const key of ['Fn::TransformX', 'XFn::Transform', 'Fn::ForEach', 'Fn::Sub']) t.notOk(GENERATOR.test(key), key)
})
