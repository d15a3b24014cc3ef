import type { SQSMessageAttribute } from 'aws-lambda'
import t from 'tap'
import { PermanentError } from '../../src/index.ts'
import { permanent, plain, reasons, setUp, text } from '../support/dead-letters.ts'
import { idsOf } from '../support/failures.ts'
import { failure } from '../support/sqs.ts'

const MIB = 1_048_576

function attributes(count: number) {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`own${index}`, plain(`value ${index}`)]))
}

/** The size of attributes as SQS counts it. */
function bytesOf(attributes: Record<string, { DataType: string; StringValue: string }>) {
  return Object.entries(attributes)
    .flatMap(([name, { DataType, StringValue }]) => [name, DataType, StringValue])
    .reduce((sum, part) => sum + Buffer.byteLength(part), 0)
}

t.test("a dead letter has the record's own attributes of every type", async (t) => {
  const { handle, received } = await setUp(t)
  const messageAttributes: Record<string, SQSMessageAttribute> = {
    tenant: plain('acme'),
    // An attribute in an event can have both kinds of value.
    retries: { dataType: 'Number.int', stringValue: '7', binaryValue: 'AAAA' },
    thumbnail: { dataType: 'Binary.gif', stringValue: '', binaryValue: Buffer.from([0, 255, 7]).toString('base64') },
    note: { dataType: 'String.html', stringValue: '<b>' },
  }
  await handle([failure('m0', permanent, { messageAttributes })])
  t.strictSame((await received()).get('body of m0')?.MessageAttributes, {
    tenant: text('acme'),
    retries: { DataType: 'Number.int', StringValue: '7' },
    thumbnail: { DataType: 'Binary.gif', BinaryValue: new Uint8Array([0, 255, 7]) },
    note: { DataType: 'String.html', StringValue: '<b>' },
    ...reasons('m0'),
  })
})

t.test(
  'if a message would have more than ten attributes, the last attributes of the reason are omitted, and one line says so',
  async (t) => {
    const { handle, received } = await setUp(t)
    const { remaining, lines } = await handle([
      failure('m0', permanent, { messageAttributes: attributes(8) }),
      failure('m1', permanent, { messageAttributes: attributes(10) }),
      failure('m2', permanent, { messageAttributes: attributes(5) }),
    ])
    t.strictSame(remaining, [])
    const messages = await received()
    const namesOf = (id: string) => Object.keys(messages.get(`body of ${id}`)?.MessageAttributes ?? {}).slice(-2)
    t.strictSame(namesOf('m0'), ['DeadLetter.ErrorName', 'DeadLetter.ErrorMessage'])
    t.strictSame(namesOf('m1'), ['own8', 'own9'])
    t.strictSame(namesOf('m2'), ['DeadLetter.SourceQueue', 'DeadLetter.ReceiveCount'])
    t.strictSame(lines, [
      'deadLetter(): 2 messages were sent to dead without DeadLetter.OriginalMessageId, DeadLetter.SourceQueue, DeadLetter.ReceiveCount, DeadLetter.ErrorName, DeadLetter.ErrorMessage: the limits of SQS leave no room for these attributes',
    ])
  },
)

t.test('omitted attributes are not logged if SQS refused the message', async (t) => {
  const { handle } = await setUp(t, { faults: { entry: () => 'InternalError' } })
  const { lines } = await handle([failure('m0', permanent, { messageAttributes: attributes(10) })])
  t.strictSame(lines, [
    'deadLetter(): 1 of 1 records could not be sent to dead and stay failed: 1 × InternalError: try again',
  ])
})

t.test('a new reason replaces the reason of an earlier dead letter', async (t) => {
  const { handle, received } = await setUp(t)
  const earlier = Object.fromEntries(Object.keys(reasons('')).map((name) => [name, plain('earlier')]))
  const { lines } = await handle([failure('m0', permanent, { messageAttributes: { ...attributes(5), ...earlier } })])
  t.match((await received()).get('body of m0')?.MessageAttributes, reasons('m0'))
  t.strictSame(lines, [])
})

t.test('attributes have only characters that SQS accepts, whatever was thrown', async (t) => {
  const { handle, received } = await setUp(t, { options: { when: () => true } })
  const hostile = {
    get name() {
      throw new Error('not to be read')
    },
  }
  const thrown: [error: unknown, name: string, message?: string][] = [
    [new RangeError('tab\tline\nend\r\u0000\u001b\uffff'), 'RangeError', 'tab\tline\nend\r\ufffd\ufffd\ufffd'],
    [new Error('\ud83d and \ude00 but \u{1f600}'), 'Error', '\ufffd and \ufffd but \u{1f600}'],
    [new Error('x'.repeat(1000)), 'Error', 'x'.repeat(1000)],
    [new Error('x'.repeat(1001)), 'Error', `${'x'.repeat(999)}…`],
    [new Error(`${'x'.repeat(998)}\u{1f600}yy`), 'Error', `${'x'.repeat(998)}\ufffd…`],
    [new Error(''), 'Error'],
    [new PermanentError(), 'PermanentError', 'ERR_PERMANENT'],
    [Object.assign(new Error(''), { code: 11000 }), 'Error'],
    ['', 'string'],
    ['no', 'string', 'no'],
    [undefined, 'undefined', 'undefined'],
    [null, 'object', 'null'],
    [Symbol('why'), 'symbol', 'Symbol(why)'],
    [{ message: 5, name: '' }, 'object'],
    [{ message: 'no', name: 7 }, 'object', 'no'],
    [Object.assign(() => {}, { message: 'a function' }), 'object', 'a function'],
    [hostile, 'an error that throws when it is read'],
  ]
  const { remaining } = await handle(thrown.map(([error], index) => failure(`m${index}`, error)))
  t.strictSame(remaining, [])
  const messages = await received()
  for (const [index, [, name, message]] of thrown.entries()) {
    const sent = messages.get(`body of m${index}`)?.MessageAttributes ?? {}
    t.equal(sent['DeadLetter.ErrorName']?.StringValue, name)
    t.equal(sent['DeadLetter.ErrorMessage']?.StringValue, message)
  }
})

