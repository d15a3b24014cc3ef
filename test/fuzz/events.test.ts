import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import {
  anything,
  check,
  countKinds,
  equal,
  failsWith,
  keyOf,
  oneOf,
  outcomeOf,
  reported,
  SECRET,
} from '../support/fuzz.ts'
import { testContext } from '../support/handlers.ts'
import { lookUp, revoked, throwingOn, trapped, withLength } from '../support/hostile.ts'
import { logged } from '../support/output.ts'

/** Values in the place of a record, and whether they are valid. An `unreadable` value is valid, but fails if it is copied. */
const RECORDS: Record<string, [isValid: boolean | 'unreadable', make: (id: string, any: unknown) => unknown]> = {
  good: [true, (id) => sqsRecord(id)],
  frozen: [true, (id) => Object.freeze(sqsRecord(id))],
  proxy: [true, (id) => new Proxy(sqsRecord(id), {})],
  bare: [true, (id) => ({ messageId: id, body: '0' })],
  'null prototype': [true, (id) => Object.assign(Object.create(null), sqsRecord(id))],
  function: [true, (id) => Object.assign(() => {}, sqsRecord(id))],
  'keys of a prototype': [
    true,
    (id) => JSON.parse(JSON.stringify(sqsRecord(id)).replace('{', '{"__proto__":{"messageId":"z"},"constructor":7,')),
  ],
  'id of a prototype': [true, (id) => Object.create(sqsRecord(id))],
  'any body': [true, (id, any) => ({ ...sqsRecord(id), body: any })],
  'any text': [true, (id, any) => sqsRecord(id, { body: String(JSON.stringify(any)) })],
  'any receive count': [
    true,
    (id, any) => sqsRecord(id, { attributes: { ApproximateReceiveCount: JSON.stringify(any) } as never }),
  ],
  'no attributes': [true, (id) => ({ ...sqsRecord(id), attributes: null })],
  'unreadable elsewhere': ['unreadable', (id) => throwingOn(sqsRecord(id), 'md5OfBody')],
  'unreadable body': ['unreadable', (id) => throwingOn(sqsRecord(id), 'body')],
  'unreadable id': [false, (id) => throwingOn(sqsRecord(id), 'messageId')],
  'unreadable source': [false, (id) => throwingOn(sqsRecord(id), 'eventSource')],
  'unreadable attributes': [false, (id) => sqsRecord(id, { attributes: trapped() as never })],
  'receive count that is not a text': [
    false,
    (id) => sqsRecord(id, { attributes: { ApproximateReceiveCount: Symbol('s') } as never }),
  ],
  revoked: [false, (id) => revoked(sqsRecord(id))],
  trapped: [false, (id) => trapped(sqsRecord(id))],
  'another source': [false, (id) => sqsRecord(id, { eventSource: 'aws:kinesis' })],
  'any source': [false, (id, any) => ({ ...sqsRecord(id), eventSource: [any] })],
  'any id': [false, (id, any) => ({ ...sqsRecord(id), messageId: [any] })],
  'empty id': [false, () => sqsRecord('')],
  'id of another class': [false, (id) => ({ ...sqsRecord(id), messageId: Object('id') })],
  null: [false, () => null],
  text: [false, (id) => id],
}

/** Events around a list of records, and whether they are valid. */
const EVENTS: Record<string, [isValid: boolean, make: (Records: unknown[], any: unknown) => unknown]> = {
  plain: [true, (Records) => ({ Records })],
  frozen: [true, (Records) => Object.freeze({ Records: Object.freeze(Records) })],
  proxy: [true, (Records) => new Proxy({ Records: new Proxy(Records, {}) }, {})],
  'null prototype': [true, (Records) => Object.assign(Object.create(null), { Records })],
  inherited: [true, (Records) => Object.create({ Records })],
  function: [true, (Records) => Object.assign(() => {}, { Records })],
  'list of a subclass': [true, (Records) => ({ Records: class extends Array {}.from(Records) })],
  'other fields': [true, (Records, any) => ({ ...Object(any), Records })],
  'keys of a prototype': [
    true,
    (Records) => Object.assign(JSON.parse('{"__proto__":{"Records":0},"constructor":0}'), { Records }),
  ],
  'read once': [
    true,
    (Records) => {
      let reads = 0
      return {
        get Records() {
          return reads++ === 0 ? Records : []
        },
      }
    },
  ],
  'list with a length that is too large': [false, (Records) => ({ Records: withLength(Records, Records.length + 1) })],
  'endless list': [false, (Records) => ({ Records: withLength(Records, Infinity) })],
  'list without a length': [false, (Records) => ({ Records: withLength(Records, NaN) })],
  'list of a negative length': [false, (Records) => ({ Records: withLength(Records, -1) })],
  'list with an unreadable length': [false, (Records) => ({ Records: withLength(Records, trapped()) })],
  'list with a hole': [false, (Records) => ({ Records: Records.concat(new Array(1)) })],
  'no list': [false, (Records) => ({ Records: { ...Records, length: Records.length } })],
  'any list': [false, (_Records, any) => ({ Records: Object(any) === any && Array.isArray(any) ? { any } : any })],
  'any event': [false, (_Records, any) => any],
  'bare list': [false, (Records) => Records],
  'other case': [false, (Records) => ({ records: Records })],
  'unreadable list': [false, () => throwingOn({}, 'Records')],
  'unreadable field': [false, (Records) => throwingOn({ Records }, 'other')],
  'revoked list': [false, (Records) => ({ Records: revoked(Records) })],
  'trapped list': [false, (Records) => ({ Records: trapped(Records) })],
  revoked: [false, () => revoked()],
  trapped: [false, () => trapped()],
}

