import { test } from 'tap'
import type { RedrivePolicy } from '../../src/model/model.ts'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { arnSetting, createQueues } from '../../src/terraform/queues.ts'
import { type PlannedModule, planIn, resource, shownPlan } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

const AFTER = unknown('it is known only after apply')
const ELSEWHERE = 'it is not in this plan or state'
const USE_ARN = 'Use the ARN of a queue: the attribute arn, not id, url or name.'
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
  const plan = planIn(shown)
  const instance = plan.instances.find((one) => one.address === address)
  if (!instance) throw new Error(`there is no ${address}`)
  return createQueues(plan).toQueue(instance)
}

function withId<T>(name: string, setting: Setting<T>, address = ONE): Setting<T> {
  return { ...setting, id: `${address} ${name} ${JSON.stringify(setting)}` }
}

/** The redrive policy of the queue that others are derived from. */
function redrive({ arn, maxReceiveCount, deadLetterQueue }: RedrivePolicy) {
  const own = { arn: withId('arn', arn), maxReceiveCount: withId('maxReceiveCount', maxReceiveCount), deadLetterQueue }
  return withId<RedrivePolicy>('redrive', known(own))
}
const READ_DEAD = {
  id: DEAD,
  fifo: withId('fifo', known(false), DEAD),
  retention: withId('retention', known(60), DEAD),
}
const TO_DEAD = { arn: known(arnOf('dead')), maxReceiveCount: known(5), deadLetterQueue: READ_DEAD }
const POLICY = JSON.stringify({ deadLetterTargetArn: arnOf('dead'), maxReceiveCount: 5 })

test('the queues of a state', async (t) => {
  const shown = state({
    [ONE]: queue('one', { redrive_policy: POLICY, visibility_timeout_seconds: 40, delay_seconds: 5 }),
    [DEAD]: queue('dead'),
  })
  t.strictSame(queueIn(shown), {
    id: ONE,
    visibilityTimeout: withId('visibilityTimeout', known(40)),
    retention: withId('retention', known(60)),
    delay: withId('delay', known(5)),
    maximumMessageSize: withId('maximumMessageSize', { state: 'known', value: 1_048_576, isDefault: true }),
    contentBasedDeduplication: withId('contentBasedDeduplication', { state: 'known', value: false, isDefault: true }),
    fifo: withId('fifo', known(false)),
    redrive: redrive(TO_DEAD),
    isDeadLetterQueue: false,
    subscriptions: [],
  })
  t.strictSame(queueIn(shown, DEAD), {
    id: DEAD,
    visibilityTimeout: withId('visibilityTimeout', { state: 'known', value: 30, isDefault: true }, DEAD),
    retention: READ_DEAD.retention,
    delay: withId('delay', { state: 'known', value: 0, isDefault: true }, DEAD),
    maximumMessageSize: withId('maximumMessageSize', { state: 'known', value: 1_048_576, isDefault: true }, DEAD),
    contentBasedDeduplication: withId(
      'contentBasedDeduplication',
      { state: 'known', value: false, isDefault: true },
      DEAD,
    ),
    fifo: READ_DEAD.fifo,
    redrive: withId('redrive', absent, DEAD),
    isDeadLetterQueue: true,
    subscriptions: [],
  })
})

for (const [title, values, after, expected] of [
  ['a name', { name: 'one.fifo', fifo_queue: true }, [], known(true)],
  ['a name, without the flag', { name: 'one.fifo', fifo_queue: null }, [], known(true)],
  ['a flag, without a name', { name: undefined, fifo_queue: true }, ['name'], known(true)],
  ['a flag that is false', { name: 'one' }, [], known(false)],
  ['a flag that is known only after apply', { name: 'one', fifo_queue: undefined }, ['fifo_queue'], AFTER],
  ['nothing', { name: 'fifo', fifo_queue: null }, [], absent],
] as const) {
  test(`whether a queue is a FIFO queue, from ${title}`, async (t) => {
    const plan = shownPlan({ resources: [planned(ONE, { values, unknown: after })] })
    t.strictSame(queueIn(plan).fifo, withId('fifo', expected))
  })
}

