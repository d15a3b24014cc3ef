import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import fc from 'fast-check'
import t from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { anything, check, equal, failsWith, keyOf, oneOf, outcomeOf, reported, SECRET } from '../support/fuzz.ts'
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

/** Replacements of a checked record by another middleware, and whether they have the same id. */
const REPLACEMENTS: Record<string, [isSame: boolean, make: (record: SQSRecord, any: unknown) => unknown]> = {
  itself: [true, (record) => record],
  copy: [true, (record) => ({ ...record })],
  'frozen copy': [true, (record) => Object.freeze({ ...record })],
  'copy with any body': [true, (record, any) => ({ ...record, body: any })],
  proxy: [true, (record) => new Proxy(record, {})],
  'id alone': [true, ({ messageId }) => ({ messageId })],
  'unreadable elsewhere': [true, (record) => throwingOn({ ...record }, 'body', 'attributes', 'eventSource')],
  'another id': [false, (record) => ({ ...record, messageId: 'z' })],
  'unreadable id': [false, (record) => throwingOn({ ...record }, 'messageId')],
  null: [false, () => null],
  text: [false, ({ messageId }) => messageId],
  revoked: [false, (record) => revoked(record)],
  trapped: [false, (record) => trapped(record)],
}

/** Replacements of the list of records by another middleware, and whether they have the same records. */
const LISTS: Record<string, [isSame: boolean, make: (Records: unknown[]) => unknown]> = {
  itself: [true, (Records) => Records],
  copy: [true, (Records) => [...Records]],
  frozen: [true, (Records) => Object.freeze(Records)],
  proxy: [true, (Records) => new Proxy(Records, {})],
  longer: [false, (Records) => [...Records, sqsRecord('z')]],
  'with a length that is too large': [false, (Records) => withLength(Records, Records.length + 1)],
  'without a length': [false, (Records) => withLength(Records, NaN)],
  'no list': [false, () => undefined],
  revoked: [false, (Records) => revoked(Records)],
  trapped: [false, (Records) => trapped(Records)],
}

const events = fc.record({
  event: fc.oneof({ weight: 2, arbitrary: oneOf('plain') }, keyOf(EVENTS)),
  records: fc.array(fc.oneof({ weight: 3, arbitrary: oneOf('good') }, keyOf(RECORDS)), { maxLength: 6 }),
  fails: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  isJson: fc.boolean(),
  any: fc.oneof(anything, fc.jsonValue(), oneOf(SECRET, '__proto__', 'constructor')),
})

t.test('a valid event gets an exact report, and any other value fails before a record starts', async (t) => {
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
      failsWith(outcome, 'InvalidSqsEventError')
      equal('started', started, [])
      return
    }
    const isUnparsed = (index: number) => isJson && !isReadableJson(records[index] as string, given[index])
    const bad = records.flatMap((_name, index) => (fails[index] || isUnparsed(index) ? index : []))
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
  t.pass()
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

const replacements = fc.record({
  records: fc.array(fc.oneof({ weight: 3, arbitrary: oneOf('copy') }, keyOf(REPLACEMENTS)), { maxLength: 5 }),
  list: fc.oneof({ weight: 2, arbitrary: oneOf('itself') }, keyOf(LISTS)),
  fails: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  any: anything,
})

t.test(
  'after a later middleware changed the records, the report is exact if the ids are the same; otherwise the invocation fails',
  async (t) => {
    await check(0.1, replacements, async ({ records, list, fails, any }) => {
      if (list === 'without a length' && records.length === 0) return // both lists are empty then
      const [isSameList, makeList] = lookUp(LISTS, list)
      const isSame = isSameList && records.every((name) => lookUp(REPLACEMENTS, name)[0])
      const started: number[] = []
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch())
        .before(({ event }) => {
          const changed = event.Records.map((record, index) =>
            lookUp(REPLACEMENTS, records[index] as string)[1](record, any),
          )
          event.Records = makeList(changed) as never
        })
        .handler(
          eachRecord((_record, _context, { index }) => {
            started.push(index)
            if (fails[index]) throw new Error(`record ${index}`)
          }),
        )
      const outcome = await outcomeOf(handler(standardEvent(...ids(records.length)), testContext()))
      equal('started', started, isSame ? [...records.keys()] : [])
      if (isSame)
        equal(
          'reported',
          reported(outcome),
          ids(records.length).filter((_id, index) => fails[index]),
        )
      else if ('response' in outcome) throw new Error('Expected an error')
    })
    t.pass()
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
