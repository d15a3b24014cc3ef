import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSBatchResponse } from 'aws-lambda'
import { isObject, kindOf } from './describe.ts'
import { RecordBlockedError } from './errors.ts'
import type { Batch, Failure } from './types.ts'

const WHAT_TO_RETURN =
  'return what eachRecord() returns, or a PromiseSettledResult for each record, or { batchItemFailures }'

const { after: convert } = sqsPartialBatchFailure({ logger() {} })

/** Rule 2: the id of every record that did not succeed, in record order, each id once, and no other id. */
export async function toResponse(batch: Batch, failures: readonly Failure[]): Promise<SQSBatchResponse> {
  // Only what failed is converted: @middy/sqs-partial-batch-failure takes 0.1 µs to find that a record succeeded.
  const ids = Array.from(new Set(failures.map(({ index }) => batch.ids[index])))
  const request = {
    event: { Records: ids.map((messageId) => ({ messageId })) },
    response: ids.map((): unknown => ({ status: 'rejected' })) as unknown,
  }
  await convert?.(request as Parameters<typeof convert>[0])
  return request.response as SQSBatchResponse
}

/** The failures among the results of this package's own fan-out. */
export function failuresAmong(results: readonly PromiseSettledResult<unknown>[]): Failure[] {
  const failures: Failure[] = []
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') failures.push({ index, reason: result.reason })
  }
  return failures
}

/**
 * Rule 11: reads what an inner handler returned. Whatever cannot be understood to the last record is refused: a
 * forgotten `return` must neither delete messages nor redeliver them without a word.
 *
 * @param reasonOf why the record of this index failed, where that is known
 * @throws {TypeError} that says what came and what to return
 */
export function readResponse(response: unknown, batch: Batch, reasonOf: (index: number) => unknown): Failure[] {
  try {
    return completeGroups(
      batch,
      Array.isArray(response) ? readSettled(response, batch) : readList(response, batch, reasonOf),
    )
  } catch (error) {
    if (error instanceof RefusedResponse)
      throw new TypeError(`The handler returned ${error.message}; ${WHAT_TO_RETURN}`)
    throw new TypeError(`The handler returned an object that throws when it is read; ${WHAT_TO_RETURN}`, {
      cause: error,
    })
  }
}

class RefusedResponse extends Error {}

/** The idiom of @middy/sqs-partial-batch-failure: what `Promise.allSettled()` gives. A missing entry is a failure. */
function readSettled(results: readonly unknown[], batch: Batch): Failure[] {
  const size = batch.ids.length
  if (results.length > size) throw new RefusedResponse(`${results.length} results for ${size} records`)
  const failures: Failure[] = []
  for (let index = 0; index < size; index++) {
    const result = results[index]
    if (result === undefined || result === null) {
      failures.push({ index, reason: new Error('The handler returned no result for the record') })
      continue
    }
    const status = isObject(result) ? (result as { status?: unknown }).status : undefined
    if (status === 'rejected') failures.push({ index, reason: (result as PromiseRejectedResult).reason })
    else if (status !== 'fulfilled')
      throw new RefusedResponse(`an array whose entry ${index} is no PromiseSettledResult`)
  }
  return failures
}

function readList(response: unknown, batch: Batch, reasonOf: (index: number) => unknown): Failure[] {
  if (!isObject(response)) throw new RefusedResponse(kindOf(response))
  const list = (response as { batchItemFailures?: unknown }).batchItemFailures
  if (!Array.isArray(list)) throw new RefusedResponse(`an object whose batchItemFailures is ${kindOf(list)}`)
  if (list.length === 0) return []
  const known = new Set(batch.ids)
  const listed = new Set<string>()
  for (const [index, entry] of list.entries()) {
    const id: unknown = isObject(entry) ? (entry as { itemIdentifier?: unknown }).itemIdentifier : undefined
    if (typeof id !== 'string' || !known.has(id)) {
      throw new RefusedResponse(`a batchItemFailures whose entry ${index} names no record of the batch`)
    }
    if (listed.has(id)) throw new RefusedResponse(`a batchItemFailures whose entry ${index} names a record again`)
    listed.add(id)
  }
  const failures: Failure[] = []
  for (const [index, id] of batch.ids.entries()) if (listed.has(id)) failures.push({ index, reason: reasonOf(index) })
  return failures
}

/** Rule 6: on a FIFO queue, what comes after a failed record in its group must be redelivered after it. */
function completeGroups({ groups }: Batch, failures: Failure[]): Failure[] {
  if (groups === undefined || failures.length === 0) return failures
  const failed = new Map(failures.map((failure) => [failure.index, failure]))
  const causes = new Map<string, unknown>()
  const complete: Failure[] = []
  for (const [index, group] of groups.entries()) {
    const failure = failed.get(index)
    if (failure) {
      complete.push(failure)
      if (group !== undefined && !causes.has(group)) causes.set(group, failure.reason)
    } else if (group !== undefined && causes.has(group)) {
      complete.push({ index, reason: new RecordBlockedError(BLOCKED, { cause: causes.get(group) }) })
    }
  }
  return complete
}
const BLOCKED = 'A record before this one in its message group failed'
