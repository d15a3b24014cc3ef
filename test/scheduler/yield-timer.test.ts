import t from 'tap'
import { createYieldTimer } from '../../src/scheduler/yield-timer.ts'
import { busyClock } from '../support/clock.ts'

t.test('yieldAt is 10 ms after the last yield or reset', async (t) => {
  const keepBusy = busyClock(t)
  const yieldTimer = createYieldTimer()
  for (const restart of [yieldTimer.reset, yieldTimer.yieldToEventLoop]) {
    await restart()
    keepBusy(10)
    t.equal(performance.now() > yieldTimer.yieldAt, false)
    keepBusy(1)
    t.equal(performance.now() > yieldTimer.yieldAt, true)
  }
})
