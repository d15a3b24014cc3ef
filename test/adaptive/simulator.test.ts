import t from 'tap'
import {
  about,
  bucket,
  contended,
  fixedWindow,
  pausing,
  pool,
  queueing,
  refusing,
  retrying,
  slowing,
  withDescriptors,
} from '../../bench/adaptive/downstreams.ts'
import { createClock, failedShare, goodput, seededRandom, simulate } from '../../bench/adaptive/simulator.ts'

t.test(
  'functions run in the order of their times, and those with the same time in the order in which they were added',
  (t) => {
    const clock = createClock()
    const ran: string[] = []
    const note = (name: string) => ran.push(`${name} at ${clock.now}`)
    clock.after(3, () => note('c'))
    clock.after(1, () => {
      note('a')
      clock.after(1, () => note('b'))
    })
    for (const name of ['d', 'e', 'f', 'g']) clock.after(3, () => note(name))
    clock.runAll()
    t.strictSame(ran, ['a at 1', 'b at 2', 'c at 3', 'd at 3', 'e at 3', 'f at 3', 'g at 3'])
    t.end()
  },
)

t.test('a queueing server of capacity 37 × 23 ms serves 37 calls per 23 ms, if the limit is at least 37', (t) => {
  const expected = (1000 * 37) / 23
  for (const limit of [37, 50, 200]) {
    const result = goodput(
      simulate(
        queueing(37, () => 23),
        { limit },
        [37_000],
        1,
      ),
    )
    t.ok(Math.abs(result / expected - 1) < 0.001, `${limit}: ${result} is about ${expected}`)
  }
  const half = goodput(
    simulate(
      queueing(37, () => 23),
      { limit: 18 },
      [18_000],
      1,
    ),
  )
  t.ok(Math.abs(half / ((1000 * 18) / 23) - 1) < 0.001, `${half}`)
  t.end()
})

t.test('as many calls are in flight as the fixed limit allows, and not more', (t) => {
  t.equal(
    failedShare(
      simulate(
        refusing(53, () => 17),
        { limit: 53 },
        [1000],
        1,
      ),
    ),
    0,
  )
  t.equal(
    failedShare(
      simulate(
        withDescriptors(
          53,
          queueing(1000, () => 17),
        ),
        { limit: 53 },
        [1000],
        1,
      ),
    ),
    0,
  )
  t.ok(
    failedShare(
      simulate(
        refusing(53, () => 17),
        { limit: 54 },
        [1000],
        1,
      ),
    ) > 0,
  )
  t.end()
})

t.test('a token bucket serves its burst, and then its rate', (t) => {
  const [result] = simulate(
    bucket(500, 50, () => 20),
    { limit: 100 },
    [10_000],
    1,
  )
  const expected = 50 + (500 * (result?.duration as number)) / 1000
  t.ok(Math.abs((result?.succeeded as number) - expected) < 20, `${result?.succeeded} is about ${expected}`)
  t.end()
})

t.test('if the client retries, far fewer records fail', (t) => {
  const results = simulate(retrying(refusing(53, () => 17)), { limit: 60 }, [3000], 1)
  t.ok(
    failedShare(results) <
      failedShare(
        simulate(
          refusing(53, () => 17),
          { limit: 60 },
          [3000],
          1,
        ),
      ) /
        10,
  )
  t.end()
})

t.test('calls become slower under contention, and none starts in a pause', (t) => {
  t.equal(
    simulate(
      contended(10, () => 20),
      { limit: 10 },
      [1],
      1,
    )[0]?.duration,
    22,
  )
  t.equal(
    simulate(
      pausing(
        1000,
        400,
        queueing(10, () => 20),
      ),
      { limit: 10 },
      [1],
      1,
    )[0]?.duration,
    420,
  )
  t.end()
})

t.test('a call fails if it has waited too long for a connection of the pool', (t) => {
  const results = (maxWait: number) =>
    simulate(
      pool(10, maxWait, () => 20),
      { limit: 30 },
      [30],
      1,
    )[0]
  t.match(results(41), { succeeded: 30, duration: 60 })
  t.match(results(39), { succeeded: 20 })
  t.match(results(19), { succeeded: 10 })
  t.end()
})

t.test('a fixed window serves the first calls of each second, and refuses the others', (t) => {
  const window = fixedWindow(10, () => 20)
  t.match(simulate(window, { limit: 10 }, [10], 1)[0], { succeeded: 10, duration: 20 })
  t.match(simulate(window, { limit: 30 }, [30], 1)[0], { succeeded: 10 })
  t.match(simulate(window, { limit: 1 }, [100], 1)[0], { succeeded: 10 }, 'the second has not ended')
  const batches = simulate(window, { limit: 10 }, [10, 10, 10], 1, 990)
  t.strictSame(
    batches.map(({ succeeded }) => succeeded),
    [10, 10, 10],
  )
  t.end()
})

t.test('calls that begin in the slow part of a period take twice as long', (t) => {
  const downstream = slowing(
    1000,
    300,
    () => 20,
    (latency) => queueing(10, latency),
  )
  const durations = simulate(downstream, { limit: 10 }, [1, 1, 1], 1, 300).map(({ duration }) => duration)
  t.strictSame(durations, [40, 20, 20])
  t.end()
})

t.test('a simulation depends on its seed only', (t) => {
  const run = (seed: number) => simulate(queueing(37, about(23)), { limit: 50 }, [1000, 100], seed)
  t.strictSame(run(1), run(1))
  t.notSame(run(1), run(2))
  const random = seededRandom(1)
  const mean = Array.from({ length: 10_000 }, random).reduce((a, b) => a + b) / 10_000
  t.ok(Math.abs(mean - 0.5) < 0.01, `${mean}`)
  t.end()
})
