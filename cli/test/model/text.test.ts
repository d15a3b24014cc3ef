// biome-ignore-all lint/suspicious/noTemplateCurlyInString: how people read placeholders
import { test } from 'tap'
import {
  hasKnownColons,
  namesInArn,
  PSEUDO_PARAMETERS,
  partsOf,
  placeholder,
  placeholdersIn,
  readable,
  resourceOf,
  whyUnknown,
} from '../../src/model/text.ts'

const region = placeholder('AWS::Region')
const queue = placeholder('Queue.Arn')

test('the placeholders of a text', async (t) => {
  t.equal(queue, '\0Queue.Arn\0')
  t.strictSame(placeholdersIn(`a${region}:${queue}${placeholder('')}`), ['AWS::Region', 'Queue.Arn', ''])
  t.strictSame(placeholdersIn('Queue.Arn'), [])
  t.equal(readable(`a-${region}:${queue}`), 'a-${AWS::Region}:${Queue.Arn}')
  t.equal(readable('a-b'), 'a-b')
})

for (const [text, parts] of [
  ['', ['']],
  ['\0', []],
  ['a', ['a']],
  ['a:b', ['a', 'b']],
  ['a::b', ['a', '', 'b']],
  [':a', ['', 'a']],
  ['a:', ['a', '']],
  [':', ['', '']],
  [`arn:aws:${region}:x${region}y`, ['arn', 'aws', region, `x${region}y`]],
  [`${region}:`, [region, '']],
  ['a:{{resolve:ssm:/name:1}}-x:b', ['a', '{{resolve:ssm:/name:1}}-x', 'b']],
  ['{{resolve:ssm:/a}}', ['{{resolve:ssm:/a}}']],
] as const) {
  test(`the parts of ${JSON.stringify(text)}`, async (t) => {
    t.strictSame(partsOf(text), parts)
  })
}

test('the parts of an ARN', async (t) => {
  const arn = `arn:aws:sqs:${region}:123456789012:orders`
  t.strictSame(namesInArn(arn), { isArn: true, service: 'sqs', account: '123456789012', name: 'orders' })
  t.strictSame(namesInArn('arn:aws:sqs'), { isArn: true, service: 'sqs', account: '', name: '' })
  t.strictSame(namesInArn('orders'), { isArn: false, service: '', account: '', name: '' })
  t.strictSame(namesInArn(''), { isArn: false, service: '', account: '', name: '' })
})

test('the resource of an attribute', async (t) => {
  t.equal(resourceOf('Queue.Arn'), 'Queue')
  t.equal(resourceOf('Nested.Outputs.Arn'), 'Nested')
  t.equal(resourceOf('Queue'), 'Queue')
})

test('the pseudo parameters of CloudFormation, without AWS::NoValue', async (t) => {
  const names = ['AccountId', 'NotificationARNs', 'Partition', 'Region', 'StackId', 'StackName', 'URLSuffix']
  t.strictSame(
    PSEUDO_PARAMETERS,
    names.map((name) => `AWS::${name}`),
  )
})

test('whether the positions of all colons are known', async (t) => {
  for (const name of ['AccountId', 'Partition', 'Region', 'StackName', 'URLSuffix']) {
    t.equal(hasKnownColons(`a:${placeholder(`AWS::${name}`)}:${region}`), true, name)
  }
  for (const name of ['AWS::StackId', 'AWS::NotificationARNs', 'Queue.Arn', 'AWS::RegionX', 'X::AWS::Region']) {
    t.equal(hasKnownColons(`${region}:${placeholder(name)}`), false, name)
  }
  t.equal(hasKnownColons('a:b'), true)
  t.equal(hasKnownColons('a:{{resolve:ssm:/b}}'), false)
})

test('why a text is unknown', async (t) => {
  t.equal(whyUnknown('a'), undefined)
  t.equal(whyUnknown(`a${queue}${region}`), 'Queue.Arn is known only after deployment')
  t.equal(
    whyUnknown(`a${region}`),
    'AWS::Region is known only after deployment (set it with --parameter AWS::Region=…)',
  )
  t.equal(whyUnknown(`a${queue}{{resolve:ssm:/b}}`), 'it is a dynamic reference ({{resolve:…}})')
})
