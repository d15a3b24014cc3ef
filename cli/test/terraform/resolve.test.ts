import { test } from 'tap'
import type { Instance } from '../../src/terraform/plan.ts'
import { declares, findReferenced, isPossible, mentionedBy, resolveArgument } from '../../src/terraform/references.ts'
import { type PlannedModule, planIn, shownPlan } from '../support/terraform.ts'
import { ref } from '../support/terraform-modules.ts'

type Resource = PlannedModule['resources'][number]

function resources(...addresses: string[]): Resource[] {
  return addresses.map((address) => ({ address, values: {} }))
}

/** A resource whose argument `source` has these references. */
function referrer(address: string, references: readonly string[], forEach?: Resource['forEach']): Resource {
  return { address, values: {}, expressions: { source: { references } }, ...(forEach ? { forEach } : {}) }
}

function find(plan: PlannedModule, address: string): Instance {
  const instance = planIn(shownPlan(plan)).instances.find((one) => one.address === address)
  if (!instance) throw new Error(`there is no ${address}`)
  return instance
}

/** What an argument refers to: the address and the attribute of each resource, and what is unresolved. */
function resolved(plan: PlannedModule, address: string, argument = 'source') {
  const { leaves, unresolved } = resolveArgument(find(plan, address), argument)
  return [leaves.map(({ instance, attribute }) => `${instance.address} ${attribute}`), unresolved]
}

const QUEUES = ['aws_sqs_queue.work["a.b"]', 'aws_sqs_queue.work["c"]'] as const
const [AB, C] = QUEUES

for (const [title, addresses, references, expected] of [
  ['one instance', QUEUES, ref(`${C}.arn`), [[`${C} arn`], []]],
  ['the whole resource', ['aws_sqs_queue.one'], ['aws_sqs_queue.one'], [['aws_sqs_queue.one '], []]],
  [
    'a name that begins like another one',
    ['aws_sqs_queue.one', 'aws_sqs_queue.one2'],
    ['aws_sqs_queue.one', ...ref('aws_sqs_queue.one2.arn')],
    [['aws_sqs_queue.one ', 'aws_sqs_queue.one2 arn'], []],
  ],
  [
    'two attributes',
    ['aws_sqs_queue.one'],
    [...ref('aws_sqs_queue.one.arn'), ...ref('aws_sqs_queue.one.id')],
    [['aws_sqs_queue.one arn', 'aws_sqs_queue.one id'], []],
  ],
  [
    'a resource, and not the data source of the same name, or another type',
    ['aws_sqs_queue.one', 'data.aws_sqs_queue.one', 'aws_sns_topic.one', 'aws_sqs_queue.two'],
    ref('aws_sqs_queue.one.arn'),
    [['aws_sqs_queue.one arn'], []],
  ],
  [
    'a data source',
    ['aws_sqs_queue.one', 'data.aws_sqs_queue.one'],
    ref('data.aws_sqs_queue.one.arn'),
    [['data.aws_sqs_queue.one arn'], []],
  ],
  ['a resource without instances', [], ref('aws_sqs_queue.one.arn'), [[], []]],
  [
    'values without resources',
    [],
    ['count.index', 'path.module', 'terraform.workspace', 'self.name', 'var.name', 'each.key'],
    [[], []],
  ],
  ['local values', [], ['local.arn', 'local.arn', 'local.name'], [[], ['local.arn', 'local.name']]],
  [
    'local values whose names are those of other references',
    [],
    ['local.each.value', 'local.var.name', 'local.module.name'],
    [[], ['local.each.value', 'local.var.name', 'local.module.name']],
  ],
  ['a reference of an unknown form', [], ['queues'], [[], ['queues']]],
  ['a module call without resources', [], ref('module.queue.arn'), [[], ['module.queue.arn']]],
] as const) {
  test(`an argument that refers to ${title}`, async (t) => {
    const plan = { resources: [...resources(...addresses), referrer('aws_x.one', references)] }
    t.strictSame(resolved(plan, 'aws_x.one'), expected)
  })
}

