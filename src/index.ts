export { eachRecord } from './each-record.ts'
export {
  type BodyIssue,
  DurableContextError,
  FullBatchFailureError,
  InvalidBodyError,
  InvalidSqsEventError,
  PermanentError,
  RecordAbortedError,
  RecordBlockedError,
  RecordNotStartedError,
  RecordTimeoutError,
} from './errors.ts'
export { boundedSqsBatch, boundedSqsBatch as default } from './middleware.ts'
export type {
  BatchHandler,
  BoundedSqsBatchOptions,
  FailureHandler,
  FailureLogger,
  FailureRequest,
  ParsedRecord,
  RecordFailure,
  RecordHandler,
  RecordOptions,
  TimeBudget,
} from './types.ts'
