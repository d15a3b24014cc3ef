import t from 'tap'
import { createEventLoop } from '../../src/scheduler/event-loop.ts'
import { busyClock } from '../support/clock.ts'

t.test('yieldAt is 10 ms after the last yield or reset', async (t) => {
  const keepBusy = busyClock(t)
  const eventLoop = createEventLoop()
  for (const restart of [eventLoop.reset, eventLoop.yieldToEventLoop]) {
    await restart()
    keepBusy(10)
    t.equal(performance.now() > eventLoop.yieldAt, false)
    keepBusy(1)
    t.equal(performance.now() > eventLoop.yieldAt, true)
  }
})
