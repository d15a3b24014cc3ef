import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'

/** The limit of SQS for one message, and for all messages of a call. */
export const MAX_MESSAGE_BYTES = 1024 * 1024
const MAX_ATTRIBUTES = 10
const NOT_IN_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u
/** Without AWS. or Amazon. at the start, and without a dot at either end or two in a row. */
const ATTRIBUTE_NAME = /^(?!(aws|amazon)\.|\.)(?!.*\.(\.|$))[\w.-]{1,256}$/i
const ATTRIBUTE_TYPE = /^(String|Number|Binary)(\..+)?$/

export function hasForbiddenCharacters(text: string): boolean {
  return NOT_IN_XML.test(text)
}

/** The size that SQS limits: the body, and the names, types and values of the attributes. */
export function sizeOf({ MessageBody = '', MessageAttributes = {} }: SendMessageBatchRequestEntry): number {
  let bytes = Buffer.byteLength(MessageBody)
  for (const [name, { DataType = '', StringValue = '', BinaryValue }] of Object.entries(MessageAttributes)) {
    bytes += Buffer.byteLength(name + DataType) + (BinaryValue?.length ?? Buffer.byteLength(StringValue))
  }
  return bytes
}

function problemOfAttribute(name: string, { DataType = '', StringValue, BinaryValue }: MessageAttributeValue) {
  if (!ATTRIBUTE_NAME.test(name)) return 'an attribute with a name that SQS does not allow'
  const type = ATTRIBUTE_TYPE.exec(DataType)?.[1]
  if (type === undefined) return `the attribute ${name}, whose type is not String, Number or Binary`
  if (!(type === 'Binary' ? BinaryValue?.length : StringValue))
    return `the attribute ${name} without a value of its type`
  if (StringValue && hasForbiddenCharacters(StringValue)) {
    return `the attribute ${name} with characters that SQS does not allow`
  }
  const isNumber = StringValue?.trim() && Number.isFinite(Number(StringValue))
  return type === 'Number' && !isNumber ? `the attribute ${name}, which is not a number` : undefined
}

/** What a message has that SQS refuses. Undefined if SQS accepts the message. */
export function problemOf(message: SendMessageBatchRequestEntry): string | undefined {
  const { MessageBody, MessageAttributes = {} } = message
  if (!MessageBody) return 'an empty body'
  if (hasForbiddenCharacters(MessageBody)) return 'a body with characters that SQS does not allow'
  const attributes = Object.entries(MessageAttributes)
  if (attributes.length > MAX_ATTRIBUTES) {
    return `${attributes.length} attributes, but SQS allows at most ${MAX_ATTRIBUTES}`
  }
  for (const [name, value] of attributes) {
    const problem = problemOfAttribute(name, value)
    if (problem) return problem
  }
  const bytes = sizeOf(message)
  return bytes > MAX_MESSAGE_BYTES ? `${bytes} bytes, but SQS allows at most ${MAX_MESSAGE_BYTES}` : undefined
}
