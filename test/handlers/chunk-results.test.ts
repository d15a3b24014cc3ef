import { runInNewContext } from 'node:vm'
import type { SQSRecord } from 'aws-lambda'
import t from 'tap'
import { PermanentError } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, listOf } from '../support/handlers.ts'
import { revoked } from '../support/hostile.ts'
import { logged } from '../support/output.ts'

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
  ['an empty list', () => listOf()],
  ['a frozen list', () => Object.freeze(listOf('b')), ['b', REPORTED]],
  ['a list in another order', () => listOf('c', 'a'), ['a', REPORTED], ['c', REPORTED]],
  ['an id twice', () => listOf('b', 'b'), ['b', REPORTED]],
  ['a list of all', () => listOf('a', 'b', 'c'), ['a', REPORTED], ['b', REPORTED], ['c', REPORTED]],
  ['a list and another property', () => ({ ...listOf('c'), UnprocessedItems: {} }), ['c', REPORTED]],
  ['a promise of a list', async () => listOf('b'), ['b', REPORTED]],
  [
    'a thenable of a list',
    () => ({ then: (resolve: (value: unknown) => void) => resolve(listOf('b')) }),
    ['b', REPORTED],
  ],
  [
    'a list of another realm',
    () => runInNewContext('({ batchItemFailures: [{ itemIdentifier: "b" }] })'),
    ['b', REPORTED],
  ],
  ['a proxy of a list', () => new Proxy(listOf('b'), {}), ['b', REPORTED]],
  ['results', () => [OK, { status: 'rejected', reason: thrown }, OK], ['b', thrown]],
  ['results that all succeeded', () => [OK, OK, OK]],
  ['a proxy of results', () => new Proxy([OK, OK, { status: 'rejected', reason: 1 }], {}), ['c', 1]],
  ['Promise.allSettled()', () => Promise.allSettled([1, Promise.reject(thrown), 3]), ['b', thrown]],
  ['a failure without a reason', () => [{ status: 'rejected' }, OK, OK], ['a', undefined]],
  [
    'reasons of all kinds',
    () => [OK, { status: 'rejected', reason: NaN }, { status: 'rejected', reason: null }],
    ['b', NaN],
    ['c', null],
  ],
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
  ['false', () => false, 'returned a boolean;'],
  ['0', () => 0, 'returned a number;'],
  ['a text', () => '', 'returned a string;'],
  ['a symbol', () => Symbol('a'), 'returned a symbol;'],
  ['a bigint', () => 0n, 'returned a bigint;'],
  ['a function', () => () => listOf(), 'batchItemFailures is undefined'],
  ['{}', () => ({}), 'batchItemFailures is undefined'],
  ['the response of BatchWriteItem', () => ({ UnprocessedItems: {}, $metadata: {} }), 'batchItemFailures is undefined'],
  [
    'the response of BatchWriteItem, later',
    async () => ({ UnprocessedItems: { t: [{}] } }),
    'batchItemFailures is undefined',
  ],
  [
    'the response of SendMessageBatch',
    () => ({ Successful: [], Failed: [{ Id: '0' }] }),
    'batchItemFailures is undefined',
  ],
  ['a Map', () => new Map([['batchItemFailures', []]]), 'batchItemFailures is undefined'],
  ['null as a list', () => ({ batchItemFailures: null }), 'batchItemFailures is null'],
  ['a list that is a text', () => ({ batchItemFailures: 'a' }), 'batchItemFailures is a string'],
  ['a list that is a Set', () => ({ batchItemFailures: new Set(['a']) }), 'batchItemFailures is an object'],
  ['an object with a length as a list', () => ({ batchItemFailures: { length: 0 } }), 'batchItemFailures is an object'],
  [
    'a promise of a list in an object',
    () => ({ batchItemFailures: Promise.resolve([]) }),
    'batchItemFailures is an object',
  ],
  ['an id of another chunk', () => listOf('d'), 'entry 0 is not a record of the chunk'],
  ['an id of another chunk, among others', () => listOf('a', 'd'), 'entry 1 is not a record of the chunk'],
  ['an unknown id', () => listOf('b', 'z'), 'entry 1 is not a record of the chunk'],
  ['an unknown id twice', () => listOf('b', 'z', 'z'), 'entry 1 is not a record of the chunk'],
  ['an empty id', () => listOf(''), 'entry 0 is not a record of the chunk'],
  ['an index instead of an id', () => listOf(0), 'entry 0 is not a record of the chunk'],
  ['an id in an object', () => listOf({ toString: () => 'a' }), 'entry 0 is not a record of the chunk'],
  ['ids that are not in objects', () => ({ batchItemFailures: ['a'] }), 'entry 0 is not a record of the chunk'],
  ['ids under another key', () => ({ batchItemFailures: [{ id: 'a' }] }), 'entry 0 is not a record of the chunk'],
  ['a list with null', () => ({ batchItemFailures: [null] }), 'entry 0 is not a record of the chunk'],
  ['a list with holes', () => ({ batchItemFailures: new Array(2) }), 'entry 0 is not a record of the chunk'],
  ['more ids than records', () => listOf('a', 'b', 'c', 'd'), 'entry 3 is not a record of the chunk'],
  ['no results', () => [], '0 results for 3 records'],
  ['one result too few', () => [OK, OK], '2 results for 3 records'],
  ['one result too many', () => [OK, OK, OK, OK], '4 results for 3 records'],
  ['holes instead of results', () => new Array(3), 'entry 0 is not a PromiseSettledResult'],
  [
    'a hole among results',
    () => Object.assign([OK, OK, OK], { 1: undefined }),
    'entry 1 is not a PromiseSettledResult',
  ],
  ['a sparse array', () => Object.assign(new Array(3), [OK], { 2: OK }), 'entry 1 is not a PromiseSettledResult'],
  ['null instead of a result', () => [OK, OK, null], 'entry 2 is not a PromiseSettledResult'],
  ['a promise instead of a result', () => [OK, Promise.resolve(), OK], 'entry 1 is not a PromiseSettledResult'],
  ['results without a status', () => [{}, {}, {}], 'entry 0 is not a PromiseSettledResult'],
  ['a result that is pending', () => [OK, OK, { status: 'pending' }], 'entry 2 is not a PromiseSettledResult'],
  [
    'status strings instead of results',
    () => ['fulfilled', 'fulfilled', 'fulfilled'],
    'entry 0 is not a PromiseSettledResult',
  ],
  ['an object with a length and results', () => ({ length: 3, 0: OK, 1: OK, 2: OK }), 'batchItemFailures is undefined'],
  ['results in a Set', () => new Set([OK]), 'batchItemFailures is undefined'],
  ['a list that throws', () => throwing('batchItemFailures'), 'an object that throws when it is read'],
  ['results that throw', () => throwing('1', [OK, OK, OK]), 'an object that throws when it is read'],
  ['a length that throws', () => throwing('length', [OK, OK, OK]), 'an object that throws when it is read'],
  ['a status that throws', () => [OK, OK, throwing('status')], 'an object that throws when it is read'],
  ['a reason that throws', () => [throwing('reason', { status: 'rejected' }), OK, OK], 'an object that throws'],
  ['an id that throws', () => ({ batchItemFailures: [throwing('itemIdentifier')] }), 'an object that throws'],
  [
    'a list that is a revoked proxy',
    () => ({ batchItemFailures: revoked([]) }),
    'an object that throws when it is read',
  ],
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
  ['undefined, later', () => Promise.reject(undefined), undefined],
  ['null', () => Promise.reject(null), null],
  ['NaN', () => Promise.reject(NaN), NaN],
  ['a text', () => Promise.reject('a text'), 'a text'],
  ['by a thenable', () => ({ then: (_: unknown, reject: (reason: unknown) => void) => reject(anything) }), anything],
  [
    'thrown by the then() of a thenable',
    () => ({
      then() {
        throw anything
      },
    }),
    anything,
  ],
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

t.test('the log entry says why the chunk failed', async (t) => {
  const handle = chunkHandlerOf(2, async () => listOf('z') as never, { logger: undefined })
  const lines = await logged(async () => {
    t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'))), ['a', 'b', 'c'])
  })
  t.equal(lines.length, 1)
  t.match(lines[0], /3 of 3 records of orders failed/)
  t.match(
    lines[0],
    /3 × TypeError: The handler returned a batchItemFailures whose entry 0 is not a record of the chunk/,
  )
})

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

t.test('the TypeError has a cause only if the returned object threw when it was read', async (t) => {
  const [[, error] = []] = (await runChunks(() => throwing('batchItemFailures'))).errors
  t.match(error, { name: 'TypeError', cause: { message: 'batchItemFailures was read' } })
  const [[, other] = []] = (await runChunks(() => ({}))).errors
  t.equal('cause' in (other as Error), false)
})