for (const [title, name, fifo] of [
  ['a data source', 'one', known(false)],
  ['a FIFO queue in a data source', 'one.fifo', known(true)],
  ['a data source without a name', undefined, unknown('a data source does not show the settings of a queue')],
] as const) {
  test(`the settings of ${title} are not known`, async (t) => {
    const address = 'data.aws_sqs_queue.one'
    for (const values of [{ name }, { arn: name && arnOf(name) }]) {
      const found = queueIn(shownPlan({ resources: [{ address, values }] }), address)
      const reason = 'a data source does not show the settings of a queue'
      t.match(found, { id: address, unreadReason: reason, retention: { state: 'unknown', reason } })
      t.strictSame(found.fifo, { ...fifo, position: undefined })
    }
  })
}

const INVALID_TEXT = invalid(
  'it is not a JSON object',
  'Set it to jsonencode({ deadLetterTargetArn = …, maxReceiveCount = 5 }).',
)
const INCOMPLETE = 'Set deadLetterTargetArn and maxReceiveCount. Both names begin with a lower-case letter.'
function toPolicy(deadLetterTargetArn: unknown, maxReceiveCount: unknown = 5) {
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount })
}
function elsewhere(id: string, fifo: Setting<boolean> = unknown(ELSEWHERE)) {
  return { id, unreadReason: ELSEWHERE, fifo, retention: unknown(ELSEWHERE) }
}
const NO_ARN = withId<number>('arn', invalid(`"${urlOf('far')}" is not an ARN`, USE_ARN))

for (const [title, text, expected] of [
  ['an empty text', '', withId('redrive', absent)],
  ['null', null, withId('redrive', absent)],
  ['text', 'x', withId('redrive', INVALID_TEXT)],
  ['a list', '[]', withId('redrive', INVALID_TEXT)],
  ['a policy', POLICY, redrive(TO_DEAD)],
  ['a policy with text as the count', toPolicy(arnOf('dead'), '5'), redrive(TO_DEAD)],
  ['no ARN', toPolicy(undefined), withId('redrive', invalid('it has no deadLetterTargetArn', INCOMPLETE))],
  ['an empty ARN', toPolicy(''), withId('redrive', invalid('it has no deadLetterTargetArn', INCOMPLETE))],
  ['no count', toPolicy(arnOf('dead'), null), withId('redrive', invalid('it has no maxReceiveCount', INCOMPLETE))],
  ['an empty count', toPolicy(arnOf('dead'), ''), withId('redrive', invalid('it has no maxReceiveCount', INCOMPLETE))],
  [
    'a count of 0',
    toPolicy(arnOf('dead'), 0),
    redrive({
      ...TO_DEAD,
      maxReceiveCount: invalid(
        '0 is outside of the range that AWS accepts (1 to 1,000)',
        'Set a whole number in this range: 1 to 1,000.',
      ),
    }),
  ],
  [
    'an ARN that is elsewhere',
    toPolicy(arnOf('far')),
    redrive({ ...TO_DEAD, arn: known(arnOf('far')), deadLetterQueue: elsewhere(arnOf('far'), known(false)) }),
  ],
  [
    'the ARN of a FIFO queue that is elsewhere',
    toPolicy(arnOf('far.fifo')),
    redrive({
      ...TO_DEAD,
      arn: invalid(
        `${arnOf('far.fifo')} is a FIFO queue, but ${ONE} is a standard queue`,
        'Use a standard queue as the dead-letter queue.',
      ),
      deadLetterQueue: {
        ...elsewhere(arnOf('far.fifo'), known(true)),
        retention: withId<number>(
          'arn',
          invalid(
            `${arnOf('far.fifo')} is a FIFO queue, but ${ONE} is a standard queue`,
            'Use a standard queue as the dead-letter queue.',
          ),
        ),
      },
    }),
  ],
  [
    'a URL that is elsewhere',
    toPolicy(urlOf('far')),
    redrive({
      ...TO_DEAD,
      arn: invalid(`"${urlOf('far')}" is not an ARN`, USE_ARN),
      deadLetterQueue: { ...elsewhere(urlOf('far')), retention: NO_ARN },
    }),
  ],
  [
    'the URL of the dead-letter queue',
    toPolicy(urlOf('dead')),
    redrive({ ...TO_DEAD, arn: invalid(`"${urlOf('dead')}" is not an ARN`, USE_ARN) }),
  ],
] as const) {
  test(`the redrive policy of a queue: ${title}`, async (t) => {
    const shown = state({ [ONE]: queue('one', { redrive_policy: text }), [DEAD]: queue('dead') })
    t.strictSame(queueIn(shown).redrive, expected)
  })
}

