import { RecordTimeoutError } from '../errors.ts'
import { warn } from '../shared/warn.ts'
import { abort, type JobOptions, rejected } from './job.ts'
import type { Run, Shared, Worker } from './run.ts'

/** Makes the function that fails jobs that have run too long, for the runs of a middleware instance. */
export function createTimeouts(
  recordTimeout: number,
  limit: number,
  active: ReadonlySet<Run>,
): Shared['expireJobs'] {
  /** Fails the worker's job, and aborts it. It keeps its slot until its handler settles or the batch ends. */
  function expire(run: Run, worker: Worker, now: number): void {
    const error = new RecordTimeoutError(recordTimeout)
    worker.timedOutAt = now
    run.settle(worker, rejected(error), now)
    abort(worker.options as JobOptions, error)
  }

  /**
   * If a handler is still running one `recordTimeout` after it timed out, it ignores its signal. If such
   * handlers occupy all slots, no other handler can run. Their batches are then ended.
   */
  function endUnresponsive(now: number): void {
    const before = now - recordTimeout
    let count = 0
    for (const run of active) count += countUnresponsive(run, before)
    if (count < limit) return
    warn(
      'BOUNDED_SQS_BATCH_SIGNAL_IGNORED',
      `Handlers that ignore their signal occupy all ${limit} slots, so their batches end now. ` +
        'Pass `signal` to every call that a handler awaits',
    )
    for (const run of active) if (countUnresponsive(run, before) > 0) run.end()
  }

  return (run, now) => {
    let next = Infinity
    for (const worker of run.workers) {
      const expiresAt = worker.startedAt + recordTimeout
      if (now < expiresAt) next = Math.min(next, expiresAt)
      else if (run.isRunning(worker)) expire(run, worker, now)
    }
    endUnresponsive(now)
    return next
  }
}

/** How many handlers still run that timed out at `before` or earlier. */
function countUnresponsive({ workers }: Run, before: number): number {
  let count = 0
  for (const { options, timedOutAt } of workers) if (options && timedOutAt <= before) count++
  return count
}
