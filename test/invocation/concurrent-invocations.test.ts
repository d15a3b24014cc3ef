import { AsyncLocalStorage } from 'node:async_hooks'
import type { SQSRecord } from 'aws-lambda'
import t from 'tap'
import { busyClock, iterationCounter, mockClock, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { collectReferences } from '../support/memory.ts'

/** Settles records until none is in flight. `fails` decides by the id. */
async function settleAll(held: ReturnType<typeof heldRecords>, fails: (id: string) => boolean): Promise<void> {
  for (let running = held.running(); running.length > 0; running = held.running()) {
    for (const id of running) {
      if (fails(id)) held.fail(id)
      else held.succeed(id)
    }
    await settled()
  }
}

t.test(
  'invocations that arrive every few milliseconds do not keep a batch from yielding to the event loop',
  async (t) => {
    const pass = busyClock(t)
    const records = iterationCounter(t)
    const small: Promise<unknown>[] = []
    const handle = handlerOf(({ body }) => {
      if (body === 'small') return
      records.count()
      pass(4)
      const [record] = standardEvent('s').Records
      small.push(handle({ Records: [{ ...(record as SQSRecord), body: 'small' }] }))
    })
    t.strictSame(failed(await handle(standardEvent(...ids(40)))), [])
    t.strictSame(
      (await Promise.all(small)).map((response) => failed(response as never)),
      Array(40).fill([]),
    )
    t.ok(records.max >= 2 && records.max <= 4, `${records.max} records of 4 ms in one iteration`)
  },
)

t.test('while slots are free, a large batch that uses the CPU does not keep a small batch from running', async (t) => {
  const pass = busyClock(t)
  const started: string[] = []
  const handle = handlerOf(async ({ messageId }) => {
    await null
    started.push(messageId)
    pass(1)
  })
  const large = handle(standardEvent(...ids(1000)))
  await settled()
  t.strictSame(failed(await handle(standardEvent('a', 'x'))), [])
  t.ok(started.length < 200, `${started.length} records started before the small batch was done`)
  t.strictSame(failed(await large), [])
})

t.test('if invocations share event and context, each failure is in exactly one report', async (t) => {
  const event = standardEvent('a', 'b', 'c')
  const context = testContext()
  let call = 0
  const handle = handlerOf(
    async () => {
      const mine = call++
      await settled()
      if (mine % 2 === 0) throw new Error(`call ${mine}`)
    },
    { concurrency: 2 },
  )
  const responses = await Promise.all([handle(event, context), handle(event, context), handle(event, context)])
  t.equal(call, 9)
  const reported = responses.map(failed)
  t.equal(reported.flat().length, 5, 'each of the five failures is in one report')
  t.not(responses[0], responses[1])
})

t.test(
  'a batch of 20 that arrives while a batch of 600 runs ends before another 100 records have started',
  async (t) => {
    const held = heldRecords()
    const handle = handlerOf(held.handle, { concurrency: 10 })
    let isLargeDone = false
    const large = handle(standardEvent(...ids(600))).finally(() => {
      isLargeDone = true
    })
    await settled()
    const small = handle(standardEvent(...Array.from({ length: 20 }, (_, index) => `s${index}`)))
    let startedBySmallEnd = 0
    const end = small.then((response) => {
      startedBySmallEnd = held.started.length
      t.equal(isLargeDone, false)
      return response
    })
    await settled()
    await settleAll(held, (id) => id === 's3' || id === 'm599')
    t.strictSame(failed(await end), ['s3'])
    t.strictSame(failed(await large), ['m599'])
    t.ok(startedBySmallEnd <= 100, `${startedBySmallEnd} records had been started when the small batch ended`)
  },
)

t.test('a handler sees the AsyncLocalStorage of its own invocation, also after invocations share slots', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const held = heldRecords()
  const wrong: string[] = []
  const handle = handlerOf(
    async (record, context, options) => {
      function check() {
        if (storage.getStore() !== record.messageId.charAt(0)) wrong.push(record.messageId)
      }
      check()
      await held.handle(record, context, options)
      check()
    },
    { concurrency: 3 },
  )
  const results = ['a', 'b', 'c'].map((name) =>
    storage.run(name, () => handle(standardEvent(...Array.from({ length: 20 }, (_, index) => `${name}${index}`)))),
  )
  await settled()
  await settleAll(held, (id) => id.endsWith('7'))
  t.strictSame((await Promise.all(results)).map(failed), [
    ['a7', 'a17'],
    ['b7', 'b17'],
    ['c7', 'c17'],
  ])
  t.strictSame(wrong, [])
})

// Ten slots are made at the construction. With 25, an invocation makes the others.
for (const concurrency of [2, 25]) {
  t.test(
    `with ${concurrency} slots, the AsyncLocalStorage store of an invocation can be collected after its batch`,
    async (t) => {
      const storage = new AsyncLocalStorage<object>()
      const handle = handlerOf(settled, { concurrency })
      async function runWithStore(): Promise<WeakRef<object>> {
        const store = {}
        t.strictSame(failed(await storage.run(store, () => handle(standardEvent(...ids(20))))), [])
        return new WeakRef(store)
      }
      const stores = [await runWithStore(), ...(await Promise.all([runWithStore(), runWithStore(), runWithStore()]))]
      t.strictSame(failed(await handle(standardEvent('a'))), [])
      await settled()
      await collectReferences(...stores)
      t.strictSame(
        stores.map((store) => store.deref()),
        [undefined, undefined, undefined, undefined],
      )
    },
  )
}

t.test('an invocation that still waits for slots at its drain is reported and starts nothing later', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 2 })
  const first = handle(standardEvent('a', 'b', 'c'))
  await settled()
  const second = handle(standardEvent('x', 'y'), timedContext(1000))
  await settled()
  clock.advance(800)
  t.strictSame(failed(await second), ['x', 'y'], 'the response is sent at the drain, because none of its records runs')
  await settleAll(held, () => false)
  t.strictSame(failed(await first), [])
  t.strictSame(held.started, ['a', 'b', 'c'])
})
