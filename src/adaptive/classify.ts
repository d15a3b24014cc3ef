import type { InvalidBodyError, RecordAbortedError, RecordBlockedError, RecordNotStartedError } from '../errors.ts'
import { isObject } from '../shared/describe.ts'
import { safely } from '../shared/safely.ts'
import type { FailureClass } from '../types.ts'

type Classify = (error: unknown) => FailureClass | undefined

/** The maximum number of errors that are checked: an error, its causes and its inner errors. */
const MAX_ERRORS = 20

/**
 * Errors of this package that say nothing about the downstream. They are recognised by `code`, because the bundle of
 * this entry would otherwise contain a second copy of the classes, and `instanceof` would be false.
 */
const UNCOUNTED: ReadonlySet<unknown> = new Set<
  (InvalidBodyError | RecordAbortedError | RecordBlockedError | RecordNotStartedError)['code']
>(['ERR_INVALID_BODY', 'ERR_RECORD_ABORTED', 'ERR_RECORD_BLOCKED', 'ERR_RECORD_NOT_STARTED'])

/** Names and codes, in the spelling of the AWS SDK, of Node and of undici (`fetch()`). */
const THROTTLES: ReadonlySet<unknown> = new Set([
  'EMFILE', // the process or the machine has no free descriptor: fewer handlers help immediately
  'ENFILE',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'Throttled',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestThrottle',
  'ThrottleException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'BandwidthLimitExceeded',
  'LimitExceededException',
  'TooManyRequestsException',
  'TransactionInProgressException',
  'PriorRequestNotComplete',
  'EC2ThrottledException',
  'KMSThrottlingException',
])
const OVERLOADS: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_SOCKET',
  'TimeoutError',
  'RequestTimeout',
  'RequestTimeoutException',
  'SlowDown',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'ERR_RECORD_TIMEOUT',
])

/** Returns `undefined` if the failure does not count: the handler was aborted, or the body was not valid. */
export function classifyFailure(error: unknown, custom: Classify | undefined): FailureClass | undefined {
  if (UNCOUNTED.has(read(error, 'code'))) return undefined
  return customClass(error, custom) ?? builtInClass(error)
}

/** Returns `undefined` if `custom` throws or does not return a class. The built-in rules then apply. */
function customClass(error: unknown, custom: Classify | undefined): FailureClass | undefined {
  return safely(() => {
    const result: unknown = custom?.(error)
    // An async function returns a promise. If nobody handled its rejection, the process would end.
    if (isObject(result)) void Promise.resolve(result).catch(() => {})
    return result === 'throttle' || result === 'overload' || result === 'failure' ? result : undefined
  })
}

/**
 * The class of an error. If the error has none, the class of the first of its causes and inner errors that has one. For
 * example, only the cause of a failed `fetch()` shows what happened.
 */
function builtInClass(error: unknown): FailureClass {
  const errors = new Set([error])
  for (const each of errors) {
    const failure = classOf(each)
    if (failure) return failure
    for (const next of [read(each, 'cause'), ...innerErrors(each)]) {
      if (isObject(next) && errors.size < MAX_ERRORS) errors.add(next) // a set: a cycle ends
    }
  }
  return 'failure'
}

function classOf(error: unknown): FailureClass | undefined {
  const names = [read(error, 'name'), read(error, 'code')]
  const statuses = [
    read(read(error, '$metadata'), 'httpStatusCode'),
    read(error, 'status'),
    read(error, 'statusCode'),
    read(read(error, 'response'), 'status'),
  ]
  const isThrottling = read(read(error, '$retryable'), 'throttling') === true
  if (isThrottling || statuses.includes(429) || names.some((name) => THROTTLES.has(name))) return 'throttle'
  const isOverload = statuses.includes(503) || statuses.includes(504) || names.some((name) => OVERLOADS.has(name))
  return isOverload ? 'overload' : undefined
}

/** The first inner errors of an `AggregateError`. None if reading them throws. */
function innerErrors(error: unknown): readonly unknown[] {
  const errors = read(error, 'errors')
  return safely(() => Array.isArray(errors) && [...errors.slice(0, MAX_ERRORS)]) || []
}

/** Reads a property of anything. `undefined` if reading it throws. */
function read(value: unknown, key: string): unknown {
  return safely(() => (isObject(value) ? (value as Record<string, unknown>)[key] : undefined))
}
