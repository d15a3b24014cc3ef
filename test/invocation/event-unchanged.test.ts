import t from 'tap'
import { eachRecord } from '../../src/index.ts'
import { fifoEvent, sqsRecord, standardEvent } from '../support/events.ts'
import { batchHandlerOf, failed, testContext } from '../support/handlers.ts'

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}

t.test('a frozen event is handled, also with parsed bodies and failures', async (t) => {
  const handler = batchHandlerOf(
    eachRecord(
      (record) => {
        const body = record.body as { n: number }
        body.n += 1
        if (body.n === 3) throw new Error('three')
      },
      { body: 'json' },
    ),
  )
  const event = freeze({ Records: [1, 2, 3].map((n) => sqsRecord(`m${n}`, { body: JSON.stringify({ n }) })) })
  t.strictSame(failed(await handler(event, testContext())), ['m2'])
})

t.test('the event is unchanged after the invocation, and handlers get its records', async (t) => {
  for (const [make, ...expected] of [
    [() => standardEvent('a', 'b'), 0, 1],
    [() => fifoEvent('a1', 'a2', 'b1'), 0, 2],
  ] as const) {
    const event = make()
    const given = [...event.Records]
    const seen: unknown[] = []
    const handler = batchHandlerOf(
      eachRecord((record) => {
        seen.push(record)
        throw new Error('x')
      }),
    )
    await handler(event, testContext())
    t.strictSame(event, make())
    t.strictSame(
      seen.map((record) => given.indexOf(record as never)),
      expected,
    )
  }
})
