import type { SQSClient } from '@aws-sdk/client-sqs'
import { type Check, check } from '../check.ts'
import { isObject } from '../describe.ts'
import type { RecordFailure } from '../types.ts'

/**
 * Seconds. SQS keeps a message invisible for 12 hours from its receipt (43,200 s) and refuses what goes beyond; the
 * batching window (up to 300 s) and the function (up to 900 s) come before the delay.
 */
const LONGEST_DELAY = 42_000

/** Options of `deadLetter()`. */
export interface DeadLetterOptions {
  /** A client that may `sqs:SendMessage` to the dead-letter queue. */
  readonly client: SQSClient
  /** The URL of the dead-letter queue, standard or FIFO. */
  readonly queueUrl: string
  /**
   * Which failures go to the queue: `true` sends, `false` or `undefined` does not. Anything else, and anything thrown, is
   * logged, and the record stays failed.
   * @default those of a `PermanentError`
   */
  readonly when?: ((failure: RecordFailure) => boolean | undefined) | undefined
  /**
   * What the attribute `DeadLetter.SourceQueue` says.
   * @default the queue's ARN, as the record has it
   */
  readonly sourceQueueUrl?: string | undefined
}

/** Options of `retryBackoff()`. */
export interface RetryBackoffOptions {
  /** A client of the source queue's region that may `sqs:ChangeMessageVisibility` on it. */
  readonly client: SQSClient
  /**
   * Seconds, more than 0: the longest delay after the first delivery.
   * @default 30
   */
  readonly base?: number | undefined
  /**
   * By how much the delay grows with each delivery, from 1.
   * @default 2
   */
  readonly factor?: number | undefined
  /**
   * The longest delay: whole seconds, from 1 to 42,000, which are SQS's 12 hours from receipt without the 1,200 s that
   * the batching window and the function may have taken.
   * @default 900
   */
  readonly max?: number | undefined
  /**
   * `'full'`: a random number of whole seconds from 1 to the delay, so that what failed together does not come back
   * together. `'none'`: the delay itself.
   * @default 'full'
   */
  readonly jitter?: 'full' | 'none' | undefined
  /**
   * The URL of the queue that the records come from.
   * @default made of the ARN that the record has, at the endpoint that the client has
   */
  readonly sourceQueueUrl?: string | undefined
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const client: Check = [
  (value) => isObject(value) && 'send' in value && typeof value.send === 'function',
  'an SQSClient of @aws-sdk/client-sqs',
]
const queueUrl: Check = [
  (value) => typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value),
  "a queue's URL, like https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
]

const DEAD_LETTER: Record<keyof DeadLetterOptions, Check> = {
  client,
  queueUrl,
  when: [(value) => typeof value === 'function', 'a function of a failure'],
  sourceQueueUrl: queueUrl,
}

const RETRY_BACKOFF: Record<keyof RetryBackoffOptions, Check> = {
  client,
  base: [(value) => isNumber(value) && value > 0, 'a number of seconds, more than 0'],
  factor: [(value) => isNumber(value) && value >= 1, 'a number from 1'],
  max: [
    (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LONGEST_DELAY,
    `a whole number of seconds from 1 to ${LONGEST_DELAY}`,
  ],
  jitter: [(value) => value === 'full' || value === 'none', "'full' or 'none'"],
  sourceQueueUrl: queueUrl,
}

/** @throws {TypeError} that names the option, what was expected and what came */
export function checkDeadLetterOptions(given: DeadLetterOptions): DeadLetterOptions {
  return check('deadLetter', given, DEAD_LETTER, { required: ['client', 'queueUrl'] })
}

/** @throws {TypeError} that names the option, what was expected and what came */
export function checkRetryBackoffOptions(given: RetryBackoffOptions): RetryBackoffOptions {
  return check('retryBackoff', given, RETRY_BACKOFF, { required: ['client'] })
}
