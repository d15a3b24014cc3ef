import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { MessageAttributeValue } from '@aws-sdk/client-sqs'
import { type Test, test } from 'tap'
import { problemOf, sizeOf } from '../../../src/local/queue/message-rules.ts'
import {
  check,
  numberedMessages,
  readMessagesFile,
  readStandardInput,
  toMessage,
} from '../../../src/local/queue/messages-file.ts'
import { folder } from '../../support/runs.ts'

function write(t: Test, name: string, text: string | Buffer) {
  const file = join(folder(t), name)
  writeFileSync(file, text)
  return file
}

function record(body: string, attributes = {}, messageAttributes = {}) {
  return {
    messageId: 'm',
    body,
    attributes,
    messageAttributes,
    eventSource: 'aws:sqs',
  }
}

test('an SQS event: bodies, message groups and attributes of its records', async (t) => {
  const lists = { stringListValues: [], binaryListValues: [] }
  const event = {
    Records: [
      record('{"a":1}', { MessageGroupId: 'g', ApproximateReceiveCount: '4' }),
      record('plain', { MessageGroupId: 'h' }, { kind: { stringValue: 'new', dataType: 'String', ...lists } }),
    ],
  }
  const expected = [
    { body: '{"a":1}', messageGroupId: 'g' },
    { body: 'plain', messageGroupId: 'h', messageAttributes: { kind: { DataType: 'String', StringValue: 'new' } } },
  ]
  t.strictSame(await readMessagesFile(write(t, 'one.json', JSON.stringify(event)), true), expected)
  t.strictSame(await readMessagesFile(write(t, 'many.json', JSON.stringify(event, null, 2)), true), expected)
})

test('plain text lines, and an event whose records are not its first key', async (t) => {
  const bodies = async (text: string) =>
    (await readMessagesFile(write(t, 'm.txt', text), false)).map(({ body }) => body)
  t.strictSame(await bodies('order 1\r\n  order 2\n"3"\n007\n'), ['order 1', 'order 2', '3', '007'])
  t.strictSame(await bodies(JSON.stringify({ note: 'n', Records: [record('1'), record('2')] }, null, 2)), ['1', '2'])
})

test('an S3 event is a body, and SQS events can follow one another', async (t) => {
  const s3 = JSON.stringify({ Records: [{ eventSource: 'aws:s3', s3: {} }] })
  t.strictSame(await readMessagesFile(write(t, 's3.jsonl', s3), false), [{ body: s3 }])
  const sqs = (body: string, space?: number) => JSON.stringify({ Records: [record(body)] }, null, space)
  const text = `${sqs('1')}\n${sqs('2', 2)}\n${JSON.stringify(record('3'))}\n`
  t.strictSame(await readMessagesFile(write(t, 'e.jsonl', text), false), [{ body: '1' }, { body: '2' }, { body: '3' }])
})

test('a byte order mark at the start of a file is not part of a message', async (t) => {
  const bom = '\ufeff'
  t.strictSame(await readMessagesFile(write(t, 'm.jsonl', `${bom}{"a":1}\n"b"\n`), false), [
    { body: '{"a":1}' },
    { body: 'b' },
  ])
  const event = `${bom}${JSON.stringify({ Records: [record('1')] })}`
  t.strictSame(await readMessagesFile(write(t, 'e.json', event), false), [{ body: '1' }])
})

test('an event of which one record has a body is a list of messages, and other Records are a body', async (t) => {
  const bodies = async (Records: unknown) =>
    (await readMessagesFile(write(t, 'e.json', JSON.stringify({ Records })), false)).map(({ body }) => body)
  t.strictSame(await bodies([{ body: '1' }, { body: '2' }]), ['1', '2'])
  for (const Records of [[{ id: 1 }], ['text'], [null], { 0: record('1') }])
    t.strictSame(await bodies(Records), [JSON.stringify({ Records })])
  await t.rejects(bodies([{ body: '1' }, { id: 1 }]), { message: /^message 2 of the list in line 1 of / })
})

