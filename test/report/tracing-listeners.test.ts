import { AsyncLocalStorage } from 'node:async_hooks'
import diagnostics, { tracingChannel } from 'node:diagnostics_channel'
import t from 'tap'
import { FullBatchFailureError, type RecordTrace } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failed, handlerOf, testContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { logged } from '../support/output.ts'
import { BATCH, EVENTS, listenToTraces, RECORD } from '../support/tracing.ts'

t.test("a handler sees the store that is bound to its record's start, and the stores of its invocation", async (t) => {
  const channel = tracingChannel<string, RecordTrace>(RECORD)
  const spans = new AsyncLocalStorage<string>()
  const invocations = new AsyncLocalStorage<string>()
  const spanOf = ({ records }: RecordTrace) => `span of ${records[0]?.messageId}`
  channel.start.bindStore(spans, (message) => spanOf(message as never))
  t.teardown(() => channel.start.unbindStore(spans))
  const ends: unknown[] = []
  const wrong: string[] = []
  function noteEnd(message: unknown) {
    const span = spanOf(message as RecordTrace)
    ends.push(span)
    if (spans.getStore() !== span) wrong.push(`${spans.getStore()} at the end of ${span}`)
  }
  diagnostics.subscribe(`tracing:${RECORD}:asyncEnd`, noteEnd)
  t.teardown(() => diagnostics.unsubscribe(`tracing:${RECORD}:asyncEnd`, noteEnd))
  const held = heldRecords()
  const handle = handlerOf(
    async (record, context, options) => {
      function check() {
        if (spans.getStore() !== `span of ${record.messageId}`) wrong.push(record.messageId)
        if (invocations.getStore() !== record.messageId.charAt(0)) wrong.push(record.messageId)
      }
      check()
      await held.handle(record, context, options)
      check()
    },
    { concurrency: 2 },
  )
  const results = ['a', 'b'].map((name) =>
    invocations.run(name, () => handle(standardEvent(`${name}1`, `${name}2`, `${name}3`))),
  )
  let count = 0
  for (await settled(); held.running().length > 0; await settled()) {
    for (const id of held.running()) id.endsWith('2') ? held.fail(id) : held.succeed(id)
    count++
  }
  t.ok(count >= 3)
  t.strictSame((await Promise.all(results)).map(failed), [['a2'], ['b2']])
  t.strictSame(wrong, [])
  t.equal(new Set(ends).size, 6, 'asyncEnd is published for each record')
  t.equal(spans.getStore(), undefined)
})

t.test('concurrent invocations publish separate traces', async (t) => {
  const heard = listenToTraces(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 3 })
  const context = testContext()
  const first = handle(standardEvent('a1', 'a2'), context)
  const second = handle(standardEvent('b1', 'b2'), context)
  await settled()
  for (const id of ['a1', 'b1', 'a2']) held.fail(id)
  await settled()
  held.succeed('b2')
  const responses = [await first, await second]
  t.strictSame(responses.map(failed), [['a1', 'a2'], ['b1']])
  t.equal(heard.batches.size, 2)
  for (const [index, batch] of [...heard.batches].entries()) {
    t.strictSame(batch.result, responses[index])
    t.equal(batch.summary?.failed, [2, 1][index])
    const mine = [...heard.records].filter((record) => record.batch === batch)
    t.strictSame(
      mine.map(({ records }) => records[0]?.messageId),
      [
        ['a1', 'a2'],
        ['b1', 'b2'],
      ][index],
    )
  }
})

t.test('an error in a subscriber becomes an uncaught exception and does not change the response', async (t) => {
  const uncaught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => uncaught.push(error))
  const names = [BATCH, RECORD].flatMap((name) => EVENTS.map((event) => `tracing:${name}:${event}`))
  function fails(_message: unknown, name: unknown) {
    throw name
  }
  for (const name of names) diagnostics.subscribe(name, fails)
  try {
    const response = await handlerOf(() => Promise.reject(new Error('x')))(standardEvent('x', 'x2'))
    t.strictSame(failed(response), ['x', 'x2'])
    const full = handlerOf(() => Promise.reject(new Error('x')), { throwOnFullBatchFailure: true })
    await t.rejects(full(standardEvent('x')), FullBatchFailureError)
    await settled()
  } finally {
    for (const name of names) diagnostics.unsubscribe(name, fails)
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  t.strictSame([...new Set(uncaught)].sort(), names.sort())
})

t.test('subscribers to records are checked once per invocation', async (t) => {
  const handle = handlerOf(({ messageId }) => {
    if (messageId === 'subscribe') diagnostics.subscribe(`tracing:${RECORD}:start`, note)
    if (messageId === 'unsubscribe') diagnostics.unsubscribe(`tracing:${RECORD}:start`, note)
  })
  const seen: unknown[] = []
  const note = (message: unknown) => seen.push((message as RecordTrace).records[0]?.messageId)
  t.strictSame(failed(await handle(standardEvent('subscribe', 'a'))), [])
  t.strictSame(seen, [])
  t.strictSame(failed(await handle(standardEvent('b', 'unsubscribe', 'c'))), [])
  t.strictSame(seen, ['b', 'unsubscribe'])
  t.strictSame(failed(await handle(standardEvent('d'))), [])
  t.strictSame(seen, ['b', 'unsubscribe'])
})

t.test('without subscribers to records, no function of tracing is on the stack of a handler', async (t) => {
  async function frames() {
    let stack = ''
    await handlerOf(() => {
      stack = String(new Error('here').stack)
    })(standardEvent('a'))
    return stack.match(/tracing\.ts|tracePromise/g)
  }
  t.equal(await frames(), null)
  const heard = listenToTraces(t)
  t.ok(await frames())
  heard.stop()
  t.equal(await frames(), null)
})

t.test('without subscribers to batches, no summary is computed', async (t) => {
  const sorts = t.capture(Float64Array.prototype, 'sort', Float64Array.prototype.sort)
  async function countSorts() {
    await logged(() => handlerOf(() => {}, { logger: undefined })(standardEvent('a')))
    return sorts().length
  }
  t.equal(await countSorts(), 0)
  function note() {}
  diagnostics.subscribe(`tracing:${BATCH}:asyncEnd`, note)
  t.equal(await countSorts(), 1, 'a summary sorts the durations')
  diagnostics.unsubscribe(`tracing:${BATCH}:asyncEnd`, note)
  t.equal(await countSorts(), 0)
})
