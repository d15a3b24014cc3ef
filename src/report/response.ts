import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSBatchResponse } from 'aws-lambda'
import { RecordBlockedError } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import { isObject, kindOf } from '../shared/describe.ts'
import type { Batch } from '../sqs-event.ts'

// @middy/sqs-partial-batch-failure makes the response, so that it is the same for users who come from that package.
const convert = sqsPartialBatchFailure({ logger() {} }).after as (request: object) => Promise<void>
const REJECTED = { status: 'rejected' }

/**
 * The ids of the records that did not succeed, in record order, each once: two records of a batch can have the same id.
 */
export function idsOf({ ids }: Batch, failures: readonly Failure[]): readonly string[] {
  return [...new Set(failures.map(({ index }) => ids[index] as string))]
}

/** The response with exactly these failures. A new object each time, and frozen with its list. */
export async function toResponse(batch: Batch, failures: readonly Failure[]): Promise<SQSBatchResponse> {
  if (failures.length === 0) return freezeResponse({ batchItemFailures: [] })
  const ids = idsOf(batch, failures)
  // Only the failed records are passed: @middy/sqs-partial-batch-failure takes 0.1 µs for each record that succeeded.
  const Records = ids.map((messageId) => ({ messageId }))
  const request = { event: { Records }, response: new Array<unknown>(ids.length).fill(REJECTED) as unknown }
  await convert(request)
  return freezeResponse(request.response as SQSBatchResponse)
}

/**
 * Freezes a response with its list and the entries: if another middleware removed or changed a failure, Lambda would
 * delete the message.
 */
export function freezeResponse<TResponse>(response: TResponse): TResponse {
  const { batchItemFailures: list } = response as Partial<SQSBatchResponse>
  for (const entry of list ?? []) Object.freeze(entry)
  if (list) Object.freeze(list)
  return Object.freeze(response)
}

/** The report that an inner handler receives, and may add to. */
export function toReport(ids: readonly string[]): SQSBatchResponse {
  return { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }
}

/** Whether a report still has exactly the ids that it was made with. */
export function isUnchanged(report: SQSBatchResponse, ids: readonly string[]): boolean {
  try {
    const { batchItemFailures: list } = report
    return list.length === ids.length && ids.every((id, index) => list[index]?.itemIdentifier === id)
  } catch {
    return false // it throws when it is read
  }
}

/**
 * Reads what an inner handler returned. Refuses a response that is not one of the known forms, such as `undefined`
 * after a forgotten `return`. Otherwise messages would be deleted, or redelivered without an error. In an array of
 * results, a missing entry counts as a failed record.
 *
 * @throws {TypeError} that says what was received and what to return
 */
export function readResponse(response: unknown, { ids }: Batch): Failure[] {
  const expected = 'what eachRecord() returns, or a PromiseSettledResult for each record, or { batchItemFailures }'
  return read(response, ids, 'batch', expected)
}

/**
 * Reads what a chunk handler returned. Unlike `readResponse()`, it accepts `undefined` as success, and refuses an array
 * in which a result is missing. The response of another API, such as `{ UnprocessedItems }`, must not delete messages.
 *
 * @param ids of the records of the chunk
 * @throws {TypeError} that says what was received and what to return
 */
export function readChunkResponse(response: unknown, ids: readonly string[]): Failure[] {
  if (response === undefined) return []
  const expected = 'nothing, or a PromiseSettledResult for each record of the chunk, or { batchItemFailures }'
  return read(response, ids, 'chunk', expected)
}

class RefusedResponseError extends Error {}

/** @throws {TypeError} that says what was received and, with `expected`, what to return */
function read(response: unknown, ids: readonly string[], whole: 'batch' | 'chunk', expected: string): Failure[] {
  try {
    return Array.isArray(response) ? readSettled(response, ids.length, whole) : readList(response, ids, whole)
  } catch (error) {
    const isOurs = error instanceof RefusedResponseError
    const received = isOurs ? error.message : 'an object that throws when it is read'
    throw new TypeError(`The handler returned ${received}; return ${expected}`, isOurs ? undefined : { cause: error })
  }
}

