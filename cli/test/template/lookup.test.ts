import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { ALIAS, byName, createLookup, FUNCTION, QUEUE, VERSION } from '../../src/template/lookup.ts'
import { createReader } from '../../src/template/reader.ts'
import { createResolver } from '../../src/template/resolve.ts'

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
`

function lookup() {
  return createLookup(createReader(createResolver(parseDocument('template.yaml', TEMPLATE), new Map())))
}

test('resources by type and by name, without those whose condition is false', async (t) => {
  const { queues, aliases, functionsByName, queuesByName } = lookup()
  t.strictSame(queues, ['Queue', 'Same', 'Dead', 'Unnamed'])
  t.strictSame(aliases, ['Alias'])
  t.strictSame(
    [...functionsByName],
    [
      ['handler', ['Handler']],
      [undefined, ['Sam']],
    ],
  )
  t.strictSame(
    [...queuesByName],
    [
      ['orders', ['Queue', 'Same']],
      ['\0AWS::StackName\0-dead', ['Dead']],
      [undefined, ['Unnamed']],
    ],
  )
})

test('a name that several resources have refers to none of them', async (t) => {
  const ids = new Map([
    ['one', ['A']],
    ['three', ['A', 'B', 'C']],
  ])
  t.strictSame(byName(ids, 'one'), { id: 'A' })
  t.strictSame(byName(ids, 'three'), { reason: 'A and B and C have the same name' })
  t.strictSame(byName(ids, 'none'), { reason: 'it is not in this template' })
  t.strictSame(byName(ids, 'a\0Queue.Arn\0'), { reason: 'Queue.Arn is known only after deployment' })
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
    t.equal(lookup().resourceIn(value, ...types), id)
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
