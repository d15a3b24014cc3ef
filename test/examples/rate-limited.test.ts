import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

/**
 * Milliseconds by which one request may take longer to arrive than another. The limit holds for the starts; the service
 * sees the arrivals, and all of this runs in one process on a machine that has other work.
 */
const TOLERANCE = 100

t.test('rate-limited.ts: two instances send at most 14 per second and report the rest', async (t) => {
  const arrivals: number[] = []
  const bodies: string[] = []
  const downstream = await startDownstream(({ body }) => {
    arrivals.push(performance.now())
    bodies.push(body)
    return 202
  })
  t.teardown(downstream.close)
  process.env.MAIL_URL = downstream.url
  const instance = async (name: string) => {
    const { handler } = await import(`../../examples/rate-limited.ts?${name}`)
    return async (count: number, timeout: number) =>
      failed(await handler(standardEvent(...ids(count)), timedContext(timeout)))
  }
  const [one, other] = [await instance('one'), await instance('other')]
  // The first connections of a process take longer than the later ones.
  await Promise.all(ids(14).map((body) => fetch(downstream.url, { method: 'POST', body })))
  arrivals.splice(0)
  bodies.splice(0)

  const start = performance.now()
  t.strictSame(await Promise.all([one(14, 30_000), other(14, 30_000)]), [[], []])
  t.ok(performance.now() - start > 1000, 'seven of each had to wait')
  // Warm, and with 2 s of which the last 0.4 s start nothing: seven after the second that the last seven began.
  const log = await logged(async () => t.strictSame(await one(20, 2000), ids(20).slice(7)))
  t.match(log[0], '13 of 20 records failed (13 never started)')

  const expected = [...ids(14), ...ids(14), ...ids(7)].map((id) => `body of ${id}`)
  t.strictSame(bodies.toSorted(), expected.toSorted())
  for (const [index, arrival] of arrivals.slice(14).entries()) {
    const between = arrival - (arrivals[index] as number)
    t.ok(
      between >= 1000 - TOLERANCE,
      `${(between - 1000).toFixed(1)} ms from the 1 s between a mail and the 14th after`,
    )
  }
  t.ok(performance.now() - start < 4000, 'and makes use of the rate')
})
