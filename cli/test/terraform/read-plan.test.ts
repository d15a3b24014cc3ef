import { test } from 'tap'
import { getAtt, ids, only, short } from '../support/templates.ts'
import {
  findingsInPlan,
  type PlannedModule,
  readShown,
  resource,
  shownPlan,
  terraformState,
} from '../support/terraform.ts'
import { lambda, mapping, queue, ref } from '../support/terraform-modules.ts'

const ORDERS = 'aws_lambda_event_source_mapping.orders'
const QUEUE_ARN = 'arn:aws:sqs:eu-west-1:123456789012:orders'
const REPORTS = { function_response_types: ['ReportBatchItemFailures'] }
const TO_QUEUE = ref('aws_sqs_queue.orders.arn')
const TO_HANDLER = ref('aws_lambda_function.handler.arn')

type Values = Record<string, unknown>
type Resource = PlannedModule['resources'][number]

/** A mapping, and other resources. By default, the mapping refers to the queue and the function. */
function planOf(others: readonly Resource[], settings: Values = {}, target: readonly string[] = TO_HANDLER) {
  return shownPlan({ resources: [...others, mapping(ORDERS, { ...REPORTS, ...settings }, TO_QUEUE, target)] })
}

function handler(settings: Values = {}) {
  return lambda('aws_lambda_function.handler', { function_name: 'handler', ...settings })
}
const DEAD = queue('aws_sqs_queue.dead', { name: 'dead', message_retention_seconds: 1_209_600 })
const POLICY = JSON.stringify({ deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:123456789012:dead', maxReceiveCount: 5 })

/** A queue with values that are known, among them those that an earlier apply has set. */
function orders(settings: Values = {}, expressions: Values = {}): Resource {
  const created = queue('aws_sqs_queue.orders', { name: 'orders', ...settings }, expressions)
  return { ...created, unknown: created.unknown.filter((name) => !(name in settings)) }
}
const QUEUE = orders({ redrive_policy: POLICY }, { redrive_policy: { references: ref('aws_sqs_queue.dead.arn') } })

/** With these values known only after apply. */
function withUnknown(resource: Resource, after_unknown: Values) {
  const plan = planOf([QUEUE, DEAD, handler()].map((one) => (one.address === resource.address ? resource : one)))
  for (const change of plan.resource_changes as {
    address: string
    change: { after: Values; after_unknown: Values }
  }[]) {
    if (change.address === resource.address) Object.assign(change.change.after_unknown, after_unknown)
  }
  return plan
}

function messages(plan: unknown) {
  return findingsInPlan(plan).map(({ resource, message }) => `${resource}: ${message}`)
}

const AFTER = 'it is known only after apply.'
for (const [title, resource, unknown, expected] of [
  [
    'the timeout of a function',
    handler({ timeout: undefined }),
    { timeout: true },
    [`aws_lambda_function.handler: Not checked: Timeout. Reason: ${AFTER}`],
  ],
  [
    'the reserved concurrency of a function',
    handler({ reserved_concurrent_executions: undefined }),
    { reserved_concurrent_executions: true },
    [`aws_lambda_function.handler: Not checked: ReservedConcurrentExecutions. Reason: ${AFTER}`],
  ],
  [
    'the visibility timeout of a queue',
    { ...QUEUE, values: { ...QUEUE.values, visibility_timeout_seconds: undefined } },
    { visibility_timeout_seconds: true },
    [`aws_sqs_queue.orders: Not checked: VisibilityTimeout. Reason: ${AFTER}`],
  ],
] as const) {
  test(`known only after apply: ${title}`, (t) => {
    const plan = withUnknown(resource, unknown)
    t.strictSame(messages(plan), expected)
    t.end()
  })
}

for (const [title, settings, unknown, expected] of [
  [
    'the response types',
    { function_response_types: undefined },
    { function_response_types: true },
    'FunctionResponseTypes',
  ],
  [
    'one response type',
    { function_response_types: [null] },
    { function_response_types: [true] },
    'FunctionResponseTypes',
  ],
  ['the batch size', { batch_size: undefined }, { batch_size: true }, 'BatchSize'],
  [
    'the maximum concurrency',
    { scaling_config: [{}] },
    { scaling_config: [{ maximum_concurrency: true }] },
    'MaximumConcurrency',
  ],
  ['the filters', { filter_criteria: [{}] }, { filter_criteria: [{ filter: true }] }, 'Filters'],
] as const) {
  test(`known only after apply: ${title} of a mapping`, (t) => {
    const plan = planOf([QUEUE, DEAD, handler()], settings)
    const [last] = plan.resource_changes.slice(-1) as { change: { after_unknown: Values } }[]
    Object.assign(last?.change.after_unknown ?? {}, unknown)
    const isOfTypes = expected === 'FunctionResponseTypes'
    const warning = `It is not known whether ReportBatchItemFailures is on: ${AFTER}`
    const [message, ...more] = messages(plan)
    t.match(message, isOfTypes ? `${ORDERS}: ${warning}` : `${ORDERS}: Not checked: ${expected}. Reason: ${AFTER}`)
    t.strictSame(more, [])
    t.end()
  })
}

test('known only after apply: the pattern of a filter', (t) => {
  const plan = planOf([QUEUE, DEAD, handler()], { filter_criteria: [{ filter: [{}] }] })
  const [last] = plan.resource_changes.slice(-1) as { change: { after_unknown: Values } }[]
  Object.assign(last?.change.after_unknown ?? {}, { filter_criteria: [{ filter: [{ pattern: true }] }] })
  t.strictSame(ids(findingsInPlan(plan)), [`filter-criteria ${ORDERS}`, `not-checked ${ORDERS}`])
  t.end()
})

for (const [title, version, functionVersion, expected] of [
  ['its newest version', '4', '4', 'aws_lambda_function.handler'],
  ['$LATEST', '$LATEST', '4', 'aws_lambda_function.handler'],
  ['an older version', '3', '4', 'aws_lambda_alias.live'],
  ['an older version, while a plan publishes a new one', '3', undefined, 'aws_lambda_alias.live'],
] as const) {
  test(`a mapping of an alias of ${title}`, (t) => {
    const alias: Resource = {
      address: 'aws_lambda_alias.live',
      values: { name: 'live', function_name: 'handler', function_version: version, routing_config: [] },
      unknown: ['arn', 'id', 'invoke_arn'],
    }
    const published = handler({ publish: true, version: functionVersion, reserved_concurrent_executions: 7 })
    const known = { ...published, unknown: published.unknown.filter((name) => name !== 'version' || !functionVersion) }
    const target = only(
      readShown(planOf([QUEUE, DEAD, known, alias], {}, ref('aws_lambda_alias.live.arn'))).mappings,
    ).function
    t.equal(target.id, expected)
    t.equal(short(target.reservedConcurrency), 7)
    if (target.id === 'aws_lambda_alias.live') {
      const reason = 'its versions may have other settings than aws_lambda_function.handler'
      t.equal(target.unreadReason, reason)
    }
    t.end()
  })
}

test('a mapping of an alias that routes to two versions', (t) => {
  const values = {
    name: 'live',
    function_name: 'handler',
    function_version: '4',
    routing_config: [{ additional_version_weights: { 3: 0.1 } }],
  }
  const alias: Resource = { address: 'aws_lambda_alias.live', values, unknown: ['arn'] }
  const findings = findingsInPlan(planOf([QUEUE, DEAD, handler(), alias], {}, ref('aws_lambda_alias.live.arn')))
  t.strictSame(
    findings.map(({ rule, message }) => [rule, message]),
    [
      [
        'not-checked',
        'Not checked: the settings of aws_lambda_alias.live. Reason: its versions may have other settings than aws_lambda_function.handler.',
      ],
    ],
  )
  t.end()
})

test('a mapping of a function in a data source: its settings are checked, and those that it does not show are listed', (t) => {
  const values = {
    function_name: 'handler',
    arn: 'arn:aws:lambda:eu-west-1:123456789012:function:handler',
    timeout: 30,
    memory_size: 128,
    runtime: 'nodejs24.x',
    reserved_concurrent_executions: -1,
    dead_letter_config: [],
  }
  const data: Resource = { address: 'data.aws_lambda_function.handler', values }
  const findings = findingsInPlan(
    planOf([QUEUE, DEAD, data], { function_name: 'handler' }, ref('data.aws_lambda_function.handler.function_name')),
  )
  t.strictSame(ids(findings), [
    'visibility-headroom aws_sqs_queue.orders',
    'not-checked data.aws_lambda_function.handler',
  ])
  t.equal(
    findings[1]?.message,
    'Not checked: TenantIsolationMode. Reason: data.aws_lambda_function.handler does not show it.',
  )
  t.end()
})

test('a mapping of a queue in another state: the rest of the mapping is checked', (t) => {
  const arn = `${QUEUE_ARN}.fifo`
  const findings = findingsInPlan(planOf([handler()], { event_source_arn: arn, batch_size: 11 }))
  t.strictSame(ids(findings), [`fifo-batch-size ${ORDERS}`, `not-checked ${ORDERS}`])
  t.equal(
    findings[1]?.message,
    `Not checked: the visibility timeout, redrive policy and retention of ${arn}. Reason: it is not in this plan or state.`,
  )
  t.end()
})

test('a mapping of a queue in a data source that is read during apply', (t) => {
  const data: Resource = {
    address: 'data.aws_sqs_queue.orders',
    values: { name: 'orders.fifo' },
    unknown: ['arn', 'url'],
  }
  const plan = shownPlan({
    resources: [handler(), data, mapping(ORDERS, REPORTS, ref('data.aws_sqs_queue.orders.arn'), TO_HANDLER)],
  })
  t.strictSame(messages(plan), [
    `${ORDERS}: Not checked: the visibility timeout, redrive policy and retention of data.aws_sqs_queue.orders. Reason: a data source does not show the settings of a queue.`,
  ])
  t.end()
})

for (const [title, name, unknown, expected] of [
  [
    'is a standard queue',
    'dead',
    ['arn', 'url'],
    'aws_sqs_queue.orders: deadLetterTargetArn: data.aws_sqs_queue.dead is a standard queue, but aws_sqs_queue.orders is a FIFO queue. ' +
      'AWS rejects this value. Checks that depend on it were skipped.',
  ],
  ['is a FIFO queue', 'dead.fifo', ['arn', 'url'], undefined],
  [
    'has an unknown name',
    undefined,
    ['arn', 'url', 'name'],
    'aws_sqs_queue.orders: Not checked: whether data.aws_sqs_queue.dead is a FIFO queue. Reason: a data source does not show the settings of a queue.',
  ],
] as const) {
  test(`a FIFO queue whose dead-letter queue is a data source that ${title}`, (t) => {
    const data: Resource = { address: 'data.aws_sqs_queue.dead', values: { name }, unknown: [...unknown] }
    const source = queue(
      'aws_sqs_queue.orders',
      { name: 'orders.fifo', fifo_queue: true },
      { redrive_policy: { references: ref('data.aws_sqs_queue.dead.arn') } },
    )
    const plan = shownPlan({ resources: [handler(), data, source, mapping(ORDERS, REPORTS, TO_QUEUE, TO_HANDLER)] })
    const said = messages(plan).filter((line) => !/message groups|maxReceiveCount/.test(line))
    t.strictSame(said, expected === undefined ? [] : [expected])
    t.end()
  })
}

test('an ARN that is written by hand: the queue of that name is checked', (t) => {
  const findings = findingsInPlan(planOf([orders({ redrive_policy: '' }), handler()], { event_source_arn: QUEUE_ARN }))
  t.strictSame(ids(findings), ['no-redrive-policy aws_sqs_queue.orders'])
  t.end()
})

test('mappings of other services are not checked, even if their ARNs are known only after apply', (t) => {
  const stream: Resource = { address: 'aws_kinesis_stream.scans', values: { name: 'scans' }, unknown: ['arn'] }
  const sources = ref('aws_kinesis_stream.scans.arn')
  const others = ['starting_position', 'queues', 'topics'].map((name) =>
    mapping(
      `aws_lambda_event_source_mapping.${name}`,
      { [name]: name === 'starting_position' ? 'LATEST' : ['x'] },
      ['local.source'],
      TO_HANDLER,
    ),
  )
  const plan = shownPlan({
    resources: [
      stream,
      QUEUE,
      handler(),
      ...others,
      mapping('aws_lambda_event_source_mapping.scans', {}, sources, TO_HANDLER),
    ],
  })
  const { mappings, unreadResources } = readShown(plan)
  t.strictSame([mappings, unreadResources], [[], []])
  t.end()
})

test('a mapping whose ARN is that of a queue of the plan reads SQS, even if it has a starting position', (t) => {
  const stream = { starting_position: 'LATEST' }
  const plan = shownPlan({
    resources: [QUEUE, handler(), mapping('aws_lambda_event_source_mapping.orders', stream, TO_QUEUE, TO_HANDLER)],
  })
  const { mappings, unreadResources } = readShown(plan)
  t.strictSame(
    mappings.map(({ id, queue }) => [id, queue.id]),
    [['aws_lambda_event_source_mapping.orders', 'aws_sqs_queue.orders']],
  )
  t.strictSame(unreadResources, [])
  t.end()
})

const SEPARATE: Resource = {
  address: 'aws_sqs_queue_redrive_policy.orders',
  values: { redrive_policy: POLICY.replace(':5}', ':3}') },
  unknown: ['id', 'queue_url'],
  expressions: { queue_url: { references: ref('aws_sqs_queue.orders.id') } },
}

test('a redrive policy in a separate resource', (t) => {
  const findings = findingsInPlan(planOf([orders(), DEAD, handler(), SEPARATE]))
  t.strictSame(ids(findings), ['max-receive-count aws_sqs_queue.orders'])
  t.end()
})

test('a redrive policy in a separate resource, in a state', (t) => {
  const url = 'https://sqs.eu-west-1.amazonaws.com/123456789012/Queue'
  const other = 'https://sqs.eu-west-1.amazonaws.com/123456789012/other'
  for (const [queue_url, expected] of [
    [url, ['max-receive-count aws_sqs_queue.queue']],
    [other, ['no-redrive-policy aws_sqs_queue.queue']],
  ] as const) {
    const state = terraformState({ queue: { RedrivePolicy: undefined } })
    const redrive_policy = POLICY.replace(':dead"', ':Dead"').replace(':5}', ':3}')
    state.values.root_module.resources.push(resource(SEPARATE.address, { queue_url, redrive_policy }))
    t.strictSame(ids(findingsInPlan(state)), expected)
  }
  t.end()
})

for (const redrive_policy of ['{ "deadLetterTargetArn"', '5', 'null']) {
  test(`a redrive policy that is ${redrive_policy}`, (t) => {
    const [finding, ...more] = findingsInPlan(
      planOf(
        [orders({ redrive_policy }), DEAD, handler()].map((one) => ({
          ...one,
          expressions: { redrive_policy: { references: ['var.policy'] } },
        })),
      ),
    )
    t.strictSame(more, [])
    t.match(finding, { rule: 'invalid-value', resource: 'aws_sqs_queue.orders' })
    t.match(finding?.message, 'RedrivePolicy: it is not a JSON object.')
    t.end()
  })
}

test('a dead-letter queue in a data source', (t) => {
  const data: Resource = { address: 'data.aws_sqs_queue.dead', values: { name: 'dead' }, unknown: ['arn', 'url'] }
  const source = queue(
    'aws_sqs_queue.orders',
    { name: 'orders' },
    { redrive_policy: { references: ref('data.aws_sqs_queue.dead.arn') } },
  )
  t.strictSame(messages(planOf([source, data, handler()])), [
    'aws_sqs_queue.orders: Not checked: maxReceiveCount. Reason: the redrive policy is known only after apply.',
    'aws_sqs_queue.orders: Not checked: the retention of data.aws_sqs_queue.dead. Reason: a data source does not show the settings of a queue.',
  ])
  t.end()
})

test('a mapping is listed as not checked if it is known only after apply whether it reads SQS', (t) => {
  const plan = shownPlan({
    resources: [QUEUE, handler(), mapping('aws_lambda_event_source_mapping.orders', {}, ['local.source'], TO_HANDLER)],
  })
  const [last] = plan.resource_changes.slice(-1) as { change: { after_unknown: Values } }[]
  Object.assign(last?.change.after_unknown ?? {}, { starting_position: true })
  const { mappings, unreadResources } = readShown(plan)
  t.strictSame([mappings, unreadResources.map(({ id, what }) => [id, what])], [[], [[ORDERS, 'whether it reads SQS']]])
  t.end()
})

test('a redrive policy in a separate resource whose queue is not known', (t) => {
  const expressions = { queue_url: { references: ['local.url'] } }
  const findings = findingsInPlan(planOf([orders(), DEAD, handler(), { ...SEPARATE, expressions }]))
  t.strictSame(
    findings.map(({ message }) => message),
    [
      'Not checked: RedrivePolicy. Reason: aws_sqs_queue_redrive_policy.orders may set it. Its queue is not certain: it is known only after apply, and depends on local.url, which a plan does not show.',
    ],
  )
  t.end()
})

test('the dead-letter queue of a subscription needs no redrive policy', (t) => {
  const subscription: Resource = {
    address: 'aws_sns_topic_subscription.orders',
    values: { protocol: 'sqs' },
    unknown: ['arn', 'endpoint', 'redrive_policy'],
    expressions: { redrive_policy: { references: TO_QUEUE } },
  }
  t.strictSame(ids(findingsInPlan(planOf([orders(), handler()]))), ['no-redrive-policy aws_sqs_queue.orders'])
  t.strictSame(ids(findingsInPlan(planOf([orders(), handler(), subscription]))), [])
  t.end()
})

test('a disabled mapping does not count for the reserved concurrency', (t) => {
  const settings = { enabled: false, scaling_config: [{ maximum_concurrency: 20 }] }
  const findings = findingsInPlan(planOf([QUEUE, DEAD, handler({ reserved_concurrent_executions: 5 })], settings))
  t.strictSame(ids(findings), [`disabled-mapping ${ORDERS}`])
  t.end()
})

for (const [key, value, reason] of [
  ['errored', true, 'planning failed, so the plan is not complete'],
  ['complete', false, 'the plan is not complete: -target or a deferred change omits resources'],
] as const) {
  test(`a plan with ${key}: ${value} is checked, and listed`, (t) => {
    const plan = { ...planOf([QUEUE, DEAD, handler()]), [key]: value }
    t.strictSame(messages(plan), [`the plan: Not checked: this item. Reason: ${reason}.`])
    t.end()
  })
}

test('in a state of OpenTofu, the fix for settings that were not checked is to check the deployed function', (t) => {
  const state = {
    ...terraformState({ mapping: { EventSourceArn: `${QUEUE_ARN}-elsewhere` } }),
    terraform_version: '1.10.6',
  }
  const [finding, ...more] = findingsInPlan(state)
  t.strictSame(more, [])
  t.equal(finding?.fix, 'Check the deployed function with --function NAME.')
  t.strictSame(Object.keys(finding ?? {}), ['rule', 'severity', 'resource', 'message', 'fix', 'source', 'help'])
  t.end()
})

test('resources that are not read, and that may create mappings, are listed', (t) => {
  const others = ['awscc_sqs_queue.other', 'aws_cloudformation_stack.other', 'aws_cloudcontrolapi_resource.other']
  const plan = planOf([QUEUE, DEAD, handler(), ...others.map((address) => ({ address, values: {} }))])
  t.strictSame(messages(plan), [
    'awscc_sqs_queue.other: Not checked: this item. Reason: resources of the provider awscc are not read.',
    'aws_cloudformation_stack.other: Not checked: this item. Reason: its resources are in a separate template.',
    'aws_cloudcontrolapi_resource.other: Not checked: this item. Reason: resources of the Cloud Control API are not read.',
  ])
  t.end()
})

test('a state with functions of one name in two regions: the ARN decides', (t) => {
  const state = terraformState()
  const { resources } = state.values.root_module
  const [mapping] = resources.filter(({ address }) => address === ORDERS)
  const [first] = resources.filter(({ address }) => address === 'aws_lambda_function.handler')
  const arn = 'arn:aws:lambda:us-east-1:123456789012:function:Handler'
  if (!mapping || !first) throw new Error('a resource is missing')
  resources.push({ ...first, address: 'aws_lambda_function.other', values: { ...first.values, arn } })
  for (const [function_arn, id] of [
    [first.values.arn, 'aws_lambda_function.handler'],
    [arn, 'aws_lambda_function.other'],
  ]) {
    Object.assign(mapping.values, { function_name: 'Handler', function_arn })
    t.equal(only(readShown(state).mappings).function.id, id)
  }
  t.end()
})

test('a function name that is followed by an alias or a version', (t) => {
  const values = { name: 'live', function_name: 'handler', function_version: '4', arn: 'arn:x:live' }
  const alias: Resource = { address: 'aws_lambda_alias.live', values }
  const newest = { ...handler({ version: '4' }), unknown: ['arn'] }
  for (const [name, id] of [
    ['handler', 'aws_lambda_function.handler'],
    ['handler:live', 'aws_lambda_function.handler'],
    ['handler:4', 'aws_lambda_function.handler'],
    ['handler:3', 'aws_lambda_function.handler:3'],
    ['arn:aws:lambda:eu-west-1:123456789012:function:handler:3', 'aws_lambda_function.handler:3'],
    ['123456789012:function:handler', 'aws_lambda_function.handler'],
    ['other', 'other'],
  ] as const) {
    const { mappings } = readShown(planOf([QUEUE, DEAD, newest, alias], { function_name: name }, []))
    t.equal(only(mappings).function.id, id, name)
  }
  t.end()
})

test('a queue whose dead-letter queue is the queue itself gives one finding', (t) => {
  const RedrivePolicy = { deadLetterTargetArn: getAtt('Queue'), maxReceiveCount: 5 }
  const [finding, ...more] = findingsInPlan(terraformState({ queue: { RedrivePolicy } }))
  t.strictSame(more, [])
  t.match(finding, {
    rule: 'no-redrive-policy',
    resource: 'aws_sqs_queue.queue',
    message: /^The redrive policy names the queue itself as its dead-letter queue\./,
  })
  t.end()
})
