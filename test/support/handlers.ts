import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import {
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  type ChunkHandler,
  eachChunk,
  eachRecord,
  type RecordHandler,
} from '../../src/index.ts'

/** A context as of a unit test: it does not know how much time is left. */
export function testContext(): Context {
  return {} as Context
}

/** A context whose function has `timeout` milliseconds from now, on the clock of `performance.now()`. */
export function timedContext(timeout: number): Context {
  const end = performance.now() + timeout
  return { getRemainingTimeInMillis: () => end - performance.now() } as Context
}

/** A Lambda handler of this record handler, without a log unless the options have one. */
export function handlerOf(
  recordHandler: RecordHandler,
  options: BoundedSqsBatchOptions = {},
): (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse> {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(eachRecord(recordHandler))
  return (event, context = testContext()) => handler(event, context)
}

/** The same of this chunk handler. */
export function chunkHandlerOf(
  size: number,
  chunkHandler: ChunkHandler,
  options: BoundedSqsBatchOptions = {},
): (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse> {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(eachChunk(size, chunkHandler))
  return (event, context = testContext()) => handler(event, context)
}

export function failed(response: SQSBatchResponse): string[] {
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
}
