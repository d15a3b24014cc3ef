import { test } from 'tap'
import { readBatchResponse } from '../../../src/local/account/batch-response.ts'

const BATCH = new Set(['a', 'b', 'c'])

test('responses that mean complete success', async (t) => {
  for (const payload of [
    '',
    'null',
    '""',
    '{}',
    '{"batchItemFailures":null}',
    '{"batchItemFailures":[]}',
    '{"other":1}',
  ]) {
    t.strictSame(readBatchResponse(payload, BATCH), { failed: new Set() }, payload)
  }
})

test('listed messages stay in the queue; an id that is listed twice counts once', async (t) => {
  const list = (...ids: string[]) =>
    JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) })
  t.strictSame(readBatchResponse(list('b'), BATCH), { failed: new Set(['b']) })
  t.strictSame(readBatchResponse(list('c', 'a', 'c'), BATCH), { failed: new Set(['c', 'a']) })
})

test('responses that mean complete failure, with the reason', async (t) => {
  const cases: [string, string][] = [
    ['{"batchItemFailures":[', 'the response is not valid JSON'],
    ['undefined', 'the response is not valid JSON'],
    ['"done"', 'the response is a string, not an object'],
    ['[]', 'the response is an array, not an object'],
    ['3', 'the response is a number, not an object'],
    ['{"batchItemFailures":"a"}', 'batchItemFailures is a string, not a list'],
    ['{"batchItemFailures":{"itemIdentifier":"a"}}', 'batchItemFailures is an object, not a list'],
    [
      '{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}',
      'batchItemFailures[1] has no itemIdentifier',
    ],
    ['{"batchItemFailures":[{"itemIdentifier":null}]}', 'batchItemFailures[0] has no itemIdentifier'],
    ['{"batchItemFailures":[{"itemIdentifier":7}]}', 'batchItemFailures[0] has no itemIdentifier'],
    ['{"batchItemFailures":[{"messageId":"a"}]}', 'batchItemFailures[0] has no itemIdentifier'],
    ['{"batchItemFailures":["a"]}', 'batchItemFailures[0] has no itemIdentifier'],
    ['{"batchItemFailures":[null]}', 'batchItemFailures[0] has no itemIdentifier'],
    [
      '{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"d"}]}',
      'batchItemFailures[1] names a message that is not in the batch',
    ],
  ]
  for (const [payload, invalid] of cases) t.strictSame(readBatchResponse(payload, BATCH), { invalid }, payload)
})

const ENTRY = { itemIdentifier: 'a' }
for (const [what, response, where, ids] of [
  ['a misspelt name', { batchItemsFailures: [ENTRY] }, '`batchItemsFailures`', ['a']],
  ['a name in upper case', { BatchItemFailures: [ENTRY] }, '`BatchItemFailures`', ['a']],
  ['another name, with entries', { failures: [ENTRY, { itemIdentifier: 'b' }] }, '`failures`', ['a', 'b']],
  ['a misspelt name with an empty list', { batchItemFailure: [] }, '`batchItemFailure`', []],
  ['a misspelt name with ids', { batch_item_failures: ['a', 'b', 5] }, '`batch_item_failures`', ['a', 'b']],
  ['a misspelt name and misspelt entries', { itemFailures: [{ ItemIdentifier: 'a' }, {}] }, '`itemFailures`', ['a']],
  ['a response of HTTP', { statusCode: 200, body: JSON.stringify({ batchItemFailures: [ENTRY] }) }, '`body`', ['a']],
  ['an object in a property', { result: { batchItemFailures: [] } }, '`result`', []],
] as const) {
  test(`a list of failures that Lambda does not read: ${what}`, async (t) => {
    const result = readBatchResponse(JSON.stringify(response), new Set(['a', 'b']))
    t.strictSame(result, { failed: new Set(), ignored: { where, ids: new Set(ids) } })
  })
}

for (const response of [
  {},
  { processed: 5, body: 'ok', items: ['a'], list: [{ id: 'a' }], failed: [] },
  { batchItemFailures: null, failures: [ENTRY] },
  { batchItemFailures: [], body: '{"batchItemFailures":[]}' },
]) {
  test(`control: no such list in ${JSON.stringify(response)}`, async (t) => {
    const result = readBatchResponse(JSON.stringify(response), new Set(['a']))
    t.strictSame(result, { failed: new Set() })
  })
}
