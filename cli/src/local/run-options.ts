import { kindOf, UsageError } from '../shared/errors.ts'
import type { RunOptions } from './run.ts'

/** Tests the value of an option, and describes the expected value. */
type Check = readonly [accepts: (value: unknown) => boolean, expected: string]

/** Not only whole numbers, because milliseconds can have fractions. */
function numberFrom(least: number, most: number): Check {
  const accepts = (value: unknown) => typeof value === 'number' && value >= least && value <= most
  return [accepts, `a number from ${least.toLocaleString('en-US')} to ${most.toLocaleString('en-US')}`]
}

function wholeFrom(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  const accepts = (value: unknown) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  const to = most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most.toLocaleString('en-US')}`
  return [accepts, `a whole number from ${least}${to}`]
}

function typeOf(type: 'boolean' | 'function' | 'string'): Check {
  return [(value) => typeof value === type, `a ${type}`]
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const OBJECT: Check = [isObject, 'an object']
const SIGNAL: Check = [(value) => value instanceof AbortSignal, 'an AbortSignal']

const TOP: Record<keyof RunOptions, Check> = {
  queue: OBJECT,
  function: OBJECT,
  mapping: OBJECT,
  messages: [
    (value) => isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value),
    'an iterable or an async iterable of messages',
  ],
  seed: wholeFrom(0),
  idle: numberFrom(0, 86_400),
  awaitFirst: typeOf('boolean'),
  onWarning: typeOf('function'),
  onProgress: typeOf('function'),
  onStart: typeOf('function'),
  drain: SIGNAL,
  stop: SIGNAL,
}

const OWN_QUEUE: Record<string, Check> = {
  visibilityTimeout: wholeFrom(0, 43_200),
  maxReceives: wholeFrom(1, 1000),
  port: wholeFrom(0, 65_535),
  fifo: typeOf('boolean'),
  duplicates: numberFrom(0, 1),
  seed: wholeFrom(0),
}

const URL_TEXT: Check = [(value) => typeof value === 'string' && URL.canParse(value), 'a URL']
const ADDRESS: Record<string, Check> = { queueUrl: URL_TEXT, endpoint: URL_TEXT }

const FUNCTION: Record<keyof RunOptions['function'], Check> = {
  file: typeOf('string'),
  exportName: typeOf('string'),
  timeout: numberFrom(1, 5_400_000),
  initTimeout: numberFrom(1, 5_400_000),
  memory: wholeFrom(128, 10_240),
  limitMemory: typeOf('boolean'),
  freeze: typeOf('boolean'),
  inspect: [(value) => typeof value === 'boolean' || typeof value === 'string', 'true or an address'],
  callbacks: typeOf('boolean'),
  fdLimit: wholeFrom(32),
  perEnvironment: wholeFrom(1),
  runtimeClient: typeOf('string'),
  env: OBJECT,
  onLog: typeOf('function'),
  onDeathBetween: typeOf('function'),
  onMetrics: typeOf('function'),
  onFinished: typeOf('function'),
  onUsage: typeOf('function'),
}

const MAPPING: Record<keyof RunOptions['mapping'], Check> = {
  batchSize: wholeFrom(1, 10_000),
  windowMs: numberFrom(0, 300_000),
  concurrency: wholeFrom(1),
  reportBatchItemFailures: typeOf('boolean'),
  retryAfter: wholeFrom(0, 43_200),
  filters: [Array.isArray, 'a list of filter patterns'],
  onFailure: typeOf('function'),
}

function check(given: object, checks: Record<string, Check>, required: readonly string[], prefix = '') {
  const values = given as Record<string, unknown>
  for (const key of new Set([...required, ...Object.keys(values)])) {
    if (!Object.hasOwn(checks, key)) {
      const known = Object.keys(checks).join(', ')
      throw new UsageError(`run(): unknown option ${prefix}${key}. Expected one of ${known}`)
    }
    const [accepts, expected] = checks[key] as Check
    const value = values[key]
    if ((value === undefined && !required.includes(key)) || accepts(value)) continue
    const received = typeof value === 'number' ? String(value) : kindOf(value)
    throw new UsageError(`run(): expected option ${prefix}${key} to be ${expected}, got ${received}`)
  }
}

/**
 * Checks the options of `run()`, which a program can call without the flags of the command. Most ranges are those
 * of the flags. Some are wider, for example because a test uses shorter times. `messages` may be missing only if other programs can send messages.
 */
export function checkRunOptions(options: RunOptions): void {
  if (!isObject(options)) throw new UsageError(`run(): expected an object of options, got ${kindOf(options)}`)
  const { queue, mapping } = options as RunOptions
  const isGiven = isObject(queue) && 'queueUrl' in queue
  const isReachable = isGiven || (isObject(queue) && Number(queue.port) > 0)
  check(options, TOP, ['queue', 'function', 'mapping', ...(isReachable ? [] : ['messages'])])
  check(queue, isGiven ? ADDRESS : OWN_QUEUE, isGiven ? ['queueUrl'] : ['visibilityTimeout', 'maxReceives'], 'queue.')
  check(options.function, FUNCTION, ['file'], 'function.')
  check(mapping, MAPPING, [], 'mapping.')
}
