import type { SQSClient } from '@aws-sdk/client-sqs'
import { type Check, check, show } from '../shared/check.ts'
import { isFunction, isObject } from '../shared/describe.ts'
import type { RecordFailure } from '../types.ts'
import { canBeSame, queueOfUrl } from './source-queue.ts'

/**
 * Seconds. SQS keeps a message invisible for at most 12 hours (43,200 s) after it was received. The batching
 * window and the function can use up to 1,200 s of this time, or 5,700 s on Managed Instances. SQS then
 * refuses the longest delays.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
 */
export const MAX_DELAY_SECONDS = 42_000

/** Options of `deadLetter()`. */
export interface DeadLetterOptions {
  /**
   * A client with the permission `sqs:SendMessage` on the dead-letter queue. If the records come from a FIFO
   * queue, also in the region of this queue, with `sqs:ChangeMessageVisibility` on it.
   */
  readonly client: SQSClient
  /**
   * The URL of the dead-letter queue, which must not be the queue that the records come from. A URL that ends
   * in `.fifo` names a FIFO queue.
   */
  readonly queueUrl: string
  /**
   * Whether to send a failed record: `true` sends it, `false` or `undefined` does not. If the function throws
   * or returns anything else, including a promise, this is logged and the record stays failed.
   * @default sends the records that failed with a `PermanentError`
   */
  readonly when?: ((failure: RecordFailure) => boolean | undefined) | undefined
  /**
   * The URL of the queue that the records come from: the value of the attribute `DeadLetter.SourceQueue`, and
   * the queue in which the records behind a failure become visible.
   * @default the ARN of that queue, from the record
   */
  readonly sourceQueueUrl?: string | undefined
}

/** Options of `retryBackoff()`. */
export interface RetryBackoffOptions {
  /** A client in the region of the source queue, with the permission `sqs:ChangeMessageVisibility` on it. */
  readonly client: SQSClient
  /**
   * The longest delay after the first delivery: seconds, more than 0.
   * @default 30
   */
  readonly base?: number | undefined
  /**
   * The longest delay is multiplied by this with each delivery: a number of 1 or more.
   * @default 2
   */
  readonly factor?: number | undefined
  /**
   * The limit of all delays: whole seconds, from 1 to 42,000. SQS allows 12 hours (43,200 s) after the
   * delivery.
   * @default 900
   */
  readonly max?: number | undefined
  /**
   * `'equal'`: the delay is a random number of whole seconds from half of the longest delay to all of it. So
   * records that failed together return at different times. `'full'`: from 1 to the longest delay. `'none'`:
   * the longest delay.
   * @default 'equal'
   */
  readonly jitter?: 'equal' | 'full' | 'none' | undefined
  /**
   * Asks for a longer delay, for example that of `Retry-After`: seconds, 0 or more, or `undefined` for none.
   * The delay is then at least this time plus the delay of a first delivery, also above `max`, but at most
   * 42,000 s. If the function throws or returns anything else, including a promise, this is logged, and the
   * delay is as without it.
   */
  readonly delay?: ((failure: RecordFailure) => number | undefined) | undefined
  /**
   * The URL of the queue that the records come from.
   * @default made from the ARN in the record and the endpoint of the client
   */
  readonly sourceQueueUrl?: string | undefined
}

/** Options of `releaseBlocked()`. */
export type ReleaseBlockedOptions = Pick<RetryBackoffOptions, 'client' | 'sourceQueueUrl'>

/** Options of `isolateCrashes()`. */
export interface IsolateCrashesOptions extends Pick<RetryBackoffOptions, 'client' | 'sourceQueueUrl'> {
  /**
   * If the process ends, the redelivered records of the batch return after half of this time to all of it,
   * counted from the function's timeout. Whole seconds, from 60 to 21,600. Choose at least 100 times the
   * batching window.
   * @default 900
   */
  readonly spread?: number | undefined
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function wholeSeconds(least: number, most: number): Check {
  return [
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    `a whole number of seconds from ${least} to ${most}`,
  ]
}

const CLIENT_CHECK: Check = [
  (value) => isObject(value) && 'send' in value && typeof value.send === 'function',
  'an SQSClient of @aws-sdk/client-sqs',
]
const QUEUE_URL_CHECK: Check = [
  (value) => typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value),
  "a queue's URL, like https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
]

const DEAD_LETTER_CHECKS: Record<keyof DeadLetterOptions, Check> = {
  client: CLIENT_CHECK,
  queueUrl: QUEUE_URL_CHECK,
  when: [isFunction, 'a function'],
  sourceQueueUrl: QUEUE_URL_CHECK,
}

export const RETRY_BACKOFF_CHECKS: Record<keyof RetryBackoffOptions, Check> = {
  client: CLIENT_CHECK,
  base: [(value) => isNumber(value) && value > 0, 'a number of seconds, more than 0'],
  factor: [(value) => isNumber(value) && value >= 1, 'a number of 1 or more'],
  max: wholeSeconds(1, MAX_DELAY_SECONDS),
  jitter: [(value) => value === 'equal' || value === 'full' || value === 'none', "'equal', 'full' or 'none'"],
  delay: [isFunction, 'a function'],
  sourceQueueUrl: QUEUE_URL_CHECK,
}

export const RELEASE_BLOCKED_CHECKS: Record<keyof ReleaseBlockedOptions, Check> = {
  client: CLIENT_CHECK,
  sourceQueueUrl: QUEUE_URL_CHECK,
}

export const ISOLATE_CRASHES_CHECKS: Record<keyof IsolateCrashesOptions, Check> = {
  client: CLIENT_CHECK,
  spread: wholeSeconds(60, 21_600),
  sourceQueueUrl: QUEUE_URL_CHECK,
}

/** @throws {TypeError} that names the option, the expected value and the received one */
export function checkDeadLetterOptions(given: DeadLetterOptions): DeadLetterOptions {
  const options = check('deadLetter', given, DEAD_LETTER_CHECKS, ['client', 'queueUrl'])
  const { queueUrl, sourceQueueUrl } = options
  if (sourceQueueUrl !== undefined && canBeSame(queueOfUrl(queueUrl), queueOfUrl(sourceQueueUrl))) {
    const expected = 'to be another queue than sourceQueueUrl'
    throw new TypeError(`deadLetter(): expected option queueUrl ${expected}, got ${show(queueUrl)}`)
  }
  return options
}
