import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { InvalidSqsEventError } from './errors.ts'
import { show } from './shared/check.ts'
import { isObject, kindOf } from './shared/describe.ts'

/** A checked event. Each value that is checked is kept and not read again. */
export interface Batch {
  /**
   * A shallow copy of the event, made for one invocation. It identifies the invocation, even if two
   * invocations receive the same event object. Nobody can change which records it has or their order, because
   * results are matched to records by position: `Records` is a read-only property with a frozen array.
   */
  readonly event: SQSEvent
  /** The frozen array in `event.Records`. */
  readonly records: readonly SQSRecord[]
  /** The `messageId` of each record, by which a failure is reported. */
  readonly ids: readonly string[]
  /** How often each record has been received. */
  readonly receiveCounts: readonly number[]
  /**
   * The message group of each record on a FIFO queue. `undefined` if the queue is a standard queue. An event
   * made by hand can have records of both: those of the standard queue are `undefined`.
   */
  readonly groups: readonly (string | undefined)[] | undefined
}

/**
 * Checks an event before any record starts. A record without a usable `messageId` could not be reported:
 * Lambda treats the whole batch as failed if a response contains an unknown identifier
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
 *
 * @throws {InvalidSqsEventError} that says what was received
 */
export function checkSqsEvent(event: unknown): Batch {
  try {
    return readEvent(event)
  } catch (error) {
    if (error instanceof InvalidSqsEventError) throw error
    throw new InvalidSqsEventError('Expected an SQS event, got an object that throws when it is read', {
      cause: error,
    })
  }
}

function readEvent(event: unknown): Batch {
  if (!isObject(event)) throw new InvalidSqsEventError(`Expected an SQS event, got ${kindOf(event)}`)
  const given = (event as { Records?: unknown }).Records
  const size: number = Array.isArray(given) ? given.length : -1 // read once: that of a proxy can be anything
  if (!Array.isArray(given) || !(size >= 0)) {
    throw new InvalidSqsEventError(
      `Expected an SQS event with a Records array, got Records: ${kindOf(given)}`,
    )
  }
  const records: SQSRecord[] = []
  const ids: string[] = []
  const receiveCounts: number[] = []
  const groups: (string | undefined)[] = []
  let arn: unknown
  let isFifo = false
  let hasFifo = false
  for (let index = 0; index < size; index++) {
    const record: SQSRecord | undefined = given[index]
    if (!isObject(record)) {
      throw new InvalidSqsEventError(`Expected an SQS record, but record ${index} is ${kindOf(record)}`)
    }
    const { eventSource, messageId }: { readonly eventSource?: unknown; readonly messageId?: unknown } =
      record
    // Events that tests make by hand often omit `eventSource`.
    if (eventSource !== 'aws:sqs' && eventSource !== undefined) {
      throw new InvalidSqsEventError(
        `Expected records from aws:sqs, but record ${index} comes from ${show(eventSource)}`,
      )
    }
    if (typeof messageId !== 'string' || messageId === '') {
      const received = show(messageId)
      throw new InvalidSqsEventError(
        `Expected a messageId in every record, but that of record ${index} is ${received}`,
      )
    }
    records.push(record)
    ids.push(messageId)
    const count = Number(record.attributes?.ApproximateReceiveCount)
    receiveCounts.push(count >= 1 && count < Infinity ? count : 1)
    // Only the name shows that a queue is a FIFO queue: records of a standard queue can have a
    // MessageGroupId, too (fair queues). Every record of a FIFO queue has a group; records without one, made
    // by hand, form one.
    if (record.eventSourceARN !== arn) {
      arn = record.eventSourceARN
      isFifo = typeof arn === 'string' && arn.endsWith('.fifo')
      hasFifo ||= isFifo
    }
    groups.push(isFifo ? String(record.attributes?.MessageGroupId ?? '') : undefined)
  }
  const Records = Object.freeze(records) as SQSRecord[]
  return {
    event: Object.defineProperty({ ...event, Records }, 'Records', { writable: false, configurable: false }),
    records,
    ids,
    receiveCounts,
    groups: hasFifo ? groups : undefined,
  }
}
