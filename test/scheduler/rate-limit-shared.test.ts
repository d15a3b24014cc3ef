import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { passingClock } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failed, handlerOf } from '../support/handlers.ts'
import { noteStarts } from '../support/starts.ts'

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
