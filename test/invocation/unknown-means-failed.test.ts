import t from 'tap'
import { eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { batchHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

t.test('records that are in flight or have not started when the time is up are reported', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const result = handlerOf(held.handle, { concurrency: 2 })(standardEvent('a', 'b', 'c', 'd'), timedContext(1000))
  await settled()
  held.succeed('a')
  await settled()
  t.strictSame(held.running(), ['b', 'c'])
  clock.advance(950)
  t.strictSame(failed(await result), ['b', 'c', 'd'])
})

t.test('records that the inner handler did not wait for are reported', async (t) => {
  const held = heldRecords()
  const handler = batchHandlerOf(
    async (event, context) => {
      void eachRecord(held.handle)(event, context)
      await settled()
      held.succeed('a')
      await settled()
      return { batchItemFailures: [] }
    },
    { concurrency: 2 },
  )
  t.strictSame(failed(await handler(standardEvent('a', 'b', 'c', 'd'), testContext())), ['b', 'c', 'd'])
})
