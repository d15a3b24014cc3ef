export { deadLetter } from './dead-letter.ts'
export type { DeadLetterOptions, RetryBackoffOptions } from './options.ts'
export { retryBackoff } from './retry-backoff.ts'
