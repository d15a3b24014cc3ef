export { deadLetter } from './dead-letter.ts'
export { isolateCrashes } from './isolate-crashes.ts'
export type {
  DeadLetterOptions,
  IsolateCrashesOptions,
  ReleaseBlockedOptions,
  RetryBackoffOptions,
} from './options.ts'
export { releaseBlocked } from './release-blocked.ts'
export { retryBackoff } from './retry-backoff.ts'
