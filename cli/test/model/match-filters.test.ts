import { test } from 'tap'
import { matcherOf } from '../../src/filters/filters.ts'

/** The patterns of `body`, bodies that match, and bodies that do not match. */
const cases: [title: string, body: unknown, matching: unknown[], other: unknown[]][] = [
  [
    'equal values',
    { kind: ['new', 7, true, null] },
    [{ kind: 'new' }, { kind: 7 }, { kind: 7.0 }, { kind: true }, { kind: null }],
    [{ kind: 'New' }, { kind: '7' }, { kind: false }, {}, { kind: {} }],
  ],
  ['an empty text', { kind: [''] }, [{ kind: '' }], [{ kind: ' ' }, {}]],
  ['several fields: all must match', { a: [1], b: [2] }, [{ a: 1, b: 2, c: 3 }], [{ a: 1 }, { a: 1, b: 3 }]],
  [
    'nested fields',
    { a: { b: { c: ['x'] } } },
    [{ a: { b: { c: 'x' } } }],
    [{ a: { b: 'x' } }, { a: 'x' }, { 'a.b.c': 'x' }],
  ],
  [
    '$or',
    { a: [1], $or: [{ b: [2] }, { c: [3] }] },
    [
      { a: 1, b: 2 },
      { a: 1, c: 3 },
    ],
    [{ a: 1 }, { b: 2 }, { a: 1, b: 3, c: 2 }],
  ],
  ['prefix', { a: [{ prefix: 'eu-' }] }, [{ a: 'eu-1' }], [{ a: 'EU-1' }, { a: 'x-eu-' }, { a: 3 }, {}]],
  ['suffix', { a: [{ suffix: '.png' }] }, [{ a: 'x.png' }], [{ a: 'x.PNG' }, { a: '.png.x' }]],
  [
    'prefix and suffix, ignoring case',
    { a: [{ prefix: { 'equals-ignore-case': 'eu' } }, { suffix: { 'equals-ignore-case': '.Png' } }] },
    [{ a: 'EU-1' }, { a: 'a.PNG' }],
    [{ a: 'us' }],
  ],
  ['equals-ignore-case', { a: [{ 'equals-ignore-case': 'Ab' }] }, [{ a: 'aB' }], [{ a: 'abc' }, { a: 1 }]],
  [
    'exists: true, with other tests',
    { a: [{ prefix: 'x' }, { exists: true }] },
    [{ a: 'x' }, { a: 'y' }, { a: 1 }],
    [{ b: 'x' }],
  ],
  [
    'exists: true',
    { a: { b: [{ exists: true }] } },
    [{ a: { b: 0 } }, { a: { b: true } }, { a: { b: null } }, { a: { b: [1] } }],
    [{ a: {} }, {}, { a: { b: { c: 1 } } }, { a: { b: [] } }],
  ],
  [
    'exists: false',
    { a: { b: [{ exists: false }] } },
    [{}, { a: {} }, { a: 1 }, { a: { b: {} } }],
    [{ a: { b: 0 } }, { a: { b: null } }],
  ],
  ['numeric', { n: [{ numeric: ['>', 1, '<=', 3] }] }, [{ n: 1.5 }, { n: 3 }], [{ n: 1 }, { n: 3.1 }, { n: '2' }]],
  [
    'numeric =, <, >=',
    { n: [{ numeric: ['=', 5] }, { numeric: ['<', 0] }, { numeric: ['>=', 9] }] },
    [{ n: 5 }, { n: -1 }, { n: 9 }],
    [{ n: 0 }, { n: 8 }],
  ],
  [
    'anything-but a value or a list',
    { a: [{ 'anything-but': ['x', 'y'] }], b: [{ 'anything-but': 3 }] },
    [
      { a: 'z', b: 4 },
      { a: 1, b: '3' },
    ],
    [{ a: 'x', b: 4 }, { a: 'z', b: 3 }, { a: 'z' }],
  ],
  [
    'anything-but with an operator',
    { a: [{ 'anything-but': { prefix: ['x', 'y'] } }] },
    [{ a: 'ax' }, { a: 5 }],
    [{ a: 'xa' }, { a: 'ya' }, {}],
  ],
  [
    'anything-but, ignoring case',
    { a: [{ 'anything-but': { 'equals-ignore-case': ['No', 'never'] } }] },
    [{ a: 'yes' }],
    [{ a: 'NO' }, { a: 'Never' }],
  ],
  [
    'a list in the body: one item must match',
    { tags: ['a', { prefix: 'b' }] },
    [{ tags: ['x', 'a'] }, { tags: [['bc']] }],
    [{ tags: ['x'] }, { tags: [] }],
  ],
  [
    'a list of objects: the same item must match all fields',
    { items: { id: [1], kind: ['x'] } },
    [{ items: [{ id: 2 }, { id: 1, kind: 'x' }] }],
    [{ items: [{ id: 1 }, { kind: 'x' }] }],
  ],
]
for (const [title, body, matching, other] of cases) {
  test(title, async (t) => {
    const matches = matcherOf([{ body }]) as (text: string) => boolean
    for (const value of matching) t.ok(matches(JSON.stringify(value)), `${JSON.stringify(value)} matches`)
    for (const value of other) t.notOk(matches(JSON.stringify(value)), `${JSON.stringify(value)} does not match`)
    t.notOk(matches('text'), 'a pattern for JSON matches no text, which has no fields')
  })
}

