import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import pMap from 'p-map'
import { oneLine, UsageError } from './errors.ts'
import type { OpenLedger } from './ledger.ts'
import type { Queue } from './queue.ts'

export interface InputMessage {
  body: string
  messageGroupId?: string
  messageAttributes?: Record<string, MessageAttributeValue>
}

/** SQS's limit for a message; a call of ten is kept under a quarter of it, which older stand-ins of SQS still ask for. */
const MESSAGE_BYTES = 1024 * 1024
const CALL_BYTES = MESSAGE_BYTES / 4

/** Bodies `{"number":1}` to `{"number":count}`, spread over message groups where there are any. */
export function* numberedMessages(count: number, groups = 0): Generator<InputMessage> {
  for (let number = 1; number <= count; number++) {
    const body = JSON.stringify({ number })
    yield groups > 0 ? { body, messageGroupId: `group-${number % groups}` } : { body }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toAttribute = (value: unknown): MessageAttributeValue | undefined => {
  if (typeof value === 'string') return { DataType: 'String', StringValue: value }
  if (typeof value === 'number') return { DataType: 'Number', StringValue: String(value) }
  if (!isObject(value)) return undefined
  const { dataType, stringValue, binaryValue } = value
  if (typeof dataType !== 'string') return undefined
  if (typeof stringValue === 'string') return { DataType: dataType, StringValue: stringValue }
  if (typeof binaryValue === 'string') return { DataType: dataType, BinaryValue: Buffer.from(binaryValue, 'base64') }
  return undefined
}

const KEYS = new Set(['body', 'messageGroupId', 'messageAttributes'])
const quote = (name: string) => oneLine(JSON.stringify(name))

const readEnvelope = (value: Record<string, unknown>): InputMessage => {
  const { body, messageGroupId, messageAttributes = {} } = value
  const unknown = Object.keys(value).find((key) => !KEYS.has(key))
  if (unknown !== undefined) {
    throw new Error(`has ${quote(unknown)} beside "body", where only messageGroupId and messageAttributes can be`)
  }
  if (messageGroupId !== undefined && (typeof messageGroupId !== 'string' || messageGroupId === '')) {
    throw new Error('has a messageGroupId that is not a non-empty string')
  }
  if (!isObject(messageAttributes)) throw new Error('has messageAttributes that are not an object')
  const attributes = Object.entries(messageAttributes).map(([name, given]): [string, MessageAttributeValue] => {
    const attribute = toAttribute(given)
    if (attribute) return [name, attribute]
    throw new Error(`has the attribute ${quote(name)}, which is not a string, a number or { dataType, stringValue }`)
  })
  return {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(messageGroupId === undefined ? {} : { messageGroupId }),
    ...(attributes.length === 0 ? {} : { messageAttributes: Object.fromEntries(attributes) }),
  }
}

/** A line that is an object with a `body` is a message, anything else is a body. Throws what is wrong with it. */
const readLine = (line: string, fifo: boolean): InputMessage => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    // V8 quotes the line; only the position is passed on.
    const position = /position (\d+)/.exec(String(error))?.[1]
    throw new Error(`is not valid JSON${position ? ` at column ${Number(position) + 1}` : ''}`)
  }
  const message =
    isObject(value) && 'body' in value ? readEnvelope(value) : { body: typeof value === 'string' ? value : line.trim() }
  if (message.body === '') throw new Error('has an empty body, which SQS does not take')
  const bytes = Buffer.byteLength(message.body)
  if (bytes > MESSAGE_BYTES) throw new Error(`has a body of ${bytes} bytes, SQS takes ${MESSAGE_BYTES}`)
  if (fifo && message.messageGroupId === undefined) throw new Error('has no messageGroupId, which a FIFO queue needs')
  return message
}

/** The messages of a file of JSON lines; a broken line is a UsageError with its number. */
export const readMessagesFile = (file: string, fifo: boolean): InputMessage[] => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`the messages file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const messages = text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    try {
      return [readLine(line, fifo)]
    } catch (error) {
      throw new UsageError(`line ${(index + 1).toLocaleString('en-US')} of ${file} ${(error as Error).message}`)
    }
  })
  if (messages.length === 0) throw new UsageError(`the messages file ${file} has no messages: one JSON value a line`)
  return messages
}

const ASTRAL = /[\u{10000}-\u{10FFFF}]/gu

/** fauxqs 2.4 refuses characters beyond U+FFFF, which SQS takes. In JSON they can be written as escapes, the same value. */
const escapeAstral = (body: string): string => {
  if (!/[\u{10000}-\u{10FFFF}]/u.test(body)) return body
  try {
    JSON.parse(body)
  } catch {
    throw new UsageError(
      'a body of plain text holds characters beyond U+FFFF: the SQS of this process takes them in JSON only',
    )
  }
  const toEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16)}`
  return body.replace(ASTRAL, (character) => character.split('').map(toEscape).join(''))
}

function* inCalls(
  messages: Iterable<InputMessage>,
  { fifo, own }: { fifo: boolean; own: boolean },
): Generator<SendMessageBatchRequestEntry[]> {
  let call: SendMessageBatchRequestEntry[] = []
  let size = 0
  for (const { body, messageGroupId, messageAttributes } of messages) {
    const bytes =
      Buffer.byteLength(body) + (messageAttributes ? Buffer.byteLength(JSON.stringify(messageAttributes)) : 0)
    if (call.length === 10 || (call.length > 0 && size + bytes > CALL_BYTES)) {
      yield call
      call = []
      size = 0
    }
    size += bytes
    call.push({
      Id: String(call.length),
      MessageBody: own ? escapeAstral(body) : body,
      ...(messageAttributes ? { MessageAttributes: messageAttributes } : {}),
      ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
      ...(fifo ? { MessageDeduplicationId: randomUUID() } : {}),
    })
  }
  if (call.length > 0) yield call
}

/** Sends the input; on a FIFO queue one call after another, so that its order is the file's. */
export const sendMessages = async (
  queue: Pick<Queue, 'send' | 'fifo' | 'own'>,
  ledger: Pick<OpenLedger, 'sent'>,
  messages: Iterable<InputMessage>,
  signal: AbortSignal,
) => {
  const send = async (entries: SendMessageBatchRequestEntry[]) => {
    if (signal.aborted) return
    const { Successful = [], Failed = [] } = await queue.send(entries)
    ledger.sent(Successful.flatMap(({ MessageId }) => MessageId ?? []))
    const [refused] = Failed
    if (refused) throw new UsageError(`SQS refused a message: ${oneLine(`${refused.Code}: ${refused.Message}`)}`)
  }
  await pMap(inCalls(messages, queue), send, { concurrency: queue.fifo ? 1 : 16 })
}
