import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import type { SQSMessageAttribute, SQSMessageAttributes } from 'aws-lambda'

/** A received message that is not settled yet, with its record in the event as JSON. */
export interface Received {
  messageId: string
  receiptHandle: string
  receiveCount: number
  /** The message group. */
  group?: string | undefined
  json: string
  bytes: number
  /** What clients of the run's own queue did with it while it was in flight. */
  byClients: { isDeleted?: boolean; isDelayed?: boolean }
}

function toAttribute(value: MessageAttributeValue): SQSMessageAttribute {
  return {
    stringValue: value.StringValue,
    ...(value.BinaryValue === undefined ? {} : { binaryValue: Buffer.from(value.BinaryValue).toString('base64') }),
    stringListValues: [],
    binaryListValues: [],
    dataType: value.DataType ?? 'String',
  }
}

/** Converts a message to the record that Lambda makes of it, key for key. */
export function toReceived(message: Message, queueArn: string, byClients: Received['byClients'] = {}): Received {
  const { MessageId = '', ReceiptHandle = '', Attributes = {}, MessageAttributes = {} } = message
  const attributes: SQSMessageAttributes = {}
  for (const [name, value] of Object.entries(MessageAttributes)) attributes[name] = toAttribute(value)
  const record = {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: message.Body ?? '',
    attributes: Attributes,
    messageAttributes: attributes,
    ...(message.MD5OfMessageAttributes ? { md5OfMessageAttributes: message.MD5OfMessageAttributes } : {}),
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: queueArn.split(':')[3] ?? '',
  }
  const json = JSON.stringify(record)
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    receiveCount: Number(Attributes.ApproximateReceiveCount ?? 1),
    group: Attributes.MessageGroupId,
    json,
    bytes: Buffer.byteLength(json) + 1, // plus the comma
    byClients,
  }
}

/** The limit of Lambda for one event with metadata. The wrapping `{"Records":[]}` takes 14 bytes of it. */
export const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 - 14

export function toEvent(batch: readonly Received[]): string {
  return `{"Records":[${batch.map(({ json }) => json).join(',')}]}`
}
