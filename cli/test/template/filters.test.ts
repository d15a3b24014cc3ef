import { test } from 'tap'
import { filtersSetting, patternSetting } from '../../src/model/patterns.ts'
import { absent, known, unknown } from '../../src/model/setting.ts'

/** Whether a pattern is valid, or what is wrong with it. */
function read(pattern: unknown) {
  const setting = patternSetting(known(typeof pattern === 'string' ? pattern : JSON.stringify(pattern)))
  if (setting.state === 'unknown') return `unknown: ${setting.reason}`
  return setting.state === 'known' ? (setting.value.error ?? 'valid') : setting.state
}

// LocalStack has tested the first eight on AWS.
for (const pattern of [
  { body: { item: ['a'] } },
  { body: { item: ['a', 'b'] } },
  { body: { item: ['a', 'b'], other: ['c'] } },
  { body: { item: [{ exists: true }] } },
  { body: { item: [{ numeric: ['>', 100] }] } },
  { body: { item: [{ numeric: ['<', 100] }] } },
  { body: { item: [{ numeric: ['>=', 100, '<', 200] }] } },
  { body: { item: [{ prefix: 'us-1' }] } },
  { body: { item: [{ exists: false }, null, '', 1, true] } },
  { body: { item: [{ suffix: 'a' }, { 'equals-ignore-case': 'b' }] } },
  { body: { item: [{ 'anything-but': 'a' }, { 'anything-but': [1] }, { 'anything-but': { prefix: 'a' } }] } },
  { body: { item: [{ prefix: { 'equals-ignore-case': 'a' } }, { suffix: { 'equals-ignore-case': 'b' } }] } },
  { body: { item: [{ 'anything-but': { 'equals-ignore-case': ['a'] } }] } },
  ...[
    'a',
    1.5,
    [1, 2],
    ['a', ''],
    { prefix: ['a', 'b'] },
    { suffix: 'a' },
    { 'equals-ignore-case': 'a' },
    { 'equals-ignore-case': '' },
  ].map((value) => ({ body: { item: [{ 'anything-but': value }] } })),
  { body: { $or: [{ item: ['a'] }, { other: { item: ['a'] } }] } },
  { body: ['a'] },
  { body: [{ prefix: 'a' }] },
  { $or: [{ body: ['a'] }, { body: { item: ['a'] } }] },
  { body: ['x'.repeat(4083)] }, // 4,096 characters
  { body: [{ exists: false }, 'a'] },
  { body: [{ exists: false }, { prefix: 'a' }] },
  { body: { item: [{ prefix: { 'equals-ignore-case': 'wildcard' } }] } },
  ...['=', '<', '<=', '>', '>='].map((operator) => ({ body: { item: [{ numeric: [operator, 0] }] } })),
  ...[
    ['>', '<'],
    ['>', '<='],
    ['>=', '<'],
    ['>=', '<='],
  ].map(([low, high]) => ({ body: { item: [{ numeric: [low, -1, high, 0] }] } })),
]) {
  test(`a filter that can match: ${JSON.stringify(pattern).slice(0, 80)}`, async (t) => {
    t.equal(read(pattern), 'valid')
  })
}

