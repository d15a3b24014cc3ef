import { channel } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { recordIdsOf, watchRecordErrors } from '../../src/local/simulator/record-errors.ts'

function publish(name: string, message: object) {
  channel(`tracing:middy-bounded-sqs-batch:${name}`).publish(message)
}

function records(ids: readonly string[]) {
  return ids.map((messageId) => ({ messageId }))
}

/** Starts a batch. Publishes what the library publishes. */
function start(...ids: string[]) {
  const batch: { event: object; result?: object } = { event: { Records: records(ids) } }
  publish('batch:start', batch)
  return {
    succeed: (...ids: string[]) => publish('record:asyncEnd', { batch, records: records(ids) }),
    fail(error: unknown, ...ids: string[]) {
      const message = { batch, records: records(ids), error }
      publish('record:error', message)
      publish('record:asyncEnd', message)
    },
    /** A chunk, of which each of these records failed with an error of its own. */
    failEach(errors: Record<string, unknown>, ...ids: string[]) {
      const failures = Object.entries(errors).map(([messageId, error]) => ({ record: { messageId }, error }))
      const message = { batch, records: records(ids), error: new Error('of the chunk'), failures }
      publish('record:error', message)
      publish('record:asyncEnd', message)
    },
    respond(...failed: string[]) {
      batch.result = { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) }
      publish('batch:asyncEnd', batch)
    },
    failInvocation: () => publish('batch:asyncEnd', batch),
  }
}

const NOTHING = { errors: {}, reported: [], unfinished: {}, unlisted: {} }

test('if the library has published nothing, nothing is known', async (t) => {
  t.equal(watchRecordErrors()(['a']), undefined)
})

test('the error of a record that failed, and the records that the library reported', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a', 'b', 'c')
  batch.succeed('a')
  batch.fail(new RangeError('not in stock'), 'b')
  batch.respond('b', 'c')
  t.strictSame(take(['a', 'b', 'c']), {
    ...NOTHING,
    errors: { b: 'RangeError: not in stock' },
    reported: ['b', 'c'],
  })
})

test('records of one event, after those of another', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a', 'b')
  batch.fail(new Error('x'), 'a', 'b')
  batch.respond('a', 'b')
  t.strictSame(take(['b']), { ...NOTHING, errors: { b: 'Error: x' }, reported: ['b'] })
  t.strictSame(take(['a']), { ...NOTHING, errors: { a: 'Error: x' }, reported: ['a'] })
})

test('records that were in no batch, and records that were taken already', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a')
  batch.fail(new Error('x'), 'a')
  batch.respond('a')
  t.strictSame(take(['a', 'b']), {
    ...NOTHING,
    errors: { a: 'Error: x' },
    reported: ['a'],
    unlisted: { b: true },
  })
  t.strictSame(take(['a']), { ...NOTHING, unlisted: { a: true } })
})

test('a record that is in the event twice was in a batch of the library', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a', 'b', 'a')
  batch.succeed('a', 'b')
  batch.respond()
  t.strictSame(take(['a', 'b', 'a']), NOTHING)
})

test('without a response of the library, the records that have not succeeded are unfinished', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a', 'b', 'c')
  batch.succeed('a')
  batch.fail(new Error('x'), 'b')
  batch.failInvocation()
  t.strictSame(take(['a', 'b', 'c']), {
    ...NOTHING,
    errors: { b: 'Error: x' },
    unfinished: { b: true, c: true },
  })
})

test('of a chunk, each failed record has its own error; without a list of failures, all have that of the chunk', async (t) => {
  const take = watchRecordErrors()
  const batch = start('a', 'b', 'c', 'd')
  batch.failEach({ b: new Error('of b') }, 'a', 'b')
  batch.fail(new Error('of the chunk'), 'c', 'd')
  batch.respond('b', 'c', 'd')
  t.strictSame(take(['a', 'b', 'c', 'd']), {
    ...NOTHING,
    errors: { b: 'Error: of b', c: 'Error: of the chunk', d: 'Error: of the chunk' },
    reported: ['b', 'c', 'd'],
  })
})

test('a late result of an earlier batch says nothing about a later delivery of its messages', async (t) => {
  const take = watchRecordErrors()
  const earlier = start('a', 'b', 'c')
  t.strictSame(take(['a', 'b', 'c']), { ...NOTHING, unfinished: { a: true, b: true, c: true } })
  const later = start('a', 'b')
  earlier.fail(new Error('late'), 'a')
  earlier.succeed('b', 'c')
  earlier.respond('a')
  t.strictSame(take(['a', 'b', 'c']), { ...NOTHING, unfinished: { a: true, b: true }, unlisted: { c: true } })
  later.fail(new Error('late'), 'a')
  later.respond('a')
  t.strictSame(take(['a']), { ...NOTHING, unlisted: { a: true } })
  await setImmediate() // Node throws the error of a subscriber later
})

test('the error of an earlier batch of the same invocation counts until the record fails again or succeeds', async (t) => {
  const take = watchRecordErrors()
  const first = start('a', 'b', 'c')
  first.fail(new Error('first'), 'a', 'b', 'c')
  first.respond('a', 'b', 'c')
  const second = start('a', 'b', 'c')
  second.succeed('a')
  second.fail(new Error('second'), 'b')
  second.respond('b', 'c')
  t.strictSame(take(['a', 'b', 'c']), {
    ...NOTHING,
    errors: { b: 'Error: second', c: 'Error: first' },
    reported: ['b', 'c'],
  })
})

