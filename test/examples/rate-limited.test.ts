import t from 'tap'
import { requestClock } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

t.test('rate-limited.ts: two instances send at most 14 per second and report the rest', async (t) => {
  const bodies: string[] = []
  process.env.MAIL_URL = await startDownstream(t, ({ body }) => {
    bodies.push(body)
    return 202
  })
  const { starts, until } = requestClock(t)
  async function instance(name: string) {
    const { handler } = await import(`../../examples/rate-limited.ts?${name}`)
    return async (count: number, timeout: number) =>
      failed(await handler(standardEvent(...ids(count)), timedContext(timeout)))
  }
  const [one, other] = [await instance('one'), await instance('other')]

  t.strictSame(await until(Promise.all([one(14, 30_000), other(14, 30_000)])), [[], []])
  // The timeout is 2 s, and no record starts in its last 0.4 s. So only seven records start, 1 s after the last seven.
  const log = await logged(async () => t.strictSame(await until(one(20, 2000)), ids(20).slice(7)))
  t.match(log[0], '13 of 20 records of orders failed (13 not started)')

  const expected = [...ids(14), ...ids(14), ...ids(7)].map((id) => `body of ${id}`)
  t.strictSame(bodies.toSorted(), expected.toSorted())
  t.strictSame(starts, [...Array(14).fill(0), ...Array(14).fill(1001), ...Array(7).fill(2002)])
})