test('the references of a block are those of its arguments', async (t) => {
  const queue = { references: ref('aws_sqs_queue.one.arn') }
  const literal = { constant_value: { references: ['aws_sqs_queue.two.arn'] } }
  const expressions = {
    lists: [{ literal }, { inner: [{ queue }] }],
    map: { literal, queue },
    literal,
    nothing: {},
    none: null,
    text: 'aws_sqs_queue.two.arn',
  }
  const plan = {
    resources: [
      ...resources('aws_sqs_queue.one', 'aws_sqs_queue.two'),
      { address: 'aws_x.one', values: {}, expressions },
    ],
  }
  for (const name of ['lists', 'map']) t.strictSame(resolved(plan, 'aws_x.one', name), [['aws_sqs_queue.one arn'], []])
  for (const name of ['literal', 'nothing', 'none', 'text', 'missing']) {
    t.strictSame(resolved(plan, 'aws_x.one', name), [[], []], name)
  }
  t.strictSame(
    mentionedBy(find(plan, 'aws_x.one'), 'lists').map(({ address }) => address),
    ['aws_sqs_queue.one'],
  )
})

const SOME = [AB, C, 'aws_sqs_queue.work["d"]']
/** The declaration has the keys `a.b` and `c`. What the first instance refers to. */
function ofFirst(
  queues: readonly string[],
  references: readonly string[],
  forEach?: Resource['forEach'],
  keys: readonly string[] = ['["a.b"]', '["c"]'],
) {
  const mappings = keys.map((key) => referrer(`aws_x.one${key}`, references, forEach))
  return resolved({ resources: [...resources(...queues), ...mappings] }, `aws_x.one${keys[0]}`)
}
function leavesOf(addresses: readonly string[], attribute = '') {
  return addresses.map((address) => `${address} ${attribute}`)
}

for (const [title, queues, references, forEach, expected] of [
  ['each.key, with the same keys', QUEUES, ['each.key'], undefined, [[AB], []]],
  ['each.key, with fewer keys than instances', SOME, ['each.key'], undefined, [SOME, []]],
  ['each.key, which no instance has', SOME.slice(1), ['each.key'], undefined, [SOME.slice(1), []]],
  [
    'each.key, which is a part of another key',
    [...QUEUES, 'aws_sqs_queue.work["a.b-dead"]'],
    ['each.key'],
    undefined,
    [[...QUEUES, 'aws_sqs_queue.work["a.b-dead"]'], []],
  ],
  ['each.key and a variable', SOME, ['each.key', 'var.x'], undefined, [SOME, []]],
  ['each.key and a local value', SOME, ['each.key', 'local.x'], undefined, [SOME, ['local.x']]],
  ['each.key and each.value', SOME, ['each.key', 'each.value'], undefined, [SOME, []]],
  ['each.key and an attribute of each.value', SOME, ['each.key', 'each.value.x'], undefined, [SOME, []]],
  ['neither each.key nor each.value', QUEUES, ['var.x'], undefined, [QUEUES, []]],
  ['a local value that is called each', QUEUES, ['local.each.key'], undefined, [QUEUES, ['local.each.key']]],
  ['each.value, with the same keys', QUEUES, ['each.value'], undefined, [[AB], ['each.value']]],
  ['each.value, with fewer keys than instances', SOME, ['each.value'], undefined, [SOME, []]],
  ['each.value, with more keys than instances', [AB], ['each.value'], undefined, [[AB], []]],
  ['an attribute of each.value', QUEUES, ['each.value.x', 'each.value'], undefined, [QUEUES, []]],
  [
    'each.value, although the plan shows the values',
    QUEUES,
    ['each.value'],
    { constant_value: { 'a.b': 'c', c: 'a.b' } },
    [[AB], ['each.value']],
  ],
  [
    'each.key, although the plan shows the values',
    QUEUES,
    ['each.key', 'each.value'],
    { constant_value: { 'a.b': 'c', c: 'a.b' } },
    [[AB], []],
  ],
] as const) {
  test(`the instance that an argument selects with ${title}`, async (t) => {
    const [leaves, unresolved] = expected
    t.strictSame(ofFirst(queues, ['aws_sqs_queue.work', ...references], forEach), [leavesOf(leaves), unresolved])
  })
}

