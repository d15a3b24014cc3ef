import { test } from 'tap'
import { readBatchResponse } from '../../src/local/simulator/batch-response.ts'

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
