import { channel } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { type LibraryReport, LibraryWatch, type RecordReport } from '../../../src/local/in-function/library-watch.ts'

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
      const failures = records(ids).map((record) => ({ record, error }))
      publish('record:asyncEnd', { batch, records: records(ids), error, failures })
    },
    /** A chunk, of which each of these records failed with an error of its own. */
    failEach(errors: Record<string, unknown>, ...ids: string[]) {
      const failures = Object.entries(errors).map(([messageId, error]) => ({ record: { messageId }, error }))
      publish('record:asyncEnd', { batch, records: records(ids), error: new Error('of the chunk'), failures })
    },
    respond(...failed: string[]) {
      batch.result = { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) }
      publish('batch:asyncEnd', batch)
    },
    respondWith(summary: object | undefined, ...failed: string[]) {
      Object.assign(batch, { summary })
      this.respond(...failed)
    },
    failInvocation: () => publish('batch:asyncEnd', batch),
  }
}

/** Takes what is known: the texts of errors, and the ids of the other records. */
function watch() {
  const watched = new LibraryWatch()
  return (ids: readonly string[]) => namesIn(watched.take(ids))
}

function namesIn(report?: LibraryReport) {
  if (!report) return undefined
  const entries = Object.entries(report.records)
  const idsOf = (name: keyof RecordReport) => entries.flatMap(([id, record]) => (record[name] ? id : []))
  const texts = entries.flatMap(([id, { error }]) =>
    error === undefined ? [] : [[id, typeof error === 'string' ? error : error.text]],
  )
  const flags = { reported: idsOf('isReported'), unfinished: idsOf('isUnfinished'), unlisted: idsOf('isUnlisted') }
  return { errors: Object.fromEntries(texts), ...flags }
}

const NOTHING = { errors: {}, reported: [], unfinished: [], unlisted: [] }

test('if the library has published nothing, nothing is known', async (t) => {
  t.equal(watch()(['a']), undefined)
})

test('the error of a record that failed, and the records that the library reported', async (t) => {
  const take = watch()
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

test('records that were in no batch, and records that were taken already', async (t) => {
  const take = watch()
  const batch = start('a')
  batch.fail(new Error('x'), 'a')
  batch.respond('a')
  t.strictSame(take(['a', 'b']), {
    ...NOTHING,
    errors: { a: 'Error: x' },
    reported: ['a'],
    unlisted: ['b'],
  })
  t.equal(take(['a']), undefined, 'no record of this event')
})

test('of an event, the library received no record: its records are unknown only if the invocation has used it', async (t) => {
  const watched = new LibraryWatch()
  t.equal(watched.take(['a']), undefined)
  start().respond()
  t.strictSame(namesIn(watched.take(['a'])), { ...NOTHING, unlisted: ['a'] })
  t.equal(watched.take(['a']), undefined, 'the next invocation has not used it')
})

test('a record that succeeded has no entry, and one that a failure handler took over has its error', async (t) => {
  const watched = new LibraryWatch()
  const batch = start('a', 'b')
  batch.succeed('a')
  batch.fail(new Error('x'), 'b')
  batch.respond()
  const records = watched.take(['a', 'b'])?.records ?? {}
  t.strictSame(Object.keys(records), ['b'])
  t.match(records.b, { error: { text: 'Error: x' }, isUnfinished: false })
})

test('if no record has run, but none is left, the handler has rejected results, whose errors are not known', async (t) => {
  const take = watch()
  const summary = { timedOut: 0, aborted: 0, blocked: 0, notStarted: 0 }
  const rejected = { a: 'the result of the handler is rejected: the log of the function has its error' }
  for (const [counts, errors] of [
    [summary, rejected],
    [{ ...summary, notStarted: 1 }, {}],
    [{ ...summary, blocked: 1 }, {}],
    [{ ...summary, aborted: 1 }, {}],
    [{ ...summary, timedOut: 1 }, {}],
    [{ ...summary, timedOut: 1, aborted: 1 }, {}],
    [{ ...summary, aborted: 1, blocked: 1 }, {}],
    [{ ...summary, blocked: 1, notStarted: 1 }, {}],
    [undefined, {}],
  ] as const) {
    start('a', 'b').respondWith(counts, 'a')
    t.strictSame(take(['a', 'b'])?.errors, errors)
  }
  const batch = start('a', 'b')
  batch.succeed('b')
  batch.respondWith(summary, 'a')
  t.strictSame(take(['a', 'b'])?.errors, {}, 'control: another record has run')
})

test('a record that is in the event twice was in a batch of the library', async (t) => {
  const take = watch()
  const batch = start('a', 'b', 'a')
  batch.succeed('a', 'b')
  batch.respond()
  t.strictSame(take(['a', 'b', 'a']), NOTHING)
})

test('without a response of the library, the records that have not succeeded are unfinished', async (t) => {
  const take = watch()
  const batch = start('a', 'b', 'c')
  batch.succeed('a')
  batch.fail(new Error('x'), 'b')
  batch.failInvocation()
  t.strictSame(take(['a', 'b', 'c']), {
    ...NOTHING,
    errors: { b: 'Error: x' },
    unfinished: ['b', 'c'],
  })
})

test('of a chunk, each failed record has its own error', async (t) => {
  const take = watch()
  const batch = start('a', 'b')
  batch.failEach({ b: new Error('of b') }, 'a', 'b')
  batch.respond('b')
  t.strictSame(take(['a', 'b']), { ...NOTHING, errors: { b: 'Error: of b' }, reported: ['b'] })
})

test('a late result of an earlier batch says nothing about a later delivery of its messages', async (t) => {
  const take = watch()
  const earlier = start('a', 'b', 'c')
  t.strictSame(take(['a', 'b', 'c']), { ...NOTHING, unfinished: ['a', 'b', 'c'] })
  const later = start('a', 'b')
  earlier.fail(new Error('late'), 'a')
  earlier.succeed('b', 'c')
  earlier.respond('a')
  t.strictSame(take(['a', 'b', 'c']), { ...NOTHING, unfinished: ['a', 'b'], unlisted: ['c'] })
  later.fail(new Error('late'), 'a')
  later.respond('a')
  t.equal(take(['a']), undefined)
  await setImmediate() // Node throws the error of a subscriber later
})

test('the error of an earlier batch of the same invocation counts until the record fails again or succeeds', async (t) => {
  const take = watch()
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
  const take = watch()
  const first = start('a', 'b')
  first.fail(new Error('first'), 'a', 'b')
  first.respond('a', 'b')
  const second = start('a', 'b')
  second.failEach({ b: new Error('second') }, 'a', 'b')
  second.respond('b')
  t.strictSame(take(['a', 'b']), { ...NOTHING, errors: { b: 'Error: second' }, reported: ['b'] })
})

test('counts of the batches of an invocation: what succeeded, what the library ended, and the most in flight', async (t) => {
  const records = new LibraryWatch()
  const [first, second] = [start('a', 'b', 'c'), start('d', 'e')]
  first.succeed('a', 'b')
  first.respondWith({ peakInFlight: 2, aborted: 1, notStarted: 0 }, 'c')
  second.succeed('d')
  second.respondWith({ peakInFlight: 1, aborted: 0, notStarted: 1 }, 'e')
  t.match(records.take(['a', 'b', 'c', 'd', 'e']), { succeeded: 3, ended: 2, peakInFlight: 2 })
})
