import { test } from 'tap'
import { findingsInPlan, type PlannedModule, readShown, shownPlan } from '../support/terraform.ts'
import { lambda, mapping, queue, ref } from '../support/terraform-modules.ts'

const HANDLER = lambda('aws_lambda_function.work', { function_name: 'work' })
const TO_HANDLER = ref('aws_lambda_function.work.arn')

/** The id of the queue of each mapping, or the reason why it is not known. */
function queues(plan: PlannedModule): string[] {
  return readShown(shownPlan(plan)).mappings.map(({ queue }) => queue.unreadReason ?? queue.id)
}

/** A plan with these queues, and mappings at these addresses with these references to a queue. */
function planOf(
  addresses: readonly string[],
  mappings: readonly string[],
  references: readonly string[],
  forEach?: string[],
) {
  return {
    resources: [
      HANDLER,
      ...addresses.map((address) => queue(address, { name: address.replaceAll(/\W+/g, '-') })),
      ...mappings.map((address) => ({
        ...mapping(address, {}, references, TO_HANDLER),
        ...(forEach ? { forEach } : {}),
      })),
    ],
  }
}

const TWO = ['aws_sqs_queue.work["a.b"]', 'aws_sqs_queue.work["c"]']
const MAPPINGS = ['aws_lambda_event_source_mapping.work["a.b"]', 'aws_lambda_event_source_mapping.work["c"]']

const EITHER = `it is known only after apply whether it is ${TWO.join(' or ')}`
/** What Terraform lists for `aws_sqs_queue.work[each.value.queue]`. */
const NAMED_BY_VALUE = ['aws_sqs_queue.work', 'each.value.queue', 'each.value']

for (const [title, plan, expected] of [
  [
    'a queue',
    planOf(['aws_sqs_queue.one'], ['aws_lambda_event_source_mapping.work'], ref('aws_sqs_queue.one.arn')),
    ['aws_sqs_queue.one'],
  ],
  ['the key of a for_each', planOf(TWO, MAPPINGS, ['aws_sqs_queue.work', 'each.key']), TWO],
  [
    'the value of a for_each over the queues',
    planOf(TWO, MAPPINGS, ['each.value.arn', 'each.value'], ['aws_sqs_queue.work']),
    TWO,
  ],
  [
    'one instance of a for_each',
    planOf(TWO, [MAPPINGS[1] ?? ''], [`${TWO[0]}.arn`, TWO[0] ?? '', 'aws_sqs_queue.work']),
    [TWO[0]],
  ],
  [
    'the index of a count',
    planOf(
      ['aws_sqs_queue.work[0]', 'aws_sqs_queue.work[1]'],
      ['aws_lambda_event_source_mapping.work[0]', 'aws_lambda_event_source_mapping.work[1]'],
      ['aws_sqs_queue.work', 'count.index'],
    ),
    ['aws_sqs_queue.work[0]', 'aws_sqs_queue.work[1]'],
  ],
  [
    'the index of a count, of which there are fewer than queues',
    planOf(
      ['aws_sqs_queue.work[0]', 'aws_sqs_queue.work[1]'],
      ['aws_lambda_event_source_mapping.work[0]'],
      ['aws_sqs_queue.work', 'count.index'],
    ),
    ['it is known only after apply whether it is aws_sqs_queue.work[0] or aws_sqs_queue.work[1]'],
  ],
  ['an attribute of the value of a for_each', planOf(TWO, MAPPINGS, NAMED_BY_VALUE), [EITHER, EITHER]],
  [
    'the key of a for_each over some of the queues',
    planOf(TWO, MAPPINGS.slice(1), ['aws_sqs_queue.work', 'each.key']),
    [EITHER],
  ],
  [
    'the value of a for_each with fewer keys than queues',
    planOf(TWO, MAPPINGS.slice(1), ['aws_sqs_queue.work', 'each.value']),
    [EITHER],
  ],
  [
    'the value of a for_each with more keys than queues',
    planOf(TWO, [...MAPPINGS, 'aws_lambda_event_source_mapping.work["d"]'], ['aws_sqs_queue.work', 'each.value']),
    [EITHER, EITHER, EITHER],
  ],
  [
    'the key and a variable, for more keys than queues',
    planOf(
      TWO,
      [...MAPPINGS, 'aws_lambda_event_source_mapping.work["d"]'],
      ['aws_sqs_queue.work', 'var.names', 'each.key'],
    ),
    [EITHER, EITHER, EITHER],
  ],
  [
    'the key and a variable, for some of the queues',
    planOf(TWO, MAPPINGS.slice(1), ['aws_sqs_queue.work', 'var.names', 'each.key']),
    [EITHER],
  ],
  [
    'the key of a for_each that is a part of another key',
    planOf(['aws_sqs_queue.work["c"]', 'aws_sqs_queue.work["c-dead"]'], MAPPINGS.slice(1), [
      'aws_sqs_queue.work',
      'each.key',
    ]),
    ['it is known only after apply whether it is aws_sqs_queue.work["c"] or aws_sqs_queue.work["c-dead"]'],
  ],
  [
    'the key and another attribute of the value, for all queues',
    planOf(TWO, MAPPINGS, ['aws_sqs_queue.work', 'each.key', 'each.value.size', 'each.value']),
    TWO,
  ],
  [
    'a condition',
    planOf(
      ['aws_sqs_queue.one', 'aws_sqs_queue.two'],
      ['aws_lambda_event_source_mapping.work'],
      ['var.first', ...ref('aws_sqs_queue.one.arn'), ...ref('aws_sqs_queue.two.arn')],
    ),
    ['it is known only after apply whether it is aws_sqs_queue.one or aws_sqs_queue.two'],
  ],
  [
    'a local value',
    planOf(['aws_sqs_queue.one'], ['aws_lambda_event_source_mapping.work'], ['local.arn']),
    ['it is known only after apply, and depends on local.arn, which a plan does not show'],
  ],
] as const) {
  test(`event_source_arn from ${title}`, (t) => {
    t.strictSame(queues(plan), expected)
    t.end()
  })
}

