import middy from '@middy/core'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import * as z from 'zod'
import { type BoundedSqsBatchOptions, boundedSqsBatch, type ChunkHandler, eachChunk } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import { batchHandlerOf, failed, testContext, timedContext } from '../support/handlers.ts'
import { throwingOn } from '../support/hostile.ts'

const SECRET = 'hunter2secret'
const GOOD = '{"n":"1"}'
const BAD = `{"n":${SECRET}`

/** `run` handles bodies in chunks of three. `errors` has the errors by id, `names` the id and error name of each. */
function bodyHandler(body: 'json' | StandardSchemaV1, handle: ChunkHandler<{ body: unknown; messageId: string }>) {
  const errors = new Map<string, unknown>()
  function run(bodies: unknown[], options: BoundedSqsBatchOptions = {}, context = testContext()) {
    const handler = middy()
      .use(boundedSqsBatch({ logger: (error, { messageId }) => errors.set(messageId, error), ...options }))
      .handler(eachChunk(3, handle, { body: body as 'json' }))
    const event: SQSEvent = { Records: bodies.map((body, index) => sqsRecord(`m${index}`, { body: body as string })) }
    return handler(event, context)
  }
  const names = () => [...errors].map(([id, error]) => `${id} ${(error as Error).name}`)
  return { run, errors, names }
}

/** A schema whose validation stays pending until the test ends it. */
function heldSchema() {
  const open: (() => void)[] = []
  const schema: StandardSchemaV1<unknown, unknown> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        open.push(resolve)
        await promise
        return value === null ? { issues: [{ message: 'Null' }] } : { value }
      },
    },
  }
  return { schema, open }
}

const slow: StandardSchemaV1<unknown, unknown> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate(value) {
      await settled()
      return { value }
    },
  },
}
const n = z.object({ n: z.string().transform(Number) })
const kinds: [what: string, body: 'json' | StandardSchemaV1, parsed: unknown][] = [
  ['JSON', 'json', { n: '1' }],
  ['a schema', n, { n: 1 }],
  ['a schema that takes time', slow, { n: '1' }],
]
const batches: [bodies: string[], chunks: string[], reported: string[]][] = [
  [[GOOD, GOOD, GOOD, GOOD], ['m0 m1 m2', 'm3'], []],
  [[BAD, GOOD, GOOD, GOOD], ['m1 m2', 'm3'], ['m0']],
  [[GOOD, BAD, GOOD, GOOD], ['m0 m2', 'm3'], ['m1']],
  [[GOOD, GOOD, BAD, GOOD], ['m0 m1', 'm3'], ['m2']],
  [[BAD, GOOD, BAD, BAD], ['m1'], ['m0', 'm2', 'm3']],
  [[BAD, BAD, BAD, GOOD], ['m3'], ['m0', 'm1', 'm2']],
  [[BAD, BAD, BAD, BAD], [], ['m0', 'm1', 'm2', 'm3']],
]

for (const [what, body, parsed] of kinds) {
  t.test(`a record with a bad body fails alone, and its chunk runs without it: ${what}`, async (t) => {
    for (const [bodies, chunks, reported] of batches) {
      const got: string[] = []
      const { run, errors, names } = bodyHandler(body, (records) => {
        got.push(records.map(({ messageId }) => messageId).join(' '))
        for (const record of records) t.strictSame(record, { ...sqsRecord(record.messageId), body: parsed })
      })
      t.strictSame(failed(await run(bodies)), reported)
      t.strictSame(got, chunks)
      t.strictSame(
        names(),
        reported.map((id) => `${id} InvalidBodyError`),
      )
      for (const error of errors.values()) t.notMatch(`${(error as Error).stack} ${JSON.stringify(error)}`, SECRET)
    }
  })
}