test('a standard queue whose dead-letter queue is a FIFO queue', async (t) => {
  const shown = state({ [ONE]: queue('one', { redrive_policy: POLICY }), [DEAD]: queue('dead', { fifo_queue: true }) })
  const wrong = invalid(
    `${DEAD} is a FIFO queue, but ${ONE} is a standard queue`,
    'Use a standard queue as the dead-letter queue.',
  )
  const fifo = withId('fifo', known(true), DEAD)
  t.strictSame(queueIn(shown).redrive, redrive({ ...TO_DEAD, arn: wrong, deadLetterQueue: { ...READ_DEAD, fifo } }))
})

const COUNT_AFTER = unknown('the redrive policy is known only after apply')
const DEAD_RESOURCE = planned(DEAD, { values: { message_retention_seconds: 60 } })
for (const [title, references, deadLetterQueue] of [
  ['a queue', ref(`${DEAD}.arn`), READ_DEAD],
  [
    'a local value',
    ['local.arn'],
    (() => {
      const unreadReason = 'it is known only after apply, and depends on local.arn, which a plan does not show'
      return {
        id: 'its dead-letter queue',
        unreadReason,
        fifo: unknown(unreadReason),
        retention: unknown(unreadReason),
      }
    })(),
  ],
  [
    'a data source',
    ref('data.aws_sqs_queue.far.arn'),
    (() => {
      const unreadReason = 'data.aws_sqs_queue.far does not show its settings'
      return { id: 'data.aws_sqs_queue.far', unreadReason, fifo: known(false), retention: unknown(unreadReason) }
    })(),
  ],
] as const) {
  test(`a redrive policy that is known only after apply, with a reference to ${title}`, async (t) => {
    const own = planned(ONE, { expressions: { redrive_policy: { references } } })
    const data = { address: 'data.aws_sqs_queue.far', values: { name: 'far' }, unknown: ['arn'] }
    const found = queueIn(shownPlan({ resources: [own, DEAD_RESOURCE, data] }))
    t.strictSame(found.redrive, redrive({ arn: AFTER, maxReceiveCount: COUNT_AFTER, deadLetterQueue }))
  })
}

test('a redrive policy of a queue that a plan creates, without a declaration: none', async (t) => {
  t.strictSame(queueIn(shownPlan({ resources: [planned(ONE)] })).redrive, withId('redrive', absent))
})

const SEPARATE = 'aws_sqs_queue_redrive_policy.one'
test('a redrive policy in a separate resource', async (t) => {
  const separate = (queue_url: string) =>
    state({ [ONE]: queue('one'), [DEAD]: queue('dead'), [SEPARATE]: { queue_url, redrive_policy: POLICY } })
  t.strictSame(queueIn(separate(urlOf('one'))).redrive, redrive(TO_DEAD))
  t.strictSame(queueIn(separate(urlOf('far'))).redrive, withId('redrive', absent))
  t.strictSame(
    queueIn(separate(urlOf('one').replace('eu', 'us'))).redrive,
    withId('redrive', unknown(`${SEPARATE} may set it. Its queue is not certain: ${ELSEWHERE}`)),
  )
  const both = state({
    [ONE]: queue('one', { redrive_policy: 'x' }),
    [DEAD]: queue('dead'),
    [SEPARATE]: { queue_url: urlOf('one'), redrive_policy: POLICY },
  })
  t.strictSame(queueIn(both).redrive, redrive(TO_DEAD), 'it has precedence')
  const empty = state({
    [ONE]: queue('one', { redrive_policy: POLICY }),
    [DEAD]: queue('dead'),
    [SEPARATE]: { queue_url: urlOf('one'), redrive_policy: '' },
  })
  t.strictSame(queueIn(empty).redrive, withId('redrive', absent))
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
  ['one of two other queues', [...ref('aws_sqs_queue.two.id'), ...ref(`${DEAD}.id`)], undefined],
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
    const resources = [planned(ONE), planned('aws_sqs_queue.two'), DEAD_RESOURCE, far, separate]
    const expected = reason ? unknown(`${SEPARATE} may set it. Its queue is not certain: ${reason}`) : absent
    t.strictSame(queueIn(shownPlan({ resources })).redrive, withId('redrive', expected))
  })
}

