export {
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
export { eachChunk } from './handlers/each-chunk.ts'
export { eachRecord } from './handlers/each-record.ts'
export { type BoundedSqsBatchMiddleware, boundedSqsBatch, boundedSqsBatch as default } from './middleware.ts'
export type {
  BatchHandler,
  BatchSummary,
  BatchTrace,
  BlockedRecords,
  BodyOption,
  BoundedSqsBatchOptions,
  ChunkHandler,
  ChunkOptions,
  ChunkResult,
  FailureHandler,
  FailureLogger,
  FailureRequest,
  NotEmptyResults,
  ParsedRecord,
  RateLimitOption,
  RecordFailure,
  RecordHandler,
  RecordOf,
  RecordOptions,
  RecordTrace,
  SummaryHandler,
  TimeBudget,
} from './types.ts'
