import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { SQSEvent, SQSRecord, SQSRecordAttributes } from 'aws-lambda'
import { type Check, COUNT, check } from '../shared/check.ts'
import { isObject, kindOf } from '../shared/describe.ts'

/**
 * A record with a `messageId` and a `body`. It can have any other field of a record. Fields and attributes
 * that it does not have get the values that they have in an event from Lambda.
 */
export interface SqsEventRecord extends Partial<Omit<SQSRecord, 'messageId' | 'body' | 'attributes'>> {
  readonly messageId: string
  /** Text, or an object, which becomes JSON. */
  readonly body: string | object
  readonly attributes?: Partial<SQSRecordAttributes>
}

/** Options of `sqsEvent()`. */
export interface SqsEventOptions {
  /**
   * Whether the records come from a FIFO queue.
   * @default false
   */
  readonly fifo?: boolean | undefined
  /**
   * The message group of each record, in order. Records of a standard queue can have groups, too (fair
   * queues).
   * @default one group with all records on a FIFO queue, none on a standard queue
   */
  readonly groups?: readonly string[] | undefined
  /**
   * How often SQS has delivered the messages, including this delivery: a positive integer.
   * @default 1
   */
  readonly receiveCount?: number | undefined
}

const OPTIONS: Record<keyof SqsEventOptions, Check> = {
  fifo: [(value) => typeof value === 'boolean', 'true or false'],
  groups: [
    (value) => Array.isArray(value) && value.every((group) => typeof group === 'string' && group !== ''),
    'an array of message groups (non-empty strings)',
  ],
  receiveCount: COUNT,
}

/** Milliseconds between two deliveries of a message: the default visibility timeout of a queue. */
const VISIBILITY_TIMEOUT = 30_000
/** The first sequence number of an event. SQS's are integers of 20 digits that increase in a queue. */
const FIRST_SEQUENCE_NUMBER = 18849496460467696128n

const RECORD_FIELDS: ReadonlySet<string> = new Set<keyof SQSRecord>([
  'messageId',
  'receiptHandle',
  'body',
  'attributes',
  'messageAttributes',
  'md5OfBody',
  'md5OfMessageAttributes',
  'eventSource',
  'eventSourceARN',
  'awsRegion',
])

/**
 * Makes an SQS event for a unit test, as Lambda sends it. The records have unique message ids (UUIDs), the
 * MD5 of their body, and the attributes that SQS adds.
 *
 * @param records a body or a record for each message. A string is a body as it is. An object with a
 * `messageId` and a `body` is a record. Any other object is a body, and becomes JSON.
 * @throws {TypeError} if a body, a record or an option is not valid
 *
 * @example
 * sqsEvent(['text', { orderId: 7 }, { messageId: 'm3', body: { orderId: 8 } }])
 *
 * @example
 * sqsEvent(['created', 'paid'], { fifo: true, groups: ['ada', 'alan'], receiveCount: 3 })
 */
export function sqsEvent(
  records: readonly (string | object | SqsEventRecord)[],
  options: SqsEventOptions = {},
): SQSEvent {
  if (!Array.isArray(records)) {
    throw new TypeError(`sqsEvent(): expected an array of bodies or records, got ${kindOf(records)}`)
  }
  const { fifo = false, groups, receiveCount = 1 } = check('sqsEvent', options, OPTIONS)
  if (groups && groups.length !== records.length) {
    throw new TypeError(
      `sqsEvent(): expected option groups to have a message group for each of ${records.length} records, got ${groups.length}`,
    )
  }
  const firstReceived = Date.now() - (receiveCount - 1) * VISIBILITY_TIMEOUT
  const attributes: SQSRecordAttributes = {
    ApproximateReceiveCount: String(receiveCount),
    SentTimestamp: String(firstReceived - 1),
    SenderId: 'AIDAIENQZJOLO23YVJ4VO',
    ApproximateFirstReceiveTimestamp: String(firstReceived),
  }
  return {
    Records: Array.from(records, (record, index) =>
      toRecord(record, index, fifo, groups?.[index], attributes),
    ),
  }
}

function toRecord(
  given: unknown,
  index: number,
  fifo: boolean,
  group: string | undefined,
  attributes: SQSRecordAttributes,
): SQSRecord {
  const fields: Partial<SqsEventRecord> = isRecordLike(given) ? checkFields(given, index) : {}
  const body = toText(isRecordLike(given) ? given.body : given, index)
  const messageId = fields.messageId ?? randomUUID()
  const groupId = group ?? (fifo ? 'my-group' : undefined)
  return {
    receiptHandle: `AQEB${randomBytes(192).toString('base64')}`,
    messageAttributes: {},
    md5OfBody: createHash('md5').update(body).digest('hex'),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:123456789012:my-queue${fifo ? '.fifo' : ''}`,
    awsRegion: 'us-east-1',
    ...fields,
    messageId,
    body,
    attributes: {
      ...attributes,
      ...(groupId !== undefined && { MessageGroupId: groupId }),
      ...(fifo && {
        SequenceNumber: String(FIRST_SEQUENCE_NUMBER + BigInt(index)),
        MessageDeduplicationId: messageId,
      }),
      ...fields.attributes,
    },
  }
}

/** A body with both fields is rare. `checkFields()` refuses it if it also has a field that no SQS record has. */
function isRecordLike(given: unknown): given is SqsEventRecord {
  return isObject(given) && 'messageId' in given && 'body' in given
}

function checkFields(record: SqsEventRecord, index: number): SqsEventRecord {
  const unknown = Object.keys(record).find((key) => !RECORD_FIELDS.has(key))
  if (unknown !== undefined) {
    throw new TypeError(
      `sqsEvent(): record ${index} has the field ${JSON.stringify(unknown)}, which no SQS record has. If the object is a ` +
        'body, pass it as a string, made with JSON.stringify()',
    )
  }
  const id: unknown = record.messageId
  if (typeof id === 'string' && id !== '') return record
  const received = id === '' ? 'an empty string' : kindOf(id)
  throw new TypeError(
    `sqsEvent(): expected the messageId of record ${index} to be a non-empty string, got ${received}`,
  )
}

function toText(body: unknown, index: number): string {
  if (typeof body === 'string') return body
  const options: ErrorOptions = {}
  try {
    const text: unknown = isObject(body) && JSON.stringify(body)
    if (typeof text === 'string') return text
  } catch (cause) {
    options.cause = cause
  }
  throw new TypeError(
    `sqsEvent(): expected the body of record ${index} to be a string, or an object that JSON can contain, got ${kindOf(body)}`,
    options,
  )
}
