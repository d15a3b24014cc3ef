// This file is never run. `npm run typecheck` compiles it.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  DurableContextError,
  FullBatchFailureError,
  InvalidBodyError,
  InvalidSqsEventError,
  RecordAbortedError,
  RecordBlockedError,
  RecordNotStartedError,
  RecordTimeoutError,
} from '../../src/index.ts'
import { type Equal, expect } from './expect.ts'

// The codes are literal types.
const codes = [
  new DurableContextError('').code,
  new FullBatchFailureError([]).code,
  new InvalidBodyError('').code,
  new InvalidSqsEventError('').code,
  new RecordAbortedError('').code,
  new RecordBlockedError({}).code,
  new RecordNotStartedError('').code,
  new RecordTimeoutError(1).code,
] as const
expect<
  Equal<
    typeof codes,
    readonly [
      'ERR_DURABLE_CONTEXT',
      'ERR_FULL_BATCH_FAILURE',
      'ERR_INVALID_BODY',
      'ERR_INVALID_SQS_EVENT',
      'ERR_RECORD_ABORTED',
      'ERR_RECORD_BLOCKED',
      'ERR_RECORD_NOT_STARTED',
      'ERR_RECORD_TIMEOUT',
    ]
  >
>()

/** Reads the fields of each error class, as a logger could do. */
export function describe(error: unknown): string {
  if (error instanceof InvalidBodyError) {
    expect<Equal<typeof error.issues, readonly StandardSchemaV1.Issue[]>>()
    return error.issues.map(({ message }) => message).join()
  }
  if (error instanceof RecordTimeoutError) return error.timeout.toFixed()
  if (error instanceof FullBatchFailureError) return `${error.errors.length}`
  if (error instanceof RecordBlockedError) return describe(error.cause)
  return ''
}
