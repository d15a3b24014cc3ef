import type { SQSRecord } from 'aws-lambda'
import t from 'tap'
import { PermanentError } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, listOf } from '../support/handlers.ts'

const OK = { status: 'fulfilled', value: undefined } as const
const REPORTED = new Error('The handler reported the record as failed')

/** Runs the chunks `a b c` and `d`. The handler returns this result for the first and nothing for the second. */
async function runChunks(result: () => unknown) {
  const errors = new Map<string, unknown>()
  const handle = chunkHandlerOf(3, ([first]) => (first?.messageId === 'a' ? (result() as undefined) : undefined), {
    logger: (error, { messageId }) => errors.set(messageId, error),
  })
  const reported = failed(await handle(standardEvent('a', 'b', 'c', 'd')))
  return { reported, errors: [...errors] }
}

const thrown = new Error('b')
const valid: [what: string, returns: () => unknown, ...errors: [id: string, error: unknown][]][] = [
  ['undefined', () => undefined],
  ['a promise of undefined', async () => {}],
  ['a list in another order', () => listOf('c', 'a'), ['a', REPORTED], ['c', REPORTED]],
  ['an id twice', () => listOf('b', 'b'), ['b', REPORTED]],
  [
    'a thenable of a list',
    () => ({ then: (resolve: (value: unknown) => void) => resolve(listOf('b')) }),
    ['b', REPORTED],
  ],
  ['results', () => [OK, { status: 'rejected', reason: thrown }, OK], ['b', thrown]],
  ['Promise.allSettled()', () => Promise.allSettled([1, Promise.reject(thrown), 3]), ['b', thrown]],
  ['a failure without a reason', () => [{ status: 'rejected' }, OK, OK], ['a', undefined]],
]

for (const [what, returns, ...errors] of valid) {
  t.test(`a chunk handler may return ${what}`, async (t) => {
    const result = await runChunks(returns)
    t.strictSame(
      result.reported,
      errors.map(([id]) => id),
    )
    t.strictSame(result.errors, errors)
  })
}

function throwing(key: string, target: object = {}) {
  return new Proxy(target, {
    get(target, name, receiver) {
      if (name === key) throw new Error(`${key} was read`)
      return Reflect.get(target, name, receiver)
    },
  })
}
const invalid: [what: string, returns: () => unknown, message: string][] = [
  ['null', () => null, 'returned null;'],
  ['{}', () => ({}), 'batchItemFailures is undefined'],
  ['the response of BatchWriteItem', () => ({ UnprocessedItems: {}, $metadata: {} }), 'batchItemFailures is undefined'],
  ['null as a list', () => ({ batchItemFailures: null }), 'batchItemFailures is null'],
  ['an id of another chunk', () => listOf('d'), 'entry 0 is not a record of the chunk'],
  ['an id of another chunk, among others', () => listOf('a', 'd'), 'entry 1 is not a record of the chunk'],
  ['a list with null', () => ({ batchItemFailures: [null] }), 'entry 0 is not a record of the chunk'],
  ['one result too few', () => [OK, OK], '2 results for 3 records'],
  ['one result too many', () => [OK, OK, OK, OK], '4 results for 3 records'],
  ['holes instead of results', () => new Array(3), 'entry 0 is not a PromiseSettledResult'],
  ['a promise instead of a result', () => [OK, Promise.resolve(), OK], 'entry 1 is not a PromiseSettledResult'],
  ['a result that is pending', () => [OK, OK, { status: 'pending' }], 'entry 2 is not a PromiseSettledResult'],
  ['a list that throws', () => throwing('batchItemFailures'), 'an object that throws when it is read'],
  ['a reason that throws', () => [throwing('reason', { status: 'rejected' }), OK, OK], 'an object that throws'],
]

for (const [what, returns, message] of invalid) {
  t.test(`an invalid return value fails the whole chunk and no other: ${what}`, async (t) => {
    const { reported, errors } = await runChunks(returns)
    t.strictSame(reported, ['a', 'b', 'c'])
    t.strictSame(
      errors.map(([id]) => id),
      ['a', 'b', 'c'],
    )
    const [error, ...others] = errors.map(([, error]) => error)
    t.match(error, { name: 'TypeError', message })
    t.match(error, { message: /return nothing, or a PromiseSettledResult for each record of the chunk, or \{ batch/ })
    t.ok(others.every((other) => other === error))
  })
}

const rearranging: [what: string, rearrange: (records: SQSRecord[]) => SQSRecord[]][] = [
  ['reverses', (records) => records.reverse()],
  ['removes', (records) => Array.from({ length: records.length }, () => records.pop() as SQSRecord)],
  ['replaces', (records) => records.splice(0, 2, sqsRecord('x'), sqsRecord('y')).concat(records.slice(2))],
]
for (const [what, rearrange] of rearranging) {
  t.test(`the whole chunk fails if its handler ${what} records in its array and returns results`, async (t) => {
    const errors: unknown[] = []
    async function failA({ messageId }: SQSRecord) {
      if (messageId === 'a') throw new Error('a')
    }
    const handle = chunkHandlerOf(
      3,
      (records) => (records.length > 1 ? Promise.allSettled(rearrange(records as SQSRecord[]).map(failA)) : undefined),
      { logger: (error) => errors.push(error) },
    )
    t.strictSame(failed(await handle(standardEvent('a', 'b', 'c', 'd'))), ['a', 'b', 'c'])
    t.match(errors[0], {
      name: 'TypeError',
      message: /reordered or removed records in the array that it received\. Sort or filter a copy of the array/,
    })
  })
}

t.test('the handler may replace a record in its array by one with the same id', async (t) => {
  const handle = chunkHandlerOf(3, (records) => {
    const own = records as SQSRecord[]
    for (const [index, record] of own.entries()) own[index] = { ...record, body: record.body.toUpperCase() }
    return Promise.allSettled(own.map(async ({ body }) => body === 'BODY OF B' && Promise.reject(new Error('b'))))
  })
  t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'))), ['b'])
})

const anything = new PermanentError('anything')
const throws: [what: string, handler: () => unknown, reason: unknown][] = [
  [
    'thrown at once',
    () => {
      throw anything
    },
    anything,
  ],
  ['rejected later', () => settled().then(() => Promise.reject(anything)), anything],
  [
    'undefined, at once',
    () => {
      throw undefined
    },
    undefined,
  ],
  ['a text', () => Promise.reject('a text'), 'a text'],
  ['thrown when `then` is read', () => throwing('then'), new Error('then was read')],
]

for (const [what, handler, reason] of throws) {
  t.test(`an error that a chunk handler throws fails the whole chunk and no other: ${what}`, async (t) => {
    const { reported, errors } = await runChunks(handler)
    t.strictSame(reported, ['a', 'b', 'c'])
    t.strictSame(errors, [
      ['a', reason],
      ['b', reason],
      ['c', reason],
    ])
  })
}

t.test('a handler that changes a messageId reports its record by the id that came with the batch', async (t) => {
  const results: [what: string, result: unknown, ...reported: string[]][] = [
    ['the id that came', listOf('a'), 'a'],
    ['the changed id', listOf('changed'), 'a', 'b'],
    ['results', [{ status: 'rejected', reason: thrown }, OK], 'a'],
    ['nothing', undefined],
  ]
  for (const [what, result, ...reported] of results) {
    const handle = chunkHandlerOf(2, (records) => {
      const [first] = records
      if (first?.messageId !== 'a') return undefined
      first.messageId = 'changed'
      return result as undefined
    })
    t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'))), reported, what)
  }
})
