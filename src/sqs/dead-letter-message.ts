import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { SQSMessageAttribute, SQSRecord } from 'aws-lambda'
import { kindOf } from '../shared/describe.ts'
import type { RecordFailure } from '../types.ts'
import { type Item, MAX_BYTES } from './batch-calls.ts'
import { readError } from './reasons.ts'

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html */
const MAX_ATTRIBUTES = 10
/** Characters of an added attribute. */
const MAX_VALUE_LENGTH = 1_000
/**
 * The characters that SQS refuses: control characters, lone surrogates, U+FFFE and U+FFFF.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
const REFUSED_CHARACTERS = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu

/** The names of the added attributes. In this order, each is added if there is room. */
const ADDED_ATTRIBUTES = [
  'DeadLetter.ErrorName',
  'DeadLetter.ErrorMessage',
  'DeadLetter.OriginalMessageId',
  'DeadLetter.SourceQueue',
  'DeadLetter.ReceiveCount',
] as const

export interface DeadLetterMessage extends Item<Omit<SendMessageBatchRequestEntry, 'Id'>> {
  readonly failure: RecordFailure
  /** The names of the added attributes for which there was no room. */
  readonly omitted: readonly string[]
}

/**
 * Makes a message for a dead-letter queue from a failed record. The record's own attributes are kept, because
 * the message cannot be processed again without them; only those with the names of added attributes are
 * replaced. The added attributes are omitted if SQS's limits leave no room.
 *
 * @throws {TypeError} if the body is not text, because a handler or a middleware replaced it
 */
export function toDeadLetterMessage(
  failure: RecordFailure,
  { isFifo, sourceQueueUrl }: { readonly isFifo: boolean; readonly sourceQueueUrl: string | undefined },
): DeadLetterMessage {
  const { record } = failure
  if (typeof record.body !== 'string') {
    throw new TypeError(
      `expected a body of text, got ${kindOf(record.body)}: let only eachRecord() or eachChunk() parse it`,
    )
  }
  const attributes = ownAttributes(record)
  let bytes = Buffer.byteLength(record.body)
  for (const [name, value] of attributes) bytes += bytesOf(name, value)
  const omitted: string[] = []
  for (const [name, value] of addedAttributes(failure, sourceQueueUrl)) {
    if (attributes.size < MAX_ATTRIBUTES && bytes + bytesOf(name, value) <= MAX_BYTES) {
      attributes.set(name, value)
      bytes += bytesOf(name, value)
    } else {
      omitted.push(name)
    }
  }
  // An event made by hand may have no attributes.
  const { MessageGroupId, AWSTraceHeader } = record.attributes ?? {}
  const entry = {
    MessageBody: record.body,
    MessageAttributes: Object.fromEntries(attributes),
    // Standard queues accept a group, too: fair queues use it to identify a tenant.
    MessageGroupId: MessageGroupId ?? (isFifo ? record.messageId : undefined),
    // Not the sender's deduplication id: if two messages had the same one, SQS would drop the second.
    MessageDeduplicationId: isFifo ? record.messageId : undefined,
    MessageSystemAttributes:
      AWSTraceHeader === undefined
        ? undefined
        : { AWSTraceHeader: { DataType: 'String', StringValue: AWSTraceHeader } },
  }
  return { failure, entry, bytes, omitted }
}

/** The attributes of the record, without those that were added when it went to a dead-letter queue before. */
function ownAttributes({ messageAttributes = {} }: SQSRecord): Map<string, MessageAttributeValue> {
  const own = Object.entries(messageAttributes).filter(
    ([name]) => !(ADDED_ATTRIBUTES as readonly string[]).includes(name),
  )
  return new Map(own.map(([name, attribute]) => [name, toAttributeValue(attribute)]))
}

/**
 * The type decides which of the two values is used, if an event has both. It can have a label: `Binary.png`.
 */
function toAttributeValue({
  dataType,
  stringValue,
  binaryValue,
}: SQSMessageAttribute): MessageAttributeValue {
  return dataType.startsWith('Binary')
    ? { DataType: dataType, BinaryValue: Buffer.from(binaryValue ?? '', 'base64') }
    : { DataType: dataType, StringValue: stringValue ?? '' }
}

/** The added attributes that have a value: SQS refuses an empty one. */
function addedAttributes(
  { record, error, receiveCount }: RecordFailure,
  sourceQueueUrl: string | undefined,
): [name: string, value: MessageAttributeValue][] {
  const [errorName, errorMessage] = readError(error)
  const values: Record<(typeof ADDED_ATTRIBUTES)[number], string> = {
    'DeadLetter.ErrorName': errorName,
    'DeadLetter.ErrorMessage': errorMessage,
    'DeadLetter.OriginalMessageId': record.messageId,
    'DeadLetter.SourceQueue': sourceQueueUrl ?? record.eventSourceARN ?? '',
    'DeadLetter.ReceiveCount': String(receiveCount),
  }
  return ADDED_ATTRIBUTES.flatMap((name) => {
    const StringValue = toText(values[name])
    const DataType = name === 'DeadLetter.ReceiveCount' ? 'Number' : 'String'
    return StringValue === '' ? [] : [[name, { DataType, StringValue }]]
  })
}

function toText(value: string): string {
  const cut = value.length > MAX_VALUE_LENGTH ? `${value.slice(0, MAX_VALUE_LENGTH - 1)}…` : value
  return cut.replace(REFUSED_CHARACTERS, '\uFFFD')
}

export function bytesOf(
  name: string,
  { DataType = '', StringValue = '', BinaryValue }: MessageAttributeValue,
): number {
  return [name, DataType, BinaryValue ?? StringValue].reduce((sum, part) => sum + Buffer.byteLength(part), 0)
}
