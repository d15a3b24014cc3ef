import { inspect } from 'node:util'
import middy from '@middy/core'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import type { Context, SQSEvent } from 'aws-lambda'
import t from 'tap'
import * as v from 'valibot'
import * as z from 'zod'
import { boundedSqsBatch, eachChunk, eachRecord, InvalidBodyError } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import { batchHandlerOf, failed, testContext, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'

const SECRET = 'hunter2secret'
const KEY = 'kingfisher'

/** Handles bodies. Returns the reported ids, the bodies that handlers got, the errors by id, and the log entries. */
async function handleBodies(body: 'json' | StandardSchemaV1, bodies: unknown[]) {
  const got: unknown[] = []
  const errors = new Map<string, unknown>()
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error, { messageId }) => errors.set(messageId, error) }))
    .handler(eachRecord((record) => got.push(record.body), { body: body as StandardSchemaV1 }))
  const Records = bodies.map((body, index) => sqsRecord(`m${index}`, { body: body as string }))
  const response = await handler({ Records }, testContext())
  // Handles the bodies again to get the log entries of the library.
  const logging = middy()
    .use(boundedSqsBatch())
    .handler(eachRecord(() => {}, { body: body as StandardSchemaV1 }))
  const lines = await logged(() => logging({ Records }, testContext()))
  return { failed: failed(response), got, errors, lines }
}

/** All text of an error that a log or an error report can show. */
function everythingOf(error: unknown): string {
  const { name, message, stack, cause } = error as Error
  return [name, message, stack, String(cause), JSON.stringify(error), inspect(error, { depth: 9 })].join('\n')
}

t.test("body: 'json' parses, and a bad body fails only its own record", async (t) => {
  const bodies = ['{"a":1}', `{"a": ${SECRET}`, '[1]', '', 'null', undefined, '"text"', { a: 1 }]
  const result = await handleBodies('json', bodies)
  t.strictSame(result.got, [{ a: 1 }, [1], null, 'text'])
  t.strictSame(result.failed, ['m1', 'm3', 'm5', 'm7'])
  for (const [id, error] of result.errors) {
    t.ok(error instanceof InvalidBodyError)
    t.match(error, { name: 'InvalidBodyError', code: 'ERR_INVALID_BODY', cause: undefined })
    t.strictSame((error as InvalidBodyError).issues, [])
    t.notMatch(everythingOf(error), SECRET, id)
  }
  t.strictSame(
    [...result.errors].map(([id, error]) => [id, (error as Error).message]),
    [
      ['m1', 'The body is not valid JSON'],
      ['m3', 'The body is not valid JSON'],
      ['m5', 'Expected a body of JSON text, got undefined'],
      ['m7', 'Expected a body of JSON text, got an object'],
    ],
  )
})

t.test('a handler gets a copy of the record with the parsed body and the other fields', async (t) => {
  const original = sqsRecord('a', { body: '{"n":1}' })
  const seen: unknown[] = []
  const handler = middy()
    .use(boundedSqsBatch())
    .handler(eachRecord((record) => void seen.push(record), { body: 'json' }))
  t.strictSame(failed(await handler({ Records: [original] }, testContext())), [])
  t.not(seen[0], original)
  t.strictSame(seen, [{ ...original, body: { n: 1 } }])
  t.equal(original.body, '{"n":1}')
})

const asyncSchema: StandardSchemaV1<unknown, string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate(value) {
      await settled()
      return typeof value === 'string' ? { value: value.toUpperCase() } : { issues: [{ message: 'Not a text' }] }
    },
  },
}

t.test('a handler gets the output of the schema', async (t) => {
  const zod = z.object({ id: z.coerce.number(), at: z.string().transform((text) => new Date(text)) })
  const result = await handleBodies(zod, ['{"id":"7","at":"2026-01-01"}', '{"id":"7"}'])
  t.strictSame(result.got, [{ id: 7, at: new Date('2026-01-01') }])
  t.strictSame(result.failed, ['m1'])
  t.equal((result.errors.get('m1') as Error).message, 'The body does not match the schema: 1 issue at at')

  const slow = await handleBodies(asyncSchema, ['"abc"', '5', '"d"'])
  t.strictSame(slow.got.sort(), ['ABC', 'D'])
  t.strictSame(slow.failed, ['m1'])
  t.equal((slow.errors.get('m1') as Error).message, 'The body does not match the schema: 1 issue')
  t.strictSame((slow.errors.get('m1') as InvalidBodyError).issues, [{ message: 'Not a text' }])
})

