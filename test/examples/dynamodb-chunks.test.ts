import t from 'tap'
import { ids, sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startPartialDynamoDb } from '../support/services.ts'

t.test('dynamodb-chunks.ts writes up to 25 items per call and reports unprocessed ones', async (t) => {
  const { unprocessed, sizes, written } = await startPartialDynamoDb(t, 'readings', 'readingId')
  process.env.TABLE_NAME = 'readings'
  const { handler } = await import('../../examples/dynamodb-chunks.ts')

  const body = (readingId: string, celsius: number) => JSON.stringify({ readingId, celsius })
  const bodies = new Map(ids(60).map((id, index) => [id, body(`r${index}`, index)]))
  bodies.set('m4', body('', 4)) // DynamoDB refuses an empty key
  bodies.set('m9', body('r8', 900)) // the key of m8
  bodies.set('m21', body('r20', 2100)) // the key of m20
  bodies.set('m53', 'no JSON')
  const event = { Records: Array.from(bodies, ([id, body]) => sqsRecord(id, { body })) }
  const all = ids(60).map((_, index) => [`r${index}`, String(index)])
  const expected: Record<string, string> = Object.fromEntries(all)
  for (const key of ['r4', 'r9', 'r21', 'r53']) delete expected[key]
  Object.assign(expected, { r8: '900', r20: '2100' }) // of two records with one key, the later one is written

  for (const key of ['r2', 'r20', 'r30', 'r59']) unprocessed.add(key)
  let response = { batchItemFailures: [] }
  const log = await logged(async () => {
    response = await handler(event, timedContext(LONG))
  })
  t.strictSame(failed(response), ['m2', 'm4', 'm20', 'm21', 'm30', 'm53', 'm59'])
  t.match(log[0], '7 of 60 records of orders failed')
  const sorted = sizes.toSorted((a, b) => a - b)
  t.strictSame(sorted, [9, 22, 25]) // 10 without m53; 25 without m4 and two keys that occur twice; 25
  const { r2, r20, r30, r59, ...processed } = expected
  t.strictSame(await written('celsius'), processed)

  unprocessed.clear()
  const redelivered = { Records: event.Records.filter(({ messageId }) => failed(response).includes(messageId)) }
  await logged(async () => {
    t.strictSame(failed(await handler(redelivered, timedContext(LONG))), ['m4', 'm53'])
  })
  t.strictSame(await written('celsius'), { ...processed, r2, r20, r30, r59 })
})