test('a record that succeeds in a later chunk has no error, also if another record of the chunk fails', async (t) => {
  const take = watchRecordErrors()
  const first = start('a', 'b')
  first.fail(new Error('first'), 'a', 'b')
  first.respond('a', 'b')
  const second = start('a', 'b')
  second.failEach({ b: new Error('second') }, 'a', 'b')
  second.respond('b')
  t.strictSame(take(['a', 'b']), { ...NOTHING, errors: { b: 'Error: second' }, reported: ['b'] })
})

test('the ids of the records of an event', async (t) => {
  t.strictSame(recordIdsOf({ Records: records(['a', 'b']) }), ['a', 'b'])
  t.strictSame(recordIdsOf({}), [])
})

/** Sets the clock of a watcher. Returns the clock, and the numbers of finished records that it reports. */
function onClock(t: Test) {
  const clock = { now: 5000 }
  t.intercept(performance, 'now', { value: () => clock.now })
  const reports: number[] = []
  watchRecordErrors((finished) => reports.push(finished))
  return { clock, reports }
}

test('the number of finished records is reported at most every 250 ms, since the start of the batch', async (t) => {
  const { clock, reports } = onClock(t)
  const first = start('a', 'b', 'c', 'd', 'e', 'f')
  clock.now += 249
  first.succeed('a')
  t.strictSame(reports, [])
  clock.now += 1
  first.fail(new Error('x'), 'b', 'c')
  t.strictSame(reports, [3], 'those that failed are finished, too')
  clock.now += 249
  first.succeed('d')
  t.strictSame(reports, [3])
  clock.now += 1
  first.succeed('e')
  t.strictSame(reports, [3, 2], 'since the last report')
  first.succeed('f')
  clock.now += 1000
  const second = start('a', 'b')
  second.succeed('a')
  t.strictSame(reports, [3, 2], 'a new batch begins at 0')
  clock.now += 250
  second.succeed('b')
  t.strictSame(reports, [3, 2, 2])
})

const unreadable = {
  get name() {
    throw new Error('no')
  },
}
for (const [title, error, text] of [
  ['an error', new TypeError('no such item'), 'TypeError: no such item'],
  ['an error without a message', new Error(''), 'Error'],
  ['an error whose message is not a text', { name: 'Error', message: 5 }, 'Error'],
  ['an object without a name', { message: 'gone' }, 'an object: gone'],
  ['an object whose name is empty', { name: '', message: 'gone' }, 'an object: gone'],
  ['an object whose name is not a text', { name: 5, message: 'gone' }, 'an object: gone'],
  ['an object without a name and a message', {}, 'an object'],
  ['a text', 'gone', 'thrown string: gone'],
  ['undefined', undefined, 'thrown undefined: undefined'],
  ['null', null, 'thrown object: null'],
  ['a function', Object, 'thrown function: function Object() { [native code] }'],
  ['a message of several lines', new Error('a\n  b'), 'Error: a b'],
  ['a text of several lines', 'a\n\nb', 'thrown string: a b'],
  [
    'a code',
    Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' }),
    'Error: no connection (ECONNREFUSED)',
  ],
  [
    'a code that the message has',
    Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' }),
    'Error: connect ETIMEDOUT',
  ],
  ['a code of Node or of the library', Object.assign(new Error('x'), { code: 'ERR_TIMEOUT' }), 'Error: x'],
  ['a code that contains ERR_', Object.assign(new Error('x'), { code: 'AN_ERR_X' }), 'Error: x (AN_ERR_X)'],
  ['a code with digits', Object.assign(new Error('x'), { code: 'E2BIG' }), 'Error: x (E2BIG)'],
  ['a code that is a number', Object.assign(new Error('x'), { code: 23_505 }), 'Error: x'],
  ['a code that is a list', Object.assign(new Error('x'), { code: ['EPIPE'] }), 'Error: x'],
  ['a code with lower-case letters', Object.assign(new Error('x'), { code: 'Enoent' }), 'Error: x'],
  ['a code that begins with a digit', Object.assign(new Error('x'), { code: '2BIG' }), 'Error: x'],
  ['a code that is a sentence', Object.assign(new Error('x'), { code: 'E BIG' }), 'Error: x'],
  ['a code of 41 characters', Object.assign(new Error('x'), { code: 'E'.repeat(41) }), `Error: x (${'E'.repeat(41)})`],
  ['a code of 42 characters', Object.assign(new Error('x'), { code: 'E'.repeat(42) }), 'Error: x'],
  ['a code of one character', Object.assign(new Error('x'), { code: 'E' }), 'Error: x'],
  ['a code of the cause', new Error('x', { cause: { code: 'ENOTFOUND' } }), 'Error: x (ENOTFOUND)'],
  ['a cause that is null', new Error('x', { cause: null }), 'Error: x'],
  [
    'a code of the first inner error',
    new AggregateError([{ code: 'EPIPE' }, { code: 'EIO' }], 'x'),
    'AggregateError: x (EPIPE)',
  ],
  ['inner errors that are no list', Object.assign(new Error('x'), { errors: { 0: { code: 'EPIPE' } } }), 'Error: x'],
  ['no inner errors', new AggregateError([], 'x'), 'AggregateError: x'],
  [
    'the code of the error itself comes first, then that of the cause',
    Object.assign(new AggregateError([{ code: 'EPIPE' }], 'x', { cause: { code: 'ENOTFOUND' } }), { code: 'EIO' }),
    'AggregateError: x (EIO)',
  ],
  ['an object whose properties cannot be read', unreadable, 'an error whose properties cannot be read'],
] as const) {
  test(`the text of ${title}`, async (t) => {
    const take = watchRecordErrors()
    start('a').fail(error, 'a')
    t.strictSame(take(['a'])?.errors, { a: text })
  })
}
