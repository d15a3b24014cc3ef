import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { UsageError } from '../../shared/errors.ts'
import { formatNumber } from '../../shared/format.ts'
import { isObject, parseJson } from '../../shared/json.ts'
import { isGroupId, problemOf, quote } from './message-rules.ts'

export interface InputMessage {
  body: string
  messageGroupId?: string
  messageDeduplicationId?: string
  messageAttributes?: Record<string, MessageAttributeValue>
}

/**
 * Messages with the bodies `{"number":1}` to `{"number":count}`. If `groups` is above 0, each message has one
 * of `groups` message groups.
 */
export function* numberedMessages(count: number, groups = 0): Generator<InputMessage> {
  for (let number = 1; number <= count; number++) {
    const body = JSON.stringify({ number })
    yield groups > 0 ? { body, messageGroupId: `group-${number % groups}` } : { body }
  }
}

const isString = (value: unknown) => typeof value === 'string'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** A key as in an SQS event. The AWS CLI prints capital letters, such as `Body` and `MD5OfBody`. */
const asInEvent = (key: string) => key.replace(/^(MD5|.)/, (start) => start.toLowerCase())

function withKeysOfEvent(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [asInEvent(key), item]))
}

function toAttribute(name: string, value: unknown): MessageAttributeValue {
  if (typeof value === 'string') return { DataType: 'String', StringValue: value }
  if (typeof value === 'number') return { DataType: 'Number', StringValue: String(value) }
  const { dataType: DataType, stringValue: StringValue, binaryValue } = withKeysOfEvent(Object(value))
  if (isString(DataType) && isString(StringValue)) return { DataType, StringValue }
  if (isString(DataType) && isString(binaryValue) && BASE64.test(binaryValue))
    return { DataType, BinaryValue: Buffer.from(binaryValue, 'base64') }
  throw new Error(
    `has the attribute ${quote(name)}, which is not a string, a number, { dataType, stringValue } or { dataType, binaryValue } in base64`,
  )
}

const OWN_KEYS = ['body', 'messageGroupId', 'messageDeduplicationId', 'messageAttributes']
const RECORD_KEYS = ['messageId', 'receiptHandle', 'attributes', 'md5OfBody', 'md5OfMessageAttributes']
const KEYS = new Set([...OWN_KEYS, ...RECORD_KEYS, 'eventSource', 'eventSourceARN', 'awsRegion'])
const AS_TEXT = 'To send it as text, write it as a JSON string'
const ONE_LINE = `write each JSON body on one line. ${AS_TEXT}`

/** A message as in a file, a record of an SQS event, or a message that the AWS CLI prints. */
function readMessage(value: unknown): InputMessage {
  if (!isMessage(value)) throw new Error('is not an object with a body')
  if ('MessageBody' in value) throw new Error(`has a MessageBody: name it "body". ${AS_TEXT}`)
  const isFromCli = 'Body' in value
  const message = isFromCli ? withKeysOfEvent(value) : value
  const unknown = Object.keys(value).find((key) => !KEYS.has(isFromCli ? asInEvent(key) : key))
  if (unknown !== undefined) {
    const allowed = `${OWN_KEYS.slice(0, -1).join(', ')} and ${OWN_KEYS.at(-1)}`
    throw new Error(`has the key ${quote(unknown)}: only ${allowed} are allowed, and what SQS adds. ${AS_TEXT}`)
  }
  const { body, attributes, messageAttributes = {} } = message
  if (body === undefined) throw new Error('has no body')
  const system = isObject(attributes) ? attributes : {}
  const ids = Object.entries({
    messageGroupId: message.messageGroupId ?? system.MessageGroupId,
    messageDeduplicationId: message.messageDeduplicationId ?? system.MessageDeduplicationId,
  }).filter(([, id]) => id !== undefined && id !== null) // moto sends null
  const wrong = ids.find(([, id]) => !isGroupId(id))
  if (wrong) {
    throw new Error(`has a ${wrong[0]} that is not a string of 1 to 128 letters, digits and punctuation characters`)
  }
  if (!isObject(messageAttributes)) throw new Error('has messageAttributes that are not an object')
  const own = Object.entries(messageAttributes).map(([name, value]) => [name, toAttribute(name, value)])
  return {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...Object.fromEntries(ids),
    ...(own.length === 0 ? {} : { messageAttributes: Object.fromEntries(own) }),
  }
}

/** Refuses what SQS refuses. An error starts with a verb, such as `has an empty body`. */
export function check(message: InputMessage, fifo: boolean): InputMessage {
  const { body: MessageBody, messageGroupId, messageAttributes: MessageAttributes = {} } = message
  const problem = problemOf({ MessageBody, MessageAttributes })
  if (problem) throw new Error(problem)
  if (fifo && messageGroupId === undefined) throw new Error('has no messageGroupId, which a FIFO queue requires')
  return message
}

function isMessage(value: unknown): value is Record<string, unknown> {
  return isObject(value) && ['body', 'Body', 'MessageBody'].some((key) => key in value)
}

/** An object with a body is a message. Any other JSON value is a body. Errors are like those of `check()`. */
export function toMessage(value: unknown, json = JSON.stringify(value)): InputMessage {
  if (isMessage(value)) return readMessage(value)
  return { body: typeof value === 'string' ? value : json }
}

