import type { SQSEvent } from 'aws-lambda'
import { type Batch, recordsOf } from './sqs-event.ts'

/** After about this many comparisons with one list, which take about 10 ms, the list is not compared again. */
const MAX_COMPARED = 1_000_000

/** The records that the inner handler may have seen. A later middleware can replace the event or change its records. */
export interface SeenRecords {
  /** Call it whenever the event is read. Remembers whether its records are those of the batch. Does not throw. */
  check(event: unknown): void
  /**
   * Call it whenever `request.response` is set. `assertSameWhenRead()` ignores events that were read after
   * the last call of this function, because the inner handler has not seen them. Does not throw.
   */
  noteResponse(response: unknown): void
  /** @throws {TypeError} unless each event that was read before the last response had the records of the batch */
  assertSameWhenRead(): void
  /**
   * For a response with one result for each record, because results are matched to records by position.
   *
   * @throws {TypeError} unless the event had the records of the batch, in order, whenever an array was set as the
   * response
   */
  assertSameAtResponse(): void
}

export function watchSeenRecords(batch: Batch): SeenRecords {
  type Difference = { readonly error: unknown } | undefined
  /** The event that was read last. When the inner handler responds, this is the event that it received. */
  let seenEvent: unknown = batch.event
  let checked = { records: undefined as unknown, length: 0, compared: 0 }
  let difference: Difference
  let differenceBeforeResponse: Difference
  let differenceAtResponse: Difference

  return {
    check(event) {
      seenEvent = event
      try {
        const records = (event as Partial<SQSEvent> | undefined)?.Records
        const isSame = records === checked.records && records?.length === checked.length
        // A middleware may read the event once for each record. Each check loops over all records, so without a limit
        // the time would grow with the square of the batch size.
        if (isSame && checked.compared >= MAX_COMPARED) return
        recordsOf(batch, event) // throws if they are not the records of the batch
        const { length } = batch.records
        checked = { records, length, compared: length + (isSame ? checked.compared : 0) }
      } catch (error) {
        difference ??= { error }
      }
    },
    noteResponse(response) {
      differenceBeforeResponse = difference
      try {
        if (Array.isArray(response)) recordsOf(batch, seenEvent)
      } catch (error) {
        differenceAtResponse ??= { error }
      }
    },
    assertSameWhenRead() {
      if (differenceBeforeResponse) throw differenceBeforeResponse.error
    },
    assertSameAtResponse() {
      if (differenceAtResponse) throw differenceAtResponse.error
    },
  }
}
