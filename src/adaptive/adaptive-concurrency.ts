import type { AdaptiveSettings } from '../scheduler/limiter.ts'
import { type Check, COUNT, check } from '../shared/check.ts'
import { isFunction } from '../shared/describe.ts'
import type { AdaptiveConcurrency, FailureClass } from '../types.ts'
import { classifyFailure } from './classify.ts'
import { createLimitSearch } from './limit-search.ts'
import { createLimiter } from './limiter.ts'

/**
 * If 3 % of the calls are throttled at any load, the limit falls to `min` or close to it. With 1, it fell to 3 to 5, and
 * batches of 2,000 records took up to 22 times as long as with a fixed 50. With 10, they take five times as long.
 */
const DEFAULT_MIN = 10

/** Options of `adaptiveConcurrency()`. All are optional. An unknown key is a TypeError. */
export interface AdaptiveConcurrencyOptions {
  /**
   * The minimum limit: a positive integer, at most `initial`. Set it to 1 if the downstream cannot serve ten calls at
   * once, or if many environments share it.
   * @default the smallest of 10, `initial` and `max`. So with `initial: 5`, the limit never falls below 5
   */
  readonly min?: number | undefined
  /**
   * The maximum limit: a positive integer. If the process has fewer free file descriptors, the maximum is lowered to
   * the number that fits, with a warning.
   * @default 500, or `min` if that is more
   */
  readonly max?: number | undefined
  /**
   * The limit in a new environment: a positive integer from `min` to `max`. If invocations do not overlap, batches of
   * at most this many records never raise the limit above it. After five minutes without a record, the limit is at most
   * this.
   * @default 50, or the nearest number from `min` to `max`
   */
  readonly initial?: number | undefined
  /**
   * Says what an error of a handler means. `'throttle'`: the downstream asked for fewer requests. `'overload'`: it
   * could not serve the request. `'failure'`: anything else. `'throttle'` and `'overload'` can lower the limit.
   * Return `undefined` for the built-in rules. They also apply if the function throws.
   *
   * The built-in rules look at `name`, `code`, `status`, `statusCode`, `response.status`, `$metadata.httpStatusCode`
   * and `$retryable.throttling` of the error, of its `cause` and of its inner `errors`.
   * @default the built-in rules
   */
  readonly classify?: ((error: unknown) => FailureClass | undefined) | undefined
}

const CALLER = 'adaptiveConcurrency'

const CHECKS: Record<keyof AdaptiveConcurrencyOptions, Check> = {
  min: COUNT,
  max: COUNT,
  initial: COUNT,
  classify: [isFunction, 'a function'],
}

/**
 * Returns a value for the option `concurrency`. The middleware then searches for the limit with the most successful
 * records per second, while records run. Later invocations of the same environment continue with this limit.
 * If too many calls are throttled, are refused or time out, the limit falls immediately.
 *
 * Experimental: its behaviour and its options can change in any version.
 *
 * Each middleware instance searches separately, even if two instances use the same value. The search knows only its own
 * environment, so set `MaximumConcurrency` in the event source mapping. Set `maxAttempts: 1` in AWS SDK clients,
 * because their own retries hide the throttling.
 *
 * @param options see {@link AdaptiveConcurrencyOptions}
 * @throws {TypeError} if an option is unknown, of the wrong type or out of range, or unless `min` ≤ `initial` ≤ `max`
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: adaptiveConcurrency({ max: 200 }) }))
 *   .handler(eachRecord(async (record) => { await save(record.body) }))
 */
export function adaptiveConcurrency(options: AdaptiveConcurrencyOptions = {}): AdaptiveConcurrency {
  const given = check(CALLER, options, CHECKS)
  const defaultMin = Math.min(DEFAULT_MIN, given.initial ?? DEFAULT_MIN, given.max ?? DEFAULT_MIN)
  const { min = defaultMin, max = Math.max(500, min), classify } = given
  const { initial = Math.max(min, Math.min(50, max)) } = given
  if (min > initial || initial > max) {
    throw new TypeError(`${CALLER}(): expected min ≤ initial ≤ max, got min ${min}, initial ${initial} and max ${max}`)
  }
  return Object.freeze({
    max,
    createSearch: (fitting) =>
      createLimitSearch({
        min,
        max: fitting,
        initial,
        classify: (error) => classifyFailure(error, classify),
        utilization: utilizationMeter(),
      }),
    createLimiter,
  } satisfies AdaptiveSettings)
}

function utilizationMeter(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const before = last
    last = performance.eventLoopUtilization()
    return performance.eventLoopUtilization(last, before).utilization
  }
}
