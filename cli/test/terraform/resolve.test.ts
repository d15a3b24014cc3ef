import { test } from 'tap'
import { indexOf, linkTo } from '../../src/linker/references.ts'
import { at } from '../../src/model/tree.ts'
import type { Instance } from '../../src/terraform/plan.ts'
import { inventoryOf } from '../../src/terraform/read-plan.ts'
import { referencesOf } from '../../src/terraform/references.ts'
import { valuesOf } from '../../src/terraform/values.ts'
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

/** What an argument refers to: the address of each resource, and what is unresolved. */
function resolved(plan: PlannedModule, address: string, argument = 'source') {
  const instance = find(plan, address)
  const { to, unresolved } = referencesOf(instance, instance.config?.expressions?.[argument])
  return [[...new Set(to.map(({ id }) => id))], unresolved]
}

const QUEUES = ['aws_sqs_queue.work["a.b"]', 'aws_sqs_queue.work["c"]'] as const
const [, C] = QUEUES

for (const [title, addresses, references, expected] of [
  ['one instance', QUEUES, ref(`${C}.arn`), [[C], []]],
  ['the whole resource', ['aws_sqs_queue.one'], ['aws_sqs_queue.one'], [['aws_sqs_queue.one'], []]],
  [
    'a name that begins like another one',
    ['aws_sqs_queue.one', 'aws_sqs_queue.one2'],
    ['aws_sqs_queue.one', ...ref('aws_sqs_queue.one2.arn')],
    [['aws_sqs_queue.one', 'aws_sqs_queue.one2'], []],
  ],
  [
    'two attributes',
    ['aws_sqs_queue.one'],
    [...ref('aws_sqs_queue.one.arn'), ...ref('aws_sqs_queue.one.id')],
    [['aws_sqs_queue.one'], []],
  ],
  [
    'a resource, and not the data source of the same name, or another type',
    ['aws_sqs_queue.one', 'data.aws_sqs_queue.one', 'aws_sns_topic.one', 'aws_sqs_queue.two'],
    ref('aws_sqs_queue.one.arn'),
    [['aws_sqs_queue.one'], []],
  ],
  [
    'a data source, which is not one of the resources',
    ['aws_sqs_queue.one', 'data.aws_sqs_queue.one'],
    ref('data.aws_sqs_queue.one.arn'),
    [[], []],
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
  for (const name of ['lists', 'map']) t.strictSame(resolved(plan, 'aws_x.one', name), [['aws_sqs_queue.one'], []])
  for (const name of ['literal', 'nothing', 'none', 'text', 'missing']) {
    t.strictSame(resolved(plan, 'aws_x.one', name), [[], []], name)
  }
})

for (const [title, references, forEach, expected] of [
  ['each.key', ['aws_sqs_queue.work', 'each.key'], undefined, QUEUES],
  ['count.index', ['aws_sqs_queue.work', 'count.index'], undefined, QUEUES],
  ['each.value of a for_each over a resource', ['each.value.arn', 'each.value'], ['aws_sqs_queue.work'], QUEUES],
  ['each.value of a for_each over one instance', ['each.value'], [C, 'aws_sqs_queue.work'], [C]],
] as const) {
  test(`the instances that an argument can select with ${title}`, async (t) => {
    const plan = { resources: [...resources(...QUEUES), referrer('aws_x.one["c"]', references, forEach)] }
    t.strictSame(resolved(plan, 'aws_x.one["c"]'), [expected, []])
  })
}

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
  t.strictSame(resolved(plan, 'module.worker.aws_x.one'), [['aws_sqs_queue.one', 'aws_sqs_queue.two'], ['local.third']])
  t.strictSame(resolved(plan, 'module.other.aws_x.one'), [[], []])
})

test('each.value in a module, of a for_each over a variable that is each.value of its call', async (t) => {
  const inner = {
    resources: [referrer('aws_x.one["k"]', ['each.value'], ['var.all'])],
    call: { all: { references: ['each.value'] } },
    forEach: ['aws_sqs_queue.work'],
  }
  const plan = { resources: resources(...QUEUES), modules: { 'module.m["a.b"]': inner, 'module.m["c"]': inner } }
  t.strictSame(resolved(plan, 'module.m["a.b"].aws_x.one["k"]'), [QUEUES, []])
})

