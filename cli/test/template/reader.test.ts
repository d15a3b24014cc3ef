import { test } from 'tap'
import { parseDocument } from '../../src/template/document.ts'
import { ALIAS, FUNCTION, onlyNamed, QUEUE, resourceIn, resourcesOf, VERSION } from '../../src/template/reader.ts'
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
`

const scope = scopeOf(parseDocument('template.yaml', TEMPLATE))

test('resources by type, without those whose condition is false', async (t) => {
  t.strictSame(resourcesOf(scope, QUEUE), ['Queue', 'Same', 'Dead', 'Unnamed'])
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
