import { test } from 'tap'
import type { Queue } from '../../src/model/model.ts'
import { textTree } from '../../src/model/partial-text.ts'
import { invalid, known, type Setting, unknown, valueIn } from '../../src/model/setting.ts'
import { inventoryOf } from '../../src/terraform/read-plan.ts'
import { linkedQueue, reference } from '../support/linked.ts'
import { sameModel } from '../support/plain.ts'
import { short } from '../support/templates.ts'
import { type PlannedModule, planIn, resource, shownPlan } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

const AFTER = unknown('it is known only after apply')
const ELSEWHERE = 'it is not in this plan or state'
const ONE = 'aws_sqs_queue.one'
const DEAD = 'aws_sqs_queue.dead'

function arnOf(name: string) {
  return `arn:aws:sqs:eu-west-1:123456789012:${name}`
}
function urlOf(name: string) {
  return `https://sqs.eu-west-1.amazonaws.com/123456789012/${name}`
}
function queue(name: string, values: Values = {}): Values {
  const policy = { redrive_policy: '', redrive_allow_policy: '', policy: '' }
  return {
    name,
    arn: arnOf(name),
    id: urlOf(name),
    fifo_queue: false,
    message_retention_seconds: 60,
    ...policy,
    ...values,
  }
}

function state(resources: Readonly<Record<string, Values>>) {
  const all = Object.entries(resources).map(([address, values]) => resource(address, values))
  return { format_version: '1.0', values: { root_module: { resources: all } } }
}

/** A queue that a plan creates, with these arguments in addition. */
function planned(address: string, changes: Partial<Resource> = {}): Resource {
  const name = address.replace(/.*\./, '')
  const computed = ['arn', 'id', 'redrive_policy', 'redrive_allow_policy', 'policy']
  return {
    address,
    ...changes,
    values: { name, fifo_queue: false, ...changes.values },
    unknown: changes.unknown ?? computed,
  }
}

function queueIn(shown: unknown, address = ONE) {
  return linkedQueue(inventoryOf(planIn(shown)), reference(address)) as Queue
}

function withId<T>(name: string, setting: Setting<T>, address = ONE): Setting<T> {
  return { ...setting, id: `${address} ${name} ${JSON.stringify(setting)}` }
}

/** The redrive policy of the queue: the states of its ARN and its maximum, and what is known of its dead-letter queue. */
function redrive(shown: unknown) {
  const { redrive: found } = queueIn(shown)
  if (found.state !== 'known') return found.state === 'absent' ? 'absent' : found.reason
  const { arn, maxReceiveCount, deadLetterQueue } = found.value
  const { id, unreadReason, fifo, retention } = deadLetterQueue
  return [short(arn), short(maxReceiveCount), id, unreadReason, short(fifo), short(retention)]
}
const TO_DEAD = [arnOf('dead'), 5, DEAD, undefined, false, 60]
const POLICY = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 5 })

test('the queues of a state', async (t) => {
  const shown = state({
    [ONE]: queue('one', { redrive_policy: POLICY, visibility_timeout_seconds: 40, delay_seconds: 5 }),
    [DEAD]: queue('dead'),
  })
  const { redrive: _, ...one } = queueIn(shown)
  sameModel(t, one, {
    id: ONE,
    fifo: withId('fifo', known(false)),
    visibilityTimeout: withId('visibilityTimeout', known(40)),
    retention: withId('retention', known(60)),
    delay: withId('delay', known(5)),
    maximumMessageSize: withId('maximumMessageSize', { state: 'known', value: 1_048_576, isDefault: true }),
    contentBasedDeduplication: withId('contentBasedDeduplication', { state: 'known', value: false, isDefault: true }),
    isDeadLetterQueue: false,
  })
  t.strictSame(redrive(shown), TO_DEAD)
  const dead = queueIn(shown, DEAD)
  t.strictSame([dead.id, dead.redrive.state, dead.isDeadLetterQueue], [DEAD, 'absent', true])
})

for (const [title, values, after, expected] of [
  ['a name', { name: 'one.fifo', fifo_queue: true }, [], known(true)],
  ['a name, without the flag', { name: 'one.fifo', fifo_queue: null }, [], known(true)],
  ['a flag, without a name', { name: undefined, fifo_queue: true }, ['name'], known(true)],
  ['a flag that is false', { name: 'one' }, [], known(false)],
  ['a flag that is known only after apply', { name: 'one', fifo_queue: undefined }, ['fifo_queue'], AFTER],
  ['nothing', { name: 'fifo', fifo_queue: null }, [], { state: 'known', value: false, isDefault: true }],
] as const) {
  test(`whether a queue is a FIFO queue, from ${title}`, async (t) => {
    const plan = shownPlan({ resources: [planned(ONE, { values, unknown: after })] })
    t.strictSame(queueIn(plan).fifo, withId('fifo', expected))
  })
}

function toPolicy(deadLetterTargetArn: unknown, maxReceiveCount: unknown = 5) {
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount })
}
const NO_JSON = 'it is a single value'

