import { isMultiConcurrent } from './scheduler/deadlines.ts'
import { type Check, COUNT, check, DURATION, isCount, show } from './shared/check.ts'
import { isFunction, isPlainObject } from './shared/describe.ts'
import { warn } from './shared/warn.ts'
import type { BoundedSqsBatchOptions, FailureHandler, RateLimitOption, TimeBudget } from './types.ts'

/** The checked options, with the defaults that are not `undefined` or `false`. */
export interface Settings extends Omit<BoundedSqsBatchOptions, 'onFailure'> {
  readonly concurrency: number
  readonly fifoFailure: 'group' | 'batch'
  /** The option `onFailure`. */
  readonly failureHandlers: readonly FailureHandler[]
  /** The share of a vCPU that the function has: more than 0, at most 1. */
  readonly cpuShare: number
}

const CALLER = 'boundedSqsBatch'

const RESERVE: Check = [
  (value) => Number.isFinite(value) && (value as number) >= 0,
  'a number of milliseconds, 0 or more',
]

const CHECKS: Record<keyof BoundedSqsBatchOptions, Check> = {
  concurrency: COUNT,
  recordTimeout: DURATION,
  timeBudget: [
    (value) => value === false || isPlainObject(value),
    'an object like { drain: 1000, abort: 250 }, or false',
  ],
  rateLimit: [isPlainObject, 'an object like { limit: 14, interval: 1000 }'],
  fifoFailure: [(value) => value === 'group' || value === 'batch', "'group' or 'batch'"],
  throwOnFullBatchFailure: [(value) => typeof value === 'boolean', 'true or false'],
  onFailure: [
    (value) => (Array.isArray(value) ? value.every(isFunction) : isFunction(value)),
    'a function or an array of functions',
  ],
  logger: [(value) => isFunction(value) || value === false, 'a function or false'],
  onSummary: [isFunction, 'a function'],
}

const BUDGET_CHECKS: Record<keyof TimeBudget, Check> = { drain: RESERVE, abort: RESERVE }
const RATE_CHECKS: Record<keyof RateLimitOption, Check> = { limit: COUNT, interval: DURATION }

/**
 * Checks the options when the function starts, so that a wrong one stops it before it receives a message.
 *
 * @throws {TypeError} that names the option, the expected value and the received one
 */
export function checkOptions(given: BoundedSqsBatchOptions = {}): Settings {
  const options = check(CALLER, given, CHECKS)
  const { timeBudget, rateLimit } = options
  return {
    ...options,
    concurrency: concurrencyOfEnvironment() ?? options.concurrency ?? 100,
    timeBudget: timeBudget && check(CALLER, timeBudget, BUDGET_CHECKS, [], 'timeBudget.'),
    rateLimit: rateLimit && check(CALLER, rateLimit, RATE_CHECKS, ['limit', 'interval'], 'rateLimit.'),
    fifoFailure: options.fifoFailure ?? 'group',
    failureHandlers: [options.onFailure ?? []].flat(),
    cpuShare: cpuShare(),
  }
}

/** Lets an operator change the limit without a deployment. A typo must not stop the function from starting. */
function concurrencyOfEnvironment(): number | undefined {
  const name = 'BOUNDED_SQS_BATCH_CONCURRENCY' // of the variable and of the warning
  const value = process.env[name]
  if (value === undefined) return undefined
  if (/^\d+$/.test(value) && isCount(Number(value))) return Number(value)
  warn(name, `${name} is ignored: expected a positive integer, got ${show(value)}`)
  return undefined
}

/**
 * A function with 1,769 MB has one vCPU, and a smaller one a proportional share. 1 on Managed Instances and
 * outside of Lambda (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
 */
function cpuShare(): number {
  const memory = Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE)
  return isMultiConcurrent() || !(memory > 0) ? 1 : Math.min(1, memory / 1_769)
}
