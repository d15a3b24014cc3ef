import { AsyncLocalStorage } from 'node:async_hooks'
import type { Limiter, Limiting } from '../scheduler/limiting.ts'
import type { Slots } from '../scheduler/slots.ts'
import type { Worker } from '../scheduler/worker.ts'

/** Tells a limiter about each job, and changes the number of slots when its limit changes. */
export function applyLimiter(limiter: Limiter, slots: Slots, startWorkers: () => void): Limiting {
  function applyLimit(): void {
    // A higher limit starts handlers, and a handler can block the thread. They start in a microtask: the worker loop has
    // read the clock before this call, and still uses that time.
    if (limiter.limit > slots.limit) queueMicrotask(raiseLimit)
    else if (limiter.limit < slots.limit) slots.limit = limiter.limit
  }

  function raiseLimit(): void {
    if (limiter.limit !== slots.limit) slots.limit = limiter.limit
    startWorkers()
  }

  function end(worker: Worker, now: number, succeeded: boolean | undefined): void {
    if (!worker.token) return
    limiter.ended(worker.token, worker.startedAt, now, succeeded)
    worker.token = undefined
    applyLimit()
  }

  return {
    isFixed: false,
    started(worker, now, waiting) {
      worker.token = limiter.started(now, waiting)
      applyLimit()
    },
    finished(worker, result, now) {
      if (!worker.token) return
      // If the job timed out, the limiter knows that already, and ignores `succeeded`.
      const isFailure = result.status === 'rejected'
      end(worker, now, !isFailure || (worker.timedOutAt === Infinity && limiter.failed(result.reason, now)))
    },
    timedOut(worker, error, now) {
      if (worker.token) worker.token = limiter.timedOut(worker.token, worker.startedAt, error, now)
      queueMicrotask(applyLimit) // after all jobs that time out now
    },
    ended: (worker, now) => end(worker, now, undefined),
    bind: (run) => AsyncLocalStorage.bind(run),
  }
}
