import { readFileSync } from 'node:fs'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { kindOf, oneLine, UsageError } from '../../shared/errors.ts'
import { isObject } from '../../shared/json.ts'
import { decode } from '../../shared/text-file.ts'

export interface InputMessage {
  body: string
  messageGroupId?: string
  messageAttributes?: Record<string, MessageAttributeValue>
}

type Attribute = { DataType: string; StringValue: string } | { DataType: string; BinaryValue: Uint8Array }

/** A message of an input file. */
interface ReadMessage extends InputMessage {
  messageAttributes?: Record<string, Attribute>
}

/** The limit of SQS for one message. */
const MAX_MESSAGE_BYTES = 1024 * 1024

/**
 * Messages with the bodies `{"number":1}` to `{"number":count}`. If `groups` is above 0, each message has one of
 * `groups` message groups.
 */
export function* numberedMessages(count: number, groups = 0): Generator<InputMessage> {
  for (let number = 1; number <= count; number++) {
    const body = JSON.stringify({ number })
    yield groups > 0 ? { body, messageGroupId: `group-${number % groups}` } : { body }
  }
}

function toAttribute(value: unknown): Attribute | undefined {
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

function quote(name: string) {
  return oneLine(JSON.stringify(name))
}

function readEnvelope(value: Record<string, unknown>): ReadMessage {
  const { body, messageGroupId, messageAttributes = {} } = value
  const unknown = Object.keys(value).find((key) => !KEYS.has(key))
  if (unknown !== undefined) {
    throw new Error(`has the key ${quote(unknown)}: only body, messageGroupId and messageAttributes are allowed`)
  }
  if (messageGroupId !== undefined && (typeof messageGroupId !== 'string' || messageGroupId === '')) {
    throw new Error('has a messageGroupId that is empty or not a string')
  }
  if (!isObject(messageAttributes)) throw new Error('has messageAttributes that are not an object')
  const attributes = Object.entries(messageAttributes).map(([name, given]): [string, Attribute] => {
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

/** The size that SQS limits: the body, and the names, types and values of the attributes. */
function sizeOf({ body, messageAttributes = {} }: ReadMessage): number {
  const parts = Object.entries(messageAttributes).flatMap(([name, attribute]) => [
    Buffer.byteLength(name),
    Buffer.byteLength(attribute.DataType),
    'StringValue' in attribute ? Buffer.byteLength(attribute.StringValue) : attribute.BinaryValue.byteLength,
  ])
  return parts.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(body))
}

/**
 * Checks a message. An error message starts with a verb, such as `has an empty body`. The caller puts the subject
 * before it.
 */
function check(message: ReadMessage, fifo: boolean): ReadMessage {
  if (message.body === '') throw new Error('has an empty body, which SQS rejects')
  const bytes = sizeOf(message)
  if (bytes > MAX_MESSAGE_BYTES) {
    const what = message.messageAttributes ? 'a body and attributes' : 'a body'
    throw new Error(`has ${what} of ${bytes} bytes, but SQS allows at most ${MAX_MESSAGE_BYTES}`)
  }
  if (fifo && message.messageGroupId === undefined)
    throw new Error('has no messageGroupId, which a FIFO queue requires')
  return message
}

/** An object with a `body` is a message. Any other JSON value is a body. Errors are like those of `check()`. */
export function toMessage(value: unknown, fifo: boolean, json = JSON.stringify(value)): InputMessage {
  if (isObject(value) && 'body' in value) return check(readEnvelope(value), fifo)
  return check({ body: typeof value === 'string' ? value : json }, fifo)
}

/** A line is a JSON value, or text that does not look like JSON. */
function readLine(line: string, fifo: boolean): InputMessage {
  const text = line.trim()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!/^[{["]/.test(text)) return toMessage(text, fifo)
    // Only the position is shown: the message of V8 quotes the line, which may be a body.
    const position = /position (\d+)/.exec(String(error))?.[1]
    const where = position ? ` at column ${line.indexOf(text) + Number(position) + 1}` : ''
    throw new Error(
      `is not valid JSON${where}: write each JSON value on one line. To send it as text, write it as a JSON string`,
    )
  }
  return toMessage(value, fifo, text)
}

/**
 * The records of an SQS event. Undefined for other content: an S3 event has records without bodies, and is sent as a
 * body. An event without records is an SQS event without messages.
 */
function recordsIn(value: unknown): unknown[] | undefined {
  if (!isObject(value) || !Array.isArray(value.Records)) return undefined
  const { Records } = value
  const isSqs = (record: unknown) => isObject(record) && record.eventSource === 'aws:sqs'
  const hasBody = (record: unknown) =>
    isObject(record) && typeof record.body === 'string' && record.eventSource === undefined
  return Records.some(isSqs) || Records.every(hasBody) ? Records : undefined
}

/** The JSON value that a text is. Undefined if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readRecord(record: unknown, fifo: boolean): InputMessage {
  const { body, attributes, messageAttributes } = isObject(record) ? record : {}
  if (typeof body !== 'string') throw new Error(`has a body that is ${kindOf(body)}, but must be a string`)
  const { MessageGroupId: messageGroupId } = isObject(attributes) ? attributes : {}
  return check(readEnvelope({ body, messageGroupId, messageAttributes }), fifo)
}

function readFile(file: string): string {
  try {
    return decode(readFileSync(file))
  } catch (error) {
    throw new UsageError(`--messages-file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** The lines of an input that may be slow. Not with node:readline, which also breaks lines at U+2028. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() as string
    yield* lines
  }
  yield rest + decoder.decode()
}

/** Whether an input whose first line is this one, and that has more lines, can only have a message on each line. */
function isComplete(line: string): boolean {
  return parse(line) !== undefined || !/^\s*[{[]/.test(line)
}

/**
 * Reads messages from lines with a message each, from one JSON object on several lines, or from an SQS event. A UsageError names
 * the line or record that is wrong. Lines with a message each are read one at a time.
 */
async function* readMessages(lines: Iterable<string> | AsyncIterable<string>, name: string, fifo: boolean) {
  function read<T>(what: string, number: number, item: T, toInput: (item: T, fifo: boolean) => InputMessage) {
    try {
      return toInput(item, fifo)
    } catch (error) {
      throw new UsageError(`${what} ${number.toLocaleString('en-US')} of ${name} ${(error as Error).message}`)
    }
  }
  /** The first lines, until it is known that each line is a message. Then undefined. */
  let head: string[] | undefined = []
  let number = 0
  let count = 0
  function* readLines(texts: readonly string[]) {
    for (const text of texts) {
      number += 1
      if (text.trim() === '') continue
      count += 1
      yield read('line', number, text, readLine)
    }
  }
  for await (const line of lines) {
    if (head === undefined) {
      yield* readLines([line])
      continue
    }
    const first = head.find((text) => text.trim() !== '')
    head.push(line)
    if (first === undefined || line.trim() === '' || !isComplete(first)) continue
    yield* readLines(head)
    head = undefined
  }
  if (head) {
    const text = head.join('\n')
    const whole = parse(text)
    const isPretty = whole !== undefined && text.trim().includes('\n')
    if (isPretty && Array.isArray(whole)) {
      throw new UsageError(
        `${name} is a JSON list on several lines: write each message on one line, for example with jq -c '.[]' FILE`,
      )
    }
    const records = recordsIn(whole)
    count += (records ?? []).length
    if (records) yield* records.map((record, index) => read('record', index + 1, record, readRecord))
    else if (isPretty) yield read('line', ++count, whole, toMessage)
    else yield* readLines(head)
  }
  if (count === 0) throw new UsageError(`${name} has no messages: write one message per line, or an SQS event`)
}

/** Reads the messages of a file, or all messages of standard input (`-`). */
export async function readMessagesFile(file: string, fifo: boolean): Promise<InputMessage[]> {
  const read = file === '-' ? readStandardInput(fifo) : readMessages(readFile(file).split('\n'), file, fifo)
  const messages: InputMessage[] = []
  for await (const message of read) messages.push(message)
  return messages
}

/** Reads the messages of standard input as they arrive. */
export function readStandardInput(fifo: boolean): AsyncIterable<InputMessage> {
  return readMessages(linesOf(process.stdin), 'standard input', fifo)
}
