import { randomUUID } from 'node:crypto'
import type { Context } from 'aws-lambda'
import { check, DURATION } from '../shared/check.ts'

/** Options of `sqsContext()`. */
export interface SqsContextOptions {
  /**
   * The function's timeout: milliseconds, more than 0. The time starts when the context is made.
   * @default 30,000
   */
  readonly timeout?: number | undefined
}

export const DEFAULT_TIMEOUT = 30_000

/**
 * Makes the context of an invocation, for a unit test. `getRemainingTimeInMillis()` counts down by the real
 * clock, so that the time budget of `boundedSqsBatch()` works as on Lambda.
 *
 * @throws {TypeError} if an option is unknown or out of range
 *
 * @example
 * const context = sqsContext({ timeout: 200 })
 * context.getRemainingTimeInMillis() // 200, and less with each millisecond
 */
export function sqsContext(options: SqsContextOptions = {}): Context {
  const { timeout = DEFAULT_TIMEOUT } = check('sqsContext', options, { timeout: DURATION })
  const end = performance.now() + timeout
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'my-function',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:my-function',
    memoryLimitInMB: '1769',
    awsRequestId: randomUUID(),
    logGroupName: '/aws/lambda/my-function',
    logStreamName: `${new Date().toISOString().slice(0, 10).replaceAll('-', '/')}/[$LATEST]${randomUUID().replaceAll('-', '')}`,
    getRemainingTimeInMillis: () => Math.ceil(end - performance.now()),
    done: refuseCallback,
    fail: refuseCallback,
    succeed: refuseCallback,
  }
}

/** The types of AWS require these methods. Lambda does not have them on Node 24 and newer. */
function refuseCallback(): never {
  throw new Error('context.done(), fail() and succeed() are not available: return a promise from the handler')
}
