import t from 'tap'
import { callInTime, createDeadline } from '../../src/report/time-limit.ts'
import { activeTimers, busyClock } from '../support/clock.ts'

const MESSAGE = 'The time for the failure handlers is over: the response needs the last 100 ms before the timeout'

t.test('check() throws from the millisecond at which the reserve begins', async (t) => {
  const keepBusy = busyClock(t)
  const deadline = createDeadline({ left: 300, reserve: 100 }, 'the failure handlers')
  t.teardown(deadline.clear)
  keepBusy(199)
  deadline.check()
  t.equal(deadline.signal.aborted, false)
  keepBusy(1)
  t.throws(() => deadline.check(), { message: MESSAGE })
  t.equal(deadline.signal.aborted, true)
})

t.test('if the time left is at most the reserve, the signal is aborted from the start', async (t) => {
  for (const [left, isOver] of [
    [101, false],
    [100, true],
    [99, true],
    [0, true],
  ] as const) {
    const before = activeTimers()
    const deadline = createDeadline({ left, reserve: 100 }, 'the failure handlers')
    t.equal(deadline.signal.aborted, isOver, `${left} ms`)
    t.equal(activeTimers() - before, isOver ? 0 : 1, `timers with ${left} ms`)
    deadline.clear()
  }
})

t.test('without a known timeout there is no timer', async (t) => {
  const before = activeTimers()
  const deadline = createDeadline({ left: Infinity, reserve: 100 }, 'the failure handlers')
  deadline.check()
  t.equal(activeTimers(), before)
})

t.test('the timer of a callback ends when the callback has settled, and a rejection is logged', async (t) => {
  const before = activeTimers()
  const errors: unknown[] = []
  const time = { left: 10_000, reserve: 100 }
  function rejects() {
    t.equal(activeTimers(), before + 1)
    return Promise.reject('refused')
  }
  await callInTime(rejects, time, 'onSummary', (error) => errors.push(error))
  t.equal(activeTimers(), before)
  t.strictSame(errors, ['refused'])
})
