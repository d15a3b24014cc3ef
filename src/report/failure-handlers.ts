import type { Context, SQSRecord } from 'aws-lambda'
import { kindOf } from '../describe.ts'
import { isUntried, onceForEachError } from '../errors.ts'
import type { Failure } from '../scheduler/job-states.ts'
import type { Batch } from '../sqs-event.ts'
import type { FailureHandler, RecordFailure } from '../types.ts'
import { type CallbackTime, call, createDeadline, inTime } from './callbacks.ts'

/** Milliseconds that a failure handler has after its signal aborted, to return what it has done so far. */
const GRACE = 25

/**
 * Calls the failure handlers one after another. If one fails, the failures that it received stay.
 *
 * @param log is called with the reason if a handler changed nothing
 * @returns the failures to report
 */
export async function handleFailures(
  handlers: readonly FailureHandler[],
  batch: Batch,
  failures: readonly Failure[],
  context: Context,
  time: CallbackTime,
  log: (error: unknown) => void,
): Promise<readonly Failure[]> {
  const isUntriedError = onceForEachError(isUntried)
  let remaining = firstOfEachGroup(failures, batch).filter(({ reason }) => !isUntriedError(reason))
  if (remaining.length === 0) return failures

  const deadline = createDeadline(time, 'The failure handlers were')
  const { signal } = deadline
  const request = { event: batch.event, context, signal, log }
  const passed = new Map(remaining.map((failure) => [failure, toRecordFailure(failure, batch)]))
  for (const handler of handlers) {
    if (remaining.length === 0) break
    try {
      deadline.check()
      const given = remaining.map((failure) => passed.get(failure) as RecordFailure)
      const kept = readKept(await inTime(signal, call(handler, given, request), GRACE), batch, remaining, passed)
      remaining = remaining.filter(({ index }) => kept.has(batch.ids[index]))
    } catch (error) {
      log(error)
      if (signal.aborted) break
    }
  }
  deadline.clear()

  const reported = new Set(remaining)
  return failures.filter((failure) => !passed.has(failure) || reported.has(failure))
}

/** On a FIFO queue, the first failure of each message group: what follows it must not leave the queue before it. */
function firstOfEachGroup(failures: readonly Failure[], { groups }: Batch): readonly Failure[] {
  if (!groups) return failures
  const failedGroups = new Set<string>()
  return failures.filter(({ index }) => {
    const group = groups[index]
    const isFirst = group === undefined || !failedGroups.has(group)
    if (group !== undefined) failedGroups.add(group)
    return isFirst
  })
}

function toRecordFailure({ index, reason }: Failure, { records, receiveCounts }: Batch): RecordFailure {
  // Frozen, since all handlers get the same object, and its identity shows which failure a handler returns.
  return Object.freeze({
    record: records[index] as SQSRecord,
    error: reason,
    receiveCount: receiveCounts[index] as number,
  })
}

/**
 * @returns the ids of the failures that stay reported
 * @throws {TypeError} if a handler did not return some of the failures that it received
 */
function readKept(
  returned: unknown,
  { ids }: Batch,
  given: readonly Failure[],
  passed: ReadonlyMap<Failure, RecordFailure>,
): ReadonlySet<string | undefined> {
  const expected = 'return those of the failures that are to stay reported'
  if (!Array.isArray(returned) || !(returned.length >= 0)) {
    throw new TypeError(`The failure handler returned ${kindOf(returned)}: ${expected}`)
  }
  const known = new Set(given.map(({ index }) => ids[index]))
  const idOf = new Map<unknown, string | undefined>(given.map((failure) => [passed.get(failure), ids[failure.index]]))
  const kept = new Set<string | undefined>()
  // Not with a method of the array, which may be the handler's own, and only up to the first entry that is not known.
  const { length } = returned
  for (let index = 0; index < length; index++) {
    const entry: Partial<RecordFailure> | undefined = returned[index]
    // Only a copy is identified by its record, which a handler may have changed.
    const id: string | undefined = idOf.has(entry) ? idOf.get(entry) : entry?.record?.messageId
    if (!known.has(id)) {
      throw new TypeError(`The failure handler returned an array whose entry ${index} it did not get: ${expected}`)
    }
    kept.add(id)
  }
  return kept
}
