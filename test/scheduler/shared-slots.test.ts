import { setImmediate } from 'node:timers/promises'
import type { SQSBatchResponse } from 'aws-lambda'
import PQueue from 'p-queue'
import t from 'tap'
import { busyClock, iterationCounter, mockClock, passingClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

const { add } = PQueue.prototype

/** The ids of a batch: `a0`, `a1`, … */
const idsOf = (batch: string, count: number) => ids(count).map((id) => id.replace('m', batch))

for (const large of [1, 2]) {
  t.test(
    `five records beside ${large} × 2,000 of 2 ms, with 10 slots: they are done before 40 others have started`,
    async (t) => {
      const clock = passingClock(t)
      const started: string[] = []
      const handle = handlerOf(
        async ({ messageId }) => {
          started.push(messageId)
          await clock.delay(2)
        },
        { concurrency: 10 },
      )
      const others = ['a', 'b'].slice(0, large).map((batch) => handle(standardEvent(...idsOf(batch, 2_000))))
      await clock.pass(20)
      const before = started.length
      t.strictSame(failed(await clock.until(handle(standardEvent(...idsOf('s', 5))))), [])
      const small = started.slice(before).filter((id) => id.startsWith('s'))
      t.strictSame(small, idsOf('s', 5))
      const between = started.length - before - small.length
      t.ok(between < 40, `${between} others`)
      for (const other of others) t.strictSame(failed(await clock.until(other)), [])
    },
  )
}

for (const [batches, limit] of [
  [2, 100],
  [3, 100],
  [2, 7],
] as const) {
  t.test(
    `${batches} batches of 5,000 with ${limit} slots: each holds its share, and slots change hands a few times only`,
    async (t) => {
      busyClock(t)
      const adds = t.capture(PQueue.prototype, 'add', add)
      const inFlight = new Map<string, number>()
      const started: string[] = []
      /** Of the records in the middle: how many of their batch were in flight. */
      const held: number[] = []
      const handle = handlerOf(
        async ({ messageId }) => {
          const [batch] = messageId as unknown as [string]
          const count = (inFlight.get(batch) ?? 0) + 1
          inFlight.set(batch, count)
          started.push(messageId)
          if (started.length > batches * 3_500 && started.length < batches * 4_000) held.push(count)
          await setImmediate()
          inFlight.set(batch, (inFlight.get(batch) as number) - 1)
        },
        { concurrency: limit },
      )
      const results = 'abc'
        .slice(0, batches)
        .split('')
        .map((batch) => handle(standardEvent(...idsOf(batch, 5_000))))
      for (const result of await Promise.all(results)) t.strictSame(failed(result), [])
      t.equal(new Set(started).size, batches * 5_000)
      const share = Math.ceil(limit / batches)
      t.ok(Math.max(...held) <= share, `at most ${Math.max(...held)} records of a batch in flight`)
      const tasks = adds().length
      t.ok(tasks <= 4 * limit, `${tasks} tasks of p-queue`)
    },
  )
}

t.test('with one slot, two batches run alternately', async (t) => {
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1 })
  const results = ['a', 'b'].map((batch) => handle(standardEvent(...idsOf(batch, 3))))
  for (const id of ['a0', 'b0', 'a1', 'b1', 'a2', 'b2']) {
    await settled()
    t.strictSame(held.running(), [id])
    if (id === 'b1') held.fail(id)
    else held.succeed(id)
  }
  t.strictSame((await Promise.all(results)).map(failed), [[], ['b1']])
})

/** How many records of each batch run. */
const countsOf = (running: readonly string[], batches = 'ab') =>
  [...batches].map((batch) => running.filter((id) => id.startsWith(batch)).length)