for (const [pattern, reason] of [
  [`{ "body": ["${'x'.repeat(4081)}"] }`, 'it is longer than 4096 characters'],
  ['{"body":'.repeat(20_000), 'it is longer than 4096 characters'],
  ['simple string', 'it is not valid JSON'],
  ['', 'it is not valid JSON'],
  ['null', 'it is null, but must be an object'],
  ['[]', 'it is an array, but must be an object'],
  ['"body"', 'it is a string, but must be an object'],
  [{}, 'it is an empty object'],
  [{ eventSource: ['aws:sqs'] }, 'it has the key "eventSource", but Lambda filters SQS messages only by "body"'],
  [{ body: ['a'], attributes: {} }, 'it has the key "attributes", but Lambda filters SQS messages only by "body"'],
  [{ $or: [{ body: ['a'] }] }, 'it has the key "$or", but Lambda filters SQS messages only by "body"'],
  [{ body: 'a' }, 'body is a string, but must be an object'],
  [{ body: {} }, 'body is an empty object'],
  [{ body: [] }, 'body is an empty list, which matches nothing'],
  [{ body: [{ exists: false }] }, 'it matches only messages without a body, and every message has a body'],
  [{ body: { item: 'a' } }, 'body.item is a string, but must be a list'],
  [{ body: { item: null } }, 'body.item is null, but must be a list'],
  [{ body: { item: {} } }, 'body.item is an empty object'],
  [{ body: { item: { deep: [] } } }, 'body.item.deep is an empty list, which matches nothing'],
  [{ body: { $or: [{ item: ['a'] }, { item: 'a' }] } }, 'body.$or.item is a string, but must be a list'],
  [{ $or: [{ body: ['a'] }, 'a'] }, 'it has the key "$or", but Lambda filters SQS messages only by "body"'],
  [{ body: { item: [['a']] } }, 'body.item is a list of lists'],
  [{ body: { item: [{}] } }, 'body.item has an object that does not have exactly one operator'],
  [
    { body: { item: [{ prefix: 'a', suffix: 'b' }] } },
    'body.item has an object that does not have exactly one operator',
  ],
  ...[
    { prefix: 1 },
    { prefix: {} },
    { prefix: { 'equals-ignore-case': 1 } },
    { suffix: null },
    { suffix: { prefix: 'a' } },
    { 'equals-ignore-case': ['a'] },
    { 'anything-but': [] },
    { 'anything-but': null },
    { 'anything-but': {} },
    { 'anything-but': true },
    { 'anything-but': [null] },
    { 'anything-but': [true] },
    { 'anything-but': ['a', null] },
    { 'anything-but': ['a', 1] },
    { 'anything-but': [['a']] },
    { 'anything-but': [{ prefix: 'a' }] },
    { 'anything-but': { prefix: 5 } },
    { 'anything-but': { prefix: '' } },
    { 'anything-but': { prefix: ['a', 5] } },
    { 'anything-but': { suffix: null } },
    { 'anything-but': { suffix: ['a', ''] } },
    { 'anything-but': { 'equals-ignore-case': [true] } },
    { 'anything-but': { 'equals-ignore-case': 5 } },
    { 'anything-but': { prefix: 'a', suffix: 'b' } },
    { 'anything-but': { prefix: { 'equals-ignore-case': 'a' } } },
    { exists: 'true' },
    { numeric: 5 },
    { numeric: [] },
    { numeric: ['>'] },
    { numeric: ['>', '5'] },
    { numeric: ['!=', 5] },
    { numeric: ['>', 5, '<', 5] },
    { numeric: ['>', 6, '<=', 5] },
    { numeric: ['<', 5, '>', 6] },
    { numeric: ['>', 5, '<'] },
    { numeric: ['>', 5, '<', 6, 7] },
    { numeric: ['>', 5, '<', '6'] },
    { numeric: ['<', 5, '<', 6] },
    { numeric: ['=', 5, '<', 6] },
    { numeric: ['>', 5, '=', 6] },
    { numeric: ['>', 5, '>', 6] },
    { numeric: ['>', 5, '!<', 6] },
    { numeric: ['>', 5, '<>', 6] },
    { numeric: ['', 5] },
  ].map((operator) => {
    const [name = ''] = Object.keys(operator)
    const reason = `body.item has the operator ${name} with a value that AWS rejects or that matches nothing`
    return [{ body: { item: [operator] } }, reason] as const
  }),
] as const) {
  test(`a filter that cannot match: ${JSON.stringify(pattern).slice(0, 80)}`, async (t) => {
    t.equal(read(pattern), reason)
  })
}

for (const name of ['startsWith', 'constructor']) {
  test(`${name} is no operator`, async (t) => {
    t.match(read({ body: { item: [{ [name]: 'a' }] } }), `the operator ${name}, which does not exist`)
  })
}

for (const name of ['wildcard', 'cidr']) {
  test(`whether Lambda supports ${name}, an operator that AWS does not document for it, is unknown`, async (t) => {
    const reason = `unknown: AWS does not document the operator ${name} of body.item for Lambda`
    t.equal(read({ body: { item: [{ [name]: 'a' }] } }), reason)
  })
}

test('whether Lambda supports wildcard in anything-but is unknown', async (t) => {
  const reason = 'unknown: AWS does not document the operator wildcard of body.item for Lambda'
  t.equal(read({ body: { item: [{ 'anything-but': { wildcard: '*.png' } }] } }), reason)
})

test('a pattern that is not set, one that is not text, and one that is not known', async (t) => {
  t.strictSame(patternSetting(absent), known({ error: 'it has no Pattern' }))
  const map = patternSetting({ state: 'map', entries: new Map() })
  t.match(map, { value: { error: 'it is an object, but must be JSON text' } })
  const position = { line: 3, column: 5 }
  t.strictSame(patternSetting(unknown('why', position)), unknown('why', position))
})

test('the text of a pattern, without spaces, and its position', async (t) => {
  const position = { line: 3, column: 5 }
  const json = '{"body":{"a":["b"]}}'
  t.strictSame(patternSetting(known('{ "body": { "a": [ "b" ] } }', position)), known({ json }, position))
  t.strictSame(patternSetting(known('x', position)), known({ error: 'it is not valid JSON' }, position))
  const reason = 'AWS does not document the operator cidr of body for Lambda'
  t.strictSame(patternSetting(known('{"body":[{"cidr":"a"}]}', position)), unknown(reason, position))
})

test('at most 10 filters', async (t) => {
  const position = { line: 3, column: 5 }
  const count = (filters: number) => filtersSetting(Array(filters).fill(absent), position)
  t.equal(count(10).state, 'known')
  t.strictSame(count(11), {
    state: 'unknown',
    reason: 'the mapping has 11 filters, but Lambda allows at most 10',
    fix: 'Use at most 10 filters.',
    position,
  })
})

test('the text of a pattern has sorted keys, and its lists keep their order', async (t) => {
  const given = '{ "body": { "b": ["z", "a"], "a": [{ "numeric": [">", 1, "<", 5] }] } }'
  const setting = patternSetting(known(given))
  t.match(setting, { value: { json: '{"body":{"a":[{"numeric":[">",1,"<",5]}],"b":["z","a"]}}' } })
})
