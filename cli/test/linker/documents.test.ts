// Whether a policy document allows an action to a principal: true or false only if it is certain.
import { test } from 'tap'
import { isAllowed, type Statements, serviceNamed, statementsIn } from '../../src/linker/documents.ts'
import { placeholder, textTree } from '../../src/model/partial-text.ts'
import { unknown } from '../../src/model/setting.ts'
import { type Tree, toTree, withEntries } from '../../src/model/tree.ts'

/** A value that is not known at all. */
const UNKNOWN = '?'
const tree = (value: unknown) => toTree(value, (text): Tree => (text === UNKNOWN ? unknown('x') : textTree(text)))
const statement = (more: object = {}) => ({ Effect: 'Allow', Action: 'sqs:SendMessage', ...more })
const deny = (more: object = {}) => statement({ Effect: 'Deny', ...more })
const service = (Service: unknown) => statement({ Principal: { Service } })

for (const [title, statements, expected] of [
  ['no statement', [], false],
  ['the action', [statement()], true],
  ['another action', [statement({ Action: 'sqs:ReceiveMessage' })], false],
  ['one of several actions', [statement({ Action: ['sqs:ReceiveMessage', 'sqs:SendMessage'] })], true],
  ['all actions', [statement({ Action: '*' })], true],
  ['a wildcard in the middle', [statement({ Action: 'sqs:*Message' })], true],
  ['two wildcards in a row', [statement({ Action: 'sqs:Send**' })], true],
  ['a wildcard for one character', [statement({ Action: 'sqs:Send?essage' })], true],
  ['a wildcard for one character that is missing', [statement({ Action: 'sqs:SendMessage?' })], false],
  ['a dot, which is no wildcard', [statement({ Action: 'sqs:Send.essage' })], false],
  ['a bracket in an action', [statement({ Action: 'sqs:Send[M]essage' })], false],
  ['a longer action', [statement({ Action: 'sqs:SendMessageBatch' })], false],
  ['other letters', [statement({ Action: 'SQS:sendmessage' })], true],
  ['an action that is not known', [statement({ Action: UNKNOWN })], undefined],
  ['an action of which a part is not known', [statement({ Action: `sqs:${placeholder('X')}` })], undefined],
  ['an action, and one that is not known', [statement({ Action: [UNKNOWN, 'sqs:SendMessage'] })], true],
  ['an effect that is not known', [statement({ Effect: UNKNOWN })], undefined],
  ['no effect', [{ Action: '*' }], undefined],
  ['all but other actions', [{ Effect: 'Allow', NotAction: ['sqs:DeleteMessage', 'sqs:Get*'] }], true],
  ['all but this one', [{ Effect: 'Allow', NotAction: ['sqs:DeleteMessage', 'sqs:Send*'] }], false],
  ['all but what is not known', [{ Effect: 'Allow', NotAction: UNKNOWN }], undefined],
  ['all but this one and what is not known', [{ Effect: 'Allow', NotAction: [UNKNOWN, 'sqs:*'] }], false],
  ['a denial', [deny()], false],
  ['a permission and a denial', [statement(), deny()], undefined],
  ['a permission and a denial of another action', [statement(), deny({ Action: 'sqs:DeleteMessage' })], true],
  ['a permission and a denial with a condition', [statement(), deny({ Condition: { Bool: {} } })], true],
  ['a permission and a denial that is not known', [statement(), deny({ Action: UNKNOWN })], undefined],
  ['a permission and a policy that is not known', [statement(), undefined], true],
  ['another action and a policy that is not known', [statement({ Action: 'sqs:x' }), undefined], undefined],
  ['only a policy that is not known', [undefined], undefined],
] as readonly [string, readonly (object | undefined)[], boolean | undefined][]) {
  test(`whether policies allow an action: ${title}`, async (t) => {
    const trees: Statements = statements.map((one) => one && tree(one))
    t.equal(isAllowed(trees, 'sqs:SendMessage'), expected)
  })
}

for (const [title, one, expected] of [
  ['the service', service('sns.amazonaws.com'), true],
  ['the service in a partition', service('sns.amazonaws.com.cn'), true],
  ['the service with an unknown suffix', service(`sns.${placeholder('AWS::URLSuffix')}`), true],
  ['another service', service('events.amazonaws.com'), false],
  ['a service that begins alike', service('snsx.amazonaws.com'), false],
  ['one of several services', service(['events.amazonaws.com', 'sns.amazonaws.com']), true],
  ['a service that is not known', service(UNKNOWN), undefined],
  ['a service whose name is not known', service(`${placeholder('Name')}.amazonaws.com`), undefined],
  ['a service, and one that is not known', service([UNKNOWN, 'sns.amazonaws.com']), true],
  ['everybody', statement({ Principal: '*' }), true],
  ['everybody, as an account', statement({ Principal: { AWS: '*' } }), true],
  ['everybody, as a service', statement({ Principal: { Service: '*' } }), false],
  ['an account', statement({ Principal: { AWS: '123456789012' } }), false],
  ['an account with the name of a service', statement({ Principal: { AWS: 'sns.amazonaws.com' } }), false],
  ['an account that is not known', statement({ Principal: { AWS: `${placeholder('Role.Arn')}` } }), false],
  ['a principal that is not known', statement({ Principal: UNKNOWN }), undefined],
  ['a text that is no principal', statement({ Principal: 'sns.amazonaws.com' }), undefined],
  ['no principal', statement(), undefined],
  ['all but a principal', statement({ NotPrincipal: { AWS: '*' } }), undefined],
] as const) {
  test(`whether a policy allows an action to a service: ${title}`, async (t) => {
    t.equal(isAllowed([tree(one)], 'sqs:SendMessage', serviceNamed('sns')), expected)
  })
}

test('whether a policy allows an action to a service: principals to which a macro may add others', async (t) => {
  const Principal: Tree = { ...withEntries(tree({ Service: 's3.amazonaws.com' }), {}), open: { reason: 'x' } }
  const one = withEntries(tree(statement()), { Principal })
  t.equal(isAllowed([one], 'sqs:SendMessage', serviceNamed('sns')), undefined)
  t.equal(isAllowed([one], 'sqs:SendMessage', serviceNamed('s3')), true)
})

for (const [title, document, expected] of [
  ['a list', { Statement: [{ Sid: 'a' }, { Sid: 'b' }] }, ['map', 'map']],
  ['a single one', { Statement: { Sid: 'a' } }, ['map']],
  ['a list in JSON text', JSON.stringify({ Statement: [{ Sid: 'a' }] }), ['map']],
  ['statements that are not known', { Statement: UNKNOWN }, [undefined]],
  ['a document that is not known', UNKNOWN, [undefined]],
  ['a text that is not a document', 'x', [undefined]],
  ['no document', null, []],
] as const) {
  test(`the statements of a document: ${title}`, async (t) => {
    t.strictSame(
      statementsIn(tree(document)).map((one) => one?.state),
      expected,
    )
  })
}