t.test('a hand-made record with only an id and a body is sent', async (t) => {
  const { handle, received, calls } = await setUp(t)
  const record = { messageId: 'm0', body: 'by hand', messageAttributes: undefined } as never
  t.strictSame((await handle([{ record, error: permanent, receiveCount: 1 }])).remaining, [])
  const { 'DeadLetter.SourceQueue': _, ...rest } = reasons('m0')
  t.strictSame((await received()).get('by hand')?.MessageAttributes, rest)

  const messageAttributes = { text: { dataType: 'String' }, bytes: { dataType: 'Binary' } }
  await handle([failure('m1', permanent, { messageAttributes })])
  t.match(calls[1]?.input.Entries[0].MessageAttributes, {
    text: { DataType: 'String', StringValue: '' },
    bytes: { DataType: 'Binary', BinaryValue: '' },
  })
})

t.test('DeadLetter.SourceQueue is sourceQueueUrl if that option is set', async (t) => {
  const sourceQueueUrl = 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders'
  const { handle, received } = await setUp(t, { options: { sourceQueueUrl } })
  await handle([failure('m0', permanent)])
  t.strictSame(
    (await received()).get('body of m0')?.MessageAttributes?.['DeadLetter.SourceQueue'],
    text(sourceQueueUrl),
  )
})

t.test('a call may have exactly 1 MiB', async (t) => {
  const { handle, sizes } = await setUp(t)
  const reason = bytesOf(reasons('m0'))
  const half = 'x'.repeat(MIB / 2 - reason)
  await handle([failure('m0', permanent, { body: half }), failure('m1', permanent, { body: half })])
  t.strictSame(sizes(), [2])
  await handle([failure('m2', permanent, { body: half }), failure('m3', permanent, { body: `${half}x` })])
  t.strictSame(sizes(), [2, 1, 1])
})

t.test(
  'a body at the size limit is sent without the attributes that do not fit, and the other records are sent too',
  async (t) => {
    const { handle, received, sizes } = await setUp(t)
    const { 'DeadLetter.ErrorName': name, 'DeadLetter.ErrorMessage': message } = reasons('m1')
    const two = bytesOf({ 'DeadLetter.ErrorName': name, 'DeadLetter.ErrorMessage': message })
    const tenant = 'acme'.repeat(50)
    const { remaining, lines } = await handle([
      failure('m0', permanent, { body: 'w'.repeat(MIB) }),
      failure('m1', permanent, {
        body: 'x'.repeat(MIB - bytesOf({ tenant: text(tenant) })),
        messageAttributes: { tenant: plain(tenant) },
      }),
      failure('m2', permanent, { body: 'y'.repeat(MIB - two) }),
      failure('m3', permanent, { body: 'z'.repeat(MIB - two + 1) }),
      failure('m4', permanent),
    ])
    t.strictSame(remaining, [])
    t.strictSame(sizes(), [1, 1, 1, 1, 1])
    const names = new Map(
      [...(await received())].map(([body, message]) => [body[0], Object.keys(message.MessageAttributes ?? {})]),
    )
    t.strictSame(names.get('w'), [])
    t.strictSame(names.get('x'), ['tenant'])
    t.strictSame(names.get('y'), ['DeadLetter.ErrorName', 'DeadLetter.ErrorMessage'])
    // A later and shorter attribute still fits.
    t.strictSame(names.get('z'), ['DeadLetter.ErrorName', 'DeadLetter.OriginalMessageId'])
    t.equal(names.get('b')?.length, 5)
    t.match(lines, [
      /^deadLetter\(\): 4 messages were sent to dead without DeadLetter\.ErrorName, .*: the limits of SQS leave no room for these attributes$/,
    ])
  },
)

t.test('a record whose body a middleware parsed stays failed, and the others are sent', async (t) => {
  const { handle, received } = await setUp(t)
  const { remaining, lines } = await handle([
    failure('m0', permanent),
    failure('m1', permanent, { body: { secret: 1 } as never }),
    failure('m2', permanent),
  ])
  t.strictSame(idsOf(remaining), ['m1'])
  t.strictSame([...(await received()).keys()], ['body of m0', 'body of m2'])
  t.strictSame(lines, [
    'deadLetter(): 1 of 3 records could not be sent to dead and stay failed: 1 × TypeError: expected a body of text, got an object: let only eachRecord() or eachChunk() parse it',
  ])
})