const strict = { name: v.number(), age: v.pipe(v.number(), v.maxValue(3)) }
const schemas: [string, StandardSchemaV1][] = [
  ['Zod', z.strictObject({ user: z.object({ name: z.number(), age: z.number().max(3) }) })],
  ['Zod with its own messages', z.any().refine(() => false, { error: ({ input }) => `Not ${JSON.stringify(input)}` })],
  ['Valibot', v.strictObject({ user: v.object(strict) })],
  ['ArkType', type({ '+': 'reject', user: { name: 'number', age: 'number<3' } })],
]

for (const [what, schema] of schemas) {
  t.test(`neither the error nor the log shows a value of the body: ${what}`, async (t) => {
    const text = `${SECRET}, Jane\nDoe "x" !@#$`
    const body = { user: { name: text, age: 4711 }, [`key-${KEY}`]: { deep: [SECRET, 4711, true] } }
    const result = await handleBodies(schema, [JSON.stringify(body)])
    t.strictSame(result.failed, ['m0'])
    const error = result.errors.get('m0')
    t.ok(error instanceof InvalidBodyError)
    t.ok((error as InvalidBodyError).issues.length >= 1)
    const shown = [everythingOf(error), ...result.lines].join('\n')
    for (const part of [SECRET, 'Jane', 'Doe', '4711', '!@#', 'true', KEY]) t.notMatch(shown, part)
  })
}

const transformed: [what: string, schema: StandardSchemaV1, body: unknown, parts: string[]][] = [
  [
    'a number made of a text',
    v.object({ card: v.pipe(v.string(), v.transform(Number), v.maxValue(10)) }),
    { card: '4111 1111 1111 1111'.replaceAll(' ', '') },
    ['4111'],
  ],
  [
    'a text in upper case',
    z
      .string()
      .toUpperCase()
      .refine(() => false, { error: ({ input }) => `${input} is not a street` }),
    'lange straße',
    ['STRASSE', 'LANGE', 'straße'],
  ],
  ['a key of a map', z.record(z.string(), z.number()), { 4111111111111111: 'x' }, ['4111']],
  ['a long key', z.record(z.string(), z.number()), { ['x'.repeat(33)]: 'y' }, ['xxx']],
]

for (const [what, schema, body, parts] of transformed) {
  t.test(`neither the error nor the log shows a transformed value or a key that may be data: ${what}`, async (t) => {
    const { failed, errors, lines } = await handleBodies(schema, [JSON.stringify(body)])
    t.strictSame(failed, ['m0'])
    const error = errors.get('m0')
    t.ok(error instanceof InvalidBodyError)
    t.match((error as Error).message, /^The body does not match the schema: 1 issue( at (birth|card|…))?$/)
    const shown = [everythingOf(error), ...lines].join('\n')
    for (const part of parts) t.notMatch(shown, part)
  })
}

t.test('a schema that throws or rejects fails its record with that error', async (t) => {
  const unreadable = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('unreadable')
    },
  })
  for (const error of [new RangeError('the schema failed'), unreadable, Object.create(null), undefined]) {
    const validates = [
      () => {
        throw error
      },
      () => Promise.reject(error),
    ]
    for (const validate of validates) {
      const schema = { '~standard': { version: 1, vendor: 'test', validate } } as never
      const { errors, failed, got } = await handleBodies(schema, ['1'])
      t.strictSame(failed, ['m0'])
      t.strictSame(got, [])
      t.ok(errors.has('m0'))
      t.equal(errors.get('m0'), error)
    }
  }
})

t.test("the message gives the number of issues and the first three paths; `issues` are the schema's own", async (t) => {
  const schema = z.object({ user: z.object({ email: z.email(), tags: z.array(z.string()) }), a: z.int(), b: z.int() })
  const text = '{"user":{"email":"x","tags":["y",7]}}'
  const { errors } = await handleBodies(schema, [text])
  const error = errors.get('m0') as InvalidBodyError
  t.equal(error.message, 'The body does not match the schema: 4 issues at user.email, user.tags.1, a')
  t.strictSame(error.issues, (await schema['~standard'].validate(JSON.parse(text))).issues)
  t.strictSame(Object.keys(error), ['code'])
  const three = await handleBodies(schema, ['{"user":{"email":"x","tags":["y",7]},"a":1.5,"b":2}'])
  t.match(three.errors.get('m0'), { message: /: 3 issues at user\.email, user\.tags\.1, a$/ })
})