test('the attributes of a record may be missing', async (t) => {
  const { attributes, messageAttributes, ...rest } = record('1')
  t.strictSame(await readMessagesFile(write(t, 'e.json', JSON.stringify({ Records: [rest] })), false), [{ body: '1' }])
})

/** Messages as the AWS CLI 2.23 prints them: a dead letter of deadLetter(), and one of a FIFO queue. moto adds null. */
const RECEIVED = {
  Messages: [
    {
      MessageId: '2c2fcdd7-cf34-4b65-b414-8374493acb7c',
      ReceiptHandle: 'mchfhnewplhftxmcgdg',
      MD5OfBody: '8939bc39768ca92a8da7c9bc2555d677',
      Body: '{"id":1,"text":"a\\"b\\\\"}',
      Attributes: {
        SenderId: 'AIDAIT2UOQQY3AUEKVGXU',
        SentTimestamp: '1796150177165',
        ApproximateReceiveCount: '5',
        ApproximateFirstReceiveTimestamp: '1796150178457',
        MessageDeduplicationId: null,
      },
      MD5OfMessageAttributes: 'daf1d1bf4336e72e76c819164971c23b',
      MessageAttributes: {
        blob: { BinaryValue: 'AP8Q', DataType: 'Binary' },
        'DeadLetter.ErrorName': { StringValue: 'PermanentError', DataType: 'String' },
        'DeadLetter.ReceiveCount': { StringValue: '1', DataType: 'Number' },
      },
    },
    {
      MessageId: '1f0a',
      ReceiptHandle: 'gwcjzsddshyntkn',
      MD5OfBody: '0cc175b9c0f1b6a831c399e269772661',
      Body: 'a',
      Attributes: { MessageGroupId: 'g', MessageDeduplicationId: 'd', SequenceNumber: '18', AWSTraceHeader: 'Root=1' },
    },
  ],
}
const TAKEN = [
  {
    body: '{"id":1,"text":"a\\"b\\\\"}',
    messageAttributes: {
      blob: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255, 16]) },
      'DeadLetter.ErrorName': { DataType: 'String', StringValue: 'PermanentError' },
      'DeadLetter.ReceiveCount': { DataType: 'Number', StringValue: '1' },
    },
  },
  { body: 'a', messageGroupId: 'g', messageDeduplicationId: 'd' },
]

test('the output of aws sqs receive-message: bodies, attributes, groups and deduplication ids', async (t) => {
  const [formatted, line] = [JSON.stringify(RECEIVED, null, 4), JSON.stringify(RECEIVED)]
  const list = JSON.stringify(RECEIVED.Messages, null, 4)
  const each = RECEIVED.Messages.map((message) => JSON.stringify(message))
  const formattedEach = RECEIVED.Messages.map((message) => JSON.stringify(message, null, 2))
  for (const [title, text, expected] of [
    ['formatted', `${formatted}\n`, TAKEN],
    ['on one line', line, TAKEN],
    ['--query Messages', list, TAKEN],
    ['a list on one line', JSON.stringify(RECEIVED.Messages), TAKEN],
    ['a message on each line', each.join('\n'), TAKEN],
    ['a formatted message after another', formattedEach.join('\n'), TAKEN],
    ['several outputs', `${formatted}\n\n${line}\n${formatted}`, [...TAKEN, ...TAKEN, ...TAKEN]],
    ['with line ends of Windows', `${formatted}\n${each[1]}\n`.replaceAll('\n', '\r\n'), [...TAKEN, TAKEN[1]]],
    [
      'with a body and a text between',
      `${formatted}\n{"a":1}\ntext`,
      [...TAKEN, { body: '{"a":1}' }, { body: 'text' }],
    ],
  ] as const) {
    t.strictSame(await readMessagesFile(write(t, 'm.json', text), false), expected, title)
  }
})

test('a body may have brackets and quotes in its strings, in formatted JSON, too', async (t) => {
  const bodies = ['{"a":"}]"}', '{"a":"{["}', '"\\"', '[[', 'a"b', '\\']
  const Messages = bodies.map((Body) => ({ Body, note: undefined }))
  const text = JSON.stringify({ Messages }, null, 4)
  t.strictSame(
    (await readMessagesFile(write(t, 'm.json', `${text}\n${text}`), false)).map(({ body }) => body),
    [...bodies, ...bodies],
  )
})

