import { test } from 'tap'
import { absent, known, unknown } from '../../src/model/setting.ts'
import { at } from '../../src/model/tree.ts'
import type { Instance, Module } from '../../src/terraform/plan.ts'
import { valuesOf } from '../../src/terraform/values.ts'

type Values = Record<string, unknown>

function instance(values: Values, after: unknown = {}, changes: Partial<Instance> = {}): Instance {
  const of = { address: 'aws_sqs_queue.one', mode: 'managed', type: 'aws_sqs_queue', name: 'one' }
  return { ...of, values, unknown: after, module: {} as Module, ...changes }
}

const AFTER = unknown('it is known only after apply')
const LIMIT = ['scaling_config', 0, 'maximum_concurrency'] as const

for (const [title, values, after, path, expected] of [
  ['a text', { name: 'orders' }, {}, ['name'], known('orders')],
  ['false', { fifo_queue: false }, {}, ['fifo_queue'], known(false)],
  ['0', { delay_seconds: 0 }, {}, ['delay_seconds'], known(0)],
  ['null', { name: null }, {}, ['name'], absent],
  ['an empty text', { name: '' }, {}, ['name'], absent],
  ['an argument that is missing', {}, {}, ['name'], absent],
  ['a value in a block', { scaling_config: [{ maximum_concurrency: 5 }] }, {}, LIMIT, known(5)],
  ['a value in a block that is not set', { scaling_config: [] }, {}, LIMIT, absent],
  ['a value in a block that is null', { scaling_config: null }, {}, LIMIT, absent],
  ['a value in a text', { scaling_config: 'five' }, {}, LIMIT.slice(0, 2), absent],
  ['an argument that is not known', {}, { name: true }, ['name'], AFTER],
  ['a value in a block that is not known', {}, { scaling_config: true }, LIMIT, AFTER],
  ['a value that is not known, in a block', {}, { scaling_config: [{ maximum_concurrency: true }] }, LIMIT, AFTER],
  [
    'a value beside one that is not known',
    { scaling_config: [{ maximum_concurrency: 5 }] },
    { scaling_config: [{ other: true, maximum_concurrency: false }], other: true },
    LIMIT,
    known(5),
  ],
  ['a value in a state', { name: 'orders' }, undefined, ['name'], known('orders')],
] as const) {
  test(`the value of ${title}`, async (t) => {
    t.match(at(valuesOf(instance(values, after)), ...path), expected)
  })
}
