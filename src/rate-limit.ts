import { startTimer } from './timers.ts'
import type { RateLimitOption } from './types.ts'

/** The sliding window of a middleware instance: it outlives the invocations, warm starts included. */
export interface RateLimit {
  /**
   * Waits in line until it is somebody's turn, who then asks `mayStart()`, and tells by `started()` what came of it.
   *
   * @param invocation who waits, once: they are served one after the other, so that a large one leaves room for a small one
   * @param weigh how many records would start now; 0 where there is none, which waits for nothing
   * @returns `false` where it has left the line
   */
  turn(invocation: object, weigh: () => number): Promise<boolean>
  /** Whether so many records may start now. What would start may have changed since the turn was given. */
  mayStart(count: number): boolean
  /** So many records have started by now: the next turn may be given. */
  started(count: number): void
  /** It is not to start any more. */
  leave(invocation: object): void
}

/**
 * Made by hand, since p-queue's own strict interval counts the starts of tasks: a chunk of 25 records is one to it, and a
 * task that waits for a record that never comes is one, too.
 *
 * Callers that count by `Date.now()` see times cut to milliseconds: one is added to the interval.
 */
export function createRateLimit({ limit, interval }: RateLimitOption): RateLimit {
  const starts: number[] = [] // a ring: when each of the last `limit` records started
  let total = 0
  const line = new Map<object, { weigh(): number; resolve(isItsTurn: boolean): void }>()
  let timer: NodeJS.Timeout | undefined

  /** The records that would fall out of the ring must have started an interval ago; the last of them tells. */
  function dueAt(count: number): number {
    return count > 0 && total + count > limit ? (starts[(total + count - 1) % limit] as number) + interval + 1 : 0
  }

  function serve(): void {
    clearTimeout(timer)
    const [first] = line
    if (!first) return
    const [invocation, { weigh, resolve }] = first
    const wait = dueAt(weigh()) - performance.now()
    if (wait > 0) {
      timer = startTimer(serve, wait)
      return
    }
    line.delete(invocation)
    resolve(true)
  }

  return {
    turn(invocation, weigh) {
      return new Promise((resolve) => {
        line.set(invocation, { weigh, resolve })
        serve()
      })
    },
    mayStart: (count) => dueAt(count) <= performance.now(),
    started(count) {
      const now = performance.now()
      for (let record = 0; record < count; record++) starts[total++ % limit] = now
      serve()
    },
    leave(invocation) {
      line.get(invocation)?.resolve(false)
      line.delete(invocation)
      serve()
    },
  }
}
