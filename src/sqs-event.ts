import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { isObject, kindOf } from './describe.ts'
import { InvalidSqsEventError } from './errors.ts'
import type { Batch } from './types.ts'

/**
 * Rule 5: a bad event fails loudly, before any record starts. Lambda takes a response with an identifier that it does
 * not know for a failure of the whole batch, so a record without a usable `messageId` could not be reported.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 *
 * @throws {InvalidSqsEventError} that says what came
 */
export function checkSqsEvent(event: unknown): Batch {
  try {
    return readEvent(event)
  } catch (error) {
    if (error instanceof InvalidSqsEventError) throw error
    throw new InvalidSqsEventError('Expected an SQS event, got an object that throws when it is read', { cause: error })
  }
}

function readEvent(event: unknown): Batch {
  if (!isObject(event)) throw new InvalidSqsEventError(`Expected an SQS event, got ${kindOf(event)}`)
  const given = (event as { Records?: unknown }).Records
  if (!Array.isArray(given)) {
    throw new InvalidSqsEventError(`Expected an SQS event with a Records array, got Records: ${kindOf(given)}`)
  }
  const size: number = given.length
  if (!(size >= 0))
    throw new InvalidSqsEventError('Expected an SQS event with a Records array, got one without a length')
  const records: SQSRecord[] = []
  const ids: string[] = []
  const receiveCounts: number[] = []
  const groups: (string | undefined)[] = []
  let isFifo = false
  for (let index = 0; index < size; index++) {
    const record = checkRecord(given[index], index)
    records.push(record)
    ids.push(checkId(record.messageId, index))
    const count = Number(record.attributes?.ApproximateReceiveCount)
    receiveCounts.push(count >= 1 && count < Infinity ? count : 1)
    const group = fifoGroup(record)
    groups.push(group)
    isFifo ||= group !== undefined
  }
  return {
    event: { ...event, Records: records.slice() },
    records,
    ids,
    receiveCounts,
    groups: isFifo ? groups : undefined,
  }
}

/**
 * The records of an event that the inner handler sees. A later middleware may have replaced them by copies, with parsed
 * bodies for example. If it removed or moved some, a result would be matched to the wrong record.
 *
 * @returns a copy of the list, which nobody else can change
 * @throws {TypeError} unless they are the records of the batch, in their order
 */
export function recordsOf(batch: Batch, event: unknown): readonly SQSRecord[] {
  const given = isObject(event) ? (event as Partial<SQSEvent>).Records : undefined
  const records = Array.isArray(given) ? given.slice() : undefined
  const isReplaced = (record: SQSRecord, index: number) =>
    records?.[index] !== record && records?.[index]?.messageId !== batch.ids[index]
  if (records?.length === batch.records.length && !batch.records.some(isReplaced)) return records
  throw new TypeError(
    'The Records of the event are not those that came with the batch: a middleware or the handler removed, added or ' +
      'moved some. Keep all of them, in order',
  )
}

/**
 * A FIFO queue is known by its name alone: fair queues put a MessageGroupId on the records of a standard queue too.
 * Every record of a FIFO queue has a group; should one lack it, it goes in line with the others that do.
 */
function fifoGroup(record: SQSRecord): string | undefined {
  const arn: unknown = record.eventSourceARN
  return typeof arn === 'string' && arn.endsWith('.fifo') ? String(record.attributes?.MessageGroupId ?? '') : undefined
}

function checkRecord(record: SQSRecord | undefined, index: number): SQSRecord {
  if (!isObject(record)) {
    throw new InvalidSqsEventError(`Expected an SQS record, but record ${index} is ${kindOf(record)}`)
  }
  const source: unknown = record.eventSource
  // Hand-made events of tests often leave it out.
  if (source === 'aws:sqs' || source === undefined) return record
  const came = typeof source === 'string' ? source.slice(0, 100) : kindOf(source)
  throw new InvalidSqsEventError(`Expected records from aws:sqs, but record ${index} comes from ${came}`)
}

function checkId(id: unknown, index: number): string {
  if (typeof id === 'string' && id !== '') return id
  const came = id === '' ? 'an empty string' : kindOf(id)
  throw new InvalidSqsEventError(`Expected a messageId in every record, but that of record ${index} is ${came}`)
}
