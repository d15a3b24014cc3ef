import type { Test } from 'tap'
import { close, listen } from '../../../test/support/services.ts'
import { MemoryQueue } from '../../src/local/queue/memory-queue.ts'
import { createSqsServer } from '../../src/local/queue/wire-protocol.ts'

const ACCOUNT = '000000000000'
/** The attributes with which the queues are created. `orders` has the dead-letter queue `dead`. */
const QUEUES: Record<string, Record<string, string>> = {
  dead: {},
  orders: { VisibilityTimeout: '40' },
  batches: {},
  traced: {},
  sent: {},
  'content.fifo': { FifoQueue: 'true', ContentBasedDeduplication: 'true' },
  'ids.fifo': { FifoQueue: 'true' },
}
const MAX_RECEIVES = 2

/** The queues on the server of `local`. Returns its endpoint. */
export async function startOwnSqs(t: Test): Promise<string> {
  const queues = new Map<string, MemoryQueue>()
  const server = createSqsServer(queues)
  const endpoint = await listen(server)
  for (const [name, { FifoQueue, ContentBasedDeduplication, VisibilityTimeout = 30 }] of Object.entries(QUEUES)) {
    const deadLetters = name === 'orders' ? queues.get('dead') : undefined
    const queue = new MemoryQueue({
      url: `${endpoint}/${ACCOUNT}/${name}`,
      arn: `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`,
      fifo: FifoQueue === 'true',
      contentBasedDeduplication: ContentBasedDeduplication === 'true',
      visibilityTimeout: Number(VisibilityTimeout),
      ...(deadLetters ? { deadLetters, maxReceives: MAX_RECEIVES } : {}),
    })
    queues.set(name, queue)
  }
  t.teardown(() => close(server))
  return endpoint
}

export interface Answer {
  status: number
  /** The code of an error, without its prefix. */
  code?: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any action
  output: any
}

