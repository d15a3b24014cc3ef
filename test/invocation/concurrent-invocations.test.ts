import { AsyncLocalStorage } from 'node:async_hooks'
import type { SQSRecord } from 'aws-lambda'
import t from 'tap'
import { busyClock, iterationCounter, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { collectReferences } from '../support/memory.ts'

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
  await held.settleAll((id) => id.endsWith('7'))
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