t.test('the message shows paths that consist of keys or of objects with a key', async (t) => {
  const { errors } = await handleBodies(v.object({ a: v.array(v.string()) }), ['{"a":["x",1]}'])
  t.match(errors.get('m0'), { message: /1 issue at a\.1$/ })
  const path = [{ key: 'a' }, 1, Symbol(SECRET), 'b$_']
  const validate = () => ({ issues: [{ message: 'x', path }, { message: 'y' }] })
  const given = await handleBodies({ '~standard': { version: 1, vendor: 'test', validate } }, ['{"a":["x",1]}'])
  t.match(given.errors.get('m0'), { message: /2 issues at a\.1\.…\.b\$_$/ })
})

t.test('a handler does not start if its batch ended while the body was validated', async (t) => {
  const clock = mockClock(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow: StandardSchemaV1 = {
    '~standard': { version: 1, vendor: 'test', validate: (value) => promise.then(() => ({ value })) },
  }
  let started = 0
  const handler = batchHandlerOf(eachRecord(() => started++, { body: slow }))
  const result = handler({ Records: [sqsRecord('a', { body: '1' })] }, timedContext(1000))
  await settled()
  clock.advance(950)
  t.strictSame(failed(await result), ['a'])
  resolve()
  await settled()
  t.equal(started, 0)
})

t.test('with a synchronous schema, synchronous handlers run before eachRecord() returns', async (t) => {
  mockClock(t) // a worker yields after 10 ms
  let started = 0
  const inner = eachRecord(() => started++, { body: v.object({ a: v.number() }) })
  const handler = middy()
    .use(boundedSqsBatch())
    .handler((event: SQSEvent, context: Context) => {
      const report = inner(event, context)
      t.equal(started, 2)
      return report
    })
  const Records = ['m0', 'm1'].map((id) => sqsRecord(id, { body: '{"a":1}' }))
  t.strictSame(failed(await handler({ Records }, testContext())), [])
})

t.test('a promise or a thenable as the output of a schema is awaited', async (t) => {
  const outputs: Record<string, () => unknown> = {
    a: () => Promise.resolve('a'),
    b: () => Promise.reject(new Error('refused')),
    c: () => ({ then: (resolve: (value: string) => void) => resolve('c') }),
  }
  const schema = {
    '~standard': { version: 1, vendor: 'test', validate: (name: string) => ({ value: outputs[name]?.() }) },
  } as StandardSchemaV1<string, Promise<string>>
  const bodies: unknown[] = []
  const note = ({ body }: { readonly body: string }) => void bodies.push(body)
  const handlers = [
    eachRecord(note, { body: schema }),
    eachChunk(3, (records) => records.forEach(note), { body: schema }),
  ]
  for (const inner of handlers) {
    const handler = batchHandlerOf(inner)
    const Records = Object.keys(outputs).map((id) => sqsRecord(id, { body: JSON.stringify(id) }))
    t.strictSame(failed(await handler({ Records }, testContext())), ['b'])
  }
  t.strictSame(bodies, ['a', 'c', 'a', 'c'])
})

t.test('a schema whose result violates the Standard Schema specification fails the record', async (t) => {
  const message = 'The schema did not return a Standard Schema result'
  for (const [result, expected] of [
    [null, message],
    [undefined, message],
    [{}, message],
    [5, message],
    [{ issues: 5 }, message],
    [{ issues: [null] }, message],
    [{ issues: 'x' }, 'The body does not match the schema: 1 issue'],
    [{ issues: [{}] }, 'The body does not match the schema: 1 issue'],
  ] as const) {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => result } } as never
    const { errors, failed } = await handleBodies(schema, ['1'])
    t.strictSame(failed, ['m0'])
    t.match(errors.get('m0'), { name: 'InvalidBodyError', message: expected })
  }
})
