import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import {
  type BatchHandler,
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

type Handler = (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse>

/** A context whose function times out in `timeout` milliseconds, by `performance.now()`. */
export function timedContext(timeout: number): Context {
  return sqsContext({ timeout })
}

/** A Lambda handler that calls this record handler. It logs nothing unless the options have a logger. */
export function handlerOf(recordHandler: RecordHandler, options?: BoundedSqsBatchOptions): Handler {
  return batchHandlerOf(eachRecord(recordHandler), options)
}

/** A Lambda handler that calls this chunk handler. It logs nothing unless the options have a logger. */
export function chunkHandlerOf(size: number, chunkHandler: ChunkHandler, options?: BoundedSqsBatchOptions): Handler {
  return batchHandlerOf(eachChunk(size, chunkHandler), options)
}

/** A Lambda handler with this inner handler. It logs nothing unless the options have a logger. */
export function batchHandlerOf(
  inner: (...parameters: Parameters<BatchHandler>) => unknown,
  options: BoundedSqsBatchOptions = {},
): Handler {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(inner as BatchHandler)
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