test('the instance that an argument selects with each.value, if there is one', async (t) => {
  t.strictSame(ofFirst([AB], ['aws_sqs_queue.work', 'each.value'], undefined, ['["a.b"]']), [leavesOf([AB]), []])
})

test('the instance that an argument selects with each.value, with other keys than those of the instances', async (t) => {
  const selected = (keys: readonly string[]) => ofFirst(QUEUES, ['aws_sqs_queue.work', 'each.value'], undefined, keys)
  t.strictSame(selected(['["a.b"]', '["d"]']), [leavesOf(QUEUES), []])
  t.strictSame(selected(['["a.b"]', '["c"]', '["d"]']), [leavesOf(QUEUES), []], 'more keys')
})

test('the instance that an argument selects with count.index', async (t) => {
  const counted = ['aws_sqs_queue.work[0]', 'aws_sqs_queue.work[1]', 'aws_sqs_queue.work[2]']
  const selected = (queues: readonly string[]) =>
    ofFirst(queues, ['aws_sqs_queue.work', 'count.index'], undefined, ['[1]', '[0]'])
  t.strictSame(selected(counted.slice(0, 2)), [leavesOf(counted.slice(1, 2)), []])
  t.strictSame(selected(counted), [leavesOf(counted), []])
})

for (const [title, references, forEach, expected] of [
  ['a resource', ['each.value.arn', 'each.value'], ['aws_sqs_queue.work'], [[AB], []]],
  [
    'a resource and something else, so that a key can have any of the instances',
    ['each.value.arn', 'each.value'],
    ['var.names', 'aws_sqs_queue.work'],
    [[AB], ['each.value']],
  ],
  [
    'a resource that the argument also uses with another key',
    ['each.value.arn', 'each.value', 'aws_sqs_queue.work', 'var.other'],
    ['aws_sqs_queue.work'],
    [[AB, C], []],
  ],
  ['one instance of a resource', ['each.value.arn', 'each.value'], [C, 'aws_sqs_queue.work'], [[C], []]],
] as const) {
  test(`each.value of a for_each over ${title}`, async (t) => {
    const [leaves, unresolved] = expected
    t.strictSame(ofFirst(QUEUES, references, forEach), [leavesOf(leaves), unresolved])
  })
}

test('each.value of a for_each in a module, and of the for_each of its call', async (t) => {
  const inner = {
    resources: [
      ...resources('aws_sqs_queue.own'),
      referrer('aws_x.one["k"]', ['each.value.arn', 'each.value'], ['var.queues', 'aws_sqs_queue.own']),
    ],
    call: { queues: { references: ['each.value.queue', 'each.value'] } },
    forEach: ['aws_sqs_queue.work'],
  }
  const plan = {
    resources: resources(...QUEUES),
    modules: { 'module.worker["a.b"]': inner, 'module.worker["c"]': inner },
  }
  t.strictSame(resolved(plan, 'module.worker["c"].aws_x.one["k"]'), [
    [`${C} `, 'module.worker["c"].aws_sqs_queue.own '],
    [],
  ])
})

test('variables of a module call', async (t) => {
  const inner = { resources: [referrer('aws_x.one', ['var.first', 'var.second', 'var.first-2', 'var.default'])] }
  const call = {
    first: { references: ref('aws_sqs_queue.one.arn') },
    second: { references: ref('aws_sqs_queue.two.arn') },
    'first-2': { references: ['local.third'] },
  }
  const plan = {
    resources: resources('aws_sqs_queue.one', 'aws_sqs_queue.two'),
    modules: { 'module.worker': { ...inner, call }, 'module.other': inner },
  }
  t.strictSame(resolved(plan, 'module.worker.aws_x.one'), [
    ['aws_sqs_queue.one arn', 'aws_sqs_queue.two arn'],
    ['local.third'],
  ])
  t.strictSame(resolved(plan, 'module.other.aws_x.one'), [[], []])
})

