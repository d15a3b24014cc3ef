import { test } from 'tap'
import type { Mapping } from '../../src/model/model.ts'
import { absent, known, type Setting, unknown } from '../../src/model/setting.ts'
import { sameModel } from '../support/plain.ts'
import { only } from '../support/templates.ts'
import { type PlannedModule, readShown, resource, shownPlan } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

const AFTER = unknown('it is known only after apply')
const ORDERS = 'aws_lambda_event_source_mapping.orders'
const QUEUE = 'aws_sqs_queue.one'
const ARN = 'arn:aws:sqs:eu-west-1:123456789012:one'
const FAR = ARN.replace(/one$/, 'far')
const URL = 'https://sqs.eu-west-1.amazonaws.com/123456789012/one'
const ONE = { address: QUEUE, values: { name: 'one', arn: ARN, id: URL } }
const HANDLER = { address: 'aws_lambda_function.work', values: { function_name: 'work' } }
const MAPPING: Values = { event_source_arn: ARN, function_name: 'work' }

function planWith(mapping: Partial<Resource>, ...others: readonly Resource[]) {
  return shownPlan({ resources: [ONE, HANDLER, { address: ORDERS, values: MAPPING, ...mapping }, ...others] })
}
function mappingOf(values: Values, after: Values = {}): Mapping {
  return only(readShown(planWith({ values: { ...MAPPING, ...values }, unknown: after })).mappings)
}

function withId<T>(name: string, setting: Setting<T>, address = ORDERS) {
  return { ...setting, id: `${address} ${name} ${JSON.stringify(setting)}` }
}
function byDefault(value: unknown) {
  return { state: 'known', value, isDefault: true } as const
}
/** The settings of a mapping that has none. */
function unset(address: string) {
  return {
    batchSize: withId('batchSize', byDefault(10), address),
    window: withId('window', byDefault(0), address),
    maximumConcurrency: absent,
    minimumPollers: absent,
    maximumPollers: absent,
    runs: withId('runs', byDefault(true), address),
    reportBatchItemFailures: withId('reportBatchItemFailures', byDefault(false), address),
    filters: absent,
  }
}

test('a state with a mapping', async (t) => {
  const resources = [ONE, HANDLER, { address: ORDERS, values: MAPPING }]
  const all = resources.map(({ address, values }) => resource(address, values))
  const { mappings, ...rest } = readShown({ format_version: '1.0', values: { root_module: { resources: all } } })
  const { queue, function: target, ...mapping } = only(mappings)
  sameModel(t, mapping, { id: ORDERS, ...unset(ORDERS) })
  sameModel(t, [queue.id, target.id], [QUEUE, HANDLER.address])
  sameModel(t, rest, { unreadResources: [] })
})

test('a plan with a mapping', async (t) => {
  const settings = {
    batch_size: 100,
    maximum_batching_window_in_seconds: 5,
    scaling_config: [{ maximum_concurrency: 20 }],
    provisioned_poller_config: [{ minimum_pollers: 2, maximum_pollers: 20 }],
    enabled: false,
    function_response_types: ['ReportBatchItemFailures'],
    filter_criteria: [{ filter: [{ pattern: '{ "body": ["a"] }' }] }],
  }
  const { mappings, ...rest } = readShown(planWith({ values: { ...MAPPING, ...settings } }))
  const { queue, function: target, ...mapping } = only(mappings)
  const pattern = known({ json: '{"body":["a"]}' })
  sameModel(t, mapping, {
    ...unset(ORDERS),
    id: ORDERS,
    batchSize: withId('batchSize', known(100)),
    window: withId('window', known(5)),
    maximumConcurrency: withId('maximumConcurrency', known(20)),
    minimumPollers: withId('minimumPollers', known(2)),
    maximumPollers: withId('maximumPollers', known(20)),
    runs: withId('runs', known(false)),
    reportBatchItemFailures: withId('reportBatchItemFailures', known(true)),
    filters: withId('filters', known([pattern])),
  })
  sameModel(t, [queue.id, target.id], [QUEUE, HANDLER.address])
  sameModel(t, rest, { unreadResources: [] })
})

/** The ids of the queues that mappings read, and what was not read. */
function found(plan: unknown) {
  const { mappings, unreadResources } = readShown(plan)
  return [mappings.map(({ queue }) => queue.id), unreadResources]
}
const MAY_READ = { id: ORDERS, what: 'whether it reads SQS', unreadReason: AFTER.reason }

for (const [title, event_source_arn, queues] of [
  ['the ARN of a queue', ARN, [QUEUE]],
  ['the ARN of a queue that is elsewhere', FAR, [FAR]],
  ['the ARN of a stream', 'arn:aws:kinesis:eu-west-1:123456789012:stream/sqs', []],
  ['the URL of a queue', URL, [QUEUE]],
  ['text in which arn: comes later', 'x:arn:y', ['its queue']],
] as const) {
  test(`a mapping whose source is ${title}`, async (t) => {
    sameModel(t, found(planWith({ values: { ...MAPPING, event_source_arn } })), [queues, []])
  })
}

test('a mapping of a queue that is elsewhere: its ARN says whether it is a FIFO queue', async (t) => {
  const fifoOf = (event_source_arn: string) => mappingOf({ event_source_arn }).queue.fifo
  sameModel(t, fifoOf(FAR), known(false))
  sameModel(t, fifoOf(`${FAR}.fifo`), known(true))
  const { queue } = only(readShown(withSource({}, ['local.arn'], [])).mappings)
  t.match(queue, { id: 'its queue', fifo: { state: 'unknown', reason: queue.unreadReason } })
})

