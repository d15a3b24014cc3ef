import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

/** Milliseconds that may pass between the moment at which the limit admits a record and the call of `fetch()`. */
const TOLERANCE = 100

t.test('rate-limited.ts: two instances send at most 14 per second and report the rest', async (t) => {
  const starts: number[] = []
  const bodies: string[] = []
  const downstream = await startDownstream(({ body }) => {
    bodies.push(body)
    return 202
  })
  t.teardown(downstream.close)
  process.env.MAIL_URL = downstream.url
  // The limit holds for the starts. Arrivals differ from them by the time of a connection, which a busy machine delays.
  const { fetch: trueFetch } = globalThis
  globalThis.fetch = (...args) => {
    starts.push(performance.now())
    return trueFetch(...args)
  }
  t.teardown(() => {
    globalThis.fetch = trueFetch
  })
  const instance = async (name: string) => {
    const { handler } = await import(`../../examples/rate-limited.ts?${name}`)
    return async (count: number, timeout: number) =>
      failed(await handler(standardEvent(...ids(count)), timedContext(timeout)))
  }
  const [one, other] = [await instance('one'), await instance('other')]

  const start = performance.now()
  t.strictSame(await Promise.all([one(14, 30_000), other(14, 30_000)]), [[], []])
  t.ok(performance.now() - start > 1000, 'seven of each had to wait')
  // With 2 s left, of which the last 0.4 s start nothing, seven start one second after the last seven.
  const log = await logged(async () => t.strictSame(await one(20, 2000), ids(20).slice(7)))
  t.match(log[0], '13 of 20 records failed (13 not started)')

  const expected = [...ids(14), ...ids(14), ...ids(7)].map((id) => `body of ${id}`)
  t.strictSame(bodies.toSorted(), expected.toSorted())
  for (const [index, at] of starts.slice(14).entries()) {
    const between = at - (starts[index] as number)
    t.ok(
      between >= 1000 - TOLERANCE,
      `${(between - 1000).toFixed(1)} ms from the 1 s between a mail and the 14th after`,
    )
  }
  t.ok(performance.now() - start < 4000, 'and makes use of the rate')
})