/** Calls an action as the AWS SDK does, without a signature. */
export async function call(endpoint: string, action: string, input: unknown): Promise<Answer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AmazonSQS.${action}`,
      // Only fauxqs and moto read it, to know the region.
      authorization:
        'AWS4-HMAC-SHA256 Credential=x/20250101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=x',
    },
    body: typeof input === 'string' ? input : JSON.stringify(input),
  })
  const text = await response.text()
  const output = text.startsWith('{') ? JSON.parse(text) : {} // moto describes its own defects in HTML
  if (response.status === 200) return { status: 200, output }
  const header = response.headers.get('x-amzn-query-error')?.split(';')[0] ?? String(output.__type).split('#').at(-1)
  return { status: response.status, code: header?.split('.').at(-1), output: {} }
}

/** Creates the same queues on another SQS. */
async function createQueues(endpoint: string, account: string): Promise<void> {
  for (const [QueueName, attributes] of Object.entries(QUEUES)) {
    const deadLetterTargetArn = `arn:aws:sqs:us-east-1:${account}:dead`
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: MAX_RECEIVES })
    const Attributes = QueueName === 'orders' ? { ...attributes, RedrivePolicy } : attributes
    const { status } = await call(endpoint, 'CreateQueue', { QueueName, Attributes })
    if (status !== 200) throw new Error(`${QueueName} cannot be created: ${status}`)
  }
}

interface Step {
  title: string
  action: string
  queue?: string
  /** The input without the URL of the queue. The argument are all receipt handles of earlier answers. */
  input: object | ((handles: readonly string[]) => object)
  /** What the documentation of SQS says, where another SQS responds differently. */
  documented?: Partial<Record<'fauxqs' | 'moto', string>>
}

const attributes = {
  kind: { DataType: 'String', StringValue: 'new' },
  'kind.of': { DataType: 'Number.int', StringValue: '12' },
  blob: { DataType: 'Binary', BinaryValue: 'AP8=' },
}
const AWSTraceHeader = { DataType: 'String', StringValue: 'Root=1-5759e988-bd862e3fe1be46a994272793' }
const ALL = { AttributeNames: ['All'], MessageAttributeNames: ['All'] }
const COUNTS = ['', 'NotVisible', 'Delayed'].map((which) => `ApproximateNumberOfMessages${which}`)
const SETTINGS = ['VisibilityTimeout', 'FifoQueue']
const entries = (count: number, entry: object) =>
  Array.from({ length: count }, (_, index) => ({ Id: `e${index}`, ...entry }))
const eleven = Object.fromEntries(entries(11, attributes.kind).map(({ Id, ...value }) => [Id, value]))
const { e10, ...ten } = eleven
const mebibyte = 'x'.repeat(1024 * 1024)

const receipt = (VisibilityTimeout: number) => (handles: readonly string[]) => ({
  ReceiptHandle: handles.at(-1),
  VisibilityTimeout,
})

/** Messages and what becomes of them. `orders` has one message. */
const LIFE: Step[] = [
  {
    title: 'a message with attributes',
    action: 'SendMessage',
    input: { MessageBody: 'first', MessageAttributes: attributes },
  },
  {
    title: 'received without names',
    action: 'ReceiveMessage',
    input: {},
    documented: { fauxqs: 'message attributes are only returned by their names' },
  },
  { title: 'in flight', action: 'ReceiveMessage', input: { MaxNumberOfMessages: 10 } },
  { title: 'the longest visibility timeout', action: 'ChangeMessageVisibility', input: receipt(43_199) },
  { title: 'counts', action: 'GetQueueAttributes', input: { AttributeNames: COUNTS } },
  {
    title: 'a visibility timeout that is too long',
    action: 'ChangeMessageVisibility',
    input: receipt(43_201),
    documented: { moto: 'from 0 to 43,200' },
  },
  {
    title: 'a negative visibility timeout',
    action: 'ChangeMessageVisibility',
    input: receipt(-1),
    documented: { moto: 'from 0 to 43,200' },
  },
  { title: 'made visible', action: 'ChangeMessageVisibility', input: receipt(0) },
  { title: 'received with all attributes', action: 'ReceiveMessage', input: ALL },
  { title: 'made visible again', action: 'ChangeMessageVisibility', input: receipt(0) },
  { title: 'delivered often enough', action: 'ReceiveMessage', input: {} },
  {
    title: 'the dead letter, with one attribute',
    action: 'ReceiveMessage',
    queue: 'dead',
    input: { MessageAttributeNames: ['blob', 'other'] },
  },
  { title: 'the dead letter is visible again', action: 'ChangeMessageVisibility', queue: 'dead', input: receipt(0) },
  {
    title: 'attributes by a prefix',
    action: 'ReceiveMessage',
    queue: 'dead',
    input: { MessageAttributeNames: ['kin.*'] },
    documented: {
      moto: 'a prefix selects attributes',
      fauxqs: 'AWS: Hel.* selects Hello, recorded in the tests of LocalStack',
    },
  },
  { title: 'deleted', action: 'DeleteMessage', queue: 'dead', input: receipt(0) },
  { title: 'deleted again', action: 'DeleteMessage', queue: 'dead', input: receipt(0) },
  {
    title: 'the visibility timeout of a deleted message',
    action: 'ChangeMessageVisibility',
    queue: 'dead',
    input: receipt(5),
    documented: { moto: 'MessageNotInflight' },
  },
  {
    title: 'an invalid receipt handle',
    action: 'DeleteMessage',
    input: { ReceiptHandle: 'x' },
    documented: { fauxqs: 'ReceiptHandleIsInvalid' },
  },
  {
    title: 'no receipt handle',
    action: 'DeleteMessage',
    input: {},
    documented: { moto: 'MissingParameter, a common error' },
  },
  {
    title: 'no visibility timeout',
    action: 'ChangeMessageVisibility',
    input: (handles) => ({ ReceiptHandle: handles[0] }),
    documented: { moto: 'the parameter is required' },
  },
  {
    title: 'settings',
    action: 'GetQueueAttributes',
    input: { AttributeNames: SETTINGS },
  },
  {
    title: 'the redrive policy',
    action: 'GetQueueAttributes',
    input: { AttributeNames: ['QueueArn', 'RedrivePolicy'] },
  },
  {
    title: 'no names',
    action: 'GetQueueAttributes',
    input: {},
    documented: { fauxqs: 'only attributes with a given name' },
  },
  {
    title: 'settings of a FIFO queue',
    action: 'GetQueueAttributes',
    queue: 'content.fifo',
    input: { AttributeNames: ['FifoQueue', 'ContentBasedDeduplication'] },
  },
  { title: 'the URL', action: 'GetQueueUrl', input: { QueueName: 'orders' } },
  {
    title: 'a message with a trace header',
    action: 'SendMessage',
    queue: 'traced',
    input: { MessageBody: 'x', MessageSystemAttributes: { AWSTraceHeader } },
  },
  {
    title: 'a trace header',
    action: 'ReceiveMessage',
    queue: 'traced',
    input: { AttributeNames: ['SenderId', 'AWSTraceHeader'] },
    documented: { fauxqs: 'AWSTraceHeader' },
  },
]

const refused = (title: string, input: object, documented = {}): Step => ({
  title,
  action: 'SendMessage',
  queue: 'sent',
  input,
  documented,
})
const refusedAttribute = (title: string, name: string, value: object, documented = {}): Step =>
  refused(title, { MessageBody: 'x', MessageAttributes: { [name]: value } }, documented)
const BOTH = { fauxqs: 'refused', moto: 'refused' }
const MOTO = { moto: 'refused' }
const LARGE = { moto: 'a message has at most 1,048,576 bytes since August 2025' }
const FAUXQS = { fauxqs: 'refused' }

/** Messages that SQS refuses. */
const REFUSED: Step[] = [
  refused('a control character', { MessageBody: 'a\u0001' }, MOTO),
  refused('U+FFFE', { MessageBody: 'a\ufffe' }, MOTO),
  refused('an empty body', { MessageBody: '' }, MOTO),
  refused('no body', {}, MOTO),
  refused('one byte too much', { MessageBody: `${mebibyte}x` }),
  refused('a full body with an attribute', { MessageBody: mebibyte, MessageAttributes: { kind: attributes.kind } }),
  refused('a delay of more than 15 minutes', { MessageBody: 'x', DelaySeconds: 901 }, FAUXQS),
  refused('eleven attributes', { MessageBody: 'x', MessageAttributes: eleven }, BOTH),
  refusedAttribute('an attribute without a value', 'kind', { DataType: 'String', StringValue: '' }, BOTH),
  refusedAttribute(
    'an attribute of an unknown type',
    'kind',
    { DataType: 'Date', StringValue: 'x' },
    { fauxqs: 'refused', moto: 'InvalidParameterValue' },
  ),
  refusedAttribute('an attribute that is not a number', 'kind', { DataType: 'Number', StringValue: 'x' }, BOTH),
  refusedAttribute('an attribute with a reserved name', 'AWS.kind', attributes.kind, BOTH),
  refusedAttribute('an attribute with a wrong name', 'a b', attributes.kind, {
    fauxqs: 'refused',
    moto: 'InvalidParameterValue',
  }),
  refused('a deduplication id for a standard queue', { MessageBody: 'x', MessageDeduplicationId: 'x' }, BOTH),
  refused('a message group with a space', { MessageBody: 'x', MessageGroupId: 'a b' }, FAUXQS),
  { title: 'an unknown queue', action: 'SendMessage', queue: 'unknown', input: { MessageBody: 'x' } },
  { title: 'the URL of an unknown queue', action: 'GetQueueUrl', input: { QueueName: 'unknown' } },
  {
    title: 'characters outside of the basic plane',
    action: 'SendMessage',
    queue: 'sent',
    input: { MessageBody: 'ä€😀\t\r\n' },
    documented: { fauxqs: '#x10000 to #x10FFFF are allowed' },
  },
  {
    title: 'the largest message',
    action: 'SendMessage',
    queue: 'sent',
    input: { MessageBody: mebibyte },
    documented: LARGE,
  },
  {
    title: 'ten attributes, of the largest size',
    action: 'SendMessage',
    queue: 'sent',
    // Each attribute has 11 bytes: a name of 2, a type of 6 and a value of 3.
    input: { MessageBody: mebibyte.slice(110), MessageAttributes: ten },
    documented: LARGE,
  },
  { title: 'a delay', action: 'SendMessage', queue: 'sent', input: { MessageBody: 'later', DelaySeconds: 900 } },
  { title: 'no messages', action: 'ReceiveMessage', input: { MaxNumberOfMessages: 0 } },
  { title: 'eleven messages', action: 'ReceiveMessage', input: { MaxNumberOfMessages: 11 } },
  { title: 'a wait of 21 s', action: 'ReceiveMessage', input: { WaitTimeSeconds: 21 } },
  {
    title: 'received with a negative visibility timeout',
    action: 'ReceiveMessage',
    input: { VisibilityTimeout: -1 },
    documented: { moto: 'from 0 to 43,200' },
  },
]

const batch = (title: string, Entries: object[], documented = {}): Step => ({
  title,
  action: 'SendMessageBatch',
  queue: 'batches',
  input: { Entries },
  documented,
})

const BATCHES: Step[] = [
  batch('a batch', entries(10, { MessageBody: 'x', MessageAttributes: attributes })),
  batch('an empty batch', []),
  batch('a batch of eleven', entries(11, { MessageBody: 'x' })),
  batch('equal ids', entries(2, { MessageBody: 'x', Id: 'a' })),
  batch('an id with a space', [{ Id: 'a b', MessageBody: 'x' }]),
  batch('a batch of more than 1 MiB', [
    { Id: 'a', MessageBody: mebibyte },
    { Id: 'b', MessageBody: 'x' },
  ]),
  { title: 'ten messages', action: 'ReceiveMessage', queue: 'batches', input: { ...ALL, MaxNumberOfMessages: 10 } },
  {
    title: 'a batch of deletes',
    action: 'DeleteMessageBatch',
    queue: 'batches',
    input: (handles) => ({
      Entries: [
        { Id: 'a', ReceiptHandle: handles.at(-1) },
        { Id: 'b', ReceiptHandle: 'x' },
        { Id: 'c', ReceiptHandle: handles.at(-2) },
      ],
    }),
    documented: { fauxqs: 'ReceiptHandleIsInvalid' },
  },
  {
    title: 'a batch of visibility timeouts',
    action: 'ChangeMessageVisibilityBatch',
    queue: 'batches',
    input: (handles) => ({
      Entries: [
        { Id: 'a', ReceiptHandle: handles.at(-3), VisibilityTimeout: 0 },
        { Id: 'b', ReceiptHandle: 'x', VisibilityTimeout: 0 },
        { Id: 'c', ReceiptHandle: handles.at(-4), VisibilityTimeout: 43_201 },
      ],
    }),
  },
  {
    title: 'counts after the batches',
    action: 'GetQueueAttributes',
    queue: 'batches',
    input: { AttributeNames: COUNTS },
  },
  { title: 'an empty batch of deletes', action: 'DeleteMessageBatch', queue: 'batches', input: { Entries: [] } },
  {
    title: 'an empty batch of visibility timeouts',
    action: 'ChangeMessageVisibilityBatch',
    queue: 'batches',
    input: { Entries: [] },
    documented: { moto: 'EmptyBatchRequest' },
  },
  { ...batch('an id of 81 characters', [{ Id: 'x'.repeat(81), MessageBody: 'x' }], FAUXQS), queue: 'sent' },
  {
    ...batch(
      'a batch with a control character',
      [
        { Id: 'a', MessageBody: 'ok' },
        { Id: 'b', MessageBody: '\u0000' },
      ],
      MOTO,
    ),
    queue: 'sent',
  },
]

const toFifo = (title: string, input: object, documented = {}): Step => ({
  title,
  action: 'SendMessage',
  queue: 'content.fifo',
  input: { MessageBody: 'x', ...input },
  documented,
})
const SEQUENCE = { moto: 'SequenceNumber' }
const DUPLICATE = { moto: 'the message id and the sequence number of the first message' }

const FIFO: Step[] = [
  toFifo('FIFO: no message group', {}),
  toFifo('FIFO: a delay', { MessageGroupId: 'a', DelaySeconds: 1 }),
  { ...toFifo('FIFO: no deduplication id', { MessageGroupId: 'a' }), queue: 'ids.fifo' },
  toFifo('FIFO: by content', { MessageGroupId: 'a' }, SEQUENCE),
  toFifo('FIFO: the same content', { MessageGroupId: 'a' }, DUPLICATE),
  toFifo('FIFO: the same content with an id', { MessageGroupId: 'b', MessageDeduplicationId: 'x' }, SEQUENCE),
  toFifo(
    'FIFO: the same id with other content',
    { MessageGroupId: 'b', MessageDeduplicationId: 'x', MessageBody: '2' },
    DUPLICATE,
  ),
  { title: 'FIFO: received', action: 'ReceiveMessage', queue: 'content.fifo', input: ALL, documented: SEQUENCE },
  {
    ...batch(
      'FIFO: a batch of duplicates',
      entries(2, { MessageBody: 'x', MessageGroupId: 'a', MessageDeduplicationId: 'x' }),
      DUPLICATE,
    ),
    queue: 'ids.fifo',
  },
]

/** One conversation with SQS. Each step depends on the earlier ones. */
const STEPS = [...LIFE, ...REFUSED, ...BATCHES, ...FIFO]

/** Makes the answers of two servers comparable. An id becomes the step that returned it first, times and messages go. */
function normalizer() {
  const seen = new Map<string, string>()
  function origin(kind: string, value: string, title: string) {
    const name = seen.get(value) ?? `${kind} of ${title}`
    seen.set(value, name)
    return name
  }
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any action
  return function normalize(value: any, title: string, key = ''): unknown {
    if (['MessageId', 'ReceiptHandle', 'SequenceNumber'].includes(key)) return origin(key, value, title)
    if (['Message', 'SenderId'].includes(key) || key.endsWith('Timestamp')) return key
    if (key === 'SenderFault') return `${value}` // moto has a string
    if (key === 'RedrivePolicy') return normalize(JSON.parse(value), title)
    if (typeof value === 'string') return value.replace(/^https?:\/\/[^/]*/, '').replaceAll(/\b\d{12}\b/g, 'account')
    if (Array.isArray(value)) {
      return value.map((item, index) => normalize(item, `${title}, ${item.Id ?? index}`)).sort(byText)
    }
    if (typeof value !== 'object' || value === null) return value
    const fields = Object.entries(value).map(([name, field]): [string, unknown] => [
      name,
      normalize(field, title, name),
    ])
    // `local` makes no checksums of attributes.
    return Object.fromEntries(fields.filter(([name, field]) => !isEmpty(field) && !/^MD5Of.*Attributes$/.test(name)))
  }
}

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1
}

function isEmpty(field: unknown): boolean {
  return field === null || (typeof field === 'object' && Object.keys(field as object).length === 0)
}

/** The normalized answers of a server, by the titles of the steps. */
async function converse(endpoint: string, account = ACCOUNT): Promise<Map<string, unknown>> {
  const handles: string[] = []
  const normalize = normalizer()
  const answers = new Map<string, unknown>()
  for (const { title, action, queue = 'orders', input } of STEPS) {
    const target = action === 'GetQueueUrl' ? {} : { QueueUrl: `${endpoint}/${account}/${queue}` }
    const given = typeof input === 'function' ? input(handles) : input
    const { status, code, output } = await call(endpoint, action, { ...target, ...given })
    for (const { ReceiptHandle } of output.Messages ?? []) handles.push(ReceiptHandle)
    answers.set(title, { status, code, output: normalize(output, title) })
  }
  return answers
}

/** Compares another SQS with that of `local`, step by step. Where they differ, `local` must do what is documented. */
export async function compare(t: Test, name: 'fauxqs' | 'moto', endpoint: string, account = ACCOUNT): Promise<void> {
  await createQueues(endpoint, account)
  const own = await converse(await startOwnSqs(t))
  const others = await converse(endpoint, account)
  for (const { title, documented } of STEPS) {
    const why = documented?.[name]
    if (why === undefined) t.strictSame(own.get(title), others.get(title), title)
    else t.notSame(own.get(title), others.get(title), `${title}: ${name} differs from the documentation: ${why}`)
  }
}
