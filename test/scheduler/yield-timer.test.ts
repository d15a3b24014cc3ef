import t, { type Test } from 'tap'
import { createYieldTimer } from '../../src/scheduler/yield-timer.ts'
import { busyClock } from '../support/clock.ts'

t.test('yieldAt is 10 ms after the last yield or reset', async (t) => {
  const keepBusy = busyClock(t)
  const yieldTimer = createYieldTimer()
  for (const restart of [yieldTimer.reset, yieldTimer.yield]) {
    await restart()
    keepBusy(10)
    t.equal(performance.now() > yieldTimer.yieldAt, false)
    keepBusy(1)
    t.equal(performance.now() > yieldTimer.yieldAt, true)
  }
})

/** Three loops that yield and then use the CPU. Returns which of them ran in each iteration of the event loop. */
async function runLoops(t: Test, milliseconds: number): Promise<string[]> {
  const keepBusy = busyClock(t)
  const yieldTimer = createYieldTimer()
  const iterations: string[] = []
  let isDone = false
  const count = () => {
    iterations.push('')
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  const loops = ['a', 'b', 'c'].map(async (name) => {
    for (let run = 0; run < 3; run++) {
      await yieldTimer.yield()
      iterations[iterations.length - 1] += name
      await null // a handler that is asynchronous
      keepBusy(milliseconds)
    }
  })
  await Promise.all(loops)
  isDone = true
  return iterations
}

t.test('loops continue in the order in which they yielded', async (t) => {
  t.strictSame(await runLoops(t, 1), ['abc', 'abc', 'abc'])
})
t.test(
  'after 10 ms, the next loop continues in the next iteration of the event loop, before those that have run',
  async (t) => {
    t.strictSame(await runLoops(t, 10), ['ab', 'ca', 'bc', 'ab', 'c'])
  },
)
t.test('only one loop runs in an iteration if it uses all of the time', async (t) => {
  t.strictSame(await runLoops(t, 11), [...'abcabcabc'])
})