test('a list or an envelope of SQS is never a body, unless it is written as a JSON string', async (t) => {
  const envelopes = [
    JSON.stringify(RECEIVED),
    JSON.stringify(RECEIVED.Messages),
    JSON.stringify({ Records: [record('1')] }),
    JSON.stringify([record('1')]),
    '{"Messages":"none"}',
    '{"MessageBody":"a"}',
    '[{"Id":"1","MessageBody":"a"}]',
    '[]',
  ]
  for (const text of envelopes) {
    const file = write(t, 'm.jsonl', `${text}\n`)
    const bodies = await readMessagesFile(file, false).then(
      (messages) => messages.map(({ body }) => body),
      ({ name }) => [name],
    )
    t.notOk(bodies.includes(text), text)
    t.strictSame(
      await readMessagesFile(write(t, 's.jsonl', `${JSON.stringify(text)}\n`), false),
      [{ body: text }],
      text,
    )
  }
})

/** What is wrong with a value as a message, or the message. */
function made(value: unknown, fifo = false) {
  try {
    return check(toMessage(value), fifo)
  } catch (error) {
    return (error as Error).message
  }
}

const ATTRIBUTE = 'which is not a string, a number, { dataType, stringValue } or { dataType, binaryValue } in base64'
const AS_TEXT = 'To send it as text, write it as a JSON string'
const KEYS = `only body, messageGroupId, messageDeduplicationId and messageAttributes are allowed, and what SQS adds. ${AS_TEXT}`
const NAME =
  'whose name SQS refuses: use at most 256 letters, digits, "_", "-" and single "." inside the name, and do not begin with "AWS." or "Amazon."'
