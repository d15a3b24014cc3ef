import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync } from 'node:fs'
import PQueue from 'p-queue'
import t, { type Test } from 'tap'
import { adaptiveConcurrency } from '../../src/adaptive/index.ts'
import type { BatchSummary, BoundedSqsBatchOptions } from '../../src/index.ts'
import type { AdaptiveSettings } from '../../src/scheduler/limiter.ts'
import { busyClock, mockClock, passingClock, passTime, settled } from '../support/clock.ts'
import { withEnvironment } from '../support/environment.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { warned } from '../support/output.ts'
import { steered } from '../support/steered.ts'

/** Handlers that the test settles, and a limit that it sets. Waits first for the batch that compiles the code. */
async function start(t: Test, limit: number, options: BoundedSqsBatchOptions = {}) {
  const { concurrency, search, calls } = steered(limit)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { concurrency, logger: false, ...options })
  await settled()
  calls.length = 0
  async function succeed(...ids: string[]) {
    for (const id of ids) held.succeed(id)
    await settled()
  }
  t.equal(held.running().length, 0)
  return { handle, held, search, calls, succeed }
}

t.test('when the limit grows, waiting records start at the next end of a record', async (t) => {
  const { handle, held, search, succeed } = await start(t, 2)
  const result = handle(standardEvent(...ids(9)))
  await settled()
  t.strictSame(held.running(), ['m0', 'm1'])
  search.limit = 4
  await succeed('m0')
  t.strictSame(held.running(), ['m1', 'm2', 'm3', 'm4'])
  await succeed('m1', 'm2')
  t.strictSame(held.running(), ['m3', 'm4', 'm5', 'm6'])
  await succeed(...held.running())
  await succeed(...held.running())
  t.strictSame(failed(await result), [])
})

t.test('after the limit grows, records that await only a resolved promise run one after another', async (t) => {
  busyClock(t) // stops the clock: if 10 ms passed, the worker would yield, and other workers would start
  const { concurrency, search } = steered(1)
  const calls: string[] = []
  const handle = handlerOf(
    async ({ messageId }) => {
      if (messageId === 'm3') search.limit = 5
      calls.push(`start ${messageId}`)
      await null
      calls.push(`end ${messageId}`)
    },
    { concurrency },
  )
  await settled()
  t.strictSame(failed(await handle(standardEvent(...ids(9)))), [])
  t.strictSame(
    calls,
    ids(9).flatMap((id) => [`start ${id}`, `end ${id}`]),
  )
})

t.test('when the limit shrinks, no record starts until fewer are in flight', async (t) => {
  const { handle, held, search, succeed } = await start(t, 4)
  const result = handle(standardEvent(...ids(9)))
  await settled()
  search.limit = 2
  await succeed('m0')
  t.strictSame(held.running(), ['m1', 'm2', 'm3'])
  await succeed('m1')
  t.strictSame(held.running(), ['m2', 'm3'])
  await succeed('m2')
  t.strictSame(held.running(), ['m3', 'm4'])
  search.limit = 3
  await succeed('m3')
  t.strictSame(held.running(), ['m4', 'm5', 'm6'])
  await succeed(...held.running())
  await succeed(...held.running())
  t.strictSame(failed(await result), [])
})

t.test('after the limit has shrunk, the remaining workers keep their slots from record to record', async (t) => {
  const { concurrency, search } = steered(50)
  const handle = handlerOf(
    async ({ messageId }) => {
      if (messageId === 'm100') search.limit = 2
      await settled()
    },
    { concurrency },
  )
  await settled()
  const added = t.capture(PQueue.prototype, 'add', PQueue.prototype.add)
  t.strictSame(failed(await handle(standardEvent(...ids(300)))), [])
  const { length } = added()
  t.ok(length <= 40, `${length} slots were made, in addition to the first ten`)
})

