import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import { Clock } from 'clock-mock'
import type { Test } from 'tap'

const trueImmediate = setImmediate
const trueTimeout = timers.setTimeout
let mock: Clock | undefined

/** Replaces the clock and all timers until the test ends. Time passes only when the test calls `advance()`. */
export function mockClock(t: Test): Clock {
  const clock = new Clock()
  clock.enter()
  setModuleTimeout(setTimeout) // Middy imports it from node:timers
  mock = clock
  t.teardown(() => {
    clock.exit()
    setModuleTimeout(trueTimeout)
    mock = undefined
  })
  return clock
}

function setModuleTimeout(to: typeof setTimeout): void {
  timers.setTimeout = to
  syncBuiltinESMExports()
}

/** Waits until everything has run that does not wait for time to pass, also with a mocked clock. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => trueImmediate(resolve))
    mock?.advance(0)
  }
}

/** A mocked clock that advances by single milliseconds, so that each timer fires at its time. */
export function passingClock(t: Test) {
  const clock = mockClock(t)
  const begin = performance.now()
  const pass = async (ms: number) => {
    await settled()
    for (let passed = 0; passed < ms; passed++) {
      clock.advance(1)
      await settled()
    }
  }
  return {
    /** Milliseconds since `passingClock()` was called. */
    now: () => performance.now() - begin,
    pass,
    /** Lets time pass until the promise settles, for at most `limit` milliseconds. */
    async until<T>(result: Promise<T>, limit = 15_000): Promise<T> {
      let isOpen = true
      const done = () => {
        isOpen = false
      }
      result.then(done, done)
      await settled()
      for (let passed = 0; isOpen; passed++) {
        if (passed === limit) throw new Error(`Expected the promise to settle within ${limit} ms`)
        await pass(1)
      }
      return result
    },
    /** Resolves after this time. For a handler that waits. */
    delay: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    /** Advances the clock at once. For a handler that blocks the thread. */
    compute: (ms: number) => clock.advance(ms),
  }
}

/** Replaces `performance.now()`. Returns a function that advances it, for handlers that block the thread. Timers are real. */
export function busyClock(t: Test): (milliseconds: number) => void {
  const trueNow = Object.getOwnPropertyDescriptor(performance, 'now')
  let now = 1000
  Object.defineProperty(performance, 'now', { configurable: true, value: () => now })
  t.teardown(() => {
    if (trueNow) Object.defineProperty(performance, 'now', trueNow)
    else Reflect.deleteProperty(performance, 'now')
  })
  return (milliseconds) => {
    now += milliseconds
  }
}

/** How many timers keep this process alive. Timers of a mocked clock do not count. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
}
