import t from 'tap'
import type { BatchSummary } from '../../src/index.ts'
import { callOnSummary, createDeadline } from '../../src/report/time-limit.ts'
import { activeTimers, busyClock } from '../support/clock.ts'
import { testContext } from '../support/handlers.ts'

const MESSAGE = 'The time for the failure handlers is over: the response needs the last 100 ms before the timeout'

t.test('check() throws from the millisecond at which the reserve begins', (t) => {
  const keepBusy = busyClock(t)
  const deadline = createDeadline({ left: 300, reserve: 100 }, 'the failure handlers')
  t.teardown(deadline.clear)
  keepBusy(199)
  deadline.check()
  t.equal(deadline.signal.aborted, false)
  keepBusy(1)
  t.throws(() => deadline.check(), { message: MESSAGE })
  t.equal(deadline.signal.aborted, true)
  t.end()
})

t.test('if the time left is at most the reserve, the signal is aborted from the start', (t) => {
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
  t.end()
})

t.test('without a known timeout there is no timer', (t) => {
  const before = activeTimers()
  const deadline = createDeadline({ left: Infinity, reserve: 100 }, 'the failure handlers')
  deadline.check()
  t.equal(activeTimers(), before)
  t.end()
})

t.test('onSummary is not called if the summary cannot be made, and the error is logged', async (t) => {
  const errors: unknown[] = []
  let calls = 0
  await callOnSummary(
    () => calls++,
    () => {
      throw 'no summary'
    },
    testContext(),
    { left: Infinity, reserve: 100 },
    (error) => errors.push(error),
  )
  t.strictSame(errors, ['no summary'])
  t.equal(calls, 0)
})

t.test('the timer of onSummary ends when it has returned', async (t) => {
  const before = activeTimers()
  await callOnSummary(
    () => t.equal(activeTimers(), before + 1),
    () => ({}) as BatchSummary,
    testContext(),
    { left: 10_000, reserve: 100 },
    () => t.fail('nothing to log'),
  )
  t.equal(activeTimers(), before)
})