/**
 * The messages in what holds several: an SQS event, an output of `aws sqs receive-message`, or a list of
 * either. Undefined for other content, which is one message or a body: the records of S3 have no bodies.
 */
function listIn(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value.every(isMessage) ? value : undefined
  if (!isObject(value)) return undefined
  const { Records, Messages } = value
  if (Array.isArray(Records) && (Records.length === 0 || Records.some(isMessage))) return Records
  if (!('Messages' in value)) return undefined
  if (Array.isArray(Messages)) return Messages
  throw new Error(`has Messages that are not a list, as aws sqs receive-message prints it. ${AS_TEXT}`)
}

/** How many brackets a line of JSON opens more than it closes. A string of JSON has no line breaks. */
function bracketsLeftOpen(line: string): number {
  const outsideStrings = line.replace(/"(?:[^"\\]|\\.)*"?/g, '')
  return outsideStrings.split(/[{[]/).length - outsideStrings.split(/[}\]]/).length
}

interface Item {
  /** The number of its first line. */
  line: number
  text: string
}

/** Joins the lines of formatted JSON. Every other line is an item of its own. Empty lines are left out. */
async function* itemsOf(lines: AsyncIterable<string>): AsyncGenerator<Item> {
  let number = 0
  const item: string[] = []
  let open = 0
  const take = () => ({ line: number - item.length + 1, text: item.splice(0).join('\n') })
  for await (const line of lines) {
    number += 1
    if (item.length === 0 && line.trim() === '') continue
    item.push(line)
    if (/^\s*[{[]/.test(item[0] as string)) open += bracketsLeftOpen(line)
    if (open > 0) continue
    yield take()
    open = 0
  }
  if (item.length > 0) yield take()
}

/** The JSON value of an item, or its text, if that does not look like JSON. */
function parseItem(text: string): unknown {
  const value = parseJson(text)
  if (value !== undefined) return value
  if (!/^\s*[{["]/.test(text)) return text.trim()
  // Without the message of V8: it quotes the line, which may be a body.
  throw new Error(`is not valid JSON: ${ONE_LINE}`)
}

/** The lines of an input. Not with node:readline, which also breaks lines at U+2028. */
async function* linesOf(input: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  try {
    for await (const chunk of input) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() as string
      yield* lines
    }
    yield rest + decoder.decode()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
      ? new UsageError(`${name} is not UTF-8, so SQS would refuse its messages: convert it to UTF-8`)
      : new UsageError(`${name} cannot be read (${code})`)
  }
}

/**
 * Reads messages from lines with a message each, SQS events, and outputs of the AWS CLI, one after another,
 * as they arrive. A UsageError names the line or the message that is wrong.
 */
async function* readMessages(input: AsyncIterable<Uint8Array>, name: string, fifo: boolean) {
  let isEmpty = true
  for await (const item of itemsOf(linesOf(input, name))) {
    isEmpty = false
    yield* messagesIn(item, name, fifo)
  }
  if (isEmpty) {
    throw new UsageError(
      `${name} has no messages: write one message per line, an SQS event, or the output of aws sqs receive-message, ` +
        'which is empty if no message is visible',
    )
  }
}

function* messagesIn(item: Item, name: string, fifo: boolean): Generator<InputMessage> {
  /** In a list, from 1. */
  let number = 0
  try {
    const value = parseItem(item.text)
    const list = listIn(value)
    if (list?.length === 0) throw new Error(`is an empty list of messages. ${AS_TEXT}`)
    if (!list && !isMessage(value) && item.text.includes('\n')) {
      throw new Error(`is a body of several lines: ${ONE_LINE}`)
    }
    if (!list) yield check(toMessage(value, item.text.trim()), fifo)
    for (const message of list ?? []) {
      number += 1
      yield check(readMessage(message), fifo)
    }
  } catch (error) {
    const where = number > 0 ? `message ${formatNumber(number)} of the list in ` : ''
    throw new UsageError(`${where}line ${formatNumber(item.line)} of ${name} ${(error as Error).message}`)
  }
}

/** A message for a call of SQS that sends up to ten. */
export function toEntry(message: InputMessage, index: number, fifo: boolean) {
  const { body, messageGroupId, messageAttributes, messageDeduplicationId } = message
  return {
    Id: String(index),
    MessageBody: body,
    ...(messageAttributes ? { MessageAttributes: messageAttributes } : {}),
    ...(messageGroupId === undefined ? {} : { MessageGroupId: messageGroupId }),
    ...(fifo ? { MessageDeduplicationId: messageDeduplicationId ?? randomUUID() } : {}),
  }
}

/** Reads the messages of a file or of standard input (`-`). */
export async function readMessagesFile(file: string, fifo: boolean): Promise<InputMessage[]> {
  const messages = file === '-' ? readStandardInput(fifo) : readMessages(createReadStream(file), file, fifo)
  return Readable.from(messages).toArray()
}

/** Reads the messages of standard input as they arrive. */
export function readStandardInput(fifo: boolean): AsyncIterable<InputMessage> {
  return readMessages(process.stdin, 'standard input', fifo)
}
