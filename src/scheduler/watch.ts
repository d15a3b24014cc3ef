import { RecordTimeoutError } from '../errors.ts'
import { startTimer } from '../shared/timers.ts'
import { warn } from '../shared/warn.ts'
import type { Deadlines } from './deadlines.ts'
import { abort, type LazyJobOptions } from './job-options.ts'
import { rejected } from './job-states.ts'
import type { Slots } from './slots.ts'
import type { Worker } from './worker.ts'
import type { WorkerLoop } from './worker-loop.ts'

/** The jobs of one invocation, as the watch sees them. */
type WatchedJobs = Pick<WorkerLoop, 'workers' | 'isRunning' | 'settle' | 'drain' | 'end' | 'isOver'>

/**
 * The watches of a middleware instance: the timers of its batches. A watch drains and ends its batch at the deadlines,
 * and reports jobs that have run too long.
 *
 * @param recordTimeout milliseconds, or `Infinity`
 */
export function createWatches(recordTimeout: number, slots: Slots) {
  const watched = new Set<WatchedJobs>()

  /**
   * If a handler is still running one `recordTimeout` after it timed out, it ignores its signal. If such handlers
   * occupy all slots, no other handler can run. Their batches are then ended.
   */
  function endUnresponsive(now: number): void {
    const { limit } = slots
    let count = 0
    for (const run of watched) count += countUnresponsive(run, now)
    if (count < limit) return
    warn(
      'BOUNDED_SQS_BATCH_SIGNAL_IGNORED',
      `Handlers that ignore their signal occupy all ${limit} slots: each still runs ${recordTimeout} ms ` +
        '(recordTimeout) after its signal aborted. Their batches end now. Pass `signal` to every call that a handler awaits',
    )
    for (const run of watched) if (countUnresponsive(run, now) > 0) run.end()
  }

  function countUnresponsive({ workers }: WatchedJobs, now: number): number {
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
  function expireJobs(run: WatchedJobs, now: number): number {
    let next = Infinity
    for (const worker of run.workers) {
      if (!worker.options) continue
      const expiresAt = worker.startedAt + recordTimeout
      if (now >= expiresAt && run.isRunning(worker)) expire(run, worker, now)
      const nextAt = worker.timedOutAt < Infinity ? worker.timedOutAt + recordTimeout : expiresAt
      if (now < nextAt) next = Math.min(next, nextAt)
    }
    return next
  }

  /** Reports the worker's job, and aborts it. It keeps its slot until its handler settles or the batch ends. */
  function expire(run: WatchedJobs, worker: Worker, now: number): void {
    const error = new RecordTimeoutError(recordTimeout)
    worker.timedOutAt = now
    run.settle(worker, rejected(error), now)
    abort(worker.options as LazyJobOptions, error)
  }

  /**
   * Watches a batch. Its first check is in the next iteration of the event loop, or later.
   *
   * @param drained is called when no more jobs may start
   * @returns stops the watch
   */
  function watch(run: WatchedJobs, { drainAt, abortAt }: Deadlines, drained: () => void): () => void {
    function check(): void {
      const now = performance.now()
      if (now >= abortAt) run.end()
      else if (now >= drainAt) {
        run.drain()
        drained()
      }
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
    return stop
  }
  return watch
}
