import middy from '@middy/core'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import t from 'tap'
import * as v from 'valibot'
import * as z from 'zod'
import { boundedSqsBatch, eachRecord, InvalidBodyError } from '../src/index.ts'
import { failed, mockClock, settled, sqsRecord, testContext, timedContext } from './support.ts'

const SECRET = 'hunter2secret'
const KEY = 'kingfisher'

/** Handles bodies and returns what was reported, what handlers got, and the errors by id. */
async function handleBodies(body: 'json' | StandardSchemaV1, bodies: unknown[]) {
  const got: unknown[] = []
  const errors = new Map<string, unknown>()
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error, { messageId }) => errors.set(messageId, error) }))
    .handler(eachRecord((record) => got.push(record.body), { body: body as StandardSchemaV1 }))
  const Records = bodies.map((body, index) => sqsRecord(`m${index}`, { body: body as string }))
  const response = await handler({ Records }, testContext())
  return { failed: failed(response), got, errors }
}

/** All that a log or an error report could show of an error. */
function everythingOf(error: unknown): string {
  const { name, message, stack, cause, ...rest } = error as Error
  return [name, message, stack, String(cause), JSON.stringify(rest)].join('\n')
}

/** The same without the paths, which name properties: that is what they are for. */
function withoutPaths(error: unknown): string {
  const { issues, cause } = error as InvalidBodyError
  return [String(cause), ...issues.map(({ message }) => message)].join('\n')
}

t.test("body: 'json' parses, and a bad body fails its record alone", async (t) => {
  const bodies = ['{"a":1}', `{"a": ${SECRET}`, '[1]', '', 'null', undefined, '"text"', { a: 1 }]
  const result = await handleBodies('json', bodies)
  t.strictSame(result.got, [{ a: 1 }, [1], null, 'text'])
  t.strictSame(result.failed, ['m1', 'm3', 'm5', 'm7'])
  for (const [id, error] of result.errors) {
    t.ok(error instanceof InvalidBodyError)
    t.match(error, { name: 'InvalidBodyError', code: 'ERR_INVALID_BODY', cause: undefined, issues: [] })
    t.notMatch(everythingOf(error), SECRET, id)
  }
  t.match(result.errors.get('m7'), { message: /got an object/ })
})

t.test('the record is a copy, with its other fields', async (t) => {
  const original = sqsRecord('a', { body: '{"n":1}' })
  const handler = middy()
    .use(boundedSqsBatch())
    .handler(
      eachRecord(
        (record) => {
          t.not(record, original)
          t.strictSame(record, { ...original, body: { n: 1 } })
        },
        { body: 'json' },
      ),
    )
  t.strictSame(failed(await handler({ Records: [original] }, testContext())), [])
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

t.test('schemas give their output', async (t) => {
  const zod = z.object({ id: z.coerce.number(), at: z.string().transform((text) => new Date(text)) })
  const result = await handleBodies(zod, ['{"id":"7","at":"2026-01-01"}', '{"id":"7"}'])
  t.strictSame(result.got, [{ id: 7, at: new Date('2026-01-01') }])
  t.strictSame(result.failed, ['m1'])
  t.match(result.errors.get('m1'), { issues: [{ path: ['at'], message: String }], message: /at: / })

  const slow = await handleBodies(asyncSchema, ['"abc"', '5', '"d"'])
  t.strictSame(slow.got.sort(), ['ABC', 'D'])
  t.strictSame(slow.failed, ['m1'])
  t.match(slow.errors.get('m1'), { issues: [{ path: [], message: 'Not a text' }] })
})

const schemas: [string, StandardSchemaV1][] = [
  ['Zod', z.strictObject({ user: z.object({ name: z.number(), age: z.number().max(3) }) })],
  ['Zod with its own messages', z.any().refine(() => false, { error: ({ input }) => `Not ${JSON.stringify(input)}` })],
  ['Valibot', v.strictObject({ user: v.object({ name: v.number(), age: v.pipe(v.number(), v.maxValue(3)) }) })],
  ['ArkType', type({ '+': 'reject', user: { name: 'number', age: 'number<3' } })],
  [
    'a schema that throws',
    {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          throw new Error(`cannot take ${JSON.stringify(value)}`)
        },
      },
    },
  ],
  [
    'a schema that rejects',
    {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          throw `cannot take ${JSON.stringify(value)}`
        },
      },
    },
  ],
]

