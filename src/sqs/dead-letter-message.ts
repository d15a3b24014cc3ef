import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { SQSMessageAttribute, SQSRecord } from 'aws-lambda'
import { kindOf } from '../describe.ts'
import type { RecordFailure } from '../types.ts'
import { type Item, MOST_BYTES } from './batch-calls.ts'
import { readError } from './reasons.ts'

const MOST_ATTRIBUTES = 10
const LONGEST_VALUE = 1_000

/** The attributes that say why, those first that are kept where there is no room for all. */
const REASONS = [
  'DeadLetter.ErrorName',
  'DeadLetter.ErrorMessage',
  'DeadLetter.OriginalMessageId',
  'DeadLetter.SourceQueue',
  'DeadLetter.ReceiveCount',
] as const

export interface DeadLetterMessage extends Item<Omit<SendMessageBatchRequestEntry, 'Id'>> {
  /** The attributes for which there was no room. */
  readonly leftOut: readonly string[]
}

/**
 * A failed record as a message for a dead-letter queue. The record's own attributes come first: whoever processes it
 * again needs them, and the reason is what is left out where SQS's limits leave no room.
 *
 * @throws {TypeError} where the body is not the text that SQS has delivered
 */
export function toDeadLetterMessage(
  failure: RecordFailure,
  { isFifo, sourceQueueUrl }: { readonly isFifo: boolean; readonly sourceQueueUrl: string | undefined },
): DeadLetterMessage {
  const { record } = failure
  if (typeof record.body !== 'string') {
    throw new TypeError(
      `the body is ${kindOf(record.body)} and no longer text: let eachRecord() parse it, not a middleware`,
    )
  }
  const attributes = ownAttributes(record)
  let bytes = Buffer.byteLength(record.body)
  for (const [name, value] of attributes) bytes += bytesOf(name, value)
  const leftOut: string[] = []
  for (const [name, value] of reasons(failure, sourceQueueUrl)) {
    if (attributes.size < MOST_ATTRIBUTES && bytes + bytesOf(name, value) <= MOST_BYTES) {
      attributes.set(name, value)
      bytes += bytesOf(name, value)
    } else {
      leftOut.push(name)
    }
  }
  // Absent in an event that was made by hand.
  const { MessageGroupId, AWSTraceHeader } = record.attributes ?? {}
  const groupId = MessageGroupId ?? (isFifo ? record.messageId : undefined)
  const entry = {
    MessageBody: record.body,
    MessageAttributes: Object.fromEntries(attributes),
    // On a standard queue it is the tenant of a fair queue.
    ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
    // The sender may have used its deduplication id again, for another message, which would be dropped here.
    ...(isFifo ? { MessageDeduplicationId: record.messageId } : {}),
    ...(AWSTraceHeader === undefined
      ? {}
      : { MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: AWSTraceHeader } } }),
  }
  return { failure, entry, bytes, leftOut }
}

/** Without those of an earlier stay in a dead-letter queue. */
function ownAttributes({ messageAttributes = {} }: SQSRecord): Map<string, MessageAttributeValue> {
  const own = Object.entries(messageAttributes).filter(([name]) => !(REASONS as readonly string[]).includes(name))
  return new Map(own.map(([name, attribute]) => [name, toAttributeValue(attribute)]))
}

/** By the type, which may have a label of its own (`Number.int`): an event can have both values. */
function toAttributeValue({ dataType, stringValue, binaryValue }: SQSMessageAttribute): MessageAttributeValue {
  return dataType.startsWith('Binary')
    ? { DataType: dataType, BinaryValue: Buffer.from(binaryValue ?? '', 'base64') }
    : { DataType: dataType, StringValue: stringValue ?? '' }
}

/** SQS takes no empty value. */
function reasons(
  { record, error, receiveCount }: RecordFailure,
  sourceQueueUrl: string | undefined,
): [name: string, value: MessageAttributeValue][] {
  const source = sourceQueueUrl ?? record.eventSourceARN ?? ''
  const values = [...readError(error), record.messageId, source, String(receiveCount)]
  return REASONS.flatMap((name, index) => {
    const StringValue = toText(values[index] as string)
    const DataType = name === 'DeadLetter.ReceiveCount' ? 'Number' : 'String'
    return StringValue === '' ? [] : [[name, { DataType, StringValue }]]
  })
}

function toText(value: string): string {
  const cut = value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE - 1)}…` : value
  return cut.replace(NOT_IN_XML, '\uFFFD')
}
/** What SQS refuses: control characters, and halves of a character. */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

function bytesOf(name: string, { DataType = '', StringValue = '', BinaryValue }: MessageAttributeValue): number {
  return [name, DataType, BinaryValue ?? StringValue].reduce((sum, part) => sum + Buffer.byteLength(part), 0)
}
