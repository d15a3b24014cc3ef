// What AWS refuses in a template, because it does not exist, has a wrong name, or exists already. For each rule, what is
// wrong, what is right, what is not known, and the same in another format.
import { test } from 'tap'
import { type Change, cloudFormation, findingsIn, getAtt, ids, sam } from '../support/templates.ts'
import { findingsInPlan, terraformState, withAddresses } from '../support/terraform.ts'

type Resources = Readonly<Record<string, { Type: string; Properties?: object; Condition?: string }>>
const VALUE = (id: string) => [`invalid-value ${id}`]
const GONE = getAtt('Gone')
const IMPORT = { 'Fn::ImportValue': 'x' }
const redrive = (deadLetterTargetArn: unknown) => ({ RedrivePolicy: { deadLetterTargetArn, maxReceiveCount: 5 } })
const source = (EventSourceArn: unknown) => ({ mapping: { EventSourceArn } })
const target = (FunctionName: unknown) => ({ mapping: { FunctionName } })
const other = (Type: string): { resources: Resources } => ({ resources: { Other: { Type } } })

for (const [title, change, found, more] of [
  ['wrong: a source', source(GONE), VALUE('Orders')],
  ['wrong: a source in a text', source({ 'Fn::Sub': '$' + '{Gone.Arn}' }), VALUE('Orders')],
  ['wrong: a function', target({ Ref: 'Gone' }), VALUE('Orders')],
  ['wrong: the ARN of a function', target(GONE), VALUE('Orders')],
  ['wrong: a dead-letter queue', { queue: redrive(GONE) }, VALUE('Queue')],
  ['wrong: an attribute of a queue', source({ 'Fn::GetAtt': ['Queue', 'ARN'] }), VALUE('Orders')],
  ['wrong: an attribute of a function', target({ 'Fn::GetAtt': ['Handler', 'arn'] }), VALUE('Orders')],
  [
    'wrong: an attribute of a dead-letter queue',
    { queue: redrive({ 'Fn::GetAtt': ['Dead', 'QueueArn'] }) },
    VALUE('Queue'),
  ],
  ['wrong: a topic', { ...other('AWS::SNS::Topic'), queue: redrive({ Ref: 'Other' }) }, VALUE('Queue')],
  ['wrong: a bucket', { ...other('AWS::S3::Bucket'), queue: redrive(getAtt('Other')) }, VALUE('Queue')],
  ['wrong: an ARN of four parts', { queue: redrive('arn:aws:sqs:eu-west-1:Dead') }, VALUE('Queue')],
  ['wrong: the ARN of a topic', { queue: redrive('arn:aws:sns:eu-west-1:123456789012:dead') }, VALUE('Queue')],
  [
    'right: a queue of another stack',
    { queue: redrive('arn:aws:sqs:eu-west-1:123456789012:dead') },
    ['not-checked Queue'],
  ],
  ['right: the attribute Arn', { queue: redrive(getAtt('Dead')) }, []],
  ['unknown: an imported queue', { queue: redrive(IMPORT) }, ['not-checked Queue']],
  ['unknown: a macro makes resources', source(GONE), ['not-checked Orders', 'not-checked Own'], { Transform: ['Own'] }],
  [
    'unknown: a loop makes resources',
    { ...source(GONE), resources: { 'Fn::ForEach::Queues': ['A', ['b'], {}] } },
    ['not-checked Orders', 'not-checked Fn::ForEach::Queues'],
  ],
  [
    'unknown: a part of a template',
    {
      ...source(GONE),
      ...target({ Ref: 'Alsogone' }),
      mapping: { EventSourceArn: GONE, FunctionName: { Ref: 'Also' } },
    },
    ['not-checked Orders', 'not-checked Orders'],
  ],
] as readonly [string, Change, readonly string[], object?][]) {
  test(`a reference to what does not exist, ${title}`, async (t) => {
    const findings = await findingsIn(t, { ...cloudFormation(change), ...more })
    t.strictSame(
      ids(findings).filter((id) => !id.startsWith('report-')),
      found,
    )
  })
}

test('a reference to what does not exist, unknown: a resource that SAM makes', async (t) => {
  const made = { Ref: 'HandlerRole' }
  const role = (Ref: unknown) => sam({ function: { Role: Ref }, mapping: { Queue: getAtt('HandlerQueue') } })
  t.notOk(ids(await findingsIn(t, role(made))).includes('invalid-value Handler/Orders'))
  t.ok(ids(await findingsIn(t, sam({ mapping: { Queue: GONE } }))).includes('invalid-value Handler/Orders'))
})

test('a reference to what does not exist has the reason and what to write instead', async (t) => {
  const [missing] = await findingsIn(t, cloudFormation(source(GONE)))
  t.match(missing, {
    message: /^EventSourceArn: it refers to Gone, which does not exist: Gone.Arn is not defined in this template\./,
    fix: 'Refer to a queue that exists.',
  })
  const [attribute] = await findingsIn(t, cloudFormation(source({ 'Fn::GetAtt': ['Queue', 'ARN'] })))
  t.match(attribute, { message: /^EventSourceArn: Queue has no attribute ARN\./, fix: 'Set it to the ARN of Queue.' })
  const [ofFunction] = await findingsIn(t, cloudFormation(target({ Ref: 'Gone' })))
  t.match(ofFunction, { message: /^FunctionName: it refers to Gone,/, fix: 'Refer to a function that exists.' })
})

