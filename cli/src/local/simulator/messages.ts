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

/** The limits of SQS for one message. */
const MAX_MESSAGE_BYTES = 1024 * 1024
const MAX_ATTRIBUTES = 10
/** The largest number in an attribute, and how many digits it may have. */
const MAX_NUMBER = 1e126
const MAX_DIGITS = 38

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

function toAttribute(value: unknown): Attribute | undefined {
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

/** A character that SQS refuses in a body or in the value of an attribute. */
const REFUSED_CHARACTER = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u

function checkText(text: string, what: string) {
  const [character] = REFUSED_CHARACTER.exec(text) ?? []
  if (character === undefined) return
  const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
  throw new Error(`has ${what} with the character U+${code}, which SQS refuses`)
}

function isNumber(text: string): boolean {
  const [, integer = '', fraction = ''] = /^[+-]?(?=\.?\d)(\d*)\.?(\d*)(?:e[+-]?\d+)?$/i.exec(text) ?? []
  const digits = `${integer}${fraction}`.replace(/^0+/, '').length
  return integer + fraction !== '' && digits <= MAX_DIGITS && Math.abs(Number(text)) <= MAX_NUMBER
}

const NAME = /^(?!(aws|amazon)\.)(?!.*\.\.)[\w-]([\w.-]{0,254}[\w-])?$/i
const TYPE = /^(String|Number|Binary)(\..{1,249})?$/

/** The rules of the page "Message attributes" in the guide of SQS. */
function checkAttribute(name: string, attribute: Attribute) {
  const refuse = (why: string) => {
    throw new Error(`has the attribute ${quote(name)}, ${why}`)
  }
  if (!NAME.test(name)) {
    refuse(
      'whose name SQS refuses: use at most 256 letters, digits, "_", "-" and single "." inside the name, and do not begin with "AWS." or "Amazon."',
    )
  }
  const [, type] = TYPE.exec(attribute.DataType) ?? []
  if (type === undefined) return refuse('whose type is not String, Number or Binary, or one of these with ".name"')
  if ((type === 'Binary') !== 'BinaryValue' in attribute) {
    refuse(`of type ${type}, which needs a ${type === 'Binary' ? 'binaryValue' : 'stringValue'}`)
  }
  const value = 'StringValue' in attribute ? attribute.StringValue : attribute.BinaryValue
  if (value.length === 0) refuse('whose value is empty')
  if (typeof value !== 'string') return
  checkText(value, `the attribute ${quote(name)}`)
  if (type === 'Number' && !isNumber(value)) {
    refuse(`whose value is not a number of at most ${MAX_DIGITS} digits, from -${MAX_NUMBER} to ${MAX_NUMBER}`)
  }
}

const KEYS = new Set(['body', 'messageGroupId', 'messageAttributes'])

/** All visible characters of ASCII. */
const GROUP = /^[!-~]{1,128}$/

function quote(name: string) {
  return oneLine(JSON.stringify(name))
}

function readEnvelope(value: Record<string, unknown>): ReadMessage {
  const { body, messageGroupId, messageAttributes = {} } = value
  const unknown = Object.keys(value).find((key) => !KEYS.has(key))
  if (unknown !== undefined) {
    throw new Error(`has the key ${quote(unknown)}: only body, messageGroupId and messageAttributes are allowed`)
  }
  if (messageGroupId !== undefined && !(typeof messageGroupId === 'string' && GROUP.test(messageGroupId))) {
    throw new Error('has a messageGroupId that is not a string of 1 to 128 letters, digits and punctuation characters')
  }
  if (!isObject(messageAttributes)) throw new Error('has messageAttributes that are not an object')
  const attributes = Object.entries(messageAttributes).map(([name, given]): [string, Attribute] => {
    const attribute = toAttribute(given)
    if (attribute) {
      checkAttribute(name, attribute)
      return [name, attribute]
    }
    throw new Error(
      `has the attribute ${quote(name)}, which is not a string, a number, { dataType, stringValue } or { dataType, binaryValue } in base64`,
    )
  })
  if (attributes.length > MAX_ATTRIBUTES) {
    throw new Error(`has ${attributes.length} attributes, but SQS allows at most ${MAX_ATTRIBUTES}`)
  }
  return {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(messageGroupId === undefined ? {} : { messageGroupId }),
    ...(attributes.length === 0 ? {} : { messageAttributes: Object.fromEntries(attributes) }),
  }
}

/** The size that SQS limits: the body, and the names, types and values of the attributes. */
function checkSize({ body, messageAttributes }: ReadMessage, most: number, limit: string) {
  let bytes = Buffer.byteLength(body)
  for (const [name, attribute] of Object.entries(messageAttributes ?? {})) {
    bytes += Buffer.byteLength(name + attribute.DataType)
    bytes += Buffer.byteLength('StringValue' in attribute ? attribute.StringValue : attribute.BinaryValue)
  }
  if (bytes <= most) return
  throw new Error(`has a body ${messageAttributes ? 'and attributes ' : ''}of ${bytes} bytes, but ${limit} ${most}`)
}

/**
 * Checks a message. An error message starts with a verb, such as `has an empty body`. The caller puts the subject
 * before it.
 */
function check(message: ReadMessage, fifo: boolean): ReadMessage {
  if (message.body === '') throw new Error('has an empty body, which SQS rejects')
  checkText(message.body, 'a body')
  checkSize(message, MAX_MESSAGE_BYTES, 'SQS allows at most')
  if (fifo && message.messageGroupId === undefined)
    throw new Error('has no messageGroupId, which a FIFO queue requires')
  return message
}

/** An object with a `body` is a message. Any other JSON value is a body. Errors are like those of `check()`. */
export function toMessage(value: unknown, fifo: boolean, json = JSON.stringify(value)): ReadMessage {
  if (isObject(value) && 'body' in value) return check(readEnvelope(value), fifo)
  return check({ body: typeof value === 'string' ? value : json }, fifo)
}

/** A line is a JSON value, or text that does not look like JSON. */
function readLine(line: string, fifo: boolean): ReadMessage {
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

function readRecord(record: unknown, fifo: boolean): ReadMessage {
  const { body, attributes, messageAttributes } = isObject(record) ? record : {}
  if (typeof body !== 'string') throw new Error(`has a body that is ${kindOf(body)}, but must be a string`)
  const { MessageGroupId: messageGroupId } = isObject(attributes) ? attributes : {}
  return check(readEnvelope({ body, messageGroupId, messageAttributes }), fifo)
}

/** The error for an input that could not be read or decoded. */
function unreadable(name: string, error: unknown) {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
    ? new UsageError(`${name} is not UTF-8, so SQS would refuse its messages: convert it to UTF-8`)
    : new UsageError(`${name} cannot be read (${code})`)
}

function readFile(file: string): string {
  try {
    return decode(readFileSync(file), true)
  } catch (error) {
    throw unreadable(`--messages-file ${file}`, error)
  }
}

/** The lines of an input that may be slow. Not with node:readline, which also breaks lines at U+2028. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  function decodeNext(chunk?: Uint8Array) {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (error) {
      throw unreadable('standard input', error)
    }
  }
  let rest = ''
  for await (const chunk of input) {
    const lines = (rest + decodeNext(chunk)).split('\n')
    rest = lines.pop() as string
    yield* lines
  }
  yield rest + decodeNext()
}

/** Whether an input whose first line is this one, and that has more lines, can only have a message on each line. */
function isComplete(line: string): boolean {
  return parse(line) !== undefined || !/^\s*[{[]/.test(line)
}

/**
 * Reads messages from lines with a message each, from one JSON object on several lines, or from an SQS event. A UsageError names
 * the line or record that is wrong. Lines with a message each are read one at a time.
 */
async function* readMessages(
  lines: Iterable<string> | AsyncIterable<string>,
  name: string,
  fifo: boolean,
  maxBytes = MAX_MESSAGE_BYTES,
) {
  function read<T>(what: string, number: number, item: T, toInput: (item: T, fifo: boolean) => ReadMessage) {
    try {
      const message = toInput(item, fifo)
      checkSize(message, maxBytes, 'MaximumMessageSize of the queue is')
      return message
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

/** Reads the messages of a file, or all messages of standard input (`-`). `maxBytes` is the MaximumMessageSize of the queue. */
export async function readMessagesFile(file: string, fifo: boolean, maxBytes?: number): Promise<InputMessage[]> {
  const read =
    file === '-' ? readStandardInput(fifo, maxBytes) : readMessages(readFile(file).split('\n'), file, fifo, maxBytes)
  const messages: InputMessage[] = []
  for await (const message of read) messages.push(message)
  return messages
}

/** Reads the messages of standard input as they arrive. */
export function readStandardInput(fifo: boolean, maxBytes?: number): AsyncIterable<InputMessage> {
  return readMessages(linesOf(process.stdin), 'standard input', fifo, maxBytes)
}
