import type { AdaptiveConcurrency, LimitReason } from '../types.ts'
import type { Slots } from './slots.ts'
import type { Worker } from './worker.ts'

/** Finds the concurrency of a middleware instance while its jobs run. All times come from `performance.now()`. */
export interface Limiter {
  /** How many jobs may be in flight: a positive integer. */
  readonly limit: number
  readonly reason: LimitReason
  /**
   * A job started.
   *
   * @param waiting how many jobs of its batch have not started
   * @returns a value to pass to `ended()` or `timedOut()`
   */
  started(now: number, waiting: number): object
  /**
   * A job failed.
   *
   * @returns the value to pass to `ended()` as `succeeded`: `false`, or `undefined` if the failure does not count
   */
  failed(error: unknown, now: number): false | undefined
  /**
   * A job timed out. It still occupies its slot.
   *
   * @returns a value to pass to `ended()` when the slot is free, instead of the one that `started()` returned
   */
  timedOut(token: object, startedAt: number, error: unknown, now: number): object
  /**
   * A job has freed its slot.
   *
   * @param succeeded `undefined` if its result does not count
   */
  ended(token: object, startedAt: number, now: number, succeeded: boolean | undefined): void
}

/** What `adaptiveConcurrency()` returns. The code is in src/adaptive/, so that a bundle without it does not contain it. */
export interface LimiterFactory extends AdaptiveConcurrency {
  /** @param max the maximum limit that fits under the process's file descriptors */
  createLimiter(max: number): Limiter
  /** @param startWorkers starts workers in all batches, because there are more slots now */
  applyLimiter(limiter: Limiter, slots: Slots, startWorkers: () => void): Limiting
}

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
 * Its `bind` does nothing. With a fixed concurrency, no other invocation starts the workers of a batch. Another one can
 * end the batch, but only if all running jobs have timed out. Then no abort listener is left to run.
 */
export const FIXED: Limiting = {
  isFixed: true,
  started() {},
  finished() {},
  timedOut() {},
  ended() {},
  bind: (run) => run,
}