const events = fc.record({
  event: fc.oneof({ weight: 2, arbitrary: oneOf('plain') }, keyOf(EVENTS)),
  records: fc.array(fc.oneof({ weight: 3, arbitrary: oneOf('good') }, keyOf(RECORDS)), { maxLength: 6 }),
  fails: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  isJson: fc.boolean(),
  any: fc.oneof(anything, fc.jsonValue(), oneOf(SECRET, '__proto__', 'constructor')),
})

t.test('a valid event gets an exact report, and any other value fails before a record starts', async (t) => {
  const kinds = countKinds(
    'event that is not valid',
    'record that is not valid',
    'no failure',
    'failures',
    'bad bodies',
  )
  await check(0.3, events, async ({ event, records, fails, isJson, any }) => {
    const [isEvent, makeEvent] = lookUp(EVENTS, event)
    const given = records.map((name, index) => lookUp(RECORDS, name)[1](`m${index}`, any))
    const isValid = isEvent && records.every((name) => lookUp(RECORDS, name)[0])
    const started: number[] = []
    const handler = middy<never, SQSBatchResponse>()
      .use(boundedSqsBatch())
      .handler(
        eachRecord(
          (_record, _context, { index }) => {
            started.push(index)
            if (fails[index]) throw new Error(`record ${index}`)
          },
          isJson ? { body: 'json' } : ({} as never),
        ),
      )
    const outcome = await outcomeOf(handler(makeEvent(given, any) as never, testContext()))
    if (!isValid) {
      kinds.count(isEvent ? 'record that is not valid' : 'event that is not valid')
      failsWith(outcome, 'InvalidSqsEventError')
      equal('started', started, [])
      return
    }
    const isUnparsed = (index: number) => isJson && !isReadableJson(records[index] as string, given[index])
    const bad = records.flatMap((_name, index) => (fails[index] || isUnparsed(index) ? index : []))
    kinds.count(bad.length === 0 ? 'no failure' : bad.some(isUnparsed) ? 'bad bodies' : 'failures')
    equal(
      'reported',
      reported(outcome),
      bad.map((index) => `m${index}`),
    )
    equal(
      'started',
      started,
      [...given.keys()].filter((index) => !isUnparsed(index)),
    )
  })
  kinds.check(t)
})

function isReadableJson(name: string, record: unknown): boolean {
  if (lookUp(RECORDS, name)[0] === 'unreadable') return false
  const { body } = record as { body: unknown }
  try {
    if (typeof body === 'string') JSON.parse(body)
    return typeof body === 'string'
  } catch {
    return false
  }
}

type Request = middy.Request<SQSEvent, SQSBatchResponse>