test('a variable of a module call without arguments, as a plan shows it', async (t) => {
  const module = { address: 'module.worker', key: '', config: {}, instances: [], children: new Map() }
  const root = { ...module, address: '' }
  const of = { mode: 'managed', type: 'aws_x', name: 'one', key: '', values: {}, unknown: {} }
  const config = { mode: 'managed', type: 'aws_x', name: 'one', expressions: { source: { references: ['var.x'] } } }
  const caller = { parent: root, call: {}, siblings: [] }
  const instance = { ...of, address: 'module.worker.aws_x.one', config, module: { ...module, caller } }
  t.strictSame(resolveArgument(instance, 'source'), { leaves: [], unresolved: [] })
})

const QUEUE_MODULE = {
  outputs: { arn: ref('aws_sqs_queue.this.arn'), dead: ref('aws_sqs_queue.dead.arn') },
  resources: resources('aws_sqs_queue.this', 'aws_sqs_queue.dead'),
}
const MODULES = { 'module.queue["a.b"]': QUEUE_MODULE, 'module.queue["c"]': QUEUE_MODULE }

for (const [title, references, expected] of [
  ['one output of one module', ref('module.queue["c"].arn'), ['module.queue["c"].aws_sqs_queue.this arn']],
  [
    'one output, and the module of the same key',
    ['module.queue.dead', 'module.queue', 'each.key'],
    ['module.queue["a.b"].aws_sqs_queue.dead arn'],
  ],
  [
    'any output of any module',
    ['module.queue', 'var.x'],
    ['["a.b"]', '["c"]'].flatMap((key) =>
      ['this', 'dead'].map((name) => `module.queue${key}.aws_sqs_queue.${name} arn`),
    ),
  ],
  ['an output that does not exist', ref('module.queue["c"].x'), []],
] as const) {
  test(`outputs of modules: ${title}`, async (t) => {
    const mappings = ['["a.b"]', '["c"]'].map((key) => referrer(`aws_x.one${key}`, references))
    t.strictSame(resolved({ resources: mappings, modules: MODULES }, 'aws_x.one["a.b"]'), [expected, []])
  })
}

test('an output is that of its own module, and does not have the key of the argument', async (t) => {
  const inner = { outputs: { arn: ['aws_sqs_queue.work'] }, resources: resources(...QUEUES) }
  const plan = { resources: [referrer('aws_x.one["c"]', ref('module.queue.arn'))], modules: { 'module.queue': inner } }
  t.strictSame(resolved(plan, 'aws_x.one["c"]'), [leavesOf(QUEUES.map((address) => `module.queue.${address}`)), []])
})

test('modules that use outputs of each other', async (t) => {
  const using = (other: string) => ({
    outputs: { arn: ref('aws_sqs_queue.this.arn'), size: ['var.size'] },
    resources: resources('aws_sqs_queue.this'),
    call: { size: { references: [`module.${other}`] } },
  })
  const plan = {
    resources: [referrer('aws_x.one', ['module.a'])],
    modules: { 'module.a': using('b'), 'module.b': using('a') },
  }
  t.strictSame(resolved(plan, 'aws_x.one'), [
    ['module.a.aws_sqs_queue.this arn', 'module.b.aws_sqs_queue.this arn'],
    [],
  ])
})

test('two arguments of a module call that use one resource in different ways', async (t) => {
  const call = {
    own: { references: ['aws_sqs_queue.work', 'each.key'] },
    other: { references: ['aws_sqs_queue.work', 'each.value.x', 'each.value'] },
  }
  const inner = { resources: [referrer('aws_x.one', ['var.own', 'var.other'])], call, forEach: ['var.x'] }
  const plan = {
    resources: resources(...QUEUES),
    modules: { 'module.worker["a.b"]': inner, 'module.worker["c"]': inner },
  }
  t.strictSame(resolved(plan, 'module.worker["c"].aws_x.one'), [leavesOf([C, AB]), []])
})

