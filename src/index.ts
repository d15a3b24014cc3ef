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
export { boundedSqsBatch, boundedSqsBatch as default } from './middleware.ts'
export type {
  BatchHandler,
  BatchSummary,
  BatchTrace,
  BoundedSqsBatchOptions,
  ChunkHandler,
  ChunkOptions,
  ChunkResult,
  FailureHandler,
  FailureLogger,
  FailureRequest,
  ParsedRecord,
  RateLimitOption,
  RecordFailure,
  RecordHandler,
  RecordOptions,
  RecordTrace,
  SummaryHandler,
  TimeBudget,
} from './types.ts'