test('a pattern for text matches no JSON objects and lists', async (t) => {
  const matches = matcherOf([{ body: ['order', { prefix: 'new ' }, { prefix: '{' }] }]) as (text: string) => boolean
  for (const text of ['order', 'new order', '{broken']) t.ok(matches(text), text)
  for (const text of ['orders', '{"a":1}', '["order"]']) t.notOk(matches(text), text)
})

test('JSON that is not an object or a list is text', async (t) => {
  const matches = matcherOf([{ body: ['null', '1', '"a"', 'true'] }]) as (text: string) => boolean
  for (const text of ['null', '1', '"a"', 'true']) t.ok(matches(text), text)
  const ofFields = matcherOf([{ body: { a: [{ exists: false }] } }]) as (text: string) => boolean
  for (const text of ['null', '1', '"a"', 'true']) t.notOk(ofFields(text), text)
})

test('an empty list has no fields', async (t) => {
  const matches = matcherOf([{ body: { a: [{ exists: false }] } }]) as (text: string) => boolean
  for (const text of ['[]', '{}', '[{}]', '[1]', '[{"a":1},{}]']) t.ok(matches(text), text)
  t.notOk(matches('[{"a":1}]'))
})

test('a field that is called $or, with values', async (t) => {
  const matches = matcherOf([{ body: { $or: ['x', { prefix: 'y' }] } }]) as (text: string) => boolean
  for (const text of ['{"$or":"x"}', '{"$or":"yes"}']) t.ok(matches(text), text)
  for (const text of ['{"$or":"z"}', '{"prefix":"yes"}', '{"x":1}']) t.notOk(matches(text), text)
})

test('all keys of a pattern must match: $or beside body', async (t) => {
  const matches = matcherOf([{ body: { a: [1] }, $or: [{ body: { b: [2] } }, { body: { c: [3] } }] }]) as (
    text: string,
  ) => boolean
  for (const text of ['{"a":1,"b":2}', '{"a":1,"c":3}']) t.ok(matches(text), text)
  for (const text of ['{"a":1}', '{"b":2}', '{"a":1,"b":3}']) t.notOk(matches(text), text)
})

test('one of several filters must match; without filters, there is no matcher', async (t) => {
  const matches = matcherOf([{ body: { a: [1] } }, { $or: [{ body: { b: [2] } }, { body: ['x'] }] }]) as (
    text: string,
  ) => boolean
  for (const text of ['{"a":1}', '{"b":2}', 'x']) t.ok(matches(text), text)
  for (const text of ['{"a":2}', 'y']) t.notOk(matches(text), text)
  t.equal(matcherOf([]), undefined)
})
