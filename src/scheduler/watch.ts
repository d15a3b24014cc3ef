import { RecordTimeoutError } from '../errors.ts'
import { startTimer } from '../shared/timers.ts'
import { warn } from '../shared/warn.ts'
import type { Deadlines } from './deadlines.ts'
import type { Worker } from './worker.ts'

/** The jobs of one invocation, as the watch sees them. */
export interface WatchedRun {
  readonly workers: ReadonlySet<Worker>
  /** Whether the worker's job has no result yet. */
  isRunning(worker: Worker): boolean
  /** Reports the worker's job, and aborts it. It keeps its slot until its handler settles or the batch ends. */
  expire(worker: Worker, error: Error, now: number): void
  drain(): void
  end(): void
  isOver(): boolean
}

/** The timer of a batch. Drains and ends the batch at its deadlines, and reports jobs that have run too long. */
export interface Watch {
  /** Does what is due now, and sets the timer for what is due next. */
  check(): void
  stop(): void
}

/**
 * The watches of a middleware instance.
 *
 * @param recordTimeout milliseconds, or `Infinity`
 * @param limit returns how many slots there are
 */
export function createWatches(recordTimeout: number, limit: () => number) {
  const watched = new Set<WatchedRun>()

  /**
   * If a handler is still running one `recordTimeout` after it timed out, it ignores its signal. If such handlers
   * occupy all slots, no other handler can run. Their batches are then ended.
   */
  function endUnresponsive(now: number): void {
    let count = 0
    for (const run of watched) count += countUnresponsive(run, now)
    if (count < limit()) return
    warn(
      'BOUNDED_SQS_BATCH_SIGNAL_IGNORED',
      `Handlers that ignore their signal occupy all ${limit()} slots: each still runs ${recordTimeout} ms ` +
        '(recordTimeout) after its signal aborted. Their batches end now. Pass `signal` to every call that a handler ' +
        'awaits, such as `fetch()`',
    )
    for (const run of watched) if (countUnresponsive(run, now) > 0) run.end()
  }

  function countUnresponsive({ workers }: WatchedRun, now: number): number {
    let count = 0
    // The time since `timedOutAt` is -Infinity for a job that has not timed out.
    for (const { options, timedOutAt } of workers) if (options && now - timedOutAt >= recordTimeout) count++
    return count
  }

  /**
   * Reports the jobs that have run for `recordTimeout`.
   *
   * @returns when the next job times out or becomes unresponsive
   */
  function expireJobs(run: WatchedRun, now: number): number {
    let next = Infinity
    for (const worker of run.workers) {
      if (!worker.options) continue
      const expiresAt = worker.startedAt + recordTimeout
      if (now >= expiresAt && run.isRunning(worker)) run.expire(worker, new RecordTimeoutError(recordTimeout), now)
      const nextAt = worker.timedOutAt < Infinity ? worker.timedOutAt + recordTimeout : expiresAt
      if (now < nextAt) next = Math.min(next, nextAt)
    }
    return next
  }

  /** Watches a batch from the next iteration of the event loop on, or from the first `check()`. */
  function watch(run: WatchedRun, { drainAt, abortAt }: Deadlines): Watch {
    function check(): void {
      clearTimeout(timer)
      const now = performance.now()
      if (now >= abortAt) run.end()
      else if (now >= drainAt) run.drain()
      let next = now < drainAt ? drainAt : abortAt
      if (recordTimeout < Infinity) {
        // A job that starts after now expires no earlier than now + recordTimeout.
        next = Math.min(next, expireJobs(run, now), now + recordTimeout)
        endUnresponsive(now)
      }
      if (next < Infinity && !run.isOver()) timer = startTimer(check, next - now)
    }

    function stop(): void {
      clearTimeout(timer)
      watched.delete(run)
    }

    watched.add(run)
    // The first check runs in a timer. Handlers that have finished settle before it, so their records do not count as
    // timed out.
    let timer = startTimer(check, 0)
    return { check, stop }
  }
  return watch
}