/** A mapping whose source is known only after apply. */
function withSource(
  values: Values,
  references: readonly string[],
  after: readonly string[],
  ...others: readonly Resource[]
) {
  const expressions = { event_source_arn: { references } }
  const own = { values: { function_name: 'work', ...values }, unknown: ['event_source_arn', ...after], expressions }
  return planWith(own, ...others)
}
const UNCREATED = { address: 'aws_sqs_queue.new', values: { name: 'new' }, unknown: ['arn', 'id'] }
const NEW = UNCREATED.address
const DEPENDS = 'it is known only after apply, and depends on local.arn, which a plan does not show'

for (const [title, references, values, after, expected] of [
  ['the ARN of a queue', ref('aws_sqs_queue.new.arn'), {}, [], [[NEW], []]],
  [
    'the ARN of a queue, and a starting position',
    ref('aws_sqs_queue.new.arn'),
    { starting_position: 'LATEST' },
    [],
    [[NEW], []],
  ],
  ['a whole queue', ['aws_sqs_queue.new'], {}, [], [[NEW], []]],
  [
    'a queue or a local value',
    ['local.arn', ...ref('aws_sqs_queue.new.arn')],
    {},
    [],
    [
      [NEW],
      [
        {
          id: ORDERS,
          what: 'whether its queue is aws_sqs_queue.new',
          unreadReason: 'it also depends on local.arn, which a plan does not show',
        },
      ],
    ],
  ],
  ['a local value', ['local.arn'], {}, [], [['its queue'], []]],
  ['a variable', ['var.arn'], {}, [], [['its queue'], []]],
  ['a local value, and a starting position', ['local.arn'], { starting_position: 'LATEST' }, [], [[], []]],
  ['a local value, and queues of a broker', ['local.arn'], { queues: ['x'] }, [], [[], []]],
  ['a local value, and topics', ['local.arn'], { topics: ['x'] }, [], [[], []]],
  ['a local value, and a self-managed source', ['local.arn'], { self_managed_event_source: [{}] }, [], [[], []]],
  ['a local value, and empty lists', ['local.arn'], { topics: [], queues: null }, [], [['its queue'], []]],
  ['a local value, and topics that are not known', ['local.arn'], {}, ['topics'], [[], [MAY_READ]]],
  ['a stream', ref('aws_kinesis_stream.one.arn'), {}, [], [[], []]],
  ['a stream, and topics that are not known', ref('aws_kinesis_stream.one.arn'), {}, ['topics'], [[], []]],
  ['a stream or a local value', ['local.arn', ...ref('aws_kinesis_stream.one.arn')], {}, ['topics'], [[], [MAY_READ]]],
  [
    'a stream or a queue, and topics that are not known',
    [...ref('aws_kinesis_stream.one.arn'), ...ref('aws_sqs_queue.new.arn')],
    {},
    ['topics'],
    [[], [MAY_READ]],
  ],
  ['a queue, and topics that are not known', ref('aws_sqs_queue.new.arn'), {}, ['topics'], [[NEW], []]],
  ['a resource of another type', ref('x_aws_mq_broker.one.arn'), {}, ['topics'], [[], [MAY_READ]]],
] as const) {
  test(`a mapping whose source is known only after apply, and refers to ${title}`, async (t) => {
    const others = ['aws_kinesis_stream.one', 'x_aws_mq_broker.one'].map((address) => ({ address, values: {} }))
    sameModel(t, found(withSource(values, references, after, UNCREATED, ...others)), expected)
  })
}

test('a mapping of a local value: the reason why its queue is not known', async (t) => {
  const { queue } = only(readShown(withSource({}, ['local.arn'], [])).mappings)
  t.equal(queue.unreadReason, DEPENDS)
})

test('resources that are not read', async (t) => {
  const AWSCC = 'resources of the provider awscc are not read'
  const STACK = 'its resources are in a separate template'
  const reasons: Readonly<Record<string, string>> = {
    awscc_lambda_event_source_mapping: AWSCC,
    awscc_lambda_function: AWSCC,
    awscc_sqs_queue: AWSCC,
    awscc_sqs_queue_policy: '',
    x_awscc_sqs_queue: '',
    aws_cloudcontrolapi_resource: 'resources of the Cloud Control API are not read',
    aws_cloudcontrolapi_resource_x: '',
    x_aws_cloudcontrolapi_resource: '',
    aws_cloudformation_stack: STACK,
    awscc_cloudformation_stack: STACK,
    aws_cloudformation_stack_instances: STACK,
    aws_cloudformation_stack_set_instance: STACK,
    aws_cloudformation_stack_set: '',
    'data.aws_cloudformation_stack': '',
  }
  const others = Object.keys(reasons).map((type) => ({ address: `${type}.one`, values: {} }))
  const { mappings, unreadResources } = readShown(planWith({}, ...others))
  t.equal(mappings.length, 1)
  sameModel(
    t,
    unreadResources,
    Object.entries(reasons).flatMap(([type, unreadReason]) =>
      unreadReason === '' ? [] : [{ id: `${type}.one`, unreadReason }],
    ),
  )
})

test('data sources are not mappings', async (t) => {
  const plan = shownPlan({
    resources: [
      ONE,
      HANDLER,
      { address: `data.${ORDERS}`, values: MAPPING },
      { address: 'aws_x.one', values: MAPPING },
    ],
  })
  sameModel(t, readShown(plan).mappings, [])
})