test('a redrive policy that a plan deletes', async (t) => {
  function redriveOf(expressions: Values, type: string, queue_url: string) {
    const resources = [{ address: ONE, values: queue('one', { redrive_policy: POLICY }), expressions }, DEAD_RESOURCE]
    const plan = shownPlan({ resources })
    if (type)
      plan.resource_changes.push({ address: SEPARATE, type, change: { actions: ['delete'], before: { queue_url } } })
    return queueIn(plan).redrive.state
  }
  const type = 'aws_sqs_queue_redrive_policy'
  t.equal(redriveOf({}, type, urlOf('one')), 'absent')
  t.equal(redriveOf({}, type, urlOf('two')), 'known', 'of another queue')
  t.equal(redriveOf({}, '', ''), 'known', 'nothing is deleted')
  t.equal(redriveOf({}, 'aws_sqs_queue_policy', urlOf('one')), 'known', 'another policy')
  t.equal(redriveOf({ redrive_policy: {} }, type, urlOf('one')), 'known', 'the queue has its own policy')
})

for (const [title, allow, expected] of [
  ['all queues', { redrivePermission: 'allowAll' }, undefined],
  ['no queue', { redrivePermission: 'denyAll' }, 'has the redrivePermission denyAll'],
  ['this queue', { redrivePermission: 'byQueue', sourceQueueArns: [arnOf('two'), arnOf('one')] }, undefined],
  [
    'another queue',
    { redrivePermission: 'byQueue', sourceQueueArns: [arnOf('two')] },
    `has the redrivePermission byQueue, and its sourceQueueArns do not contain ${ONE}`,
  ],
  ['queues that are not known', { redrivePermission: 'byQueue' }, undefined],
] as const) {
  test(`a dead-letter queue that allows redrive for ${title}`, async (t) => {
    const redrive_allow_policy = JSON.stringify(allow)
    const one = { [ONE]: queue('one', { redrive_policy: POLICY }) }
    const own = state({ ...one, [DEAD]: queue('dead', { redrive_allow_policy }) })
    const separate = (queue_url: string) =>
      state({
        ...one,
        [DEAD]: queue('dead'),
        'aws_sqs_queue_redrive_allow_policy.x': { queue_url, redrive_allow_policy },
      })
    for (const shown of [own, separate(urlOf('dead'))]) {
      const { redrive: found } = queueIn(shown)
      const policy = found.state === 'known' ? found.value : undefined
      if (expected === undefined) t.strictSame(found, redrive(TO_DEAD))
      else t.match(policy?.arn, { state: 'unknown', reason: `${DEAD} ${expected}`, fix: String })
    }
    t.strictSame(queueIn(separate(urlOf('two'))).redrive, redrive(TO_DEAD), 'it belongs to another queue')
    const far = { [ONE]: queue('one', { redrive_policy: toPolicy(arnOf('far')) }) }
    const ofFar = state({
      ...far,
      'aws_sqs_queue_redrive_allow_policy.x': { queue_url: urlOf('two'), redrive_allow_policy },
    })
    const { redrive: notFound } = queueIn(ofFar)
    t.equal(notFound.state === 'known' && notFound.value.arn.state, 'known', 'the dead-letter queue is elsewhere')
  })
}

test('a queue whose ARN is not known yet may be among the queues that a dead-letter queue allows', async (t) => {
  const redrive_allow_policy = JSON.stringify({ redrivePermission: 'byQueue', sourceQueueArns: [arnOf('two')] })
  const one = planned(ONE, {
    values: { redrive_policy: POLICY },
    unknown: ['arn', 'id'],
    expressions: { redrive_policy: {} },
  })
  const dead = { address: DEAD, values: queue('dead', { redrive_allow_policy }) }
  t.strictSame(queueIn(shownPlan({ resources: [one, dead] })).redrive, redrive(TO_DEAD))
})

for (const argument of [
  'redrive_policy',
  'dead_letter_config',
  'dead_letter_queue',
  'dead_letter_arn',
  'destination_config',
  'target',
  'on_failure',
]) {
  test(`a queue that ${argument} mentions is a dead-letter queue`, async (t) => {
    for (const value of [arnOf('one'), POLICY.replace(':dead', ':one'), [{ arn: arnOf('one') }]]) {
      t.equal(queueIn(state({ [ONE]: queue('one'), 'aws_x.one': { [argument]: value } })).isDeadLetterQueue, true)
    }
    const expressions = { [argument]: [{ arn: { references: ref(`${ONE}.arn`) } }] }
    const referrer = { address: 'aws_x.one', values: {}, unknown: [argument], expressions }
    t.equal(queueIn(shownPlan({ resources: [planned(ONE), referrer] })).isDeadLetterQueue, true)
    const other = state({ [ONE]: queue('one'), 'aws_x.one': { [argument]: `${arnOf('one')}-2 ${urlOf('one')}` } })
    t.equal(queueIn(other).isDeadLetterQueue, false)
  })
}

