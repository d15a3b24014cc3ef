/** What a failure says about the downstream. */
export type FailureClass = 'throttle' | 'overload' | 'failure'

/** Why the limit last changed. */
export type LimitReason = 'initial' | 'probe' | 'gain' | 'no-gain' | 'throttle' | 'overload' | 'idle'

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

/** A symbol, so that nothing but the result of `adaptiveConcurrency()` has this method. */
export const CREATE_LIMITER: unique symbol = Symbol('createLimiter')
