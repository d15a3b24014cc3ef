import type { Context, SQSRecord } from 'aws-lambda'
import { type CallbackTime, call, createDeadline, inTime } from './deadline.ts'
import { kindOf } from './describe.ts'
import { isUntried } from './errors.ts'
import type { Batch, Failure, FailureHandler, RecordFailure } from './types.ts'

/**
 * Lets the failure handlers have their say, one after the other. Whatever goes wrong in one of them, the failures that it
 * got stay.
 *
 * @param log is told why a handler has changed nothing
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
  let remaining = notBehindOthers(failures, batch).filter(({ reason }) => !isUntried(reason))
  if (remaining.length === 0) return failures

  const deadline = createDeadline(time, 'The failure handlers were')
  const { signal } = deadline
  const request = { event: batch.event, context, signal, log }
  const told = new Map(remaining.map((failure) => [failure, tell(failure, batch)]))
  for (const handler of handlers) {
    if (remaining.length === 0) break
    try {
      deadline.check()
      const given = remaining.map((failure) => told.get(failure) as RecordFailure)
      const kept = readAnswer(await inTime(signal, call(handler, given, request)), batch, remaining, told)
      remaining = remaining.filter(({ index }) => kept.has(batch.ids[index]))
    } catch (error) {
      log(error)
      if (signal.aborted) break
    }
  }
  deadline.clear()

  const reported = new Set(remaining)
  return failures.filter((failure) => !told.has(failure) || reported.has(failure))
}

/** On a FIFO queue the first failure of each message group: what is behind it must not leave the queue before it. */
function notBehindOthers(failures: readonly Failure[], { groups }: Batch): readonly Failure[] {
  if (!groups) return failures
  const failedGroups = new Set<string>()
  return failures.filter(({ index }) => {
    const group = groups[index]
    const isBehind = group !== undefined && failedGroups.has(group)
    if (group !== undefined) failedGroups.add(group)
    return !isBehind
  })
}

function tell({ index, reason }: Failure, { records, receiveCounts }: Batch): RecordFailure {
  // Frozen, since all handlers get the same one, and it tells in their answers which failure is meant.
  return Object.freeze({
    record: records[index] as SQSRecord,
    error: reason,
    receiveCount: receiveCounts[index] as number,
  })
}

/**
 * @returns the ids of what is to stay reported
 * @throws {TypeError} where the answer is not some of the failures that were given
 */
function readAnswer(
  answer: unknown,
  { ids }: Batch,
  given: readonly Failure[],
  told: ReadonlyMap<Failure, RecordFailure>,
): ReadonlySet<string | undefined> {
  const expected = 'return those of the failures that are to stay reported'
  if (!Array.isArray(answer) || !(answer.length >= 0)) {
    throw new TypeError(`The failure handler returned ${kindOf(answer)}: ${expected}`)
  }
  const known = new Set(given.map(({ index }) => ids[index]))
  const idOf = new Map<unknown, string | undefined>(given.map((failure) => [told.get(failure), ids[failure.index]]))
  const kept = new Set<string | undefined>()
  // Not by a method of the answer, which may be its own, and no further than to what cannot be understood.
  const { length } = answer
  for (let index = 0; index < length; index++) {
    const entry: Partial<RecordFailure> | undefined = answer[index]
    // By its id a copy only: the record is the handlers', who may have changed it.
    const id: string | undefined = idOf.has(entry) ? idOf.get(entry) : entry?.record?.messageId
    if (!known.has(id)) {
      throw new TypeError(`The failure handler returned an array whose entry ${index} it did not get: ${expected}`)
    }
    kept.add(id)
  }
  return kept
}
