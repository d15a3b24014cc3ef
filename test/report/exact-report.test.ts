import t from 'tap'
import { mergeReported } from '../../src/report/response.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { record, records } from '../support/branded.ts'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, handlerOf, listOf } from '../support/handlers.ts'

t.test('failed records are reported in record order, although they fail in another order', async (t) => {
  const order = ['m4', 'm1', 'm3', 'm0', 'm2']
  const gates = new Map(order.map((id) => [id, Promise.withResolvers<void>()]))
  const handle = handlerOf(async ({ messageId }) => {
    await gates.get(messageId)?.promise
    if (messageId !== 'm0') throw new Error(messageId)
  })
  const result = handle(standardEvent(...ids(5)))
  for (const id of order) gates.get(id)?.resolve()
  t.strictSame(await result, {
    batchItemFailures: [
      { itemIdentifier: 'm1' },
      { itemIdentifier: 'm2' },
      { itemIdentifier: 'm3' },
      { itemIdentifier: 'm4' },
    ],
  })
})

t.test('an id that two records share is reported once, also if only one of them failed', async (t) => {
  const event = { Records: ['a', 'b', 'a', 'c', 'b', 'b'].map((id) => sqsRecord(id)) }
  const handle = handlerOf((_record, _context, { index }) => {
    if (index >= 2) throw new Error(`record ${index}`)
  })
  t.strictSame(failed(await handle(event)), ['a', 'c', 'b'])
})

t.test('a record keeps the error that is already known, also if its id occurs twice in the batch', async (t) => {
  const batch = checkSqsEvent(standardEvent('a', 'b', 'a'))
  const known = [{ index: record(2), reason: 'known' }]
  const reported = records(3).map((index) => ({ index, reason: 'reported' }))
  t.strictSame(mergeReported(batch, known, reported), [
    { index: 1, reason: 'reported' },
    { index: 2, reason: 'known' },
  ])
})

t.test('the response is a new object each time, and frozen with its list', async (t) => {
  const handle = handlerOf(({ messageId }) => {
    if (messageId === 'x') throw new Error('x')
  })
  for (const [id, expected] of [
    ['a', listOf()],
    ['x', listOf('x')],
  ] as const) {
    const first = await handle(standardEvent(id))
    const second = await handle(standardEvent(id))
    t.strictSame(first, expected)
    t.strictSame(second, expected)
    t.not(first, second)
    t.not(first.batchItemFailures, second.batchItemFailures)
    t.throws(() => first.batchItemFailures.push({ itemIdentifier: 'z' }), TypeError)
    if (id === 'x') t.throws(() => first.batchItemFailures.pop(), TypeError)
    t.throws(() => Object.assign(first, { batchItemFailures: [] }), TypeError)
    t.strictSame(first, expected)
  }
})