/** Reads what `Promise.allSettled()` returns, the idiom of @middy/sqs-partial-batch-failure. */
function readSettled(results: readonly unknown[], size: number, whole: 'batch' | 'chunk'): Failure[] {
  // With another number of results, nobody knows which result belongs to which record.
  if (results.length !== size) throw new RefusedResponseError(`${results.length} results for ${size} records`)
  const failures: Failure[] = []
  for (let index = 0; index < size; index++) {
    const result = results[index] as Partial<PromiseSettledResult<unknown>> | null | undefined
    const status: unknown = result?.status
    if (status === 'rejected') failures.push({ index, reason: (result as PromiseRejectedResult).reason })
    else if (whole === 'batch' && (result === undefined || result === null)) {
      failures.push({ index, reason: new Error('The handler returned no result for the record') })
    } else if (status !== 'fulfilled') {
      throw new RefusedResponseError(`an array whose entry ${index} is not a PromiseSettledResult`)
    }
  }
  return failures
}

function readList(response: unknown, ids: readonly string[], whole: 'batch' | 'chunk'): Failure[] {
  if (!isObject(response)) throw new RefusedResponseError(kindOf(response))
  const list = (response as { batchItemFailures?: unknown }).batchItemFailures
  if (!Array.isArray(list)) throw new RefusedResponseError(`an object whose batchItemFailures is ${kindOf(list)}`)
  const { length } = list
  if (length === 0) return []
  if (!(length > 0)) throw new RefusedResponseError(`a batchItemFailures of length ${length}`)
  const listed = new Set<unknown>() // an id that is listed twice counts once
  for (let index = 0; index < length; index++) listed.add(list[index]?.itemIdentifier)
  // Does not make a set of all ids: in a batch with 1 % failures, that took half of the time.
  const failures = failuresIn(listed, ids)
  const known = new Set<unknown>(failures.map(({ index }) => ids[index]))
  if (known.size < listed.size) {
    const index = list.findIndex((entry) => !known.has(entry?.itemIdentifier))
    throw new RefusedResponseError(`a batchItemFailures whose entry ${index} is not a record of the ${whole}`)
  }
  return failures
}

/**
 * Checks a response that a middleware sets in place of the one with these failures. It may list more failures. On a FIFO
 * queue, it must then also list the records that follow them in their groups.
 *
 * @throws {TypeError} unless it is a list with at least these failures
 */
export function assertReportsAll(response: unknown, batch: Batch, failures: readonly Failure[]): void {
  try {
    const listed = readList(response, batch.ids, 'batch')
    const listedIds = new Set(idsOf(batch, listed))
    if (idsOf(batch, mergeReported(batch, failures, listed)).every((id) => listedIds.has(id))) return
  } catch {} // it is not a list of failures
  throw new TypeError(
    'A middleware set a response without all failures that boundedSqsBatch() reported. Keep its batchItemFailures, and ' +
      'add only ids of the batch. On a FIFO queue, also add the later records of the group',
  )
}

function failuresIn(listed: { has(id: unknown): boolean }, ids: readonly string[]): Failure[] {
  const reason = new Error('The handler reported the record as failed')
  const failures: Failure[] = []
  for (let index = 0; index < ids.length; index++) if (listed.has(ids[index])) failures.push({ index, reason })
  return failures
}

/**
 * Adds what a handler reported to the failures that are known, in record order. On a FIFO queue, the records that
 * follow a failed one in its group must be redelivered after it, so they are reported, too.
 */
export function mergeReported(
  batch: Batch,
  known: readonly Failure[],
  reported: readonly Failure[],
): readonly Failure[] {
  if (reported.length === 0 && !batch.groups) return known
  // By id, because two records of a batch can have the same id.
  const knownIds = new Set(known.map(({ index }) => batch.ids[index]))
  const failed = new Map(known.map((failure) => [failure.index, failure]))
  for (const failure of reported) if (!knownIds.has(batch.ids[failure.index])) failed.set(failure.index, failure)
  const blockedBy = new Map<string, unknown>() // the reason of the first failure of each group
  for (const [index, group] of batch.groups?.entries() ?? []) {
    if (group === undefined) continue
    const failure = failed.get(index)
    if (failure && !blockedBy.has(group)) blockedBy.set(group, failure.reason)
    if (!failure && blockedBy.has(group)) {
      failed.set(index, { index, reason: new RecordBlockedError({ cause: blockedBy.get(group) }) })
    }
  }
  return [...failed.values()].sort((a, b) => a.index - b.index)
}
