import { AsyncLocalStorage } from 'node:async_hooks'
import type { Limiter } from '../types.ts'
import type { Slots } from './slots.ts'
import type { Worker } from './worker.ts'

/** Learns about each job. It changes the number of slots while jobs run, or does nothing if the concurrency is fixed. */
export interface Limiting {
  readonly isFixed: boolean
  started(worker: Worker, now: number, waiting: number): void
  finished(worker: Worker, result: PromiseSettledResult<undefined>, now: number): void
  timedOut(worker: Worker, error: Error, now: number): void
  /** The batch has ended. Its handlers may still run. */
  ended(worker: Worker, now: number): void
  /**
   * Binds a function to the current async context if another invocation may call it. Handlers and abort listeners keep
   * the context of their own invocation.
   */
  bind<TFunction extends () => void>(run: TFunction): TFunction
}

/**
 * With a fixed concurrency, no other invocation starts the workers of a batch. It can end the batch, but only if all
 * running jobs have timed out, so no abort listener runs.
 */
export const FIXED: Limiting = {
  isFixed: true,
  started() {},
  finished() {},
  timedOut() {},
  ended() {},
  bind: (run) => run,
}

/** @param startWorkers starts workers in all batches, because there are more slots now */
export function applyLimiter(limiter: Limiter, slots: Slots, startWorkers: () => void): Limiting {
  function applyLimit(): void {
    // A higher limit starts handlers, and a handler can block the thread. They start in a microtask, because the caller
    // has read the clock before this call, and uses that time after it.
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
      applyLimit()
    },
    ended: (worker, now) => end(worker, now, undefined),
    bind: (run) => AsyncLocalStorage.bind(run),
  }
}
