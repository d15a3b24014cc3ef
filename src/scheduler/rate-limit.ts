import { startTimer } from '../timers.ts'
import type { RateLimitOption } from '../types.ts'

/** The sliding window of a middleware instance. It outlives the invocations, also across warm starts. */
export interface RateLimit {
  /**
   * Waits in line until it is the turn of this invocation and its next job is due. The invocation then calls
   * `mayStart()`, and `started()` to let the next one in line go on. Invocations wait once each and are served one after
   * another, so that a large batch leaves room for a small one.
   *
   * @param weigh how many records would start now; 0 if none, which is due at once
   * @returns `false` if the invocation has left the line
   */
  turn(invocation: object, weigh: () => number): Promise<boolean>
  /** Whether so many records may start now: what would start can have changed since the turn was given. */
  mayStart(count: number): boolean
  /** So many records have started. The next turn is given. */
  started(count: number): void
  /** The invocation starts nothing more. */
  leave(invocation: object): void
}

/**
 * Our own code, since p-queue's strict interval counts the starts of tasks: it would count a chunk of 25 records as one,
 * and also count a task that waits for a record which never becomes ready.
 */
export function createRateLimit({ limit, interval }: RateLimitOption): RateLimit {
  const starts: number[] = [] // a ring: when each of the last `limit` records started
  let total = 0
  const line = new Map<object, { weigh(): number; resolve(isDue: boolean): void }>()
  let timer: NodeJS.Timeout | undefined

  /**
   * The records that leave the ring must have started an interval ago, and the last of them started latest. One
   * millisecond is added, since downstreams that count by `Date.now()` see times in whole milliseconds.
   */
  function dueAt(count: number): number {
    return count > 0 && total + count > limit ? (starts[(total + count - 1) % limit] as number) + interval + 1 : 0
  }

  function serveNext(): void {
    clearTimeout(timer)
    const [first] = line
    if (!first) return
    const [invocation, { weigh, resolve }] = first
    const wait = dueAt(weigh()) - performance.now()
    if (wait > 0) {
      timer = startTimer(serveNext, wait)
      return
    }
    line.delete(invocation)
    resolve(true)
  }

  return {
    turn(invocation, weigh) {
      return new Promise((resolve) => {
        line.set(invocation, { weigh, resolve })
        serveNext()
      })
    },
    mayStart: (count) => dueAt(count) <= performance.now(),
    started(count) {
      const now = performance.now()
      for (let record = 0; record < count; record++) starts[total++ % limit] = now
      serveNext()
    },
    leave(invocation) {
      line.get(invocation)?.resolve(false)
      line.delete(invocation)
      serveNext()
    },
  }
}
