import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { MAX_BYTES } from '../../../../src/sqs/batch-calls.ts'
import { isObject, parseObject } from '../../shared/json.ts'
import { type MemoryQueue, toMessage } from './memory-queue.ts'
import { isGroupId, problemOf, sizeOf } from './message-rules.ts'

/** The JSON of a request, or of an entry of a batch. */
type Input = Record<string, unknown>

const MAX_ENTRIES = 10

/** `code` is that of the older query protocol, which clients read, too. */
class SqsError extends Error {
  readonly code: string
  constructor(name: string, message: string, code = `AWS.SimpleQueueService.${name}`) {
    super(message)
    this.name = name
    this.code = code
  }
}

const invalid = (message: string) => new SqsError('InvalidParameterValueException', message, 'InvalidParameterValue')
const missing = (name: string) =>
  new SqsError('MissingRequiredParameterException', `the parameter ${name} is missing or empty`, 'MissingParameter')

/** A parameter of a request. Throws if it has a value that is not valid. */
function read<T>(input: Input, name: string, what: string, isValid: (value: unknown) => value is T): T | undefined {
  const value = input[name] ?? undefined
  if (value === undefined || isValid(value)) return value
  throw invalid(`${name} must be ${what}`)
}

const isString = (value: unknown) => typeof value === 'string'
const readString = (input: Input, name: string) => read(input, name, 'a string', isString)

function requireString(input: Input, name: string): string {
  const value = readString(input, name)
  if (!value) throw missing(name)
  return value
}

const readId = (input: Input, name: string) =>
  read(input, name, '1 to 128 letters, digits and punctuation characters', isGroupId)

const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every(isString)
const readStrings = (input: Input, name: string) => read(input, name, 'a list of strings', isStrings) ?? []

function readInteger(input: Input, name: string, least: number, most: number) {
  const isValid = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  return read(input, name, `an integer from ${least} to ${most}`, isValid)
}

function readAttributes(input: Input, name: string) {
  const attributes: Record<string, MessageAttributeValue> = {}
  for (const [key, value] of Object.entries(read(input, name, 'an object', isObject) ?? {})) {
    if (!isObject(value)) throw invalid(`${key} must be an object`)
    const [DataType, StringValue] = [requireString(value, 'DataType'), readString(value, 'StringValue')]
    const binary = readString(value, 'BinaryValue')
    attributes[key] =
      binary === undefined ? { DataType, StringValue } : { DataType, BinaryValue: Buffer.from(binary, 'base64') }
  }
  return attributes
}

/** A request of a client. */
interface Call {
  /** Aborts when the client has ended. */
  signal: AbortSignal
  /** The trace header of the request, which SQS keeps with a message. */
  trace: string | undefined
}

function readMessage({ options: { fifo, contentBasedDeduplication } }: MemoryQueue, input: Input) {
  const message = {
    Id: readString(input, 'Id'),
    MessageBody: requireString(input, 'MessageBody'),
    MessageAttributes: readAttributes(input, 'MessageAttributes'),
    MessageSystemAttributes: readAttributes(input, 'MessageSystemAttributes'),
    MessageGroupId: readId(input, 'MessageGroupId'),
    MessageDeduplicationId: readId(input, 'MessageDeduplicationId'),
    DelaySeconds: readInteger(input, 'DelaySeconds', 0, fifo ? 0 : 900),
  }
  if (fifo && message.MessageGroupId === undefined) throw missing('MessageGroupId')
  if (fifo && !contentBasedDeduplication && message.MessageDeduplicationId === undefined) {
    throw invalid('MessageDeduplicationId is missing, and the queue has no ContentBasedDeduplication')
  }
  if (!fifo && message.MessageDeduplicationId !== undefined) {
    throw invalid('MessageDeduplicationId is allowed only for a FIFO queue')
  }
  return message
}

