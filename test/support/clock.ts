import diagnostics from 'node:diagnostics_channel'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import { Clock } from 'clock-mock'
import type { Test } from 'tap'
import { RECORD } from './tracing.ts'

const trueImmediate = setImmediate
const trueTimeout = timers.setTimeout
const { parse } = Date
let mock: Clock | undefined

/** Replaces the clock and all timers until the test ends. Time passes only when the test calls `advance()`. */
export function mockClock(t: Test): Clock {
  const clock = new Clock()
  clock.enter()
  Object.assign(Date, { parse }) // clock-mock has no Date.parse(), which the AWS SDK calls
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

/** Advances a mocked clock by single milliseconds, so that each timer fires at its time, as it does while the thread is free. */
export function passTime(clock: Clock, milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed++) clock.advance(1)
}

/** Waits until all pending work that needs no time is done, also with a mocked clock. */
export async function settled(): Promise<void> {
  for (let iteration = 0; iteration < 8; iteration++) {
    await new Promise((resolve) => trueImmediate(resolve))
    mock?.advance(0)
  }
}

/** A mocked clock that advances by single milliseconds, so that each timer fires at its time. */
export function passingClock(t: Test) {
  const clock = mockClock(t)
  const begin = performance.now()
  async function pass(ms: number) {
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
      function done() {
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

/**
 * A mocked clock for handlers that make real requests. Time passes only while at most `hanging` records are in flight,
 * so requests take no time, however busy the machine is.
 */
export function requestClock(t: Test, hanging = 0) {
  const date = Date.now()
  const clock = mockClock(t)
  clock.advance(date) // the AWS SDK repeats calls if its date differs from that of the server
  const begin = performance.now()
  const now = () => performance.now() - begin
  const starts: number[] = []
  let inFlight = 0
  const listeners = {
    start: () => {
      starts.push(now())
      inFlight++
    },
    asyncEnd: () => {
      inFlight--
    },
  }
  for (const [event, listener] of Object.entries(listeners)) {
    diagnostics.subscribe(`tracing:${RECORD}:${event}`, listener)
    t.teardown(() => diagnostics.unsubscribe(`tracing:${RECORD}:${event}`, listener))
  }
  return {
    now,
    advance: (ms: number) => clock.advance(ms),
    /** When each record started. */
    starts,
    /** Lets time pass until the promise settles, for at most 15 seconds. */
    async until<T>(result: Promise<T>): Promise<T> {
      let isOpen = true
      function done() {
        isOpen = false
      }
      result.then(done, done)
      for (await settled(); isOpen; await settled()) {
        if (inFlight > hanging) continue
        if (now() > 15_000) throw new Error('Expected the promise to settle within 15 seconds')
        clock.advance(1)
      }
      return result
    },
  }
}

/**
 * Replaces `performance.now()`. Returns a function that advances it, for handlers that block the thread. The timers of
 * this package are real. Those of Middy do not fire: its early timeout would end the batch if the test took long.
 */
export function busyClock(t: Test): (milliseconds: number) => void {
  setModuleTimeout((() => undefined) as unknown as typeof setTimeout)
  t.teardown(() => setModuleTimeout(trueTimeout))
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

/** How many timers of a mocked clock are pending. */
export function openTimers(clock: Clock): number {
  return [...clock.timers.values()].flat().length
}

/** Counts the calls of `setTimeout()` until the test ends. */
export function countTimers(t: Test): () => number {
  let timers = 0
  const { setTimeout } = globalThis
  t.intercept(globalThis, 'setTimeout', {
    value: ((...args: Parameters<typeof setTimeout>) => {
      timers++
      return setTimeout(...args)
    }) as typeof setTimeout,
  })
  return () => timers
}

/** How many timers keep this process alive. Timers of a mocked clock do not count. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
}

/** Counts what happens between two iterations of the event loop. It stops when the test ends. */
export function iterationCounter(t: Test): { count(): void; readonly max: number } {
  let sinceIteration = 0
  let max = 0
  let immediate = setImmediate(startIteration)
  function startIteration(): void {
    sinceIteration = 0
    immediate = setImmediate(startIteration)
  }
  t.teardown(() => clearImmediate(immediate))
  return {
    count() {
      max = Math.max(max, ++sinceIteration)
    },
    get max() {
      return max
    },
  }
}