/** What a later middleware does to the event and one of its records, and whether it must get a TypeError. */
const CHANGES: Record<string, [isRefused: boolean, change: (request: Request, record: SQSRecord, any: never) => void]> =
  {
    'the record in place': [
      false,
      (_request, record, any) => void Object.assign(record, { body: any, attributes: any }),
    ],
    'the id in place': [false, (_request, record, any) => void Object.assign(record, { messageId: any })],
    'the id of a neighbour in place': [
      false,
      ({ event }, record) => {
        record.messageId = (event.Records[0] as SQSRecord).messageId
      },
    ],
    'all of the record': [
      false,
      (_request, record) => {
        for (const key of Object.keys(record)) delete record[key as never]
      },
    ],
    'readability of the record': [
      false,
      (_request, record) => throwingOn(record, 'body', 'messageId', 'attributes', 'eventSource'),
    ],
    'mutability of the record': [false, (_request, record) => Object.freeze(record)],
    'another property of the event': [false, ({ event }, _record, any) => void Object.assign(event, { other: any })],
    'mutability of the event': [false, ({ event }) => Object.freeze(event)],
    'the event to itself': [
      true,
      (request) => {
        const { event } = request
        request.event = event
      },
    ],
    'the event to a copy': [
      true,
      (request) => {
        request.event = { ...request.event }
      },
    ],
    'the event to any value': [
      true,
      (request, _record, any) => {
        request.event = any
      },
    ],
    'the event to a proxy': [
      true,
      (request) => {
        request.event = new Proxy(request.event, {})
      },
    ],
    'the list to any value': [
      true,
      ({ event }, _record, any) => {
        event.Records = any
      },
    ],
    'the list to a copy': [
      true,
      ({ event }) => {
        event.Records = [...event.Records]
      },
    ],
    'the property of the list': [true, ({ event }) => Object.defineProperty(event, 'Records', { value: [] })],
    'the presence of the list': [true, ({ event }) => delete (event as Partial<SQSEvent>).Records],
    'the record to another': [
      true,
      ({ event }, record) => {
        event.Records[event.Records.indexOf(record)] = { ...record }
      },
    ],
    'the number of records, by push': [true, ({ event }, record) => event.Records.push(record)],
    'the number of records, by shift': [true, ({ event }) => event.Records.shift()],
    'the number of records, by length': [
      true,
      ({ event }) => {
        event.Records.length = 0
      },
    ],
    'the order, by sort': [true, ({ event }) => event.Records.sort()],
    'the order, by reverse': [true, ({ event }) => event.Records.reverse()],
  }

const changes = fc.record({
  size: fc.integer({ min: 2, max: 5 }),
  change: keyOf(CHANGES),
  at: fc.nat(4),
  isCaught: fc.boolean(),
  isLate: fc.boolean(),
  fails: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  any: anything,
})

t.test(
  'a later middleware cannot change which records the batch has: it gets a TypeError, and otherwise the report is exact',
  async (t) => {
    const kinds = countKinds(...Object.keys(CHANGES))
    await check(0.1, changes, async ({ size, change, at, isCaught, isLate, fails, any }) => {
      kinds.count(change)
      const [isRefused, changeRecords] = lookUp(CHANGES, change)
      const started: number[] = []
      let caught: unknown
      function changes(request: Request): void {
        try {
          changeRecords(request, request.event.Records[at % size] as SQSRecord, any as never)
        } catch (error) {
          caught = error
          if (!isCaught) throw error
        }
      }
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch())
        .use(isLate ? { after: changes } : { before: changes })
        .handler(
          eachRecord((_record, _context, { index }) => {
            started.push(index)
            if (fails[index]) throw new Error(`record ${index}`)
          }),
        )
      const outcome = await outcomeOf(handler(standardEvent(...ids(size)), testContext()))
      equal('refused', caught instanceof TypeError, isRefused)
      const isFailed = isRefused && !isCaught
      equal('started', started, isFailed && !isLate ? [] : [...Array(size).keys()])
      if (isFailed) failsWith(outcome, 'TypeError')
      else
        equal(
          'reported',
          reported(outcome),
          ids(size).filter((_id, index) => fails[index]),
        )
    })
    kinds.check(t)
  },
)

t.test('100,000 records of a standard queue and of a FIFO queue are reported exactly', async (t) => {
  const size = 100_000
  for (const event of [standardEvent(...ids(size)), fifoEvent(...ids(size))]) {
    for (const [index, { attributes }] of event.Records.entries()) attributes.MessageGroupId = `g${index % 50_000}`
    const handler = middy()
      .use(boundedSqsBatch({ logger: false }))
      .handler(
        eachRecord((_record, _context, { index }) => {
          if (index % 50_000 === 7 || index > 99_990) throw new Error(`record ${index}`)
        }),
      )
    const last = ids(size).slice(99_991)
    const response = await handler(event, testContext())
    equal('reported', reported({ response }), ['m7', 'm50007', ...last])
  }
  t.pass()
})

t.test('a body of 6 MB is parsed or fails its record, and the log entry stays short', async (t) => {
  const body = 'x'.repeat(6e6)
  const handler = middy()
    .use(boundedSqsBatch())
    .handler(
      eachRecord(
        (record) => {
          if (record.body !== body) throw new Error(String(record.body))
          throw new Error(`${body} ${SECRET}`)
        },
        { body: 'json' },
      ),
    )
  const Records = [sqsRecord('good', { body: JSON.stringify(body) }), sqsRecord('bad', { body })]
  const [line] = await logged(async () => {
    t.strictSame(await handler({ Records }, testContext()), {
      batchItemFailures: [{ itemIdentifier: 'good' }, { itemIdentifier: 'bad' }],
    })
  })
  t.ok(line && line.length < 3000)
})
