import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'
import { failed, testContext } from '../support/handlers.ts'
import { startDynamoDb } from '../support/services.ts'

t.test('shared-rate.ts: 30 records take more than a second with a counter that allows 14 in a second', async (t) => {
  await startDynamoDb(t, 'rate-limits', 'key')
  const { handler } = await import('../../examples/shared-rate.ts')
  const starts: number[] = []
  t.capture(console, 'log', () => starts.push(performance.now()))
  const begin = performance.now() // the first interval of the counter begins later
  t.strictSame(failed(await handler(standardEvent(...ids(30)), testContext())), [])
  t.equal(starts.length, 30)
  // Two intervals allow 28 calls, so the last one is in the third interval.
  const span = (starts.at(-1) ?? 0) - begin
  t.ok(span >= 1000, `${span} ms`)
})
