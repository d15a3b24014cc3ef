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
import { sqsContext } from '../../src/testing/index.ts'

/** The context of a unit test. It has no `getRemainingTimeInMillis()`, so there is no time budget. */
export function testContext(): Context {
  return {} as Context
}

/** A timeout for handlers that make real calls: the longest on Lambda, so that it does not pass on a busy machine. */
export const LONG = 900_000

/** A context whose function times out in `timeout` milliseconds, by `performance.now()`. */
export function timedContext(timeout: number): Context {
  return sqsContext({ timeout })
}

/** A Lambda handler that calls this record handler. It logs nothing unless the options have a logger. */
export function handlerOf(
  recordHandler: RecordHandler,
  options: BoundedSqsBatchOptions = {},
): (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse> {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(eachRecord(recordHandler))
  return (event, context = testContext()) => handler(event, context)
}

/** A Lambda handler that calls this chunk handler. It logs nothing unless the options have a logger. */
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

/** The ids that a response lists as failed. */
export function failed(response: SQSBatchResponse): string[] {
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
}

/** The response that lists these ids as failed. */
export function listOf<Id>(...ids: Id[]): { batchItemFailures: { itemIdentifier: Id }[] } {
  return { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }
}