const NUMBER = 'whose value is not a number'
const G128 = 'g'.repeat(128)
const GROUP = 'has a messageGroupId that is not a string of 1 to 128 letters, digits and punctuation characters'
for (const [title, value, expected] of [
  ['a text', 'a', { body: 'a' }],
  ['a number', 7, { body: '7' }],
  ['false', false, { body: 'false' }],
  ['null', null, { body: 'null' }],
  ['a list', [1, { body: 'a' }], { body: '[1,{"body":"a"}]' }],
  ['an object without a body', { id: 1 }, { body: '{"id":1}' }],
  ['an empty object', {}, { body: '{}' }],
  ['an empty text', '', 'has an empty body, which SQS refuses'],
  ['a body that is a text', { body: 'a' }, { body: 'a' }],
  ['a body that is an object', { body: { id: 1 } }, { body: '{"id":1}' }],
  ['a body that is null', { body: null }, { body: 'null' }],
  ['a body that is empty', { body: '' }, 'has an empty body, which SQS refuses'],
  ['a key that is not known', { body: 'a', messageGroupID: 'g' }, `has the key "messageGroupID": ${KEYS}`],
  ['a key of several lines', { body: 'a', 'x\ny': 1 }, `has the key "x\\ny": ${KEYS}`],
  ['a message group', { body: 'a', messageGroupId: 'g' }, { body: 'a', messageGroupId: 'g' }],
  ['a message group of 128 characters', { body: 'a', messageGroupId: G128 }, { body: 'a', messageGroupId: G128 }],
  ['a message group that is empty', { body: 'a', messageGroupId: '' }, GROUP],
  ['a message group that is a number', { body: 'a', messageGroupId: 1 }, GROUP],
  ['a message group with a space', { body: 'a', messageGroupId: 'a b' }, GROUP],
  ['a message group of 129 characters', { body: 'a', messageGroupId: 'a'.repeat(129) }, GROUP],
  ['a message group that is undefined', { body: 'a', messageGroupId: undefined }, { body: 'a' }],
  ['a deduplication id', { body: 'a', messageDeduplicationId: 'd' }, { body: 'a', messageDeduplicationId: 'd' }],
  [
    'a deduplication id with a space',
    { body: 'a', messageDeduplicationId: 'a b' },
    'has a messageDeduplicationId that is not a string of 1 to 128 letters, digits and punctuation characters',
  ],
  ['a body that is undefined', { body: undefined }, 'has no body'],
  ['an entry of SendMessage', { Id: '1', MessageBody: 'a' }, `has a MessageBody: name it "body". ${AS_TEXT}`],
  ['a text that looks like a message', '{"Body":"a","From":"b"}', { body: '{"Body":"a","From":"b"}' }],
  ['no attributes', { body: 'a', messageAttributes: {} }, { body: 'a' }],
  ['attributes that are a list', { body: 'a', messageAttributes: [] }, 'has messageAttributes that are not an object'],
  ['attributes that are null', { body: 'a', messageAttributes: null }, 'has messageAttributes that are not an object'],
  [
    'attributes: a text, a number, and each type',
    {
      body: 'a',
      messageAttributes: {
        text: 'x',
        number: 1.5,
        own: { dataType: 'String.own', stringValue: 'y' },
        binary: { dataType: 'Binary', binaryValue: 'AQI=' },
      },
    },
    {
      body: 'a',
      messageAttributes: {
        text: { DataType: 'String', StringValue: 'x' },
        number: { DataType: 'Number', StringValue: '1.5' },
        own: { DataType: 'String.own', StringValue: 'y' },
        binary: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
      },
    },
  ],
  ...[
    true,
    null,
    {},
    [],
    { dataType: 'String' },
    { binaryValue: 'AQI=' },
    { stringValue: 'x' },
    { dataType: 1, stringValue: 'x' },
    { dataType: 'Binary', binaryValue: 1234 },
  ].map(
    (attribute) =>
      [
        `the attribute ${JSON.stringify(attribute)}`,
        { body: 'a', messageAttributes: { good: 'x', bad: attribute } },
        `has the attribute "bad", ${ATTRIBUTE}`,
      ] as const,
  ),
  ['a control character', 'a\u0007b', 'has a body with the character U+0007, which SQS refuses'],
  ['half of a surrogate pair', 'a\ud800', 'has a body with the character U+D800, which SQS refuses'],
  ['U+FFFF', 'a\uffff', 'has a body with the character U+FFFF, which SQS refuses'],
  ['tabs, line breaks and emoji', '\t\r\n\u{1f600}\u0080', { body: '\t\r\n\u{1f600}\u0080' }],
  ['an object with an escaped control character', { id: '\u0007' }, { body: '{"id":"\\u0007"}' }],
] as const) {
  test(`a message from ${title}`, async (t) => t.strictSame(made(value), expected))
}

/** What is wrong with an attribute. Undefined if it is right. */
function wrong(attribute: unknown, name = 'x') {
  const message = made({ body: 'a', messageAttributes: { [name]: attribute } })
  return typeof message === 'string' ? message.replace(`has the attribute ${JSON.stringify(name)}, `, '') : undefined
}

test('an attribute must have a name that SQS accepts', async (t) => {
  for (const name of ['a', '_', '-', 'a.b', 'awsx', 'aws', 'a'.repeat(256)]) t.equal(wrong('v', name), undefined, name)
  const refused = ['', '.a', 'a.', 'a..b', 'ab..c', 'a b', 'ä', 'AWS.a', 'aws.a', 'Amazon.a', 'a'.repeat(257)]
  for (const name of refused) t.equal(wrong('v', name), NAME, name)
})

test('an attribute must have a type of SQS, and the value of this type', async (t) => {
  const type = (dataType: string, value: object = { stringValue: '1' }) => wrong({ dataType, ...value })
  for (const dataType of ['String', 'Number', 'Number.int', `String.${'a'.repeat(249)}`]) {
    t.equal(type(dataType), undefined, dataType)
  }
  const unknown = 'whose type is not String, Number or Binary, or one of these with ".name"'
  for (const dataType of ['string', 'Text', 'Strings', 'MyString', 'String.', '', `String.${'a'.repeat(250)}`]) {
    t.equal(type(dataType), unknown, dataType)
  }
  t.equal(type('Binary'), 'of type Binary, which needs a binaryValue')
  t.equal(type('Number', { binaryValue: 'AA==' }), 'of type Number, which needs a stringValue')
  for (const binaryValue of ['AA==', 'AA', 'AAA=', 'AAA', 'AAAA']) t.equal(type('Binary', { binaryValue }), undefined)
  for (const binaryValue of ['A', 'AA=', '??', 'AA==A']) t.equal(type('Binary', { binaryValue }), ATTRIBUTE)
})

