import type { RateLimitOption } from './types.ts'

/** The sliding window of a middleware instance: it outlives the invocations, warm starts included. */
export interface RateLimit {
  /**
   * Waits until `count` more records may start and calls `start`, which notes by `started()` what it started. Resolves
   * with what it returned, or with `undefined` where the line was left before.
   *
   * @param line who waits: lines are served by turns, so that a large batch leaves room for a small one
   */
  turn<T>(line: object, count: number, start: () => T | undefined): Promise<T | undefined>
  /** Notes that so many records start now. */
  started(count: number): void
  /** Nobody in this line is to start any more. */
  leave(line: object): void
}

interface Waiting {
  readonly count: number
  serve(isLeft?: boolean): void
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
  const lines = new Map<object, Waiting[]>()
  let timer: NodeJS.Timeout | undefined

  /** The records that would fall out of the ring must have started an interval ago; the last of them tells. */
  function dueAt(count: number): number {
    return total + count > limit ? (starts[(total + count - 1) % limit] as number) + interval + 1 : 0
  }

  function serve(): void {
    clearTimeout(timer)
    for (const [line, waiting] of lines) {
      const [next, ...rest] = waiting as [Waiting, ...Waiting[]]
      const wait = dueAt(next.count) - performance.now()
      if (wait > 0) {
        timer = setTimeout(serve, Math.min(Math.ceil(wait), LONGEST_DELAY))
        return
      }
      lines.delete(line)
      if (rest.length > 0) lines.set(line, rest) // behind the others
      next.serve()
    }
  }

  return {
    turn(line, count, start) {
      return new Promise((resolve) => {
        const waiting: Waiting = { count, serve: (isLeft) => resolve(isLeft ? undefined : start()) }
        lines.set(line, [...(lines.get(line) ?? []), waiting])
        serve()
      })
    },
    started(count) {
      const now = performance.now()
      for (let record = 0; record < count; record++) starts[total++ % limit] = now
    },
    leave(line) {
      const waiting = lines.get(line) ?? []
      lines.delete(line)
      for (const { serve } of waiting) serve(true)
      serve()
    },
  }
}

/** The longest delay of a timer; a longer one would fire at once. */
const LONGEST_DELAY = 2 ** 31 - 1