test('a queue that another argument mentions is not a dead-letter queue', async (t) => {
  const values = { event_source_arn: arnOf('one'), targets: [arnOf('one')], dead_letter: 'undefined' }
  t.equal(queueIn(state({ [ONE]: queue('one'), 'aws_x.one': values })).isDeadLetterQueue, false)
  t.equal(
    queueIn(shownPlan({ resources: [planned(ONE), { address: 'aws_x.one', values: { target: 'arn:x' } }] }))
      .isDeadLetterQueue,
    false,
  )
})

for (const [title, text, expected] of [
  ['its ARN', arnOf('one'), { instance: ONE }],
  ['its URL', urlOf('one'), { instance: ONE }],
  ['its name', 'one', { instance: ONE }],
  ['the ARN of a queue that is elsewhere', arnOf('far'), { reason: ELSEWHERE, arn: arnOf('far'), candidates: [] }],
  [
    'the ARN of a queue of the same name in another region',
    arnOf('one').replace('eu', 'us'),
    { reason: ELSEWHERE, arn: arnOf('one').replace('eu', 'us'), candidates: [ONE] },
  ],
  [
    'the ARN of a queue that has no ARN yet',
    arnOf('new'),
    {
      instance: 'aws_sqs_queue.new',
      doubt: `only its name matches ${arnOf('new')}: its ARN is known only after apply`,
    },
  ],
  [
    'the URL of a queue that has no ARN yet',
    urlOf('new'),
    {
      instance: 'aws_sqs_queue.new',
      doubt: `only its name matches ${urlOf('new')}: its ARN is known only after apply`,
    },
  ],
  [
    'the ARN of one of two queues that have no ARN yet',
    arnOf('twice'),
    { reason: ELSEWHERE, arn: arnOf('twice'), candidates: ['aws_sqs_queue.twice', 'aws_sqs_queue.again'] },
  ],
] as const) {
  test(`the queue of a mapping, from ${title}`, async (t) => {
    const plan = planIn(
      shownPlan({
        resources: [
          { address: 'aws_x.one', values: { event_source_arn: text } },
          { address: 'aws_sns_topic.one', values: { name: 'one' } },
          { address: ONE, values: queue('one') },
          planned('aws_sqs_queue.new'),
          planned('aws_sqs_queue.twice'),
          planned('aws_sqs_queue.again', { values: { name: 'twice' } }),
          { address: 'data.aws_sqs_queue.far', values: { name: 'far' } },
        ],
      }),
    )
    const [referrer] = plan.instances
    if (!referrer) throw new Error('there is no mapping')
    const { instance, candidates, ...found } = {
      candidates: undefined,
      ...createQueues(plan).find(referrer, 'event_source_arn'),
    }
    t.strictSame(
      {
        ...found,
        ...(instance ? { instance: instance.address } : {}),
        ...(candidates ? { candidates: candidates.map(({ address }) => address) } : {}),
      },
      expected,
    )
  })
}

test('the ARN of a queue', async (t) => {
  t.strictSame(arnSetting(arnOf('one')), known(arnOf('one')))
  t.strictSame(arnSetting('one:x:sqs'), invalid('"one:x:sqs" is not an ARN', USE_ARN))
  t.strictSame(arnSetting('arn:aws:sns:x'), invalid(`"arn:aws:sns:x" is not a queue's ARN`, USE_ARN))
})

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:orders'
const SUBSCRIPTION = { protocol: 'sqs', endpoint: arnOf('one'), topic_arn: TOPIC, raw_message_delivery: true }

test('the subscriptions of a queue', async (t) => {
  const shown = (changes: Values) =>
    state({ [ONE]: queue('one'), 'aws_sns_topic_subscription.x': { ...SUBSCRIPTION, ...changes } })
  const id = 'aws_sns_topic_subscription.x'
  t.strictSame(queueIn(shown({})).subscriptions, [{ id, isRaw: withId('isRaw', known(true), id) }])
  t.strictSame(queueIn(shown({ raw_message_delivery: null })).subscriptions, [
    { id, isRaw: withId('isRaw', { state: 'known', value: false, isDefault: true }, id) },
  ])
  t.strictSame(queueIn(shown({ protocol: 'lambda' })).subscriptions, [])
  t.strictSame(queueIn(shown({ endpoint: arnOf('far') })).subscriptions, [])
  t.strictSame(queueIn(state({ [ONE]: queue('one'), 'aws_x.x': SUBSCRIPTION })).subscriptions, [])
})
