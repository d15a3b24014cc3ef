import { AsyncLocalStorage } from 'node:async_hooks'
import type { Limiter, LimitSearch } from '../scheduler/limiter.ts'
import type { Slots } from '../scheduler/slots.ts'
import type { Worker } from '../scheduler/worker.ts'

/** Tells a limit search about each job, and changes the number of slots when its limit changes. */
export function createLimiter(search: LimitSearch, slots: Slots, startWorkers: () => void): Limiter {
  function applyLimit(): void {
    // A higher limit starts handlers, and a handler can block the thread. They start in a microtask: the worker loop has
    // read the clock before this call, and still uses that time.
    if (search.limit > slots.limit) queueMicrotask(raiseLimit)
    else if (search.limit < slots.limit) slots.limit = search.limit
  }

  function raiseLimit(): void {
    if (search.limit !== slots.limit) slots.limit = search.limit
    startWorkers()
  }

  function end(worker: Worker, now: number, succeeded: boolean | undefined): void {
    if (!worker.token) return
    search.ended(worker.token, worker.startedAt, now, succeeded)
    worker.token = undefined
    applyLimit()
  }

  return {
    current: search,
    started(worker, now, waiting) {
      worker.token = search.started(now, waiting)
      applyLimit()
    },
    finished(worker, result, now) {
      if (!worker.token) return
      if (result.status === 'fulfilled') end(worker, now, true)
      // If the job timed out, the search knows that already, and ignores whether it succeeded.
      else end(worker, now, worker.timedOutAt === Infinity && search.failed(result.reason, now) ? false : undefined)
    },
    timedOut(worker, error, now) {
      if (worker.token) worker.token = search.timedOut(worker.token, worker.startedAt, error, now)
      queueMicrotask(applyLimit) // after all jobs that time out now
    },
    ended: (worker, now) => end(worker, now, undefined),
    bind: (run) => AsyncLocalStorage.bind(run),
  }
}