t.test('a limit that the start of the first record lowers applies to the other records at once', async (t) => {
  const { handle, held, search, succeed } = await start(t, 10)
  const { started } = search
  search.started = (now, waiting) => {
    search.limit = 2
    return started(now, waiting)
  }
  const result = handle(standardEvent(...ids(4)))
  await settled()
  t.strictSame(held.running(), ['m0', 'm1'])
  await succeed('m0', 'm1')
  await succeed('m2', 'm3')
  t.strictSame(failed(await result), [])
})

t.test('records of a FIFO queue stay in order while the limit changes', async (t) => {
  const { handle, held, search, succeed } = await start(t, 3)
  const result = handle(fifoEvent('a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'd1'))
  await settled()
  t.strictSame(held.running(), ['a1', 'b1', 'c1'])
  search.limit = 1
  await succeed('a1')
  await succeed('b1')
  t.strictSame(held.running(), ['c1'])
  await succeed('c1')
  t.strictSame(held.running(), ['a2'])
  search.limit = 4
  await succeed('a2')
  t.strictSame(held.running(), ['b2', 'c2', 'a3', 'd1'])
  await succeed(...held.running())
  t.strictSame(failed(await result), [])
})

t.test('a job still starts if a worker ends just before the job becomes ready', async (t) => {
  // Both records end in the same iteration of the event loop. The worker of b1 finds nothing to do, and the limit leaves
  // one worker.
  const { handle, held, search, succeed } = await start(t, 2)
  const result = handle(fifoEvent('a1', 'b1', 'a2'))
  await settled()
  search.limit = 1
  await succeed('b1', 'a1')
  t.strictSame(held.running(), ['a2'])
  await succeed('a2')
  t.strictSame(failed(await result), [])
})

t.test('chunks start and wait as records do', async (t) => {
  const { concurrency, search } = steered(1)
  const open: (() => void)[] = []
  const handle = chunkHandlerOf(2, () => new Promise<void>((resolve) => open.push(resolve)), { concurrency })
  await settled()
  const result = handle(standardEvent(...ids(10)))
  await settled()
  t.equal(open.length, 1)
  search.limit = 3
  open[0]?.()
  await settled()
  t.equal(open.length, 4)
  search.limit = 1
  for (const end of open.slice(1, 3)) end()
  await settled()
  t.equal(open.length, 4)
  open[3]?.()
  await settled()
  t.equal(open.length, 5)
  open[4]?.()
  t.strictSame(failed(await result), [])
})

t.test('invocations share a limit that changes', async (t) => {
  const { handle, held, search, succeed } = await start(t, 2)
  const results = [handle(standardEvent('a1', 'a2', 'a3')), handle(standardEvent('b1', 'b2', 'b3'))]
  await settled()
  t.equal(held.running().length, 2)
  search.limit = 4
  await succeed('a1')
  t.equal(held.running().length, 4)
  search.limit = 1
  while (held.running().length > 0) {
    const before = held.running()
    await succeed(before[0] as string)
    t.ok(held.running().length <= Math.max(1, before.length - 1), held.running().join())
  }
  t.strictSame(failed((await results[0]) as never), [])
  t.strictSame(failed((await results[1]) as never), [])
})

t.test('when the limit grows, each handler still sees the AsyncLocalStorage of its own invocation', async (t) => {
  const { concurrency, search } = steered(1)
  const storage = new AsyncLocalStorage<string>()
  const held = heldRecords()
  const seen = new Map<string, string | undefined>()
  const handle = handlerOf(
    (record, ...rest) => {
      seen.set(record.messageId, storage.getStore())
      return held.handle(record, ...rest)
    },
    { concurrency, logger: false },
  )
  await settled()
  const results = ['a', 'b'].map((name) =>
    storage.run(name, () => handle(standardEvent(...[0, 1, 2].map((number) => `${name}${number}`)))),
  )
  await settled()
  t.strictSame(held.running(), ['a0'])
  search.limit = 6
  held.succeed('a0')
  await settled()
  t.strictSame(held.running().toSorted(), ['a1', 'a2', 'b0', 'b1', 'b2'])
  t.strictSame(
    [...seen].filter(([id, name]) => id[0] !== name),
    [],
  )
  for (const id of held.running()) held.succeed(id)
  t.strictSame((await Promise.all(results)).map(failed), [[], []])
})

t.test(
  'an abort listener sees the AsyncLocalStorage of its own invocation, even if another invocation ends its batch',
  async (t) => {
    const clock = mockClock(t)
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const { handle, held, search, succeed } = await start(t, 4, { recordTimeout: 100 })
    const results = ['a', 'b'].map((name) =>
      storage.run(name, () => handle(standardEvent(...ids(4).map((id) => `${name}-${id}`)))),
    )
    await settled()
    t.strictSame(held.running(), ['a-m0', 'b-m0', 'a-m1', 'b-m1'])
    passTime(clock, 50)
    await succeed('a-m1', 'b-m1')
    passTime(clock, 70)
    await succeed('a-m2', 'b-m2')
    for (const id of ['a-m3', 'b-m3']) {
      held.signalOf(id)?.addEventListener('abort', () => seen.push([id, storage.getStore()]))
    }
    search.limit = 2 // so the two handlers that ignore their signal fill every slot
    passTime(clock, 80)
    t.strictSame((await Promise.all(results)).map(failed), [
      ['a-m0', 'a-m3'],
      ['b-m0', 'b-m3'],
    ])
    t.strictSame(seen, [
      ['a-m3', 'a'],
      ['b-m3', 'b'],
    ])
  },
)

for (const [whose, batches, blocking, reported, expected] of [
  ['the same', [['m0', 'm1', 'm2', 'm3']], 'm1', [['m2', 'm3']], ['m0', 'm1']],
  ['another', [['a0', 'a1', 'a2'], ['b0']], 'b0', [['a1', 'a2'], []], ['a0', 'b0']],
] as const) {
  t.test(
    `no record starts after the drain if a handler of ${whose} invocation blocks the thread when the limit grows`,
    async (t) => {
      const pass = busyClock(t)
      const { concurrency, search } = steered(1)
      const started: string[] = []
      const handle = handlerOf(
        async ({ messageId }) => {
          started.push(messageId)
          if (messageId === blocking) pass(900)
          await settled()
          search.limit = 2
        },
        { concurrency, logger: false },
      )
      await settled()
      const results = await Promise.all(batches.map((batch) => handle(standardEvent(...batch), timedContext(1000))))
      t.strictSame(results.map(failed), reported)
      t.strictSame(started, expected)
    },
  )
}

t.test('with a rate limit, records start only below the limit that holds at that time', async (t) => {
  const clock = passingClock(t)
  const { handle, held, search, succeed } = await start(t, 3, { rateLimit: { limit: 2, interval: 100 } })
  const results = [handle(standardEvent(...ids(6))), handle(standardEvent('x0', 'x1'))]
  await settled()
  t.equal(held.running().length, 2)
  search.limit = 1
  await succeed(held.running()[0] as string)
  await clock.pass(300)
  t.equal(held.running().length, 1)
  search.limit = 3
  while (held.running().length > 0) {
    await succeed(held.running()[0] as string)
    await clock.pass(150)
    t.ok(held.running().length <= 3)
  }
  t.strictSame(failed(await (results[0] as never)), [])
  t.strictSame(failed(await (results[1] as never)), [])
})

t.test('with a rate limit, a limit that grows starts no record before it is due', async (t) => {
  const clock = passingClock(t)
  const { handle, held, search, succeed } = await start(t, 1, { rateLimit: { limit: 2, interval: 100 } })
  const result = handle(standardEvent(...ids(5)))
  await settled()
  t.strictSame(held.running(), ['m0'])
  search.limit = 5
  await succeed('m0')
  t.strictSame(held.running(), ['m1'])
  await clock.pass(99)
  t.strictSame(held.running(), ['m1'])
  await clock.pass(10)
  t.strictSame(held.running(), ['m1', 'm2', 'm3'])
  await succeed('m1', 'm2', 'm3')
  await clock.pass(110)
  await succeed('m4')
  t.strictSame(failed(await result), [])
})

t.test('with a rate limit, an invocation that gives up its slot does not stop the others', async (t) => {
  const clock = passingClock(t)
  const { handle, held, search, succeed } = await start(t, 3, { rateLimit: { limit: 1, interval: 100 } })
  const results = [handle(standardEvent('a0', 'a1')), handle(standardEvent('b0'))]
  await settled()
  t.strictSame(held.running(), ['a0'])
  search.limit = 1 // a1 and b0 have a slot each and wait for the rate limit
  await succeed('a0')
  const order: string[] = []
  for (let record = 0; record < 2; record++) {
    await clock.pass(110)
    order.push(...held.running())
    await succeed(...held.running())
  }
  t.strictSame(order.toSorted(), ['a1', 'b0'])
  t.strictSame((await Promise.all(results)).map(failed), [[], []])
})

t.test('CPU-bound records that yield to the event loop start only below the limit', async (t) => {
  const pass = busyClock(t)
  const { concurrency, search } = steered(8)
  let running = 0
  const overruns: number[] = []
  const handle = handlerOf(
    async ({ messageId }) => {
      if (messageId === 'm20') search.limit = 2
      if (++running > search.limit && Number(messageId.slice(1)) > 20 + 8) overruns.push(running)
      pass(3)
      await null
      running--
    },
    { concurrency },
  )
  t.strictSame(failed(await handle(standardEvent(...ids(60)))), [])
  t.strictSame(overruns, [])
})

t.test('a worker that has yielded to the event loop starts nothing if the limit shrank in the meantime', async (t) => {
  const pass = busyClock(t)
  const { concurrency, search } = steered(3)
  const held = heldRecords()
  const handle = handlerOf(
    (record, ...rest) => {
      if (record.messageId !== 'm2') return held.handle(record, ...rest)
      pass(11) // so the worker yields after this record
      queueMicrotask(() => {
        search.limit = 1
        held.succeed('m0')
      })
    },
    { concurrency, logger: false },
  )
  await settled()
  const result = handle(standardEvent(...ids(5)))
  await settled()
  t.strictSame(held.running(), ['m1'])
  for (const id of ['m1', 'm3', 'm4']) {
    held.succeed(id)
    await settled()
  }
  t.strictSame(failed(await result), [])
})

t.test('the limit search receives each start, failure and end once', async (t) => {
  const { handle, held, calls } = await start(t, 10)
  const result = handle(standardEvent('a', 'b'))
  await settled()
  held.succeed('a')
  held.fail('b', new Error('no'))
  await result
  t.strictSame(calls, [
    ['started', 1],
    ['started', 0],
    ['ended', true],
    ['failed', 'no'],
    ['ended', false],
  ])
})

t.test('the limit search receives a timeout, and the end of the record when its handler settles', async (t) => {
  const clock = passingClock(t)
  const { handle, held, calls } = await start(t, 10, { recordTimeout: 100 })
  const result = handle(standardEvent('a', 'b'))
  await clock.pass(101)
  t.strictSame(calls.slice(2), [
    ['timed out', 'The handler did not finish within the recordTimeout of 100 ms'],
    ['timed out', 'The handler did not finish within the recordTimeout of 100 ms'],
    ['ended', undefined],
    ['ended', undefined],
  ])
  held.fail('a', new Error('late'))
  held.succeed('b')
  await settled()
  t.equal(calls.length, 6, 'late results are ignored')
  t.strictSame(failed(await result), ['a', 'b'])
})

t.test('a record that timed out keeps its slot, and its late result does not count as a second failure', async (t) => {
  const clock = passingClock(t)
  const { handle, held, calls, succeed } = await start(t, 2, { recordTimeout: 100 })
  const result = handle(standardEvent('a', 'b', 'c'))
  await clock.pass(50)
  await succeed('b')
  await clock.pass(60)
  const timedOut = ['timed out', 'The handler did not finish within the recordTimeout of 100 ms']
  t.strictSame(calls.slice(-1), [timedOut])
  held.fail('a', new Error('late'))
  await settled()
  t.strictSame(calls.slice(-2), [timedOut, ['ended', undefined]])
  await succeed('c')
  t.strictSame(failed(await result), ['a'])
})

t.test('when the limit grows because a record timed out, a waiting record starts at once', async (t) => {
  const clock = passingClock(t)
  const { handle, held, search, succeed } = await start(t, 1, { recordTimeout: 100 })
  const { timedOut } = search
  search.timedOut = (...args) => {
    search.limit = 2
    return timedOut(...args)
  }
  const result = handle(standardEvent('a', 'b'))
  await clock.pass(99)
  t.strictSame(held.running(), ['a'])
  await clock.pass(1)
  t.strictSame(held.running(), ['a', 'b'])
  await succeed('b')
  t.strictSame(failed(await result), ['a'])
})

t.test('handlers that hang do not use up the limit: all other records still start', async (t) => {
  const clock = passingClock(t)
  let busy = 0
  const hanging = ['m10', 'm30', 'm50', 'm70', 'm90']
  const refused: string[] = []
  const handle = handlerOf(
    async ({ messageId }) => {
      if (hanging.includes(messageId)) return new Promise(() => {})
      const isRefused = busy >= 5
      busy++
      await clock.delay(isRefused ? 2 : 10)
      busy--
      if (!isRefused) return
      refused.push(messageId)
      throw Object.assign(new Error('refused'), { status: 503 })
    },
    { concurrency: adaptiveConcurrency({ initial: 5, max: 50 }), recordTimeout: 100, logger: false },
  )
  await settled()
  const result = handle(standardEvent(...ids(300)))
  const reported = failed(await clock.until(result))
  t.strictSame(reported.toSorted(), [...hanging, ...refused].toSorted())
})

t.test('a record that is aborted at the end of the batch counts neither as a success nor as a failure', async (t) => {
  const clock = mockClock(t)
  const { handle, held, calls } = await start(t, 10)
  const result = handle(standardEvent('a'), timedContext(1000))
  await settled()
  clock.advance(950)
  t.strictSame(failed(await result), ['a'])
  held.fail('a')
  await settled()
  t.strictSame(calls, [
    ['started', 0],
    ['ended', undefined],
  ])
})

t.test('BOUNDED_SQS_BATCH_CONCURRENCY replaces the limit by a fixed number', async (t) => {
  withEnvironment(t, { BOUNDED_SQS_BATCH_CONCURRENCY: '2' })
  const summaries: BatchSummary[] = []
  const held = heldRecords()
  const result = handlerOf(held.handle, {
    concurrency: adaptiveConcurrency({ initial: 5 }),
    onSummary: (summary) => summaries.push(summary),
  })(standardEvent(...ids(3)))
  await settled()
  t.strictSame(held.running(), ['m0', 'm1'])
  for (const id of ['m0', 'm1']) held.succeed(id)
  await settled()
  held.succeed('m2')
  t.strictSame(failed(await result), [])
  t.notOk('concurrency' in (summaries[0] as BatchSummary))
})

t.test('the summary has the limit and the reason, except with a fixed number', async (t) => {
  const summaries: BatchSummary[] = []
  const onSummary = (summary: BatchSummary) => summaries.push(summary)
  await handlerOf(() => {}, { concurrency: adaptiveConcurrency({ initial: 5 }), onSummary })(standardEvent('a'))
  await handlerOf(() => {}, { concurrency: 5, onSummary })(standardEvent('a'))
  t.strictSame(summaries[0]?.concurrency, { limit: 5, reason: 'initial' })
  t.notOk('concurrency' in (summaries[1] as BatchSummary))
})

t.test(
  'throttled records lower only the limit of their own instance, even if instances share one option value',
  async (t) => {
    const concurrency = adaptiveConcurrency({ initial: 20 })
    const limits: (number | undefined)[] = []
    const onSummary = (summary: BatchSummary) => limits.push(summary.concurrency?.limit)
    const throttled = () => Promise.reject(Object.assign(new Error('slow down'), { status: 429 }))
    await handlerOf(throttled, { concurrency, onSummary, logger: false })(standardEvent(...ids(100)))
    await handlerOf(() => {}, { concurrency, onSummary })(standardEvent('a'))
    t.ok((limits[0] as number) < 20, `${limits[0]}`)
    t.equal(limits[1], 20)
  },
)

const skip = existsSync('/proc/self/limits') ? false : 'needs /proc'
t.test('max is lowered to the free file descriptors, with a warning', { skip }, async (t) => {
  let max = 0
  const concurrency: AdaptiveSettings = {
    ...steered(1).concurrency,
    max: 10_000_000,
    createSearch: (fitting) => {
      max = fitting
      return steered(1).search
    },
  }
  const warnings = await warned(() => void handlerOf(() => {}, { concurrency }))
  t.match(warnings, [{ code: 'BOUNDED_SQS_BATCH_DESCRIPTORS', message: /^The concurrency is at most 10000000, but/ }])
  t.match(
    (warnings[0] as Error).message,
    `only ${max} more files and sockets. adaptiveConcurrency() uses at most ${max}`,
  )
})

t.test('the JSON log entry has the limit and the reason', async (t) => {
  withEnvironment(t, { AWS_LAMBDA_LOG_FORMAT: 'JSON' })
  const entries: unknown[] = []
  t.intercept(console, 'error', { value: (entry: unknown) => entries.push(entry) })
  const handle = handlerOf(() => Promise.reject(new Error('no')), {
    concurrency: adaptiveConcurrency({ initial: 5 }),
    logger: undefined,
  })
  await handle(standardEvent('a'))
  t.match(entries, [{ records: 1, concurrency: { limit: 5, reason: 'initial' } }])
})

t.test('handlers that keep the event loop busy do not raise the limit', async (t) => {
  const limits: (number | undefined)[] = []
  const handle = handlerOf(
    async () => {
      const until = performance.now() + 0.2
      while (performance.now() < until);
      await null
    },
    {
      concurrency: adaptiveConcurrency({ initial: 2 }),
      onSummary: ({ concurrency }) => limits.push(concurrency?.limit),
    },
  )
  await handle(standardEvent(...ids(1000)))
  t.ok((limits[0] as number) <= 2, `${limits[0]}`)
})

t.test('the limit grows if the event loop is busy for 95 % of the time, and not if it is busy for 96 %', (t) => {
  for (const [percent, isHigher] of [
    [95, true],
    [96, false],
  ] as const) {
    const passed = { idle: 0, active: 1_000_000 } // it was busy before the first record
    t.intercept(performance, 'eventLoopUtilization', {
      value: (now?: typeof passed, last?: typeof passed) => {
        if (now && last) return { utilization: (now.active - last.active) / 100 }
        passed.active += percent
        passed.idle += 100 - percent
        return { ...passed }
      },
    })
    const search = (adaptiveConcurrency({ initial: 20 }) as AdaptiveSettings).createSearch(500)
    const running = Array.from({ length: 20 }, () => ({ job: search.started(0, 1000), startedAt: 0 }))
    for (let now = 1; now <= 40; now++) {
      const { job, startedAt } = running.shift() as (typeof running)[0]
      search.ended(job, startedAt, now, true)
      running.push({ job: search.started(now, 1000), startedAt: now })
    }
    t.strictSame([search.limit, search.reason], isHigher ? [40, 'probe'] : [20, 'initial'])
  }
  t.end()
})
