// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in templates
import { test } from 'tap'
import { allowsSns, toStatements } from '../../src/model/queue-policy.ts'

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:orders'
const ALLOW = { Effect: 'Allow', Action: 'sqs:SendMessage', Principal: { Service: 'sns.amazonaws.com' } }
const from = (...sources: unknown[]) => ({ Condition: { ArnEquals: { 'aws:SourceArn': sources } } })

for (const [title, changes, expected] of [
  ['the service', {}, true],
  ['the service, among others', { Principal: { Service: ['s3.amazonaws.com', 'sns.amazonaws.com'] } }, true],
  ['another service', { Principal: { Service: 's3.amazonaws.com' } }, false],
  ['everybody', { Principal: '*' }, true],
  ['everybody, as an account', { Principal: { AWS: '*' } }, true],
  ['everybody, among accounts', { Principal: { AWS: ['123456789012', '*'] } }, true],
  ['an account', { Principal: { AWS: '123456789012' } }, false],
  ['a principal that is a text', { Principal: 'sns.amazonaws.com' }, false],
  ['all actions', { Action: '*' }, true],
  ['all actions of SQS', { Action: 'sqs:*' }, true],
  ['an action with a pattern', { Action: 'sqs:Send*' }, true],
  ['an action in lower case', { Action: 'sqs:sendmessage' }, true],
  ['the action, among others', { Action: ['sqs:ReceiveMessage', 'sqs:SendMessage'] }, true],
  ['another action', { Action: 'sqs:ReceiveMessage' }, false],
  ['an action that only begins in the same way', { Action: 'sqs:SendMessageBatch' }, false],
  ['an action that only ends in the same way', { Action: 'x:sqs:SendMessage' }, false],
  ['an action in which . is a letter', { Action: 'sqs.SendMessage' }, false],
  ['a pattern without text at the place of its letters', { Action: 'sqs:*x' }, false],
  ['a denial', { Effect: 'Deny' }, false],
  ['the topic', from(TOPIC), true],
  ['the topic, among others', from('arn:aws:sns:eu-west-1:123456789012:x', TOPIC), true],
  ['a pattern of topics', { Condition: { ArnLike: { 'AWS:SourceArn': 'arn:aws:sns:*:123456789012:*' } } }, true],
  ['another topic', from('arn:aws:sns:eu-west-1:123456789012:x'), false],
  ['a topic that is not known', from(undefined), undefined],
  ['another topic, and one that is not known', from('arn:x', undefined), undefined],
  ['another condition', { Condition: { Bool: { 'aws:SecureTransport': true } } }, true],
  [
    'a condition on the ARN of a principal',
    { Condition: { ArnLike: { 'x-aws:SourceArn': 'x', 'aws:SourceArns': 'x' } } },
    true,
  ],
  ['a condition that is not a map', { Condition: { ArnEquals: 'x', Null: ['x'], Bool: null } }, true],
  ['an effect that is not known', { Effect: undefined }, undefined],
  ['an action that is not known', { Action: undefined }, undefined],
  ['other actions, of which one is not known', { Action: ['sqs:ReceiveMessage', undefined] }, undefined],
  ['the action, beside one that is not known', { Action: ['sqs:SendMessage', undefined] }, true],
  ['a principal that is not known', { Principal: undefined }, undefined],
  ['a service that is not known', { Principal: { Service: undefined } }, undefined],
  ['a principal that is null', { Principal: null }, false],
  ['a denial of an action that is not known', { Effect: 'Deny', Action: undefined }, false],
] as const) {
  test(`whether a statement for ${title} allows the topic to send`, async (t) => {
    t.equal(allowsSns([{ ...ALLOW, ...changes }], TOPIC), expected)
  })
}

for (const [topic, source, expected] of [
  ['${Topic}', '${Topic}', true],
  ['${Topic}', '${Other}', false],
  ['${Topic}', 'arn:aws:sns:eu-west-1:123456789012:orders', undefined],
  ['${Topic}', 'arn:aws:sns:${AWS::Region}:123456789012:orders', undefined],
  ['${Topic}', 'x${Topic}', undefined],
  ['${Topic}', '${Topic}x', undefined],
  ['${Nested.Outputs.Topic}', '${Topic}', undefined],
  [TOPIC, 'arn:aws:sns:${AWS::Region}:123456789012:orders', undefined],
  [TOPIC, '${Topic}', undefined],
  [TOPIC, 'arn:aws:sns:eu-west-1:123456789012:x', false],
] as const) {
  test(`whether a statement for ${source} allows the topic ${topic} to send`, async (t) => {
    t.equal(allowsSns([{ ...ALLOW, ...from(source) }], topic), expected)
  })
}

test('NotAction and NotPrincipal may allow it', async (t) => {
  const { Action, Principal, ...rest } = ALLOW
  t.equal(allowsSns([{ ...rest, Principal, NotAction: 'sqs:DeleteMessage' }], TOPIC), undefined)
  t.equal(allowsSns([{ ...rest, Action, NotPrincipal: { AWS: '123456789012' } }], TOPIC), undefined)
})

test('a topic that is not known', async (t) => {
  t.equal(allowsSns([ALLOW], undefined), true)
  t.equal(allowsSns([{ ...ALLOW, ...from(TOPIC) }], undefined), undefined)
})

test('one of several statements must allow it', async (t) => {
  const other = { ...ALLOW, Action: 'sqs:ReceiveMessage' }
  const open = { ...ALLOW, Action: undefined }
  t.equal(allowsSns([other, open, ALLOW], TOPIC), true)
  t.equal(allowsSns([other, open], TOPIC), undefined)
  t.equal(allowsSns([other], TOPIC), false)
  t.equal(allowsSns([], TOPIC), false)
  t.equal(allowsSns(undefined, TOPIC), undefined)
})

test('the statements of a policy', async (t) => {
  t.strictSame(toStatements({ Statement: [ALLOW, 'x'] }), [ALLOW])
  t.strictSame(toStatements({ Statement: ALLOW }), [ALLOW])
  t.strictSame(toStatements({}), [])
  t.equal(toStatements('x'), undefined)
  t.equal(toStatements(undefined), undefined)
})
