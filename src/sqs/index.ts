export { deadLetter } from './dead-letter.ts'
export { isolateCrashes } from './isolate-crashes.ts'
export type { DeadLetterOptions, IsolateCrashesOptions, RetryBackoffOptions } from './options.ts'
export { retryBackoff } from './retry-backoff.ts'