t.test('the results of a chunk belong to its records with valid bodies', async (t) => {
  const ok = { status: 'fulfilled', value: undefined }
  const rejected = (reason: unknown) => ({ status: 'rejected', reason })
  const list = (itemIdentifier: string) => ({ batchItemFailures: [{ itemIdentifier }] })
  const all = ['m0 TypeError', 'm1 InvalidBodyError', 'm2 TypeError']
  const returned: [result: () => unknown, ...reported: string[]][] = [
    [() => list('m2'), 'm1 InvalidBodyError', 'm2 Error'],
    [() => [rejected(new RangeError()), ok], 'm0 RangeError', 'm1 InvalidBodyError'],
    [() => [ok, rejected(new RangeError())], 'm1 InvalidBodyError', 'm2 RangeError'],
    [() => [ok, ok, ok], ...all],
    [() => list('m1'), ...all],
    [() => ({ UnprocessedItems: {} }), ...all],
    [() => Promise.reject(new RangeError()), 'm0 RangeError', 'm1 InvalidBodyError', 'm2 RangeError'],
  ]
  for (const [result, ...reported] of returned) {
    const { run, names } = bodyHandler(n, ([first]) =>
      first?.messageId === 'm0' ? (result() as undefined) : undefined,
    )
    t.strictSame(
      failed(await run([GOOD, BAD, GOOD, GOOD])),
      reported.map((text) => text.slice(0, 2)),
    )
    t.strictSame(names(), reported)
  }
})

t.test('a bad body keeps its own error if its chunk times out or is aborted', async (t) => {
  const clock = mockClock(t)
  for (const [options, context, name] of [
    [{ recordTimeout: 100 }, testContext, 'RecordTimeoutError'],
    [{ timeBudget: { abort: 900 } }, () => timedContext(1000), 'RecordAbortedError'],
  ] as const) {
    const { promise, reject } = Promise.withResolvers<void>()
    const { run, names } = bodyHandler('json', () => promise)
    const result = run([GOOD, BAD, GOOD], options, context())
    await settled()
    clock.advance(100)
    t.strictSame(failed(await result), ['m0', 'm1', 'm2'])
    t.strictSame(names(), [`m0 ${name}`, 'm1 InvalidBodyError', `m2 ${name}`])
    reject(new Error('too late'))
    await settled()
  }
})

t.test('a chunk fails without a call of its handler if validation takes longer than recordTimeout', async (t) => {
  const clock = mockClock(t)
  const got: string[] = []
  const { schema, open } = heldSchema()
  const { run, names } = bodyHandler(schema, (records) => {
    got.push(records.map(({ messageId }) => messageId).join(' '))
  })
  const result = run([GOOD, 'null', GOOD, GOOD, GOOD], { recordTimeout: 100, concurrency: 2 })
  await settled()
  t.equal(open.length, 5)
  clock.advance(50)
  for (const resolve of open.slice(3)) resolve()
  await settled()
  t.strictSame(got, ['m3 m4'])
  clock.advance(50)
  for (const resolve of open) resolve()
  await settled()
  t.strictSame(failed(await result), ['m0', 'm1', 'm2'])
  t.strictSame(names(), ['m0 RecordTimeoutError', 'm1 RecordTimeoutError', 'm2 RecordTimeoutError'])
  t.strictSame(got, ['m3 m4'])
})

t.test('parsing the bodies of chunks does not change the event', async (t) => {
  function freeze(value: object): object {
    for (const inner of Object.values(value)) if (typeof inner === 'object') freeze(inner)
    return Object.freeze(value)
  }
  const event = () => ({ Records: [GOOD, BAD, GOOD].map((body, index) => sqsRecord(`m${index}`, { body })) })
  for (const body of ['json', n, slow, undefined]) {
    const handler = batchHandlerOf(
      eachChunk(
        2,
        (records) => {
          for (const record of records) if (body) Object.assign(record, { body: 'changed', more: true })
          ;(records as unknown[]).length = 0
        },
        { body: body as 'json' },
      ),
    )
    const frozen = freeze(event()) as SQSEvent
    t.strictSame(failed(await handler(frozen, testContext())), body ? ['m1'] : [])
    t.strictSame(frozen, event())
  }
})

t.test('a body that throws when it is read fails only its record', async (t) => {
  const lazy = {
    before({ event }: { event: SQSEvent }) {
      throwingOn(event.Records[1] as SQSRecord, 'body')
    },
  }
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .use(lazy)
    .handler(eachChunk(3, () => {}, { body: 'json' }))
  const Records = ['a', 'b', 'c'].map((id) => sqsRecord(id, { body: GOOD }))
  t.strictSame(failed(await handler({ Records }, testContext())), ['b'])
})
