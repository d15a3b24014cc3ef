import t from 'tap'
import { eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { handlerOf, testContext } from '../support/handlers.ts'

t.test('eachRecord() checks its arguments when it is called', async (t) => {
  t.throws(() => eachRecord(undefined as never), { name: 'TypeError', message: /a function, got undefined/ })
  t.throws(() => eachRecord({} as never), { name: 'TypeError', message: /a function, got an object/ })
  function handle() {}
  t.throws(() => eachRecord(handle, null as never), { name: 'TypeError', message: /options, got null/ })
  t.throws(() => eachRecord(handle, [] as never), { name: 'TypeError', message: /options, got an array/ })
  t.throws(() => eachRecord(handle, (() => {}) as never), { name: 'TypeError', message: /got a function/ })
  t.throws(() => eachRecord(handle, { bdy: 'json' } as never), {
    name: 'TypeError',
    message: 'eachRecord(): unknown option "bdy", expected one of body',
  })
  t.throws(() => eachRecord(handle, { body: 'xml' } as never), { name: 'TypeError', message: /got "xml" \(a string\)/ })
  t.throws(() => eachRecord(handle, { body: null } as never), {
    name: 'TypeError',
    message: /option body .* got null$/,
  })
  t.throws(() => eachRecord(handle, { body: {} } as never), { name: 'TypeError', message: /got an object/ })
  t.throws(() => eachRecord(handle, { body: { '~standard': {} } } as never), { name: 'TypeError' })
})

t.test('a handler is called with the record, the context, and its options', async (t) => {
  const context = testContext()
  const event = standardEvent('a', 'b')
  const indexes: number[] = []
  const response = await handlerOf((record, given, options) => {
    indexes.push(options.index)
    t.equal(record, event.Records[options.index])
    t.equal(given, context)
    t.ok(options.signal instanceof AbortSignal)
    t.equal(options.signal, options.signal)
    t.equal(options.receiveCount, 1)
  })(event, context)
  t.strictSame(indexes, [0, 1])
  t.strictSame(response, { batchItemFailures: [] })
})

t.test('a generator function is refused as a record handler, since it would run nothing', async (t) => {
  for (const handler of [function* () {}, async function* () {}]) {
    t.throws(() => eachRecord(handler), { name: 'TypeError', message: /got a generator function/ })
  }
})
