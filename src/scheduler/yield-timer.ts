import { setImmediate } from 'node:timers' // the real one, even if a test mocks the global

/** A worker yields if this many milliseconds have passed since the last yield. Waiting counts, too. */
const MAX_TIME_WITHOUT_YIELD = 10

export type YieldTimer = Readonly<ReturnType<typeof createYieldTimer>>

/** Yields to the event loop while handlers use the CPU, so timers and other invocations can run. */
export function createYieldTimer() {
  let isYielding = false
  const yieldTimer = {
    /** Code that starts jobs yields after this time, on the clock of `performance.now()`. */
    yieldAt: 0,
    /** Starts the 10 ms again. Call it if no other invocation is running. */
    reset() {
      yieldTimer.yieldAt = performance.now() + MAX_TIME_WITHOUT_YIELD
    },
    // Uses one immediate for each worker. Node runs all microtasks between two immediates, so a handler uses its CPU
    // time before the next worker reads the clock. With one immediate for all, every worker would read the clock and
    // start its record first, and all handlers would use their CPU time afterwards.
    yieldToEventLoop() {
      const isFirst = !isYielding
      isYielding = true
      return new Promise<void>((resolve) => {
        setImmediate(() => {
          // The time of the yield is set once for all workers that yielded together.
          if (isFirst) {
            isYielding = false
            yieldTimer.reset()
          }
          resolve()
        })
      })
    },
  }
  return yieldTimer
}
