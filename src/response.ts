import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSBatchResponse } from 'aws-lambda'
import { isObject, kindOf } from './describe.ts'
import { RecordBlockedError } from './errors.ts'
import type { Batch, Failure } from './types.ts'

const convert = sqsPartialBatchFailure({ logger() {} }).after as (request: object) => Promise<void>

/** Rule 2: the id of every record that did not succeed, in record order, each id once, and no other id. */
export async function toResponse(batch: Batch, failures: readonly Failure[]): Promise<SQSBatchResponse> {
  // Only what failed is converted: @middy/sqs-partial-batch-failure takes 0.1 µs to find that a record succeeded.
  const ids = Array.from(new Set(failures.map(({ index }) => batch.ids[index])))
  const request = {
    event: { Records: ids.map((messageId) => ({ messageId })) },
    response: ids.map((): unknown => ({ status: 'rejected' })) as unknown,
  }
  await convert(request)
  return request.response as SQSBatchResponse
}

/**
 * Rule 11: reads what an inner handler returned. Whatever cannot be understood to the last record is refused: a
 * forgotten `return` must neither delete messages nor redeliver them without a word.
 *
 * @throws {TypeError} that says what came and what to return
 */
export function readResponse(response: unknown, batch: Batch): Failure[] {
  const expected = 'what eachRecord() returns, or a PromiseSettledResult for each record, or { batchItemFailures }'
  return refusing(expected, () => {
    if (!Array.isArray(response)) return readList(response, batch.ids, 'batch')
    checkLength(response, batch.ids)
    // A missing entry is a failure.
    return readSettled(response, batch.ids.length, () => new Error('The handler returned no result for the record'))
  })
}

/**
 * Reads what a chunk handler returned, stricter still: what the API of somebody else answers, such as
 * `{ UnprocessedItems }`, must not delete messages.
 *
 * @param ids of the records that it was given
 * @throws {TypeError} that says what came and what to return
 */
export function readChunkResponse(response: unknown, ids: readonly string[]): Failure[] {
  if (response === undefined) return []
  const expected = 'nothing, or a PromiseSettledResult for each record of the chunk, or { batchItemFailures }'
  return refusing(expected, () => {
    if (!Array.isArray(response)) return readList(response, ids, 'chunk')
    checkLength(response, ids)
    return readSettled(response, ids.length)
  })
}

class RefusedResponse extends Error {}

function refusing(expected: string, read: () => Failure[]): Failure[] {
  try {
    return read()
  } catch (error) {
    const isOurs = error instanceof RefusedResponse
    const came = isOurs ? error.message : 'an object that throws when it is read'
    throw new TypeError(`The handler returned ${came}; return ${expected}`, isOurs ? undefined : { cause: error })
  }
}

/** With another number of results, nobody knows which result belongs to which record. */
function checkLength(results: readonly unknown[], ids: readonly string[]): void {
  if (results.length !== ids.length) throw new RefusedResponse(`${results.length} results for ${ids.length} records`)
}

/**
 * The idiom of @middy/sqs-partial-batch-failure: what `Promise.allSettled()` gives.
 *
 * @param missing what a record without a result has failed with; without it, there must be one for each
 */
function readSettled(results: readonly unknown[], size: number, missing?: () => Error): Failure[] {
  const failures: Failure[] = []
  for (let index = 0; index < size; index++) {
    const result = results[index]
    if (missing && (result === undefined || result === null)) {
      failures.push({ index, reason: missing() })
      continue
    }
    const status = isObject(result) ? (result as { status?: unknown }).status : undefined
    if (status === 'rejected') failures.push({ index, reason: (result as PromiseRejectedResult).reason })
    else if (status !== 'fulfilled') {
      throw new RefusedResponse(`an array whose entry ${index} is no PromiseSettledResult`)
    }
  }
  return failures
}

function readList(response: unknown, ids: readonly string[], whole: 'batch' | 'chunk'): Failure[] {
  if (!isObject(response)) throw new RefusedResponse(kindOf(response))
  const list = (response as { batchItemFailures?: unknown }).batchItemFailures
  if (!Array.isArray(list)) throw new RefusedResponse(`an object whose batchItemFailures is ${kindOf(list)}`)
  const { length } = list
  if (length === 0) return []
  if (!(length > 0)) throw new RefusedResponse(`a batchItemFailures of length ${length}`)
  const listed = new Map<string, number>() // an id that is listed twice counts once
  for (let index = 0; index < length; index++) {
    const entry: unknown = list[index]
    const id: unknown = isObject(entry) ? (entry as { itemIdentifier?: unknown }).itemIdentifier : undefined
    if (typeof id !== 'string') throw new RefusedResponse(unknownEntry(index, whole))
    if (!listed.has(id)) listed.set(id, index)
  }
  // The batch may be large and the list short: a set of all its ids cost half of what 1 % of failures did.
  const failures = failuresIn(listed, ids)
  const known = new Set(failures.map(({ index }) => ids[index]))
  for (const [id, index] of listed) {
    if (!known.has(id)) throw new RefusedResponse(unknownEntry(index, whole))
  }
  return failures
}

function unknownEntry(index: number, whole: 'batch' | 'chunk'): string {
  return `a batchItemFailures whose entry ${index} names no record of the ${whole}`
}

/** Whatever a list names of a batch, beside the rest of it, which cannot be understood. */
export function readWhatIsKnown(response: unknown, { ids }: Batch): Failure[] {
  try {
    const list: unknown = (response as Partial<SQSBatchResponse>).batchItemFailures
    return Array.isArray(list) ? failuresIn(new Set(list.map((entry) => entry?.itemIdentifier)), ids) : []
  } catch {
    return [] // it throws when it is read
  }
}

function failuresIn(listed: { has(id: unknown): boolean }, ids: readonly string[]): Failure[] {
  const reason = new Error('The handler reported the record as failed')
  const failures: Failure[] = []
  for (let index = 0; index < ids.length; index++) if (listed.has(ids[index])) failures.push({ index, reason })
  return failures
}

/**
 * What failed by the fan-out's own account, and what the inner handler told beside it, in record order. On a FIFO queue
 * what comes after a failed record in its group must be redelivered after it, so it is reported, too (rule 6).
 */
export function mergeFailures(batch: Batch, own: readonly Failure[], told: readonly Failure[]): Failure[] {
  if (own.length === 0 && told.length === 0) return []
  const ownIds = new Set(own.map(({ index }) => batch.ids[index]))
  const failed = new Map(own.map((failure) => [failure.index, failure]))
  for (const failure of told) if (!ownIds.has(batch.ids[failure.index])) failed.set(failure.index, failure)
  const blockedBy = new Map<string, unknown>()
  for (const [index, group] of failed.size > 0 && batch.groups ? batch.groups.entries() : []) {
    if (group === undefined) continue
    const failure = failed.get(index)
    if (failure && !blockedBy.has(group)) blockedBy.set(group, failure.reason)
    if (!failure && blockedBy.has(group)) {
      failed.set(index, { index, reason: new RecordBlockedError({ cause: blockedBy.get(group) }) })
    }
  }
  return [...failed.values()].sort((a, b) => a.index - b.index)
}