for (const [title, text, expected] of [
  ['an empty text', '', 'absent'],
  ['null', null, 'absent'],
  ['null as text', 'null', NO_JSON],
  ['a policy', POLICY, TO_DEAD],
  ['a policy with text as the count', toPolicy(arnOf('dead'), '5'), TO_DEAD],
  [
    'no ARN',
    toPolicy(undefined),
    ['absent', 5, 'its dead-letter queue', 'it is not set', 'it is not set', 'it is not set'],
  ],
  ['no count', toPolicy(arnOf('dead'), null), TO_DEAD.with(1, 'absent')],
  [
    'a count of 0',
    toPolicy(arnOf('dead'), 0),
    TO_DEAD.with(1, '0 is outside of the range that AWS accepts (1 to 1,000)'),
  ],
  ['an ARN that is elsewhere', toPolicy(arnOf('far')), [arnOf('far'), 5, arnOf('far'), ELSEWHERE, false, ELSEWHERE]],
] as const) {
  test(`the redrive policy of a queue: ${title}`, async (t) => {
    t.strictSame(redrive(state({ [ONE]: queue('one', { redrive_policy: text }), [DEAD]: queue('dead') })), expected)
  })
}

const AFTER_LOCAL = 'it is known only after apply, and depends on local.arn, which a plan does not show'
const APPLY = 'it is known only after apply'
const DEAD_RESOURCE = planned(DEAD, { values: { message_retention_seconds: 60 } })
for (const [title, references, deadLetterQueue] of [
  ['a queue', ref(`${DEAD}.arn`), [DEAD, undefined, false, 60]],
  ['a local value', ['local.arn'], ['its dead-letter queue', AFTER_LOCAL, AFTER_LOCAL, AFTER_LOCAL]],
  ['a data source', ref('data.aws_sqs_queue.far.arn'), ['its dead-letter queue', APPLY, APPLY, APPLY]],
] as const) {
  test(`a redrive policy that is known only after apply, with a reference to ${title}`, async (t) => {
    const own = planned(ONE, { expressions: { redrive_policy: { references } } })
    const data = { address: 'data.aws_sqs_queue.far', values: { arn: arnOf('far') } }
    t.strictSame(redrive(shownPlan({ resources: [own, DEAD_RESOURCE, data] })), [
      'it is known only after apply',
      'the redrive policy is known only after apply',
      ...deadLetterQueue,
    ])
  })
}

test('a redrive policy of a queue that a plan creates, without a declaration: none', async (t) => {
  t.equal(redrive(shownPlan({ resources: [planned(ONE)] })), 'absent')
})

const SEPARATE = 'aws_sqs_queue_redrive_policy.one'
test('a redrive policy in a separate resource', async (t) => {
  const separate = (queue_url: string, own = '', policy = POLICY) =>
    state({
      [ONE]: queue('one', { redrive_policy: own }),
      [DEAD]: queue('dead'),
      [SEPARATE]: { queue_url, redrive_policy: policy },
    })
  t.strictSame(redrive(separate(urlOf('one'))), TO_DEAD)
  t.equal(redrive(separate(urlOf('far'))), 'absent')
  t.strictSame(redrive(separate(urlOf('one'), 'x')), TO_DEAD, 'it has precedence')
  t.equal(redrive(separate(urlOf('one'), POLICY, '')), 'absent')
})

for (const [title, references, reason] of [
  [
    'a local value',
    ['local.url'],
    'it is known only after apply, and depends on local.url, which a plan does not show',
  ],
  [
    'one of two queues',
    [...ref(`${ONE}.id`), ...ref('aws_sqs_queue.two.id')],
    `it is known only after apply whether it is ${ONE} or aws_sqs_queue.two`,
  ],
  ['another queue', ref('aws_sqs_queue.two.id'), undefined],
] as const) {
  test(`a redrive policy in a separate resource, for ${title}`, async (t) => {
    const separate = {
      address: SEPARATE,
      values: { redrive_policy: POLICY },
      unknown: ['queue_url'],
      expressions: { queue_url: { references } },
    }
    const far = {
      address: 'aws_sqs_queue_redrive_policy.far',
      values: { queue_url: urlOf('far'), redrive_policy: POLICY },
    }
    const others = [planned('aws_sqs_queue.two'), DEAD_RESOURCE, far, separate]
    const expected = reason ? `${SEPARATE} may set it. Its queue is not certain: ${reason}` : 'absent'
    for (const one of [planned(ONE), planned(ONE, { unknown: [] })]) {
      t.equal(redrive(shownPlan({ resources: [one, ...others] })), expected)
    }
  })
}

