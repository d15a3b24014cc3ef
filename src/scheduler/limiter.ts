import type { AdaptiveConcurrency, ConcurrencySummary, LimitReason } from '../types.ts'
import type { Slots } from './slots.ts'
import type { Worker } from './worker.ts'

/** Searches for the best limit while jobs run. All times come from `performance.now()`. */
export interface LimitSearch {
  /** How many jobs may be in flight: a positive integer. */
  readonly limit: number
  readonly reason: LimitReason
  /** A job started, and `waiting` jobs of its batch have not. Returns the token of the job. */
  started(now: number, waiting: number): object
  /** A job failed. Returns whether the load was the cause. If not, the result of the job does not count. */
  failed(error: unknown, now: number): boolean
  /** A job timed out, and still occupies its slot. Returns its new token. */
  timedOut(token: object, startedAt: number, error: unknown, now: number): object
  /** A job has freed its slot. `succeeded` is `undefined` if its result does not count. */
  ended(token: object, startedAt: number, now: number, succeeded: boolean | undefined): void
}

/** Learns about each job, and changes the number of slots while jobs run. If the concurrency is fixed, it does nothing. */
export interface Limiter {
  /** The current limit, and why it last changed. `undefined` if the concurrency is fixed. */
  readonly current?: ConcurrencySummary
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

/** What `adaptiveConcurrency()` returns. The code is in src/adaptive/, so that a bundle without it does not contain it. */
export interface AdaptiveSettings extends AdaptiveConcurrency {
  /** @param max the maximum limit that fits under the process's file descriptors */
  createSearch(max: number): LimitSearch
  /** @param startWorkers starts workers in all batches, because there are more slots now */
  createLimiter(search: LimitSearch, slots: Slots, startWorkers: () => void): Limiter
}

/**
 * Its `bind` does nothing. With a fixed concurrency, no other invocation starts the workers of a batch. Another one can
 * end the batch, but only if all running jobs have timed out. Then no abort listener is left to run.
 */
export const FIXED: Limiter = {
  started() {},
  finished() {},
  timedOut() {},
  ended() {},
  bind: (run) => run,
}
