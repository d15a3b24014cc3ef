import { createReadStream } from 'node:fs'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { kindOf, UsageError } from '../../shared/errors.ts'
import { isObject, parseJson } from '../../shared/json.ts'
import { encodingOf } from '../../shared/text-file.ts'
import { isGroupId, problemOf, quote } from './message-rules.ts'

export interface InputMessage {
  body: string
  messageGroupId?: string
  messageAttributes?: Record<string, MessageAttributeValue>
}

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

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

function toAttribute(value: unknown): MessageAttributeValue | undefined {
  if (typeof value === 'string') return { DataType: 'String', StringValue: value }
  if (typeof value === 'number') return { DataType: 'Number', StringValue: String(value) }
  if (!isObject(value)) return undefined
  const { dataType, stringValue, binaryValue } = value
  if (typeof dataType !== 'string') return undefined
  if (typeof stringValue === 'string') return { DataType: dataType, StringValue: stringValue }
  if (typeof binaryValue === 'string' && BASE64.test(binaryValue))
    return { DataType: dataType, BinaryValue: Buffer.from(binaryValue, 'base64') }
  return undefined
}

const KEYS = new Set(['body', 'messageGroupId', 'messageAttributes'])

function readEnvelope(value: Record<string, unknown>): InputMessage {
  const { body, messageGroupId, messageAttributes = {} } = value
  const unknown = Object.keys(value).find((key) => !KEYS.has(key))
  if (unknown !== undefined) {
    throw new Error(`has the key ${quote(unknown)}: only body, messageGroupId and messageAttributes are allowed`)
  }
  if (messageGroupId !== undefined && !isGroupId(messageGroupId)) {
    throw new Error('has a messageGroupId that is not a string of 1 to 128 letters, digits and punctuation characters')
  }
  if (!isObject(messageAttributes)) throw new Error('has messageAttributes that are not an object')
  const attributes = Object.entries(messageAttributes).map(([name, given]) => {
    const attribute = toAttribute(given)
    if (attribute) return [name, attribute]
    throw new Error(
      `has the attribute ${quote(name)}, which is not a string, a number, { dataType, stringValue } or { dataType, binaryValue } in base64`,
    )
  })
  return {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(messageGroupId === undefined ? {} : { messageGroupId }),
    ...(attributes.length === 0 ? {} : { messageAttributes: Object.fromEntries(attributes) }),
  }
}

/** Refuses what SQS refuses. An error starts with a verb, such as `has an empty body`. The caller puts the subject before it. */
export function check(message: InputMessage, fifo: boolean, maxBytes?: number): InputMessage {
  const { body: MessageBody, messageGroupId, messageAttributes: MessageAttributes = {} } = message
  const problem = problemOf({ MessageBody, MessageAttributes }, maxBytes)
  if (problem) throw new Error(problem)
  if (fifo && messageGroupId === undefined) throw new Error('has no messageGroupId, which a FIFO queue requires')
  return message
}

/** An object with a `body` is a message. Any other JSON value is a body. Errors are like those of `check()`. */
export function toMessage(value: unknown, json = JSON.stringify(value)): InputMessage {
  if (isObject(value) && 'body' in value) return readEnvelope(value)
  return { body: typeof value === 'string' ? value : json }
}

/** A line is a JSON value, or text that does not look like JSON. */
function readLine(line: string): InputMessage {
  const text = line.trim()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!/^[{["]/.test(text)) return toMessage(text)
    // Only the position is shown: the message of V8 quotes the line, which may be a body.
    const position = /position (\d+)/.exec(String(error))?.[1]
    const where = position ? ` at column ${line.indexOf(text) + Number(position) + 1}` : ''
    throw new Error(
      `is not valid JSON${where}: write each JSON value on one line. To send it as text, write it as a JSON string`,
    )
  }
  return toMessage(value, text)
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

function readRecord(record: unknown): InputMessage {
  const { body, attributes, messageAttributes } = isObject(record) ? record : {}
  if (typeof body !== 'string') throw new Error(`has a body that is ${kindOf(body)}, but must be a string`)
  const { MessageGroupId: messageGroupId } = isObject(attributes) ? attributes : {}
  return readEnvelope({ body, messageGroupId, messageAttributes })
}

/** The lines of an input, which may be slow. Not with node:readline, which also breaks lines at U+2028. */
async function* linesOf(input: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  let decoder: InstanceType<typeof TextDecoder> | undefined
  let rest = ''
  try {
    for await (const chunk of input) {
      decoder ??= new TextDecoder(encodingOf(chunk), { fatal: true })
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() as string
      yield* lines
    }
    yield rest + (decoder?.decode() ?? '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
      ? new UsageError(`${name} is not UTF-8, so SQS would refuse its messages: convert it to UTF-8`)
      : new UsageError(`${name} cannot be read (${code})`)
  }
}

/** Whether an input whose first line is this one, and that has more lines, can only have a message on each line. */
function isComplete(line: string): boolean {
  return parseJson(line) !== undefined || !/^\s*[{[]/.test(line)
}

/**
 * Reads messages from lines with a message each, or from an SQS event. A UsageError names the line or record that is
 * wrong. Lines with a message each are read one at a time.
 */
async function* readMessages(input: AsyncIterable<Uint8Array>, name: string, fifo: boolean, maxBytes?: number) {
  let isEmpty = true
  function read<T>(what: string, number: number, item: T, toInput: (item: T) => InputMessage) {
    isEmpty = false
    try {
      return check(toInput(item), fifo, maxBytes)
    } catch (error) {
      throw new UsageError(`${what} ${number.toLocaleString('en-US')} of ${name} ${(error as Error).message}`)
    }
  }
  let number = 0
  function* readLines(texts: readonly string[]) {
    for (const text of texts) {
      number += 1
      if (text.trim() !== '') yield read('line', number, text, readLine)
    }
  }
  /** The first lines, which may be an SQS event. Undefined once it is known that each line is a message. */
  let head: string[] | undefined = []
  for await (const line of linesOf(input, name)) {
    const first = head?.find((text) => text.trim() !== '')
    head?.push(line)
    if (head && (first === undefined || line.trim() === '' || !isComplete(first))) continue
    yield* readLines(head ?? [line])
    head = undefined
  }
  const records = head && recordsIn(parseJson(head.join('\n')))
  if (records) yield* records.map((record, index) => read('record', index + 1, record, readRecord))
  else if (head) yield* readLines(head)
  if (isEmpty) throw new UsageError(`${name} has no messages: write one message per line, or an SQS event`)
}

/** Reads the messages of a file, or all messages of standard input (`-`). `maxBytes` is the MaximumMessageSize of the queue. */
export async function readMessagesFile(file: string, fifo: boolean, maxBytes?: number): Promise<InputMessage[]> {
  const isInput = file === '-'
  const read = isInput ? readStandardInput(fifo, maxBytes) : readMessages(createReadStream(file), file, fifo, maxBytes)
  const messages: InputMessage[] = []
  for await (const message of read) messages.push(message)
  return messages
}

/** Reads the messages of standard input as they arrive. */
export function readStandardInput(fifo: boolean, maxBytes?: number): AsyncIterable<InputMessage> {
  return readMessages(process.stdin, 'standard input', fifo, maxBytes)
}