test('an attribute must have a value, without control characters', async (t) => {
  const empty = 'whose value is empty'
  t.equal(wrong(''), empty)
  t.equal(wrong({ dataType: 'Binary', binaryValue: '' }), empty)
  t.equal(wrong('a\u0000'), 'has the attribute "x" with the character U+0000, which SQS refuses')
})

test('attributes without a type or a value, as other clients can send them', async (t) => {
  const problem = (attribute: MessageAttributeValue) =>
    problemOf({ MessageBody: 'a', MessageAttributes: { x: attribute } })
  t.equal(problem({ DataType: 'String' }), 'has the attribute "x", whose value is empty')
  t.match(problem({ DataType: undefined, StringValue: 'a' }), 'whose type is not String')
  t.equal(sizeOf({}), 0)
  t.equal(sizeOf({ MessageAttributes: { x: { DataType: undefined } } }), 1)
})

test('a number must be one that SQS accepts', async (t) => {
  const number = (stringValue: string) => wrong({ dataType: 'Number', stringValue })
  for (const text of ['0', '-1.5', '+1', '.5', '5.', '1e3', '1E-3', '9'.repeat(38)])
    t.equal(number(text), undefined, text)
  for (const text of ['x', '1x', '', ' ', '.', '1e', '0x1', 'Infinity', '1,5']) {
    t.equal(number(text), text === '' ? 'whose value is empty' : NUMBER, text)
  }
})

test('a message has at most ten attributes', async (t) => {
  const message = (count: number) =>
    made({ body: 'a', messageAttributes: Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, 'v'])) })
  t.match(message(10), { body: 'a' })
  t.equal(message(11), 'has 11 attributes, but SQS allows at most 10')
})

test('an input that is not UTF-8 is refused', async (t) => {
  const latin = Buffer.from('Stra\u00dfe\n', 'latin1')
  const file = write(t, 'm.txt', latin)
  const rest = 'is not UTF-8, so SQS would refuse its messages: convert it to UTF-8'
  await t.rejects(readMessagesFile(file, false), { name: 'UsageError', message: `${file} ${rest}` })
  for (const bytes of [latin, Buffer.from('\u20ac').subarray(0, 2)]) {
    t.intercept(process, 'stdin', { value: Readable.from([bytes]) })
    await t.rejects(readMessagesFile('-', false), { name: 'UsageError', message: `standard input ${rest}` })
  }
})

const LIMIT = 1024 * 1024
const TOO_LARGE = `of ${LIMIT + 1} bytes, but the queue allows at most ${LIMIT}`

test('a body has at most 1 MiB, in bytes', async (t) => {
  t.strictSame(made('x'.repeat(LIMIT)), { body: 'x'.repeat(LIMIT) })
  t.equal(made('x'.repeat(LIMIT + 1)), `has a body ${TOO_LARGE}`)
  t.equal(made(`${'ä'.repeat(LIMIT / 2)}x`), `has a body ${TOO_LARGE}`)
})

test('the names, types and values of the attributes count, too', async (t) => {
  const message = (bytes: number) => ({
    body: 'x'.repeat(bytes),
    messageAttributes: {
      names: 'välue', // 5 + 6 + 6 bytes
      binary: { dataType: 'Binary', binaryValue: 'AQID' }, // 6 + 6 + 3 bytes
    },
  })
  t.match(made(message(LIMIT - 32)), { body: /^x+$/ })
  t.equal(made(message(LIMIT - 31)), `has a body and attributes ${TOO_LARGE}`)
})

