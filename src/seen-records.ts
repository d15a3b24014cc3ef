import type { SQSEvent } from 'aws-lambda'
import { type Batch, changedRecordsError, hasRecordsOf } from './sqs-event.ts'

/** After about this many comparisons with one list, which take about 10 ms, the list is not compared again. */
const MAX_COMPARED = 1_000_000

/** The records that the inner handler may have seen. A later middleware can replace the event or its records. */
export interface SeenRecords {
  /** Call it whenever the event is read. Remembers whether its records are those of the batch. Does not throw. */
  check(event: unknown): void
  /**
   * Call it whenever `request.response` is set. Events that are read later do not count, because the inner handler has
   * not seen them. Does not throw.
   */
  noteResponse(response: unknown): void
  /**
   * The results in an array are matched to records by position. So the event that was read last before an array was set
   * as the response is always checked.
   *
   * @param isEachChecked whether to check each event that was read before the last response, too
   * @throws {TypeError} unless these events had the records of the batch, in order
   */
  assertSame(isEachChecked: boolean): void
}

export function watchSeenRecords(batch: Batch): SeenRecords {
  /** The event that was read last. When the inner handler responds, this is the event that it received. */
  let seenEvent: unknown = batch.event
  let seenRecords: unknown
  let compared = 0 // how many records of `seenRecords` were compared, in all checks
  let isDifferent = false // whether an event that was read had other records
  let wasDifferentBeforeResponse = false
  let wasDifferentAtArray = false

  return {
    check(event) {
      seenEvent = event
      try {
        const records = (event as SQSEvent).Records
        if (records !== seenRecords) compared = 0
        seenRecords = records
        // A middleware may read the event once for each record. Each check loops over all records, so without a limit
        // the time would grow with the square of the batch size.
        if (compared >= MAX_COMPARED && records.length === batch.records.length) return
        compared += batch.records.length
        isDifferent ||= !hasRecordsOf(batch, records)
      } catch {
        isDifferent = true
      }
    },
    noteResponse(response) {
      wasDifferentBeforeResponse = isDifferent
      try {
        if (Array.isArray(response)) wasDifferentAtArray ||= !hasRecordsOf(batch, (seenEvent as SQSEvent).Records)
      } catch {
        wasDifferentAtArray = true
      }
    },
    assertSame(isEachChecked) {
      if (wasDifferentAtArray || (isEachChecked && wasDifferentBeforeResponse)) throw changedRecordsError()
    },
  }
}
