import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { MAX_BYTES } from '../../../../src/sqs/batch-calls.ts'
import { bytesOf } from '../../../../src/sqs/dead-letter-message.ts'
import { oneLine } from '../../shared/errors.ts'

const MAX_ATTRIBUTES = 10

/** A character that SQS refuses in a body or in the value of an attribute. */
const REFUSED_CHARACTER = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u
const ATTRIBUTE_NAME = /^(?!(aws|amazon)\.)(?!.*\.\.)[\w-]([\w.-]{0,254}[\w-])?$/i
const NUMBER = /^[+-]?(?=\.?\d)\d*\.?\d*(e[+-]?\d+)?$/i
const ATTRIBUTE_TYPE = /^(String|Number|Binary)(\..{1,249})?$/

/** Whether it can be the id of a message group, or of a deduplication: visible characters of ASCII. */
export function isGroupId(value: unknown): value is string {
  return typeof value === 'string' && /^[!-~]{1,128}$/.test(value)
}

/** The size that SQS limits: the body, and the names, types and values of the attributes. */
export function sizeOf({ MessageBody = '', MessageAttributes = {} }: Partial<SendMessageBatchRequestEntry>): number {
  const ofAttributes = Object.entries(MessageAttributes).map(([name, value]) => bytesOf(name, value))
  return ofAttributes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(MessageBody))
}

function problemOfText(text: string, what: string): string | undefined {
  const [character] = REFUSED_CHARACTER.exec(text) ?? []
  if (character === undefined) return undefined
  const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
  return `has ${what} with the character U+${code}, which SQS refuses`
}

/** The rules of the page "Message attributes" in the guide of SQS. */
function problemOfAttribute(name: string, { DataType, StringValue = '', BinaryValue }: MessageAttributeValue) {
  const refuse = (why: string) => `has the attribute ${quote(name)}, ${why}`
  if (!ATTRIBUTE_NAME.test(name)) {
    return refuse(
      'whose name SQS refuses: use at most 256 letters, digits, "_", "-" and single "." inside the name, and do not begin with "AWS." or "Amazon."',
    )
  }
  const type = ATTRIBUTE_TYPE.exec(String(DataType))?.[1]
  if (type === undefined) return refuse('whose type is not String, Number or Binary, or one of these with ".name"')
  if ((type === 'Binary') !== (BinaryValue !== undefined)) {
    return refuse(`of type ${type}, which needs a ${type === 'Binary' ? 'binaryValue' : 'stringValue'}`)
  }
  if ((BinaryValue ?? StringValue).length === 0) return refuse('whose value is empty')
  if (type === 'Number' && !NUMBER.test(StringValue)) return refuse('whose value is not a number')
  return problemOfText(StringValue, `the attribute ${quote(name)}`)
}

/** A name of the user in one line. */
export function quote(name: string) {
  return oneLine(JSON.stringify(name))
}

/**
 * Why SQS refuses a message, as a text that starts with a verb, such as `has an empty body`. Undefined if SQS
 * accepts the message.
 */
export function problemOf(message: Partial<SendMessageBatchRequestEntry>): string | undefined {
  const { MessageBody, MessageAttributes = {} } = message
  if (!MessageBody) return 'has an empty body, which SQS refuses'
  const inBody = problemOfText(MessageBody, 'a body')
  if (inBody) return inBody
  const attributes = Object.entries(MessageAttributes)
  if (attributes.length > MAX_ATTRIBUTES) {
    return `has ${attributes.length} attributes, but SQS allows at most ${MAX_ATTRIBUTES}`
  }
  for (const [name, value] of attributes) {
    const problem = problemOfAttribute(name, value)
    if (problem) return problem
  }
  const bytes = sizeOf(message)
  if (bytes <= MAX_BYTES) return undefined
  const what = attributes.length > 0 ? 'a body and attributes' : 'a body'
  return `has ${what} of ${bytes} bytes, but the queue allows at most ${MAX_BYTES}`
}
