import type { Context, SQSRecord } from 'aws-lambda'
import { isBlockedOrNotStarted, outcomeOf } from '../errors.ts'
import type { Failure } from '../handlers/jobs.ts'
import { failureHandlerCompleted } from '../scheduler/deadlines.ts'
import { kindOf } from '../shared/describe.ts'
import { safely } from '../shared/safely.ts'
import type { Batch } from '../sqs-event.ts'
import type { FailureHandler, FailureRequest, RecordFailure } from '../types.ts'
import { type CallbackTime, createDeadline, promiseTry, raceWithSignal } from './time-limit.ts'

/** Milliseconds that a failure handler has after its signal aborted, to return what it has done so far. */
const GRACE = 25

/**
 * Calls the failure handlers one after another. One that fails has no effect: the next one receives the same
 * failures. When the time is over, no further one runs.
 *
 * @param log is called with the error if a handler fails
 * @param isOver whether the invocation has failed meanwhile: then no further handler runs
 * @returns the failures to report
 */
export async function handleFailures(
  handlers: readonly FailureHandler[],
  batch: Batch,
  failures: readonly Failure[],
  context: Context,
  time: CallbackTime,
  log: (error: unknown) => void,
  isOver: () => boolean,
): Promise<readonly Failure[]> {
  const { groups } = batch
  const firstOf = new Map(groups && failures.toReversed().map((failure) => [groups[failure.index], failure]))
  firstOf.delete(undefined) // the records of a standard queue have no group
  // A later record of a message group must not be removed from the queue before the first one.
  const isFirst = (failure: Failure) => (firstOf.get(groups?.[failure.index]) ?? failure) === failure
  let remaining = failures.filter((failure) => isFirst(failure) && !isBlockedOrNotStarted(failure.reason))
  if (remaining.length === 0) return failures

  const deadline = createDeadline(time, 'the failure handlers')
  const { signal } = deadline
  const recordFailures = new Map(remaining.map((failure) => [failure, toRecordFailure(failure, batch)]))
  const blocked = blockedBy(recordFailures, failures, batch, firstOf)
  const request = { event: batch.event, context, signal, log, blocked }
  for (const handler of handlers) {
    if (remaining.length === 0 || isOver()) break
    try {
      deadline.check()
      const given = remaining.map((failure) => recordFailures.get(failure) as RecordFailure)
      const returned = await raceWithSignal(signal, promiseTry(handler, given, request), GRACE)
      if (returned === given && given.length < remaining.length) {
        // It may have emptied the array to process it in parts. Nobody knows whether it handled them.
        throw refused('the array that it received, with failures removed')
      }
      const remainingIds = readRemainingIds(returned, batch, remaining, recordFailures)
      remaining = remaining.filter(({ index }) => remainingIds.has(batch.ids[index]))
      if (!signal.aborted) failureHandlerCompleted(handler)
    } catch (error) {
      log(error)
      if (signal.aborted) break
    }
  }
  deadline.clear()

  const reported = new Set(remaining)
  return failures.filter((failure) => !recordFailures.has(failure) || reported.has(failure))
}

/** On a FIFO queue: each failure that handlers receive, and the reported records that wait for it. */
function blockedBy(
  passed: ReadonlyMap<Failure, RecordFailure>,
  failures: readonly Failure[],
  { groups, records }: Batch,
  firstOf: ReadonlyMap<string | undefined, Failure>,
): FailureRequest['blocked'] {
  function failureBefore(other: Failure): Failure | undefined {
    const first = firstOf.get(groups?.[other.index])
    if (first && passed.has(first)) return first
    // With `fifoFailure: 'batch'`, a failure also blocks records of groups without a failure of their own.
    if (outcomeOf(other.reason) !== 'blocked') return undefined
    const cause = safely(() => (other.reason as Error).cause)
    return [...passed.keys()].find(({ reason }) => Object.is(reason, cause))
  }
  const groupsOfFailures = Map.groupBy(failures, failureBefore)
  const blocked = Array.from(groups ? passed : [], ([given, failure]) => {
    const behind = (groupsOfFailures.get(given) ?? []).filter((other) => other !== given)
    return Object.freeze({
      failure,
      records: Object.freeze(behind.map(({ index }) => records[index] as SQSRecord)),
    })
  })
  return Object.freeze(blocked)
}

function toRecordFailure({ index, reason }: Failure, { records, receiveCounts }: Batch): RecordFailure {
  // Frozen: all handlers receive the same object, and its identity shows which failure one returns.
  return Object.freeze({
    record: records[index] as SQSRecord,
    error: reason,
    receiveCount: receiveCounts[index] as number,
  })
}

/**
 * @returns the ids of the failures that stay reported
 * @throws {TypeError} unless the handler returned an array that contains only failures that it received
 */
function readRemainingIds(
  returned: unknown,
  { ids, records }: Batch,
  given: readonly Failure[],
  recordFailures: ReadonlyMap<Failure, RecordFailure>,
): ReadonlySet<string | undefined> {
  if (!Array.isArray(returned) || !(returned.length >= 0)) throw refused(kindOf(returned))
  const idOf = new Map<unknown, string | undefined>(
    given.map((one) => [recordFailures.get(one), ids[one.index]]),
  )
  const idOfRecord = new Map<unknown, string | undefined>(
    given.map(({ index }) => [records[index], ids[index]]),
  )
  const known = new Set(idOf.values())
  const remainingIds = new Set<string | undefined>()
  // Uses a loop, because the handler may have replaced the array's methods. Stops at the first unknown entry.
  const { length } = returned
  for (let index = 0; index < length; index++) {
    const entry: Partial<RecordFailure> | undefined = returned[index]
    // A handler can change the `messageId` of a record, so only a copy of the record is identified by it.
    const id: string | undefined =
      idOf.get(entry) ?? idOfRecord.get(entry?.record) ?? entry?.record?.messageId
    if (!known.has(id)) throw refused(`an array whose entry ${index} is not a failure that it received`)
    remainingIds.add(id)
  }
  return remainingIds
}

function refused(returned: string): TypeError {
  return new TypeError(
    `The failure handler returned ${returned}; return a new array of the failures that should still be reported`,
  )
}