t.test('two batches that wait share the slots, and from then on keep them', async (t) => {
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 4 })
  const succeedFirst = async () => {
    held.succeed(held.running()[0] as string)
    await settled()
  }
  const first = handle(standardEvent(...idsOf('a', 20)))
  await settled()
  const second = handle(standardEvent(...idsOf('b', 20)))
  await settled()
  t.strictSame(countsOf(held.running()), [4, 0])
  for (let count = 0; count < 4; count++) await succeedFirst()
  for (let count = 0; count < 20; count++) {
    t.strictSame(countsOf(held.running()), [2, 2], `${count} more records`)
    await succeedFirst()
  }
  while (held.running().length > 0) await succeedFirst()
  t.strictSame((await Promise.all([first, second])).map(failed), [[], []])
})

for (const waits of [true, false]) {
  t.test(
    `no batch gives slots up for one that does not wait${waits ? ' any more' : ''}, although that holds less than its share`,
    async (t) => {
      const held = heldRecords()
      const handle = handlerOf(held.handle, { concurrency: 9 })
      const succeedOfA = async () => {
        held.succeed(held.running().find((id) => id.startsWith('a')) as string)
        await settled()
      }
      const [a, b, c] = [standardEvent(...idsOf('a', 60)), standardEvent('b0'), standardEvent(...idsOf('c', 60))]
      const results = [handle(waits ? a : b)]
      await settled()
      results.push(handle(waits ? b : a))
      await settled()
      if (waits) await succeedOfA()
      t.strictSame(countsOf(held.running()), [8, 1])
      results.push(handle(c))
      await settled()
      while (countsOf(held.running(), 'c')[0] !== 3) await succeedOfA()
      for (let count = 0; count < 10; count++) {
        t.strictSame(countsOf(held.running(), 'abc'), [5, 1, 3])
        await succeedOfA()
      }
      await held.settleAll()
      for (const result of results) t.strictSame(failed(await result), [])
    },
  )
}

t.test('a batch that holds less than its share gives no slot up', async (t) => {
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 9 })
  const succeedOf = async (batch: string) => {
    held.succeed(held.running().find((id) => id.startsWith(batch)) as string)
    await settled()
  }
  const results: Promise<SQSBatchResponse>[] = []
  for (const batch of 'abc') {
    results.push(handle(standardEvent(...idsOf(batch, 30))))
    await settled()
  }
  while ((countsOf(held.running(), 'a')[0] as number) > 5) await succeedOf('a')
  t.strictSame(countsOf(held.running(), 'abc'), [5, 2, 2], 'the share of each is three')
  for (const batch of 'bcbc') {
    await succeedOf(batch)
    t.strictSame(countsOf(held.running(), 'abc'), [5, 2, 2])
  }
  while ((countsOf(held.running(), 'a')[0] as number) > 4) await succeedOf('a')
  const counts = countsOf(held.running(), 'abc')
  t.strictSame(counts.toSorted(), [2, 3, 4])
  await succeedOf(counts[1] === 3 ? 'b' : 'c') // the one that holds exactly its share
  t.strictSame(countsOf(held.running(), 'abc'), counts)
  await held.settleAll()
  for (const result of results) t.strictSame(failed(await result), [])
})

t.test('a batch that ended while it waited for a slot frees the slot that it receives', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 1 })
  const first = handle(standardEvent('a'), timedContext(10_000))
  await settled()
  const second = handle(standardEvent('b'), timedContext(1_000))
  await settled()
  clock.advance(950)
  t.strictSame(failed(await second), ['b'])
  held.succeed('a')
  t.strictSame(failed(await first), [])
  await settled()
  const third = handle(standardEvent('c'), timedContext(10_000))
  await settled()
  t.strictSame(held.running(), ['c'])
  held.succeed('c')
  t.strictSame(failed(await third), [])
})

