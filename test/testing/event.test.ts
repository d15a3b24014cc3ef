import { createHash } from 'node:crypto'
import t from 'tap'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { sqsEvent } from '../../src/testing/index.ts'

const UUID = /^[\da-f]{8}-[\da-f]{4}-[1-5][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

t.test('each body becomes a record as Lambda sends it', async (t) => {
  const before = Date.now()
  const { Records, ...rest } = sqsEvent(['text', { orderId: 7 }, ['a', 1]])
  const after = Date.now()
  t.strictSame(rest, {})
  t.strictSame(
    Records.map(({ body }) => body),
    ['text', '{"orderId":7}', '["a",1]'],
  )
  for (const record of Records) {
    const { messageId, receiptHandle, body, attributes, ...fields } = record
    t.match(messageId, UUID)
    t.match(receiptHandle, /^AQEB[\w+/]{256}$/)
    t.strictSame(fields, {
      messageAttributes: {},
      md5OfBody: createHash('md5').update(body).digest('hex'),
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:my-queue',
      awsRegion: 'us-east-1',
    })
    const { SentTimestamp, ApproximateFirstReceiveTimestamp, ...others } = attributes
    t.strictSame(others, { ApproximateReceiveCount: '1', SenderId: 'AIDAIENQZJOLO23YVJ4VO' })
    const firstReceived = Number(ApproximateFirstReceiveTimestamp)
    t.ok(before <= firstReceived && firstReceived <= after, 'the time of the first receive is now')
    t.equal(Number(SentTimestamp), firstReceived - 1)
  }
  t.equal(Records[0]?.md5OfBody, '1cb251ec0d568de6a929b520c4aed8d1') // printf text | md5sum
  t.equal(sqsEvent(['größer']).Records[0]?.md5OfBody, '3b1f5bccdd98086ae8f1852fd2aabe54', 'the MD5 of the UTF-8 bytes')
})

t.test('message ids and receipt handles are unique, also in different events', async (t) => {
  const records = Array.from({ length: 20 }, () => sqsEvent(['same', 'same']).Records).flat()
  t.equal(new Set(records.map(({ messageId }) => messageId)).size, 40)
  t.equal(new Set(records.map(({ receiptHandle }) => receiptHandle)).size, 40)
})

t.test('an object with a messageId and a body is a record, and keeps its own fields and attributes', async (t) => {
  const messageAttributes = { tenant: { dataType: 'String', stringValue: 'ada' } }
  const given = {
    messageId: 'm1',
    body: { orderId: 7 },
    receiptHandle: 'receipt',
    md5OfBody: 'wrong',
    md5OfMessageAttributes: 'other',
    eventSource: 'aws:kinesis',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:orders',
    awsRegion: 'eu-west-1',
    messageAttributes,
    attributes: { ApproximateReceiveCount: '9', AWSTraceHeader: 'Root=1' },
  }
  const event = sqsEvent([{ messageId: 'm0', body: 'text' }, given, 'body'], { receiveCount: 2 })
  const [first, second, third] = event.Records
  t.match(first, { messageId: 'm0', body: 'text', attributes: { ApproximateReceiveCount: '2' } })
  t.equal(first?.md5OfBody, '1cb251ec0d568de6a929b520c4aed8d1')
  const { attributes, ...fields } = second ?? {}
  const { attributes: _, ...expected } = given
  t.strictSame(fields, { ...expected, body: '{"orderId":7}' })
  t.match(attributes, { ApproximateReceiveCount: '9', AWSTraceHeader: 'Root=1', SenderId: /^AIDA/ })
  t.match(third?.messageId, UUID)
  t.equal(third?.body, 'body')
})

t.test('an object with only one of messageId and body is a body', async (t) => {
  const bodies = [{ messageId: 'm1' }, { body: 'hello', subject: 'mail' }]
  t.strictSame(
    sqsEvent(bodies).Records.map(({ body }) => JSON.parse(body)),
    bodies,
  )
})

t.test('fifo: records have the ARN and attributes of a FIFO queue, and one group by default', async (t) => {
  const { Records } = sqsEvent(['a', { messageId: 'm1', body: 'b' }], { fifo: true })
  t.strictSame(checkSqsEvent({ Records }).groups, ['my-group', 'my-group'])
  t.strictSame(
    Records.map(({ eventSourceARN }) => eventSourceARN),
    ['arn:aws:sqs:us-east-1:123456789012:my-queue.fifo', 'arn:aws:sqs:us-east-1:123456789012:my-queue.fifo'],
  )
  t.strictSame(
    Records.map(({ attributes }) => attributes.SequenceNumber),
    ['18849496460467696128', '18849496460467696129'],
  )
  t.strictSame(
    Records.map(({ attributes }) => attributes.MessageDeduplicationId),
    [Records[0]?.messageId, 'm1'],
  )
  const grouped = sqsEvent(['a', { messageId: 'm1', body: 'b', attributes: { MessageGroupId: 'own' } }, 'c'], {
    fifo: true,
    groups: ['x', 'y', 'x'],
  })
  t.strictSame(checkSqsEvent(grouped).groups, ['x', 'own', 'x'])
})

t.test('groups without fifo: records have the groups of a fair queue', async (t) => {
  const event = sqsEvent(['a', 'b'], { groups: ['x', 'y'] })
  t.equal(checkSqsEvent(event).groups, undefined)
  t.strictSame(
    event.Records.map(({ attributes }) => attributes.MessageGroupId),
    ['x', 'y'],
  )
  t.notOk('SequenceNumber' in (event.Records[0]?.attributes ?? {}))
})

t.test('receiveCount: the first receive is one visibility timeout earlier for each redelivery', async (t) => {
  const before = Date.now()
  const event = sqsEvent(['a', 'b'], { receiveCount: 3 })
  const after = Date.now()
  t.strictSame(checkSqsEvent(event).receiveCounts, [3, 3])
  const firstReceived = Number(event.Records[0]?.attributes.ApproximateFirstReceiveTimestamp)
  t.ok(before - 60_000 <= firstReceived && firstReceived <= after - 60_000)
})

t.test('an event can have 10,000 records or none', async (t) => {
  t.equal(checkSqsEvent(sqsEvent(new Array(10_000).fill('body'))).records.length, 10_000)
  t.strictSame(sqsEvent([]), { Records: [] })
})

t.test('invalid arguments are a TypeError that says what was expected and received, without a body', async (t) => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  const body = 'expected the body of record 0 to be a string, or an object that JSON can contain, got'
  const messageId = 'expected the messageId of record 0 to be a non-empty string, got'
  const groups = 'expected option groups to be an array of message groups (non-empty strings), got'
  const receiveCount = 'expected option receiveCount to be a positive integer, got'
  for (const [args, message] of [
    [['a'], 'expected an array of bodies or records, got a string'],
    [[], 'expected an array of bodies or records, got undefined'],
    [[['a', 5]], body.replace('0', '1').concat(' a number')],
    [[[null]], `${body} null`],
    [[new Array(1)], `${body} undefined`],
    [[[circular]], `${body} an object`],
    [[[() => {}]], `${body} a function`],
    [[[{ messageId: 'm0', body: true }]], `${body} a boolean`],
    [[[{ messageId: '', body: 'a' }]], `${messageId} an empty string`],
    [[[{ messageId: 5, body: 'a' }]], `${messageId} a number`],
    [
      [['a', { messageId: 'm1', body: 'secret', from: 'ada' }]],
      'record 1 has the field "from", which no SQS record has. If the object is a body, pass it as a string, made with JSON.stringify()',
    ],
    [[[], { fifo: 'yes' }], 'expected option fifo to be true or false, got "yes" (a string)'],
    [[['a'], { groups: ['x', ''] }], `${groups} an array`],
    [[['a'], { groups: [5] }], `${groups} an array`],
    [[['a'], { groups: 'a' }], `${groups} "a" (a string)`],
    [[['a', 'b'], { groups: ['x'] }], 'expected option groups to have a message group for each of 2 records, got 1'],
    [[['a'], { receiveCount: 0 }], `${receiveCount} 0 (a number)`],
    [[['a'], { receiveCount: 1.5 }], `${receiveCount} 1.5 (a number)`],
    [[['a'], { count: 1 }], 'unknown option "count", expected one of fifo, groups, receiveCount'],
    [[['a'], 5], 'expected an object of options, got a number'],
  ] as const) {
    const error = { name: 'TypeError', message: `sqsEvent(): ${message}` }
    t.throws(() => sqsEvent(...(args as unknown as Parameters<typeof sqsEvent>)), error)
  }
})

t.test('the error about a body that has no JSON has the cause', async (t) => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  t.throws(() => sqsEvent([circular]), { cause: { name: 'TypeError', message: /circular/ } })
})
