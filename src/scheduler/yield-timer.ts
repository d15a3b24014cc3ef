import { setImmediate } from 'node:timers' // the real one, even if a test mocks the global

/** A worker yields if this many milliseconds have passed since the last yield. Waiting counts, too. */
const MAX_TIME_WITHOUT_YIELD = 10

/**
 * Resolves when all microtasks have run, before the event loop continues. Node calls the functions of
 * `nextTick()` when the queue of microtasks is empty
 * (https://nodejs.org/api/process.html#processnexttickcallback-args). If it is not called in a microtask,
 * these functions are called first.
 */
export async function microtasksDone(): Promise<void> {
  await null
  await new Promise<void>((resolve) => process.nextTick(resolve))
}

export type YieldTimer = Readonly<ReturnType<typeof createYieldTimer>>

/**
 * Yields to the event loop while handlers use the CPU, so timers and other invocations can run.
 *
 * Workers continue in the order in which they yielded. Otherwise one worker could use all the time of each
 * iteration, and other batches would start only after its batch.
 */
export function createYieldTimer() {
  const waiting: (() => void)[] = [] // each has an immediate
  let isFirstScheduled = false
  const yieldTimer = {
    /** Code that starts jobs yields after this time, on the clock of `performance.now()`. */
    yieldAt: 0,
    /** Starts the 10 ms again. Call it if no other invocation is running. */
    reset() {
      yieldTimer.yieldAt = performance.now() + MAX_TIME_WITHOUT_YIELD
    },
    yield() {
      return new Promise<void>((resolve) => {
        waiting.push(resolve)
        schedule()
      })
    },
  }

  // Uses one immediate for each waiting worker. Node runs all microtasks between two immediates, so a handler
  // uses its CPU time before the next worker reads the clock. With one immediate for all, every worker would
  // read the clock and start its record first, and all handlers would use their CPU time afterwards.
  function schedule(): void {
    const isFirst = !isFirstScheduled
    isFirstScheduled = true
    setImmediate(() => {
      if (isFirst) {
        isFirstScheduled = false
        yieldTimer.reset() // once in each iteration
      } else if (performance.now() > yieldTimer.yieldAt) {
        return schedule() // the next worker waits for the next iteration
      }
      ;(waiting.shift() as () => void)()
    })
  }

  return yieldTimer
}
