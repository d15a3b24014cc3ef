export { eachRecord } from './each-record.ts'
export {
  type BodyIssue,
  DurableContextError,
  FullBatchFailureError,
  InvalidBodyError,
  InvalidSqsEventError,
  RecordAbortedError,
  RecordBlockedError,
  RecordNotStartedError,
  RecordTimeoutError,
} from './errors.ts'
export { boundedSqsBatch, boundedSqsBatch as default } from './middleware.ts'
export type {
  BatchHandler,
  BoundedSqsBatchOptions,
  FailureLogger,
  ParsedRecord,
  RecordHandler,
  RecordOptions,
  TimeBudget,
} from './types.ts'