test('event_source_arn from a module call with for_each: the queue of the same key', (t) => {
  const outputs = { arn: ref('aws_sqs_queue.this.arn') }
  const plan = {
    resources: [HANDLER, ...MAPPINGS.map((address) => mapping(address, {}, ['module.queue', 'each.key'], TO_HANDLER))],
    modules: {
      'module.queue["a.b"]': { outputs, resources: [queue('aws_sqs_queue.this', { name: 'a' })] },
      'module.queue["c"]': { outputs, resources: [queue('aws_sqs_queue.this', { name: 'c' })] },
    },
  }
  t.strictSame(queues(plan), ['module.queue["a.b"].aws_sqs_queue.this', 'module.queue["c"].aws_sqs_queue.this'])
  t.end()
})

test('event_source_arn from a variable of a module call with for_each', (t) => {
  const inner = {
    resources: [mapping('aws_lambda_event_source_mapping.this', { function_name: 'work' }, ['var.arn'], [])],
  }
  function found(...references: string[]) {
    const call = { arn: { references } }
    const modules = { 'module.worker["a.b"]': { ...inner, call }, 'module.worker["c"]': { ...inner, call } }
    const resources = [HANDLER, ...TWO.map((address) => queue(address, { name: address.replaceAll(/\W+/g, '-') }))]
    return queues({ resources, modules })
  }
  t.strictSame(found('aws_sqs_queue.work', 'each.key'), TWO)
  t.strictSame(found(...NAMED_BY_VALUE), [EITHER, EITHER])
  t.end()
})

test('function_name from an attribute of the value of a for_each: the function is not known', (t) => {
  const functions = ['aws_lambda_function.work["a.b"]', 'aws_lambda_function.work["c"]']
  const references = ['aws_lambda_function.work', 'each.value.handler', 'each.value']
  const plan = {
    resources: [
      ...functions.map((address) => lambda(address, { function_name: address.replaceAll(/\W+/g, '-') })),
      ...TWO.map((address) => queue(address, { name: address.replaceAll(/\W+/g, '-') })),
      ...MAPPINGS.map((address) => mapping(address, {}, ['aws_sqs_queue.work', 'each.key'], references)),
    ],
  }
  const reason = `it is known only after apply whether it is ${functions.join(' or ')}`
  t.strictSame(
    readShown(shownPlan(plan)).mappings.map(({ function: target }) => target.unreadReason),
    [reason, reason],
  )
  t.end()
})

test('event_source_arn from a variable of a module in a module', (t) => {
  const inner = {
    resources: [mapping('aws_lambda_event_source_mapping.this', { function_name: 'work' }, ['var.arn'], [])],
  }
  const plan = {
    resources: [HANDLER, queue('aws_sqs_queue.one', { name: 'one' }), queue('aws_sqs_queue.two', { name: 'two' })],
    modules: {
      'module.outer': {
        call: { source_arn: { references: ref('aws_sqs_queue.two.arn') } },
        resources: [],
        modules: { 'module.inner': { ...inner, call: { arn: { references: ['var.source_arn'] } } } },
      },
    },
  }
  const [first] = readShown(shownPlan(plan)).mappings
  t.equal(first?.id, 'module.outer.module.inner.aws_lambda_event_source_mapping.this')
  t.strictSame([first?.queue.id, first?.function.id], ['aws_sqs_queue.two', 'aws_lambda_function.work'])
  t.end()
})

test('instances of one declaration with the same wrong setting give one finding', (t) => {
  const keys = ['["a.b"]', '["c"]', '["d"]']
  const plan = planOf(
    keys.map((key) => `aws_sqs_queue.work${key}`),
    keys.map((key) => `aws_lambda_event_source_mapping.work${key}`),
    ['aws_sqs_queue.work', 'each.key'],
  )
  const resources = plan.resources.map((one) =>
    one.address === 'aws_sqs_queue.work["d"]'
      ? { ...one, values: { ...one.values, visibility_timeout_seconds: 2 } }
      : one,
  )
  const short = { ...HANDLER, values: { ...HANDLER.values, timeout: 31 } }
  const findings = findingsInPlan(shownPlan({ resources: [short, ...resources.slice(1)] }))
  const [visibility, other, reports] = findings
  t.strictSame(
    [reports, visibility, other].map((finding) => finding?.rule),
    ['report-batch-item-failures', 'visibility-below-timeout', 'visibility-below-timeout'],
  )
  const addresses = keys.map((key) => `aws_lambda_event_source_mapping.work${key}`).join(', ')
  t.ok(reports?.message.endsWith(` It applies to ${addresses}.`))
  t.ok(visibility?.message.endsWith(' It applies to aws_sqs_queue.work["a.b"], aws_sqs_queue.work["c"].'))
  t.match(other, { resource: 'aws_sqs_queue.work["d"]' })
  t.end()
})
