import { startTimer } from '../shared/timers.ts'
import type { RateLimitOption } from '../types.ts'

export type RateLimit = ReturnType<typeof createRateLimit>

/**
 * The sliding window of a middleware instance. It outlives the invocations, even across warm starts.
 *
 * Does not use p-queue's strict interval, which counts tasks. It would count a chunk of 25 records as one. It
 * would also count a task whose record never starts, for example because its message group is blocked.
 */
export function createRateLimit({ limit, interval }: RateLimitOption) {
  const starts: number[] = [] // when records started, in order
  const queue = new Map<object, { nextCount(): number; resolve(isDue: boolean): void }>()
  let timer: NodeJS.Timeout | undefined

  /**
   * Returns when `count` more records may start. At most `limit - count` earlier starts may then be younger
   * than `interval`, so the newest of the others decides. One millisecond is added, because a downstream that
   * counts by `Date.now()` sees whole milliseconds.
   */
  const dueAt = (count: number) => (starts[starts.length + count - limit - 1] ?? -Infinity) + interval + 1

  function dispatchNext(): void {
    clearTimeout(timer)
    const [first] = queue
    if (!first) return
    const [invocation, { nextCount, resolve }] = first
    const wait = dueAt(nextCount()) - performance.now()
    if (wait > 0) {
      timer = startTimer(dispatchNext, wait)
      return
    }
    queue.delete(invocation)
    resolve(true)
  }

  return {
    /**
     * Resolves with `true` when this invocation is the first in the queue and its next job may start. The
     * caller then calls `mayStart()`, starts the job and calls `countStarts()`, which lets the next
     * invocation continue. If no job starts, the caller waits again, calls `countStarts(0)` or calls
     * `leave()`. An invocation is in the queue once, so a large batch does not delay a small one.
     *
     * @param nextCount returns how many records would start now. With 0, no job is ready and the invocation
     * does not wait
     * @returns `false` if the invocation has left the queue
     */
    waitUntilDue(invocation: object, nextCount: () => number): Promise<boolean> {
      return new Promise((resolve) => {
        queue.set(invocation, { nextCount, resolve })
        dispatchNext()
      })
    },
    /**
     * Whether `count` records may start now. Since `waitUntilDue()` resolved, a larger job may have become
     * the next one, or another invocation may have started records. So the caller must check again.
     */
    mayStart: (count: number) => dueAt(count) <= performance.now(),
    /** Call it after `count` records have started: it counts them and lets the next invocation continue. */
    countStarts(count: number): void {
      const now = performance.now()
      // Drops the starts that cannot delay another one.
      const first = starts.findIndex((start) => start + interval + 1 > now)
      starts.splice(0, first < 0 ? starts.length : first)
      for (let record = 0; record < count; record++) starts.push(now)
      dispatchNext()
    },
    /** Removes an invocation that starts no more records. */
    leave(invocation: object): void {
      queue.get(invocation)?.resolve(false)
      queue.delete(invocation)
      dispatchNext()
    },
  }
}