function send(queue: MemoryQueue, message: ReturnType<typeof readMessage>, { trace }: Call) {
  const problem = problemOf(message)
  if (problem?.startsWith('has a body with the character'))
    throw new SqsError('InvalidMessageContents', `the message ${problem}`, 'InvalidMessageContents')
  if (problem) throw invalid(`the message ${problem}`)
  const traced = trace === undefined ? {} : { AWSTraceHeader: { DataType: 'String', StringValue: trace } }
  const MessageSystemAttributes = { ...traced, ...message.MessageSystemAttributes }
  const { messageId, md5OfBody, sequenceNumber } = queue.send({ ...message, MessageSystemAttributes }, true)
  return {
    MessageId: messageId,
    MD5OfMessageBody: md5OfBody,
    SequenceNumber: sequenceNumber,
  }
}

/** The entries of an object that a client has asked for. Undefined if there are none. */
function pick<T>(values: Record<string, T> = {}, names: string[]): Record<string, T> | undefined {
  const isAsked = (key: string) =>
    names.some(
      (name) => name === key || name === 'All' || (name.endsWith('*') && key.startsWith(name.replace(/\.?\*$/, ''))),
    )
  const entries = Object.entries(values).filter(([key]) => isAsked(key))
  return entries.length > 0 ? Object.fromEntries(entries) : undefined
}

async function receive(queue: MemoryQueue, input: Input, { signal }: Call) {
  const most = readInteger(input, 'MaxNumberOfMessages', 1, 10)
  const seconds = readInteger(input, 'WaitTimeSeconds', 0, 20)
  const visibilityTimeout = readInteger(input, 'VisibilityTimeout', 0, 43_200)
  const systemNames = [...readStrings(input, 'AttributeNames'), ...readStrings(input, 'MessageSystemAttributeNames')]
  const names = readStrings(input, 'MessageAttributeNames')
  const taken = await queue.receive(most ?? 1, seconds ?? 0, signal, visibilityTimeout)
  const Messages = taken.map(toMessage).map((message) => {
    const MessageAttributes = pick(message.MessageAttributes, names)
    return { ...message, MessageAttributes, Attributes: pick(message.Attributes, systemNames) }
  })
  return Messages.length > 0 ? { Messages } : {}
}

function readReceiptHandle(input: Input): string {
  const handle = requireString(input, 'ReceiptHandle')
  if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(handle)) return handle
  throw new SqsError('ReceiptHandleIsInvalid', 'ReceiptHandle is not from this queue', 'ReceiptHandleIsInvalid')
}

function remove(queue: MemoryQueue, input: Input) {
  queue.remove(readReceiptHandle(input), true)
  return {}
}

function changeVisibility(queue: MemoryQueue, input: Input) {
  const handle = readReceiptHandle(input)
  const seconds = readInteger(input, 'VisibilityTimeout', 0, 43_200)
  if (seconds === undefined) throw missing('VisibilityTimeout')
  if (!queue.inflightMessages.has(handle)) throw new SqsError('MessageNotInflight', 'the message is not in flight')
  queue.setVisibility(handle, seconds, true)
  return {}
}

function readEntries({ Entries = [] }: Input): Input[] {
  if (!Array.isArray(Entries) || !Entries.every(isObject)) throw invalid('Entries must be a list of objects')
  if (Entries.length === 0) throw new SqsError('EmptyBatchRequest', 'a batch must have entries')
  if (Entries.length > MAX_ENTRIES) {
    throw new SqsError('TooManyEntriesInBatchRequest', `a batch has at most ${MAX_ENTRIES}, not ${Entries.length}`)
  }
  const ids = Entries.map((entry) => requireString(entry, 'Id'))
  if (!ids.every((id) => /^[\w-]{1,80}$/.test(id))) {
    throw new SqsError('InvalidBatchEntryId', 'an Id has 1 to 80 letters, digits, hyphens and underscores')
  }
  if (new Set(ids).size < ids.length) throw new SqsError('BatchEntryIdsNotDistinct', 'two entries have the same Id')
  return Entries
}