for (const [title, queue, found, dead = {}] of [
  ['wrong: a FIFO queue without .fifo', { QueueName: 'orders', FifoQueue: true }, true],
  ['wrong: .fifo without FifoQueue', { QueueName: 'orders.fifo' }, true],
  ['wrong: .fifo, and FifoQueue is false', { QueueName: 'orders.fifo', FifoQueue: false }, true],
  ['wrong: the dead-letter queue', { QueueName: 'orders' }, true, { QueueName: 'dead.fifo' }],
  ['right: a FIFO queue', { QueueName: 'orders.fifo', FifoQueue: true }, false, { FifoQueue: true }],
  ['right: a FIFO queue without a name', { FifoQueue: true }, false, { FifoQueue: true }],
  ['right: a standard queue', { QueueName: 'orders' }, false],
  ['unknown: an imported name', { QueueName: IMPORT, FifoQueue: true }, false, { FifoQueue: true }],
  [
    'unknown: the end of the name',
    { QueueName: { 'Fn::Sub': 'orders$' + '{AWS::StackName}' }, FifoQueue: IMPORT },
    false,
  ],
] as readonly [string, object, boolean, object?][]) {
  test(`the name of a FIFO queue, ${title}`, async (t) => {
    const findings = await findingsIn(t, cloudFormation({ queue: queue as never, dead: dead as never }))
    const ofName = findings.filter(({ message }) => /^QueueName: /.test(message))
    t.equal(ofName.length > 0, found)
    t.ok(ofName.every(({ severity, rule }) => severity === 'error' && rule === 'invalid-value'))
  })
}

test('the name of a FIFO queue, in a state of Terraform: the fix has its names', (t) => {
  const { values, ...state } = terraformState()
  const resources = values.root_module.resources.map((one) =>
    one.address === 'aws_sqs_queue.queue' ? { ...one, values: { ...one.values, fifo_queue: true } } : one,
  )
  const findings = findingsInPlan({ ...state, values: { root_module: { resources } } })
  const [ofName] = findings.filter(({ message }) => message.startsWith('name: '))
  t.match(ofName, { resource: 'aws_sqs_queue.queue', message: /does not end in \.fifo, but fifo_queue is true/ })
  t.end()
})

/** Two mappings of the queue, whose functions are named like this. */
const two = (first: unknown, second: unknown, resources: Resources = {}, more: object = {}): Change => {
  return { mapping: { FunctionName: first }, second: { FunctionName: second, ...more }, resources } as Change
}
const HANDLER = { Ref: 'Handler' }
const ALIAS = {
  Live: { Type: 'AWS::Lambda::Alias', Properties: { Name: 'live', FunctionName: HANDLER, FunctionVersion: '$LATEST' } },
}
const DUPLICATE = ['duplicate-mapping Second']
const SHARED = ['shared-queue Queue']

for (const [title, change, found] of [
  ['wrong: the same function', two(HANDLER, HANDLER), DUPLICATE],
  ['wrong: its name and its ARN', two(HANDLER, getAtt('Handler')), DUPLICATE],
  ['wrong: the second one is disabled', two(HANDLER, HANDLER, {}, { Enabled: false }), DUPLICATE],
  ['wrong: the same alias', two({ Ref: 'Live' }, { Ref: 'Live' }, ALIAS), DUPLICATE],
  ['right: a function and its alias', two(HANDLER, { Ref: 'Live' }, ALIAS), SHARED],
  ['right: a version', two(HANDLER, { 'Fn::Sub': '$' + '{Handler.Arn}:7' }), SHARED],
] as const) {
  test(`two mappings of a queue, ${title}`, async (t) => {
    const rules = ids(await findingsIn(t, cloudFormation(change))).filter((id) => /^(duplicate|shared)/.test(id))
    t.strictSame(rules, found)
  })
}

test('two mappings of a queue and a function, unknown: conditions that may exclude each other', async (t) => {
  const { Resources } = cloudFormation(two(HANDLER, HANDLER))
  const is = (x: string) => ({ 'Fn::Equals': [IMPORT, x] })
  const found = async (first?: string, second?: string) => {
    const Orders = { ...Resources.Orders, Condition: first }
    const Second = { ...Resources.Second, Condition: second }
    const template = { Conditions: { A: is('a'), B: is('b') }, Resources: { ...Resources, Orders, Second } }
    return ids(await findingsIn(t, JSON.parse(JSON.stringify(template)))).filter((id) => id.startsWith('duplicate'))
  }
  t.strictSame(await found('A', 'B'), [])
  t.strictSame(await found(undefined, 'B'), [])
  t.strictSame(await found('A', 'A'), DUPLICATE)
})

test('two mappings of a queue and a function, in a state of Terraform', (t) => {
  const found = ids(findingsInPlan(terraformState({ second: {} })))
  t.strictSame(found, withAddresses(['duplicate-mapping second']))
  t.end()
})