for (const [name, event, options] of [
  ['all slots are held', standardEvent('a1', 'b1', 'c1'), { concurrency: 2 }],
  ['a message group waits for its first record', fifoEvent('a1', 'a2', 'b1'), { concurrency: 5 }],
  [
    'a message group waits, with a rate limit',
    fifoEvent('a1', 'a2', 'b1'),
    { rateLimit: { limit: 10, interval: 1_000 } },
  ],
] as const) {
  t.test(`a batch does not use the event loop while ${name}`, async (t) => {
    mockClock(t)
    const held = heldRecords()
    const result = handlerOf(held.handle, options)(event)
    await settled()
    t.strictSame(held.running(), ['a1', 'b1'])
    t.notOk(process.getActiveResourcesInfo().includes('Immediate'))
    await held.settleAll()
    t.strictSame(failed(await result), [])
  })
}

for (const waiting of [1, 5, 21]) {
  t.test(
    `if ${waiting} records wait, and the others use the CPU after 40 microtasks, at most four of them run in a turn`,
    async (t) => {
      const pass = busyClock(t)
      const records = iterationCounter(t)
      const first = Promise.withResolvers<void>()
      const handle = handlerOf(
        async (_record, _context, { index }) => {
          if (index < waiting) return first.promise
          for (let passed = 0; passed < 40; passed++) await null
          pass(200)
          records.count()
          if (index === 99) first.resolve()
        },
        { concurrency: 100 },
      )
      t.strictSame(failed(await handle(standardEvent(...ids(100)))), [])
      t.ok(records.max <= 4, `${records.max} records of 200 ms in one turn`)
    },
  )
}

t.test('a batch below its share gives slots up for one that has at least two fewer', async (t) => {
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency: 13 })
  const results: Promise<SQSBatchResponse>[] = []
  for (const [batch, count] of [
    ['a', 8],
    ['b', 30],
    ['c', 30],
  ] as const) {
    results.push(handle(standardEvent(...idsOf(batch, count))))
    await settled()
  }
  t.strictSame(countsOf(held.running(), 'abc'), [8, 5, 0])
  for (let count = 0; count < 6; count++) {
    held.succeed(held.running().find((id) => id.startsWith('b')) as string)
    await settled()
  }
  t.strictSame(countsOf(held.running(), 'abc'), [8, 3, 2])
  await held.settleAll()
  for (const result of results) t.strictSame(failed(await result), [])
})

t.test('a record does not wait for a batch that holds less than its share', async (t) => {
  const held = heldRecords()
  const handle = handlerOf(
    (record, context, options) => {
      if (record.messageId.startsWith('b')) return setImmediate()
      return held.handle(record, context, options)
    },
    { concurrency: 10 },
  )
  const hangs = handle(standardEvent(...idsOf('a', 8)))
  await settled()
  let isDone = false
  const large = handle(standardEvent(...idsOf('b', 2_000))).finally(() => {
    isDone = true
  })
  await settled()
  const small = handle(standardEvent('c0'))
  while (!held.running().includes('c0') && !isDone) await setImmediate()
  t.equal(isDone, false)
  for (const id of held.running()) held.succeed(id)
  for (const result of [hangs, large, small]) t.strictSame(failed(await result), [])
})

t.test('a batch that waits for I/O starts its records beside one that uses the CPU', async (t) => {
  const pass = busyClock(t)
  const held = heldRecords()
  let isDone = false
  const handle = handlerOf(
    (record, context, options) => {
      if (record.messageId.startsWith('b')) return held.handle(record, context, options)
      pass(11)
    },
    { concurrency: 100 },
  )
  const large = handle(standardEvent(...idsOf('a', 1_000))).finally(() => {
    isDone = true
  })
  for (let turn = 0; turn < 50; turn++) await setImmediate()
  const waits = handle(standardEvent(...idsOf('b', 99)))
  for (let turn = 0; turn < 250; turn++) await setImmediate()
  t.strictSame(held.running(), idsOf('b', 99))
  t.equal(isDone, false)
  for (const id of held.running()) held.succeed(id)
  for (const result of [large, waits]) t.strictSame(failed(await result), [])
})