function inBatch<T extends { Id?: unknown }>(entries: readonly T[], act: (entry: T) => object) {
  const [Successful, Failed]: [object[], object[]] = [[], []]
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...act(entry) })
    } catch (error) {
      if (!(error instanceof SqsError)) throw error
      Failed.push({ Id: entry.Id, SenderFault: true, Code: error.code.replace(/.*\./, ''), Message: error.message })
    }
  }
  return { Successful, Failed }
}

function sendBatch(queue: MemoryQueue, input: Input, call: Call) {
  const messages = readEntries(input).map((entry) => readMessage(queue, entry))
  const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0)
  if (bytes > MAX_BYTES) {
    throw new SqsError('BatchRequestTooLong', `a batch has at most ${MAX_BYTES} bytes, but this one has ${bytes}`)
  }
  return inBatch(messages, (message) => send(queue, message, call))
}

const ACTIONS: Record<string, (queue: MemoryQueue, input: Input, call: Call) => object> = {
  SendMessage: (queue, input, call) => send(queue, readMessage(queue, input), call),
  SendMessageBatch: sendBatch,
  ReceiveMessage: receive,
  DeleteMessage: remove,
  DeleteMessageBatch: (queue, input) => inBatch(readEntries(input), (entry) => remove(queue, entry)),
  ChangeMessageVisibility: changeVisibility,
  ChangeMessageVisibilityBatch: (queue, input) =>
    inBatch(readEntries(input), (entry) => changeVisibility(queue, entry)),
  GetQueueUrl: (queue) => ({ QueueUrl: queue.options.url }),
  GetQueueAttributes: (queue, input) => ({ Attributes: pick(queue.attributes, readStrings(input, 'AttributeNames')) }),
}

/** `JSON.stringify()` has made an object of a Buffer. */
const toBase64 = (bytes: number[]) => Buffer.from(bytes).toString('base64')
const SUPPORTED = `this queue supports ${Object.keys(ACTIONS).join(', ')} in the JSON protocol of SQS`

async function respond(queues: ReadonlyMap<string, MemoryQueue>, target: string, body: string, call: Call) {
  const action = target.replace(/^AmazonSQS\./, '')
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined
  if (!act) throw new SqsError('UnknownOperationException', SUPPORTED, 'InvalidAction')
  const input = parseObject(body)
  if (!input) throw new SqsError('SerializationException', 'the request is not a JSON object', 'MalformedInput')
  const name = requireString(input, action === 'GetQueueUrl' ? 'QueueName' : 'QueueUrl')
  // Clients may have another address for this process than the one in the URL of the queue.
  const queue = queues.get(name.replace(/.*\//, ''))
  if (queue) return act(queue, input, call)
  const known = `the queue does not exist, only ${[...queues.keys()].join(' and ')}`
  throw new SqsError('QueueDoesNotExist', known, 'AWS.SimpleQueueService.NonExistentQueue')
}

/** A server of SQS for these queues by name. It keeps idle connections: a frozen client sees no end. */
export function createSqsServer(queues: ReadonlyMap<string, MemoryQueue>): Server {
  return createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, async (request, response) => {
    const ended = new AbortController()
    response.on('close', () => ended.abort())
    const body = await text(request).catch(() => undefined)
    if (body === undefined) return // the client has ended
    response.setHeader('x-amzn-requestid', randomUUID())
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    try {
      const call = { signal: ended.signal, trace: request.headers['x-amzn-trace-id']?.toString() }
      const output = await respond(queues, String(request.headers['x-amz-target']), body, call)
      response.end(JSON.stringify(output, (_name, value) => (value?.type === 'Buffer' ? toBase64(value.data) : value)))
    } catch (error) {
      if (!(error instanceof SqsError)) throw error
      const { name, code, message } = error
      response.setHeader('x-amzn-query-error', `${code};Sender`).writeHead(400)
      response.end(JSON.stringify({ __type: `com.amazonaws.sqs#${name}`, message }))
    }
  })
}
