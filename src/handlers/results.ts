import { RecordBlockedError, withoutStack } from '../errors.ts'
import { isObject, kindOf } from '../shared/describe.ts'
import type { Batch } from '../sqs-event.ts'
import type { Failure } from './jobs.ts'

/** A failure, by its position in the given list of ids: those of the batch, or of one chunk. */
interface Listed {
  readonly index: number
  readonly reason: unknown
}

/**
 * Reads what an inner handler returned. Refuses a response that is not one of the known forms, such as
 * `undefined` after a forgotten `return`. Otherwise messages would be deleted, or redelivered without an
 * error. In an array of results, a missing entry counts as a failed record.
 *
 * @throws {TypeError} that says what was received and what to return
 */
export function readBatchResult(response: unknown, { ids }: Batch): Failure[] {
  const expected =
    'what eachRecord() returns, or a PromiseSettledResult for each record, or { batchItemFailures }'
  return read(response, ids, 'batch', expected) as Failure[]
}

/**
 * Reads what a chunk handler returned. Unlike `readBatchResult()`, it accepts `undefined` as success, and
 * refuses an array in which a result is missing. Another API's response, such as `{ UnprocessedItems }`, must
 * not delete messages.
 *
 * @param ids of the records of the chunk
 * @throws {TypeError} that says what was received and what to return
 */
export function readChunkResult(response: unknown, ids: readonly string[]): Listed[] {
  if (response === undefined) return []
  const expected = 'nothing, or a PromiseSettledResult for each record of the chunk, or { batchItemFailures }'
  return read(response, ids, 'chunk', expected)
}

class RefusedResponseError extends Error {}

function read(
  response: unknown,
  ids: readonly string[],
  whole: 'batch' | 'chunk',
  expected: string,
): Listed[] {
  try {
    return Array.isArray(response) ? readSettled(response, ids.length, whole) : readList(response, ids, whole)
  } catch (error) {
    const isOurs = error instanceof RefusedResponseError
    const received = isOurs ? error.message : 'an object that throws when it is read'
    const options = isOurs ? undefined : { cause: error }
    throw withoutStack(() => new TypeError(`The handler returned ${received}; return ${expected}`, options))
  }
}

/** Reads what `Promise.allSettled()` returns, the idiom of @middy/sqs-partial-batch-failure. */
function readSettled(results: readonly unknown[], size: number, whole: 'batch' | 'chunk'): Listed[] {
  // With another number of results, nobody knows which result belongs to which record.
  if (results.length !== size) throw new RefusedResponseError(`${results.length} results for ${size} records`)
  const failures: Listed[] = []
  for (let index = 0; index < size; index++) {
    const result = results[index] as Partial<PromiseSettledResult<unknown>> | null | undefined
    const status: unknown = result?.status
    if (status === 'rejected') failures.push({ index, reason: (result as PromiseRejectedResult).reason })
    else if (whole === 'batch' && (result === undefined || result === null)) {
      failures.push({
        index,
        reason: withoutStack(() => new Error('The handler returned no result for the record')),
      })
    } else if (status !== 'fulfilled') {
      throw new RefusedResponseError(`an array whose entry ${index} is not a PromiseSettledResult`)
    }
  }
  return failures
}

/** Reads `{ batchItemFailures }`. @throws unless it is a list of these ids */
function readList(response: unknown, ids: readonly string[], whole: 'batch' | 'chunk'): Listed[] {
  if (!isObject(response)) throw new RefusedResponseError(kindOf(response))
  const list = (response as { batchItemFailures?: unknown }).batchItemFailures
  if (!Array.isArray(list))
    throw new RefusedResponseError(`an object whose batchItemFailures is ${kindOf(list)}`)
  const { length } = list
  if (length === 0) return []
  if (!(length > 0)) throw new RefusedResponseError(`a batchItemFailures of length ${length}`)
  const listed = new Set<unknown>() // an id that is listed twice counts once
  for (let index = 0; index < length; index++) listed.add(list[index]?.itemIdentifier)
  // Does not make a set of all ids: in a batch with 1 % failures, that took half of the time.
  const reason = withoutStack(() => new Error('The handler reported the record as failed'))
  const failures: Listed[] = []
  for (let index = 0; index < ids.length; index++)
    if (listed.has(ids[index])) failures.push({ index, reason })
  const known = new Set<unknown>(failures.map(({ index }) => ids[index]))
  if (known.size < listed.size) {
    const index = list.findIndex((entry) => !known.has(entry?.itemIdentifier))
    throw new RefusedResponseError(`a batchItemFailures whose entry ${index} is not a record of the ${whole}`)
  }
  return failures
}

/**
 * Adds the blocked records to `failed`. On a FIFO queue, those behind a failed one must be redelivered after
 * it.
 *
 * @param groups the message group of each record; `undefined` for a record without a group
 * @param failed why records failed, by their position in `groups`
 */
export function addBlocked(groups: readonly (string | undefined)[], failed: Map<number, unknown>): void {
  const causes = new Map<string, unknown>() // why the first failed record of each group failed
  for (const [index, group] of groups.entries()) {
    if (group === undefined) continue
    const isBlocked = causes.has(group)
    if (!failed.has(index)) {
      if (isBlocked) failed.set(index, new RecordBlockedError({ cause: causes.get(group) }))
    } else if (!isBlocked) causes.set(group, failed.get(index))
  }
}
