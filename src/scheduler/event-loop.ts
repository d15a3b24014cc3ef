import { setImmediate } from 'node:timers' // the real one, also if a test mocks the global

/** Milliseconds for which workers may keep the event loop busy, beyond what one handler takes. */
const MAX_BUSY_TIME = 10

/** Lets the event loop turn while handlers compute, so that timers and other invocations get their turn. */
export interface EventLoop {
  /** Starts to count now, since nothing was running. */
  reset(): void
  shouldYield(now: number): boolean
  yieldToEventLoop(): Promise<void>
}

export function createEventLoop(): EventLoop {
  let yieldedAt = 0
  let isYielding = false
  return {
    reset() {
      yieldedAt = performance.now()
    },
    shouldYield: (now) => now - yieldedAt > MAX_BUSY_TIME,
    // One immediate for each worker. Node runs the microtasks between two immediates, so a handler that computes delays the
    // next worker, which then reads the clock. If one immediate resumed all workers, each would start a record first.
    yieldToEventLoop() {
      const isFirst = !isYielding
      isYielding = true
      return new Promise((resolve) => {
        setImmediate(() => {
          if (isFirst) {
            isYielding = false
            yieldedAt = performance.now()
          }
          resolve()
        })
      })
    },
  }
}