for (const argument of ['redrive_policy', 'dead_letter_config', 'dead_letter_queue', 'dead_letter_arn', 'on_failure']) {
  test(`a queue that ${argument} mentions is a dead-letter queue`, async (t) => {
    for (const value of [arnOf('one'), POLICY.replace(':dead', ':one'), [{ topic: 'arn:a', arn: arnOf('one') }]]) {
      t.equal(queueIn(state({ [ONE]: queue('one'), 'aws_x.one': { [argument]: value } })).isDeadLetterQueue, true)
    }
    const expressions = { [argument]: [{ arn: { references: ref(`${ONE}.arn`) } }] }
    const referrer = { address: 'aws_x.one', values: {}, unknown: [argument], expressions }
    t.equal(queueIn(shownPlan({ resources: [planned(ONE), referrer] })).isDeadLetterQueue, true)
    const other = state({ [ONE]: queue('one'), 'aws_x.one': { [argument]: `${arnOf('one')}-2 ${urlOf('one')}` } })
    t.equal(queueIn(other).isDeadLetterQueue, false)
  })
}

for (const [block, part, expected] of [
  ['target', 'dead_letter_config', true],
  ['target', 'sqs_parameters', false],
  ['destination_config', 'on_failure', true],
  ['destination_config', 'on_success', false],
] as const) {
  test(`a queue that ${part} in ${block} mentions is ${expected ? 'a' : 'no'} dead-letter queue`, async (t) => {
    const values = { [block]: [{ arn: 'arn:a', [part]: [{ arn: arnOf('one') }] }] }
    t.equal(queueIn(state({ [ONE]: queue('one'), 'aws_x.one': values })).isDeadLetterQueue, expected)
    const expressions = { [block]: [{ [part]: [{ arn: { references: ref(`${ONE}.arn`) } }] }] }
    const referrer = { address: 'aws_x.one', values: {}, unknown: [block], expressions }
    t.equal(queueIn(shownPlan({ resources: [planned(ONE), referrer] })).isDeadLetterQueue, expected)
  })
}

test('a queue that is its own dead-letter queue does not count as one', async (t) => {
  const one = queue('one', { redrive_policy: POLICY.replace(':dead', ':one') })
  t.equal(queueIn(state({ [ONE]: one })).isDeadLetterQueue, false)
})

test('the settings of a redrive policy, and a queue that is not known', async (t) => {
  const count = (shown: unknown) => valueIn(queueIn(shown).redrive)?.maxReceiveCount
  const expressions = { redrive_policy: { references: ref(`${DEAD}.arn`) } }
  const plan = shownPlan({ resources: [planned(ONE, { expressions }), DEAD_RESOURCE] })
  t.strictSame(count(plan), withId('maxReceiveCount', unknown('the redrive policy is known only after apply')))
  const shown = state({ [ONE]: queue('one', { redrive_policy: POLICY }), [DEAD]: queue('dead') })
  t.match(count(shown)?.id, `${ONE} maxReceiveCount`)
  const fix = 'Set it to an object with deadLetterTargetArn and maxReceiveCount.'
  const { redrive: wrong } = queueIn(state({ [ONE]: queue('one', { redrive_policy: 'x' }) }))
  t.strictSame(wrong, withId('redrive', invalid(NO_JSON, fix)))
  t.equal(queueIn(shown, 'aws_sqs_queue.gone').id, 'its queue')
})

test('a queue that another argument mentions is not a dead-letter queue', async (t) => {
  const values = {
    event_source_arn: arnOf('one'),
    targets: [arnOf('one')],
    dead_letter: 'undefined',
    not_on_failure: [arnOf('one')],
    on_failure_of: [arnOf('one')],
  }
  t.equal(queueIn(state({ [ONE]: queue('one'), 'aws_x.one': values })).isDeadLetterQueue, false)
  t.equal(
    queueIn(shownPlan({ resources: [planned(ONE), { address: 'aws_x.one', values: { target: 'arn:x' } }] }))
      .isDeadLetterQueue,
    false,
  )
})

for (const [title, text, expected] of [
  ['its ARN', arnOf('one'), ONE],
  ['its URL', urlOf('one'), ONE],
  ['its name', 'one', ONE],
  ['the ARN of a queue that is elsewhere', arnOf('far'), arnOf('far')],
  [
    'the ARN of a queue of the same name in another region',
    arnOf('one').replace('eu', 'us'),
    arnOf('one').replace('eu', 'us'),
  ],
  ['the ARN of a queue that has no ARN yet', arnOf('new'), 'aws_sqs_queue.new'],
  ['the ARN of one of two queues that have no ARN yet', arnOf('twice'), arnOf('twice')],
] as const) {
  test(`the queue of a mapping, from ${title}`, async (t) => {
    const plan = planIn(
      shownPlan({
        resources: [
          { address: 'aws_sns_topic.one', values: { name: 'one' } },
          { address: ONE, values: queue('one') },
          planned('aws_sqs_queue.new'),
          planned('aws_sqs_queue.twice'),
          planned('aws_sqs_queue.again', { values: { name: 'twice' } }),
        ],
      }),
    )
    t.equal(linkedQueue(inventoryOf(plan), textTree(text))?.id, expected)
  })
}