const QUEUE_MODULE = {
  outputs: { arn: ref('aws_sqs_queue.this.arn'), dead: ref('aws_sqs_queue.dead.arn') },
  resources: resources('aws_sqs_queue.this', 'aws_sqs_queue.dead'),
}
const MODULES = { 'module.queue["a.b"]': QUEUE_MODULE, 'module.queue["c"]': QUEUE_MODULE }

for (const [title, references, expected] of [
  ['one output of one module', ref('module.queue["c"].arn'), ['module.queue["c"].aws_sqs_queue.this']],
  [
    'any output of any module',
    ['module.queue', 'each.key'],
    ['["a.b"]', '["c"]'].flatMap((key) => ['this', 'dead'].map((name) => `module.queue${key}.aws_sqs_queue.${name}`)),
  ],
  ['an output that does not exist', ref('module.queue["c"].x'), []],
] as const) {
  test(`outputs of modules: ${title}`, async (t) => {
    const mappings = ['["a.b"]', '["c"]'].map((key) => referrer(`aws_x.one${key}`, references))
    t.strictSame(resolved({ resources: mappings, modules: MODULES }, 'aws_x.one["a.b"]'), [expected, []])
  })
}

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
  t.strictSame(resolved(plan, 'aws_x.one'), [['module.a.aws_sqs_queue.this', 'module.b.aws_sqs_queue.this'], []])
})

test('an argument in a state, and one of a resource without arguments', async (t) => {
  const instance = find({ resources: resources('aws_x.one') }, 'aws_x.one')
  for (const config of [undefined, { expressions: {} }]) {
    t.equal(referencesOf({ ...instance, config }, config?.expressions).to.length, 0)
  }
  const inner = { resources: [referrer('aws_x.one', ['var.x'])] }
  const inModule = find({ resources: [], modules: { 'module.m': inner } }, 'module.m.aws_x.one')
  const module = { ...inModule.module, call: {} }
  t.equal(referencesOf({ ...inModule, module }, inModule.config?.expressions).to.length, 0, 'a call without arguments')
})

const AFTER = 'it is known only after apply'
for (const [title, references, expected] of [
  ['one', ref('aws_sqs_queue.one.arn'), 'aws_sqs_queue.one'],
  ['two attributes of one', ['aws_sqs_queue.one.arn', 'aws_sqs_queue.one.id'], 'aws_sqs_queue.one'],
  ['one, beside another type', ['aws_sns_topic.one.arn', 'aws_sqs_queue.one.arn'], 'aws_sqs_queue.one'],
  [
    'one, and a local value',
    ['aws_sqs_queue.one.arn', 'local.a'],
    'it also depends on local.a, which a plan does not show',
  ],
  [
    'one of two',
    ['aws_sqs_queue.one.arn', 'aws_sqs_queue.two.arn'],
    `${AFTER} whether it is aws_sqs_queue.one or aws_sqs_queue.two`,
  ],
  ['another type', ['aws_sns_topic.one.arn'], AFTER],
  ['local values', ['local.a', 'local.b'], `${AFTER}, and depends on local.a and local.b, which a plan does not show`],
  ['nothing', [], AFTER],
  ['the URL of a queue', ref('aws_sqs_queue.one.id'), 'URL'],
  ['the URL of a queue, by its name', ref('aws_sqs_queue.one.url'), 'URL'],
  ['the name of a queue, which may be a part of an ARN', ref('aws_sqs_queue.one.name'), 'aws_sqs_queue.one'],
] as const) {
  test(`the queue that an argument refers to: ${title}`, async (t) => {
    const others = resources('aws_sqs_queue.one', 'aws_sqs_queue.two', 'aws_sns_topic.one')
    const plan = planIn(shownPlan({ resources: [...others, referrer('aws_x.one', references)] }))
    const instance = plan.instances.find(({ address }) => address === 'aws_x.one') as Instance
    const tree = at(valuesOf({ ...instance, unknown: { source: true } }), 'source')
    const { doubt, form, to, reason } = linkTo(indexOf(inventoryOf(plan)), tree, 'queue')
    t.equal(doubt ?? form ?? to?.id ?? reason, expected)
  })
}
