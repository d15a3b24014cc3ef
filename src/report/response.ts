import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSBatchResponse } from 'aws-lambda'
import type { Failure } from '../handlers/jobs.ts'
import { addBlocked } from '../handlers/results.ts'
import type { Batch } from '../sqs-event.ts'

// @middy/sqs-partial-batch-failure makes the response if records failed.
const convert = sqsPartialBatchFailure({ logger() {} }).after as (request: object) => unknown // 7.x: not async
const REJECTED = { status: 'rejected' }

/** The ids of the failed records, in record order. Each once: two records of a batch can have the same id. */
export function idsOf({ ids }: Batch, failures: readonly Failure[]): readonly string[] {
  return failures.length === 0 ? [] : [...new Set(failures.map(({ index }) => ids[index] as string))]
}

/** The response with exactly these failures. A new object each time, and frozen with its list. */
export async function toResponse(batch: Batch, failures: readonly Failure[]): Promise<SQSBatchResponse> {
  const ids = idsOf(batch, failures)
  // Only the failed records are passed: each one that succeeded would take 0.1 µs.
  const Records = ids.map((messageId) => ({ messageId }))
  const request = { event: { Records }, response: new Array<unknown>(ids.length).fill(REJECTED) as unknown }
  await convert(request)
  return freezeResponse(request.response as SQSBatchResponse)
}

/**
 * Freezes a response with its list and entries. Otherwise, a middleware could remove a failure, and Lambda
 * delete the message.
 */
export function freezeResponse(response: SQSBatchResponse): SQSBatchResponse {
  for (const entry of response.batchItemFailures) Object.freeze(entry)
  Object.freeze(response.batchItemFailures)
  return Object.freeze(response)
}

/** The report that an inner handler receives, and may add to. */
export function toReport(ids: readonly string[]): SQSBatchResponse {
  return { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }
}

/** Adds what a handler reported to the failures that are known, and what all of these block. In record order. */
export function mergeReported(
  batch: Batch,
  known: readonly Failure[],
  reported: readonly Failure[],
): readonly Failure[] {
  if (reported.length === 0 && !batch.groups) return known
  // By id, because two records of a batch can have the same id.
  const knownIds = new Set(known.map(({ index }) => batch.ids[index]))
  const failed = new Map(known.map(({ index, reason }) => [index, reason]))
  for (const { index, reason } of reported) if (!knownIds.has(batch.ids[index])) failed.set(index, reason)
  addBlocked(batch.groups ?? [], failed)
  return Array.from(failed, ([index, reason]) => ({ index, reason })).sort((a, b) => a.index - b.index)
}