test('a FIFO queue requires a message group', async (t) => {
  t.equal(made({ body: 'a' }, true), 'has no messageGroupId, which a FIFO queue requires')
  t.equal(made('a', true), 'has no messageGroupId, which a FIFO queue requires')
  t.strictSame(made({ body: 'a', messageGroupId: 'g' }, true), { body: 'a', messageGroupId: 'g' })
})

test('numbered messages, with and without groups', async (t) => {
  t.strictSame([...numberedMessages(2)], [{ body: '{"number":1}' }, { body: '{"number":2}' }])
  t.strictSame(
    [...numberedMessages(3, 2)],
    [
      { body: '{"number":1}', messageGroupId: 'group-1' },
      { body: '{"number":2}', messageGroupId: 'group-0' },
      { body: '{"number":3}', messageGroupId: 'group-1' },
    ],
  )
  t.strictSame([...numberedMessages(1, 1)], [{ body: '{"number":1}', messageGroupId: 'group-0' }])
})

/** The error of a file with this content, without its name. */
async function refused(t: Test, text: string) {
  const file = write(t, 'm.jsonl', text)
  const error = await readMessagesFile(file, false).catch((error) => error)
  t.equal(error.name, 'UsageError')
  return String(error.message).replace(file, 'FILE')
}

const ON_ONE_LINE = `write each JSON body on one line. ${AS_TEXT}`
const NONE =
  'FILE has no messages: write one message per line, an SQS event, or the output of aws sqs receive-message, which is empty if no message is visible'
const NO_LIST = `line 1 of FILE is an empty list of messages. ${AS_TEXT}`
for (const [title, text, message] of [
  ['an empty file', '', NONE],
  ['a file of spaces', ' \n\t\n', NONE],
  ['an SQS event without records', '{"Records":[]}', NO_LIST],
  ['a formatted SQS event without records', '{\n  "Records": []\n}\n', NO_LIST],
  ['an output of the AWS CLI without messages', '{\n    "Messages": []\n}\n', NO_LIST],
  ['an empty list', '[]', NO_LIST],
  ['a second output without messages', '{"Messages":[{"Body":"a"}]}\n[]', NO_LIST.replace('1', '2')],
  [
    'Messages that are null',
    '{"Messages":null}',
    `line 1 of FILE has Messages that are not a list, as aws sqs receive-message prints it. ${AS_TEXT}`,
  ],
  [
    'a message of a list that is no message',
    '{"Messages":[{"Body":"a"},{"Text":"b"}]}',
    'message 2 of the list in line 1 of FILE is not an object with a body',
  ],
  [
    'an entry of SendMessageBatch',
    '1\n[{"Id":"1","MessageBody":"a"}]',
    `message 1 of the list in line 2 of FILE has a MessageBody: name it "body". ${AS_TEXT}`,
  ],
  ['a body with the key Body', '{"Body":"a","From":"b"}', `line 1 of FILE has the key "From": ${KEYS}`],
  ['a JSON list on several lines', '\n[\n1,\n2\n]\n', `line 2 of FILE is a body of several lines: ${ON_ONE_LINE}`],
  ['a JSON object on several lines', '{\n"a":1\n}\n', `line 1 of FILE is a body of several lines: ${ON_ONE_LINE}`],
  ['a second line that is not JSON', '1\n  {"a":x}\n', `line 2 of FILE is not valid JSON: ${ON_ONE_LINE}`],
  ['a text that does not end', '"a\n', `line 1 of FILE is not valid JSON: ${ON_ONE_LINE}`],
  [
    'a line that ends too early, before others',
    '1\n{"a":1,\n{"b":2}\n',
    `line 2 of FILE is not valid JSON: ${ON_ONE_LINE}`,
  ],
  [
    'an event with a number on two lines',
    '{"Records":[],"x":1\n2}',
    `line 1 of FILE is not valid JSON: ${ON_ONE_LINE}`,
  ],
  ['a line after a thousand', `${'1\n'.repeat(1233)}""`, 'line 1,234 of FILE has an empty body, which SQS refuses'],
] as const) {
  test(`${title} is refused`, async (t) => t.equal(await refused(t, text), message))
}