test('an argument in a state, and one of a resource without arguments', async (t) => {
  const instance = find({ resources: resources('aws_x.one') }, 'aws_x.one')
  for (const config of [undefined, { mode: 'managed', type: 'aws_x', name: 'one' }]) {
    t.strictSame(resolveArgument({ ...instance, config }, 'source'), { leaves: [], unresolved: [] })
  }
})

test('whether the configuration sets an argument', async (t) => {
  const expressions = {
    set: { references: ['var.x'] },
    literal: { constant_value: 0 },
    block: {},
    null: { constant_value: null },
  }
  const plan = { resources: [{ address: 'aws_x.one', values: {}, expressions }] }
  const instance = find(plan, 'aws_x.one')
  t.strictSame(
    ['set', 'literal', 'block', 'null', 'missing'].map((name) => declares(instance, name)),
    [true, true, true, false, false],
  )
  const of = { mode: 'managed', type: 'aws_x', name: 'one' }
  t.equal(declares({ ...instance, config: of }, 'set'), false, 'a resource without arguments')
  t.equal(declares({ ...instance, config: undefined }, 'set'), false, 'a state')
})

const [QUEUE, OTHER, TOPIC] = ['aws_sqs_queue.one', 'aws_sqs_queue.two', 'aws_sns_topic.one'].map((address) =>
  find({ resources: resources(address) }, address),
) as [Instance, Instance, Instance]
const leaf = (instance: Instance, attribute = 'arn') => ({ instance, attribute })
const AFTER = 'it is known only after apply'

for (const [title, leaves, unresolved, expected] of [
  ['one', [leaf(QUEUE)], [], { instance: QUEUE, attribute: 'arn', doubt: '' }],
  ['two attributes of one', [leaf(QUEUE), leaf(QUEUE, 'id')], [], { instance: QUEUE, attribute: undefined, doubt: '' }],
  ['one, beside another type', [leaf(TOPIC), leaf(QUEUE)], [], { instance: QUEUE, attribute: undefined, doubt: '' }],
  [
    'one, and perhaps another one',
    [leaf(QUEUE)],
    ['local.a', 'each.value'],
    {
      instance: QUEUE,
      attribute: undefined,
      doubt: 'it also depends on local.a and each.value, which a plan does not show',
    },
  ],
  [
    'one of two',
    [leaf(QUEUE), leaf(OTHER)],
    [],
    { reason: `${AFTER} whether it is aws_sqs_queue.one or aws_sqs_queue.two`, candidates: [QUEUE, OTHER] },
  ],
  [
    'one of two, or another one',
    [leaf(QUEUE), leaf(OTHER)],
    ['local.a'],
    { reason: `${AFTER} whether it is aws_sqs_queue.one or aws_sqs_queue.two`, candidates: undefined },
  ],
  ['another type', [leaf(TOPIC)], [], { reason: AFTER }],
  ['nothing', [], [], { reason: AFTER }],
  ['a local value', [], ['local.a'], { reason: `${AFTER}, and depends on local.a, which a plan does not show` }],
] as const) {
  test(`the queue that an argument refers to: ${title}`, async (t) => {
    t.strictSame(findReferenced({ leaves, unresolved }, ['aws_sqs_queue', 'aws_other']), expected)
  })
}

test('whether a queue is possible', async (t) => {
  t.equal(isPossible({ instance: QUEUE, doubt: 'x' }, QUEUE), false, 'it is certain enough')
  t.equal(isPossible({ reason: 'x' }, QUEUE), true)
  t.equal(isPossible({ reason: 'x', candidates: [OTHER, QUEUE] }, QUEUE), true)
  t.equal(isPossible({ reason: 'x', candidates: [OTHER] }, QUEUE), false)
  t.equal(isPossible({ reason: 'x', candidates: [] }, QUEUE), false)
})
