import t from 'tap'
import { busyClock, iterationCounter, mockClock, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

t.test('at most `concurrency` handlers are in flight, and records start in record order', async (t) => {
  const held = heldRecords()
  const result = handlerOf(held.handle, { concurrency: 3 })(standardEvent(...ids(7)))
  await settled()
  t.strictSame(held.running(), ['m0', 'm1', 'm2'])
  held.succeed('m1')
  await settled()
  t.strictSame(held.running(), ['m0', 'm2', 'm3'])
  held.fail('m0')
  held.succeed('m3')
  await settled()
  t.strictSame(held.running(), ['m2', 'm4', 'm5'])
  held.succeed('m5')
  await settled()
  for (const id of ['m2', 'm4', 'm6']) held.succeed(id)
  t.strictSame(failed(await result), ['m0'])
  t.strictSame(held.started, ids(7))
})

t.test('by default, 100 handlers are in flight', async (t) => {
  busyClock(t) // on a busy machine, 10 ms could pass again and again before the last one starts
  const held = heldRecords()
  const result = handlerOf(held.handle)(standardEvent(...ids(150)))
  await settled()
  t.strictSame(held.running(), ids(100))
  for (const id of ids(100)) held.succeed(id)
  await settled()
  for (const id of ids(150).slice(100)) held.succeed(id)
  t.strictSame(failed(await result), [])
})

// 40 microtasks: as many as an asynchronous schema can take.
for (const microtasks of [0, 1, 40]) {
  t.test(
    `handlers that use 4 ms of the CPU after ${microtasks} microtasks let the event loop run, in record order`,
    async (t) => {
      const pass = busyClock(t)
      const records = iterationCounter(t)
      const started: string[] = []
      const handle = handlerOf(
        async ({ messageId }) => {
          started.push(messageId)
          for (let passed = 0; passed < microtasks; passed++) await null
          pass(4)
          records.count()
        },
        { concurrency: 100 },
      )
      t.strictSame(failed(await handle(standardEvent(...ids(200)))), [])
      t.strictSame(started, ids(200))
      t.equal(records.max, 3)
    },
  )
}

t.test('a handler that settles after the end of its batch does not free the slot of another record', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1, timeBudget: { drain: 100, abort: 100 } })
  const first = handle(standardEvent('a'), timedContext(1000))
  await settled()
  clock.advance(900)
  t.strictSame(failed(await first), ['a'])
  const later = [handle(standardEvent('b')), handle(standardEvent('c'))]
  await settled()
  t.strictSame(held.running(), ['a', 'b'])
  held.succeed('a')
  later.push(handle(standardEvent('d')))
  await settled()
  t.strictSame(held.running(), ['b'], 'b holds the only slot')
  for (const id of ['b', 'c', 'd']) {
    held.succeed(id)
    await settled()
  }
  t.strictSame((await Promise.all(later)).flatMap(failed), [])
})

t.test('two workers that give their slots up at the same time both continue afterwards', async (t) => {
  busyClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 2 })
  const large = handle(standardEvent('a0', 'a1', 'a2', 'a3'))
  await settled()
  const small = handle(standardEvent('b0'))
  await settled()
  held.succeed('a0')
  held.succeed('a1')
  await settled()
  t.strictSame(held.running(), ['b0', 'a2'])
  held.succeed('b0')
  await settled()
  t.strictSame(held.running(), ['a2', 'a3'])
  held.succeed('a2')
  held.succeed('a3')
  t.strictSame([failed(await large), failed(await small)], [[], []])
})