test('a list on one line is a body, and so is text that begins like no JSON', async (t) => {
  for (const text of ['[1,2]', 'a{', '-x', 'truex']) {
    t.strictSame(await readMessagesFile(write(t, 'm.txt', `${text}\n`), false), [{ body: text }], text)
    t.strictSame(await readMessagesFile(write(t, 'm.txt', ` ${text} `), false), [{ body: text }], text)
  }
})

test('a body keeps the form of its line: numbers and spaces', async (t) => {
  const lines = ['1.0', '{ "a" : 1 }', '{"a":12345678901234567890}']
  t.strictSame(
    await readMessagesFile(write(t, 'm.jsonl', lines.join('\n')), false),
    lines.map((body) => ({ body })),
  )
})

test('a line with a group, on a FIFO queue', async (t) => {
  const file = write(t, 'm.jsonl', '{"body":"a","messageGroupId":"g"}\nb\n')
  const message = `line 2 of ${file} has no messageGroupId, which a FIFO queue requires`
  await t.rejects(readMessagesFile(file, true), { name: 'UsageError', message })
})

const input = (t: Test, ...chunks: (string | Buffer)[]) =>
  t.intercept(process, 'stdin', { value: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) })

test('standard input', async (t) => {
  input(t, 'a\nb\n')
  t.strictSame(await readMessagesFile('-', false), [{ body: 'a' }, { body: 'b' }])
  input(t, 'a\n""\n')
  const message = 'line 2 of standard input has an empty body, which SQS refuses'
  await t.rejects(readMessagesFile('-', false), { name: 'UsageError', message })
  input(t)
  await t.rejects(readMessagesFile('-', false), { name: 'UsageError', message: NONE.replace('FILE', 'standard input') })
})

test('standard input may break at any byte, and has the same forms as a file', async (t) => {
  const euro = Buffer.from('\ufeff"€"\n"\u2028"\n')
  input(t, euro.subarray(0, 5), euro.subarray(5, 6), euro.subarray(6))
  t.strictSame(await readMessagesFile('-', false), [{ body: '€' }, { body: '\u2028' }])
  const event = JSON.stringify({ Records: [record('1'), record('2')] })
  for (const text of [event, JSON.stringify(JSON.parse(event), null, 2)]) {
    input(t, ' \n', text.slice(0, 20), text.slice(20), '\n\n \n')
    t.strictSame(await readMessagesFile('-', false), [{ body: '1' }, { body: '2' }])
  }
  input(t, `${event}\n`, 'x')
  t.strictSame(await readMessagesFile('-', false), [{ body: '1' }, { body: '2' }, { body: 'x' }])
})

for (const [kind, bodies] of [
  ['numbers', ['1', '2', '3']],
  ['objects', ['{"a":1}', '{"a":2}', '{"a":3}']],
  ['lists', ['[1]', '[2]', '[3]']],
  ['text with a brace', ['a {', 'b {', 'c {']],
  ['text that begins with a bracket after its first word', ['a[', 'b[', 'c[']],
] as const) {
  test(`messages of standard input arrive with their lines: ${kind}`, async (t) => {
    let taken = 0
    async function* slow() {
      for (const line of ['', ...bodies]) {
        taken += 1
        yield Buffer.from(`${line}\n`)
      }
      throw Object.assign(new Error('it is read too early'), { code: 'EARLY' })
    }
    t.intercept(process, 'stdin', { value: slow() })
    const messages = readStandardInput(false)[Symbol.asyncIterator]()
    for (const [index, lines] of [2, 3, 4].entries()) {
      t.strictSame([(await messages.next()).value, taken], [{ body: bodies[index] }, lines])
    }
    await t.rejects(messages.next(), { message: 'standard input cannot be read (EARLY)' })
  })
}

test('a file that cannot be read is refused with its code', async (t) => {
  const file = join(folder(t), 'none')
  const message = `${file} cannot be read (ENOENT)`
  await t.rejects(readMessagesFile(file, false), { name: 'UsageError', message })
})
