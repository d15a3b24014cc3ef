import { test } from 'tap'
import { absent, invalid, known, type Setting, unknown } from '../../src/model/setting.ts'
import { MAPPING_SETTINGS, type Row, settingsIn } from '../../src/model/settings-table.ts'
import type { Tree } from '../../src/model/tree.ts'

const position = { line: 3, column: 5 }
const row = { kind: 'number', name: 'Name', path: ['Name'], terraform: ['name'] } as const
const size = { ...row, kind: 'number', default: 10, limits: [1, 1000] } as const

/** Reads one row from its value. */
function read(it: Row, value: unknown, managed: Tree = absent): Setting<unknown> | undefined {
  const isManaged = { ...row, kind: 'presence', path: ['Managed'] } as const
  const entries = new Map([
    [String(it.path[0]), value as Tree],
    ['Managed', managed],
  ])
  return settingsIn({ it, managed: isManaged }, { id: 'X', properties: { state: 'map', entries } }, 'cloudFormation').it
}
const list = (...items: readonly unknown[]) => ({ state: 'list', items, position })
const map = { state: 'map', entries: new Map(), position }

const NOT_WHOLE = 'Set a whole number.'
const RANGE = 'outside of the range that AWS accepts (1 to 1,000)'
const IN_RANGE = 'Set a whole number in this range: 1 to 1,000.'
for (const [value, expected] of [
  [5, known(5, position)],
  [1, known(1, position)],
  [1000, known(1000, position)],
  ['5', known(5, position)],
  [' +5 ', known(5, position)],
  ['5.0', known(5, position)],
  ['5.00', known(5, position)],
  ['123', known(123, position)],
  ['  12.00  ', known(12, position)],
  [0, invalid(`0 is ${RANGE}`, IN_RANGE, position)],
  ['-1', invalid(`-1 is ${RANGE}`, IN_RANGE, position)],
  [1001, invalid(`1001 is ${RANGE}`, IN_RANGE, position)],
  [1.5, invalid('1.5 is not a whole number', NOT_WHOLE, position)],
  [true, invalid('true is not a whole number', NOT_WHOLE, position)],
  ...['', ' ', '1.5', '5.', '5.1', '5.0x', 'x5', '5x', '0x1f', '1e2', '5 5', '+-5', 'five'].map(
    (text) => [text, invalid(`"${text}" is not a whole number`, NOT_WHOLE, position)] as const,
  ),
] as const) {
  test(`a number: ${JSON.stringify(value)}`, async (t) => {
    t.strictSame(read(size, known<unknown>(value, position)), expected)
  })
}

test('a number that is not set', async (t) => {
  const byDefault = { state: 'known', value: 10, isDefault: true }
  t.strictSame(read(size, absent), { ...byDefault, id: 'X it' })
  t.strictSame(read({ ...row, kind: 'number' }, absent), absent)
})

test('a number without an upper or a lower limit', async (t) => {
  const is = (value: number) => known<unknown>(value, position)
  t.strictSame(
    read({ ...row, limits: [2] }, is(1)),
    invalid(
      '1 is outside of the range that AWS accepts (2 or more)',
      'Set a whole number in this range: 2 or more.',
      position,
    ),
  )
  t.strictSame(read({ ...row, limits: [2] }, is(1e9)), known(1e9, position))
  t.strictSame(read(row, is(-1e9)), known(-1e9, position))
})

test('on Managed Instances, the limit of some numbers is higher', async (t) => {
  const timeout = { ...row, kind: 'number', limits: [1, 900], managedLimits: [1, 5400] } as const
  const is = (value: number) => known<unknown>(value, position)
  const on = known(true) as Tree
  const perhaps = unknown('why')
  t.strictSame(read(timeout, is(5400), on), known(5400, position))
  t.strictSame(read(timeout, is(5401), on), read({ ...timeout, limits: [1, 5400] }, is(5401)))
  t.match(read(timeout, is(901)), { reason: /1 to 900/ })
  t.strictSame(read(timeout, is(901), perhaps), known(901, position))
  t.match(read(size, is(1001), on), { reason: /1 to 1,000/ })
})

test('a boolean', async (t) => {
  const boolean = { ...row, kind: 'boolean', default: false } as const
  const toBoolean = (value: unknown) => read(boolean, known<unknown>(value, position))
  for (const value of ['true', 'True', 'TRUE', true]) t.strictSame(toBoolean(value), known(true, position))
  for (const value of ['false', 'False', 'FALSE', false]) t.strictSame(toBoolean(value), known(false, position))
  for (const text of ['yes', '', 'xtrue', 'truex', 'xfalse', 'falsex']) {
    t.strictSame(toBoolean(text), invalid(`"${text}" is not a boolean`, 'Set it to true or false.', position))
  }
  t.strictSame(read(boolean, absent), { state: 'known', value: false, isDefault: true, id: 'X it' })
})

test('whether there is a value', async (t) => {
  const presence = { ...row, kind: 'presence' } as const
  for (const value of [map, list(), known('x', position), known(false, position)]) {
    t.strictSame(read(presence, value), known(true, position))
  }
  t.strictSame(read(presence, absent), absent)
})

test('a list: whether ReportBatchItemFailures is one of its items', async (t) => {
  const types = (value: unknown) => read(MAPPING_SETTINGS.reportBatchItemFailures, value)
  const [on, other, open] = [known('ReportBatchItemFailures'), known('Other'), unknown('why')]
  t.strictSame(types(list(on)), known(true, position))
  t.strictSame(types(list(open, on)), known(true, position))
  t.strictSame(types(list(open)), unknown('why', position))
  t.strictSame(types(list()), known(false, position))
  t.strictSame(types(list(absent)), known(false, position))
  const [what, fix] = ['"Other" is not a value of FunctionResponseTypes', 'Set it to [ReportBatchItemFailures].']
  for (const items of [[other], [other, on], [other, open]]) {
    t.strictSame(types(list(...items)), invalid(what, fix, position))
  }
  t.match(types(list(map)), { reason: '"map" is not a value of FunctionResponseTypes', fix })
  for (const value of [known('ReportBatchItemFailures', position), map]) {
    t.strictSame(types(value), invalid('it is not a list', 'Set it to a list.', position))
  }
})

test('a text', async (t) => {
  const text = { ...row, kind: 'text' } as const
  t.strictSame(read(text, known<unknown>(5, position)), known('5', position))
  t.strictSame(read(text, absent), absent)
})

test('an unknown value stays unknown', async (t) => {
  for (const kind of ['number', 'boolean', 'text', 'presence'] as const) {
    t.strictSame(read({ ...row, kind }, unknown('why', position)), unknown('why', position))
  }
})

test('a setting without a position has an id, and keeps its own id and its section', async (t) => {
  t.strictSame(read(size, known<unknown>(5)), { ...known(5), id: 'X it' })
  t.strictSame(read(size, { ...known<unknown>(5), id: 'own' }), { ...known(5), id: 'own' })
  t.strictSame(read(size, { ...known<unknown>(5, position), section: 'Globals' }), {
    ...known(5, position),
    section: 'Globals',
  })
})