for (const [what, schema] of schemas) {
  t.test(`an error quotes nothing of the body: ${what}`, async (t) => {
    const text = `${SECRET}, Jane\nDoe "x" !@#$`
    const body = { user: { name: text, age: 4711 }, [`key-${KEY}`]: { deep: [SECRET, 4711, true] } }
    const result = await handleBodies(schema, [JSON.stringify(body)])
    t.strictSame(result.failed, ['m0'])
    const error = result.errors.get('m0')
    t.ok(error instanceof InvalidBodyError)
    t.ok((error as InvalidBodyError).issues.length >= 1)
    for (const part of [SECRET, 'Jane', 'Doe', '4711', '!@#', 'true']) t.notMatch(everythingOf(error), part)
    t.notMatch(withoutPaths(error), KEY)
  })
}

t.test('a schema that throws what cannot be read fails the record as any other', async (t) => {
  const unreadable = Object.defineProperty(new Error('x'), 'message', {
    get() {
      throw new Error('unreadable')
    },
  })
  for (const error of [unreadable, Object.create(null), undefined]) {
    const validate = () => {
      throw error
    }
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as never
    const { errors, failed } = await handleBodies(schema, ['1'])
    t.strictSame(failed, ['m0'])
    t.match(errors.get('m0'), { name: 'InvalidBodyError', issues: [{ message: /The schema threw/ }] })
  }
})

t.test('what a schema says otherwise is kept', async (t) => {
  const schema = z.object({ user: z.object({ email: z.email(), tags: z.array(z.string()) }), a: z.int(), b: z.int() })
  const { errors } = await handleBodies(schema, ['{"user":{"email":"x","tags":["y",7]}}'])
  const error = errors.get('m0') as InvalidBodyError
  t.strictSame(error.issues, [
    { path: ['user', 'email'], message: 'Invalid email address' },
    { path: ['user', 'tags', 1], message: 'Invalid input: expected string, received number' },
    { path: ['a'], message: 'Invalid input: expected number, received undefined' },
    { path: ['b'], message: 'Invalid input: expected number, received undefined' },
  ])
  t.equal(
    error.message,
    'The body does not match the schema: user.email: Invalid email address; ' +
      'user.tags.1: Invalid input: expected string, received number; ' +
      'a: Invalid input: expected number, received undefined; and 1 more',
  )
})

t.test('paths of segments are flattened', async (t) => {
  const { errors } = await handleBodies(v.object({ a: v.array(v.string()) }), ['{"a":["x",1]}'])
  t.match(errors.get('m0'), { issues: [{ path: ['a', 1] }] })
})

t.test('a body nested deeper than the stack fails its record alone', async (t) => {
  const deep = '['.repeat(50_000) + ']'.repeat(50_000)
  const never: StandardSchemaV1 = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'Too deep' }] }) },
  }
  const result = await handleBodies(never, [deep])
  t.strictSame(result.failed, ['m0'])
  t.ok(result.errors.get('m0') instanceof InvalidBodyError)
})

t.test('a handler does not begin once its record is over, though its validation ends', async (t) => {
  const clock = mockClock(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow: StandardSchemaV1 = {
    '~standard': { version: 1, vendor: 'test', validate: (value) => promise.then(() => ({ value })) },
  }
  let started = 0
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(eachRecord(() => started++, { body: slow }))
  const result = handler({ Records: [sqsRecord('a', { body: '1' })] }, timedContext(1000))
  await settled()
  clock.advance(950)
  t.strictSame(failed(await result), ['a'])
  resolve()
  await settled()
  t.equal(started, 0)
})

t.test('property names that may be data are not in the message', async (t) => {
  const { errors } = await handleBodies(z.record(z.string(), z.number()), ['{"jane@example.com":"x","plain":"y"}'])
  const error = errors.get('m0') as InvalidBodyError
  t.match(error.message, '…: Invalid input: expected number, received string; plain: Invalid')
  t.strictSame(
    error.issues.map(({ path }) => path),
    [['jane@example.com'], ['plain']],
  )
})

t.test('a schema that does not keep to the specification fails the record, too', async (t) => {
  for (const result of [null, undefined, {}, 5, { issues: 'x' }, { issues: [{}] }, { issues: [null] }]) {
    const schema = { '~standard': { version: 1, vendor: 'test', validate: () => result } } as never
    const { errors, failed } = await handleBodies(schema, ['1'])
    t.strictSame(failed, ['m0'])
    t.ok(errors.get('m0') instanceof InvalidBodyError)
  }
})
