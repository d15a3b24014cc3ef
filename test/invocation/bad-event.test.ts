import middy from '@middy/core'
import t from 'tap'
import { boundedSqsBatch, InvalidSqsEventError } from '../../src/index.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { failed, handlerOf, testContext } from '../support/handlers.ts'

const good = sqsRecord('a')
const SECRET = new Error('SECRET')
function without(field: string) {
  return Object.fromEntries(Object.entries(good).filter(([key]) => key !== field))
}

const bad: [what: string, event: unknown, message: RegExp][] = [
  ['null', null, /got null/],
  ['a string', 'SECRET', /got a string/],
  ['a number', 7, /got a number/],
  ['an array', [good], /Records: undefined/],
  ['an object without Records', { records: [good] }, /Records: undefined/],
  [
    'Records without a length',
    { Records: new Proxy([], { get: (list, key) => (key === 'length' ? NaN : Reflect.get(list, key)) }) },
    /with a Records array, got Records: an array/,
  ],
  ['Records that is not an array', { Records: { 0: good, length: 1 } }, /Records: an object/],
  ['a record that is null', { Records: [good, null] }, /record 1 is null/],
  ['a hole in Records', { Records: new Array(2) }, /record 0 is undefined/],
  ['a record that is a string', { Records: ['SECRET'] }, /record 0 is a string/],
  [
    'a record of another source',
    { Records: [good, good, good, sqsRecord('b', { eventSource: 'aws:kinesis' })] },
    /record 3 comes from "aws:kinesis" \(a string\)/,
  ],
  ['a record of SNS', { Records: [{ EventSource: 'aws:sns', Sns: { Message: 'SECRET' } }] }, /messageId .* record 0/],
  ['a source that is null', { Records: [{ ...good, eventSource: null }] }, /record 0 comes from null/],
  ['a messageId that is missing', { Records: [good, without('messageId')] }, /messageId .* record 1 is undefined/],
  ['a messageId that is empty', { Records: [sqsRecord('')] }, /messageId .* record 0 is "" \(a string\)/],
  ['a messageId that is a number', { Records: [{ ...good, messageId: 5 }] }, /messageId .* record 0 is 5 \(a number\)/],
  [
    'an event that throws when it is read',
    {
      get Records() {
        throw SECRET
      },
    },
    /throws when it is read/,
  ],
  [
    'a record that throws when it is read',
    {
      Records: [
        {
          get messageId() {
            throw SECRET
          },
        },
      ],
    },
    /throws when it is read/,
  ],
]

for (const [what, event, message] of bad) {
  t.test(`${what} fails the invocation before any record starts`, async (t) => {
    let started = 0
    const error = await handlerOf(() => started++)(event as never).catch((error) => error)
    t.ok(error instanceof InvalidSqsEventError, String(error))
    t.equal(error.name, 'InvalidSqsEventError')
    t.equal(error.code, 'ERR_INVALID_SQS_EVENT')
    t.match(error.message, message)
    t.notMatch(error.message, 'SECRET')
    t.equal(error.cause, what.endsWith('throws when it is read') ? SECRET : undefined)
    t.equal(started, 0)
  })
}

t.test('a record without eventSource is accepted, for hand-made test events', async (t) => {
  const event = { Records: [without('eventSource'), { messageId: 'b' }] } as never
  const handle = handlerOf(({ messageId }, _context, { receiveCount }) => {
    t.equal(receiveCount, 1)
    if (messageId === 'b') throw new Error('b')
  })
  t.strictSame(failed(await handle(event)), ['b'])
})

t.test('a record without an ARN, in an event made by hand, belongs to no message group', async (t) => {
  const event = { Records: [{ messageId: 'a' }, { messageId: 'b', eventSourceARN: 'arn:of-a-queue.fifo' }] } as never
  const handle = handlerOf(({ messageId }) => {
    if (messageId === 'a') throw new Error('a')
  })
  t.strictSame(failed(await handle(event)), ['a'])
})

t.test('messageId is read once, so the reported value is the checked one', async (t) => {
  let reads = 0
  const changing = {
    get messageId() {
      return reads++ === 0 ? 'true' : 'false'
    },
  }
  const handle = handlerOf(() => {
    throw new Error('x')
  })
  t.strictSame(failed(await handle({ Records: [changing] } as never)), ['true'])
})

t.test('receiveCount is 1 if the attribute is not a positive number', async (t) => {
  const counts: number[] = []
  const event = standardEvent('a', 'b', 'c', 'd')
  const [a, b, c, d] = event.Records
  if (d) d.attributes.ApproximateReceiveCount = 'Infinity'
  if (c) c.attributes.ApproximateReceiveCount = '-5'
  if (a) a.attributes.ApproximateReceiveCount = '17'
  if (b) b.attributes.ApproximateReceiveCount = 'nonsense'
  await handlerOf((_record, _context, { receiveCount }) => counts.push(receiveCount))(event)
  t.strictSame(counts, [17, 1, 1, 1])
})

t.test('the error shows at most 100 characters of another event source', async (t) => {
  const event = { Records: [sqsRecord('a', { eventSource: 'x'.repeat(101) })] }
  const error = await handlerOf(() => t.fail('started'))(event).catch((error) => error)
  t.equal(error.message, `Expected records from aws:sqs, but record 0 comes from "${'x'.repeat(100)}" (a string)`)
})

t.test('if a middleware calls `before` and catches its error, the inner handler can still respond', async (t) => {
  const { before } = boundedSqsBatch()
  const handler = middy()
    .before((request) => {
      t.throws(() => before(request as never), InvalidSqsEventError)
    })
    .handler(async () => ({ ok: true }))
  t.strictSame(await handler({ source: 'aws.events' } as never, testContext()), { ok: true })
})
