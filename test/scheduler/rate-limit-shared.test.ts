import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { passingClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { chunkHandlerOf, failed, handlerOf } from '../support/handlers.ts'
import { maxWithin, noteStarts } from '../support/starts.ts'

t.test('the starts of one invocation count against the rate limit of the next', async (t) => {
  const { now, until, pass } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(record, { rateLimit: { limit: 3, interval: 100 } })
  t.strictSame(failed(await until(handle(standardEvent('a', 'b')))), [])
  await pass(60)
  t.strictSame(failed(await until(handle(standardEvent('c', 'd')))), [])
  t.strictSame(failed(await until(handle(standardEvent('e', 'f')))), [])
  t.strictSame(starts, ['a at 0', 'b at 0', 'c at 60', 'd at 101', 'e at 101', 'f at 161'])
  await pass(1000)
  t.strictSame(failed(await until(handle(standardEvent('w', 'x', 'y', 'z')))), [])
  t.strictSame(starts.slice(6), ['w at 1161', 'x at 1161', 'y at 1161', 'z at 1262'])
})

t.test('each instance of the middleware has its own rate limit', async (t) => {
  const { now, until } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const options = { rateLimit: { limit: 1, interval: 100 } }
  const first = handlerOf(record, options)
  const second = handlerOf(record, options)
  await until(first(standardEvent('a')))
  await until(second(standardEvent('b')))
  t.strictSame(starts, ['a at 0', 'b at 0'])
})

t.test('two invocations start records alternately', async (t) => {
  const { now, until, pass } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(record, { rateLimit: { limit: 1, interval: 9 } })
  const first = handle(standardEvent('a1', 'a2', 'a3', 'a4'))
  await pass(5)
  const second = handle(standardEvent('b1', 'b2'))
  t.strictSame(failed(await until(second)), [])
  t.strictSame(failed(await until(first)), [])
  t.strictSame(starts, ['a1 at 0', 'a2 at 10', 'b1 at 20', 'a3 at 30', 'b2 at 40', 'a4 at 50'])
})

t.test('a batch of 20 that arrives while a batch of 600 waits for the rate limit ends within 100 ms', async (t) => {
  const { now, until, pass } = passingClock(t)
  for (const concurrency of [1, 3, 100]) {
    const started: string[] = []
    const handle = handlerOf(({ messageId }) => void started.push(messageId), {
      concurrency,
      rateLimit: { limit: 10, interval: 19 },
    })
    let isLargeDone = false
    const large = handle(standardEvent(...ids(600))).finally(() => {
      isLargeDone = true
    })
    await pass(50)
    const before = started.length
    const begin = now()
    t.strictSame(failed(await until(handle(standardEvent(...ids(20).map((id) => `s${id}`))))), [])
    t.equal(isLargeDone, false)
    t.ok(now() - begin <= 100, `took ${now() - begin} ms`)
    t.ok(started.length - before <= 50, `${started.length - before} records started meanwhile`)
    t.strictSame(failed(await until(large)), [])
    t.strictSame(
      started.filter((id) => id.startsWith('m')),
      ids(600),
      'in order',
    )
  }
})

t.test('records that wait for the rate limit do not block the slots of another invocation', async (t) => {
  const { now, until, pass, delay } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(
    (...args) => {
      record(...args)
      return args[0].messageId.startsWith('a') ? delay(2000) : undefined
    },
    { concurrency: 6, rateLimit: { limit: 1, interval: 99 } },
  )
  const first = handle(standardEvent(...Array.from({ length: 8 }, (_, index) => `a${index + 1}`)))
  await pass(150)
  t.strictSame(starts, ['a1 at 0', 'a2 at 100'])
  const second = handle(standardEvent('b1', 'b2'))
  t.strictSame(failed(await until(second)), [])
  t.strictSame(starts.slice(2), ['a3 at 200', 'b1 at 300', 'a4 at 400', 'b2 at 500'])
  t.strictSame(failed(await until(first)), [])
})

t.test('after the last start of one invocation, the next one starts its records', async (t) => {
  const { now, until, pass, delay } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(
    (...args) => {
      record(...args)
      return args[0].messageId === 'a2' ? delay(2000) : undefined
    },
    { rateLimit: { limit: 1, interval: 99 } },
  )
  const first = handle(standardEvent('a1', 'a2'))
  await pass(50)
  t.strictSame(failed(await until(handle(standardEvent('b1')))), [])
  t.strictSame(starts, ['a1 at 0', 'a2 at 100', 'b1 at 200'])
  t.strictSame(failed(await until(first)), [])
})

t.test('an invocation without a ready record does not delay the starts of other invocations', async (t) => {
  const { now, until, pass, delay } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(
    (...args) => {
      record(...args)
      return args[0].messageId === 'a1' ? delay(1000) : undefined
    },
    { concurrency: 2, rateLimit: { limit: 2, interval: 599 } },
  )
  t.strictSame(failed(await until(handle(standardEvent('x')))), [])
  await pass(300)
  t.strictSame(failed(await until(handle(standardEvent('y')))), [])
  await pass(300)
  const first = handle(fifoEvent('a1', 'a2'))
  await pass(10)
  t.strictSame(failed(await until(handle(standardEvent('b')))), [])
  t.strictSame(starts, ['x at 0', 'y at 300', 'a1 at 600', 'b at 900'], 'a2 waits for a1')
  t.strictSame(failed(await until(first)), [])
})

t.test('under a rate limit, peak concurrency reaches the bound and does not exceed it', async (t) => {
  const { until, delay } = passingClock(t)
  let running = 0
  let peakRunning = 0
  const handle = handlerOf(
    async () => {
      peakRunning = Math.max(peakRunning, ++running)
      await delay(50)
      running--
    },
    { concurrency: 3, rateLimit: { limit: 2, interval: 9 } },
  )
  const all = [handle(standardEvent(...ids(9))), handle(standardEvent(...ids(9)))]
  for (const result of all) t.strictSame(failed(await until(result)), [])
  t.equal(peakRunning, 3)
})

t.test('FIFO: a group keeps its order under a rate limit, and a blocked record uses no start', async (t) => {
  const { now, until, delay } = passingClock(t)
  const { starts, record } = noteStarts(now)
  const handle = handlerOf(
    async (...args) => {
      record(...args)
      const [{ messageId }] = args
      await delay(messageId === 'a1' ? 250 : 10)
      if (messageId === 'b1') throw new Error(messageId)
    },
    { rateLimit: { limit: 1, interval: 99 } },
  )
  const response = await until(handle(fifoEvent('a1', 'b1', 'a2', 'b2', 'a3', 'c1')))
  t.strictSame(failed(response), ['b1', 'b2'])
  t.strictSame(starts, ['a1 at 0', 'b1 at 100', 'c1 at 200', 'a2 at 300', 'a3 at 400'], 'b2 uses no start')
})

t.test('FIFO: each chunk counts as many starts as it has records', async (t) => {
  const { now, until } = passingClock(t)
  const { starts, chunk } = noteStarts(now)
  const handle = chunkHandlerOf(2, chunk, { rateLimit: { limit: 3, interval: 99 } })
  t.strictSame(failed(await until(handle(fifoEvent('a1', 'a2', 'b1', 'a3', 'a4', 'b2', 'c1')))), [])
  t.strictSame(starts, ['a1 a2 at 0', 'b1 b2 at 100', 'a3 a4 at 200', 'c1 at 200'])
})

t.test('under a rate limit, a handler sees the AsyncLocalStorage of its own invocation', async (t) => {
  const { until } = passingClock(t)
  const invocation = new AsyncLocalStorage<string>()
  const seen: string[] = []
  const handle = handlerOf(({ messageId }) => void seen.push(`${messageId} in ${invocation.getStore()}`), {
    concurrency: 2,
    rateLimit: { limit: 1, interval: 9 },
  })
  const all = ['a', 'b', 'c'].map((name) => invocation.run(name, () => handle(standardEvent(`${name}1`, `${name}2`))))
  for (const result of all) t.strictSame(failed(await until(result)), [])
  t.strictSame(seen.toSorted(), ['a1 in a', 'a2 in a', 'b1 in b', 'b2 in b', 'c1 in c', 'c2 in c'])
})

t.test('with the real clock, no period of `interval` has more than `limit` starts', async (t) => {
  const starts: number[] = []
  const dates: number[] = []
  const handle = chunkHandlerOf(
    4,
    async (records) => {
      starts.push(...records.map(() => performance.now()))
      dates.push(...records.map(() => Date.now()))
      const end = performance.now() + (starts.length % 3)
      while (performance.now() < end); // blocks the thread
      if (starts.length % 2) await settled()
    },
    { rateLimit: { limit: 15, interval: 40 } },
  )
  const all = [50, 21, 50].map((size) => handle(standardEvent(...ids(size))))
  for (const result of all) t.strictSame(failed(await result), [])
  t.strictSame(failed(await handle(standardEvent(...ids(30)))), [], 'a later invocation of the same instance')
  t.equal(starts.length, 151)
  // A start exactly one interval later is in the next period, so the measured period is slightly shorter.
  t.ok(maxWithin(39.999, starts) <= 15, `by performance.now(): ${maxWithin(39.999, starts)}`)
  t.ok(maxWithin(39, dates) <= 15, `by Date.now(): ${maxWithin(39, dates)}`)
})

t.test('FIFO: an invocation without a ready chunk does not wait for the rate limit and holds no slot', async (t) => {
  const { now, until, pass, delay } = passingClock(t)
  const { starts, chunk } = noteStarts(now)
  const handle = chunkHandlerOf(
    2,
    async (...args) => {
      chunk(...args)
      if (args[0][0]?.messageId === 'a1') await delay(1000)
    },
    { concurrency: 2, rateLimit: { limit: 4, interval: 599 } },
  )
  t.strictSame(failed(await until(handle(standardEvent('x1', 'x2')))), [])
  await pass(300)
  t.strictSame(failed(await until(handle(standardEvent('y1', 'y2')))), [])
  await pass(300)
  const first = handle(fifoEvent('a1', 'a2', 'a3'))
  await pass(10)
  t.strictSame(failed(await until(handle(standardEvent('b1', 'b2')))), [])
  t.strictSame(starts, ['x1 x2 at 0', 'y1 y2 at 300', 'a1 a2 at 600', 'b1 b2 at 900'], 'a3 waits for a1 and a2')
  t.strictSame(failed(await until(first)), [])
  t.strictSame(starts.at(-1), 'a3 at 1600')
})
