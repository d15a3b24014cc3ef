import t, { type Test } from 'tap'
import { createClimb } from '../../src/adaptive/climb.ts'
import { createCurrentLimit } from '../../src/adaptive/current-limit.ts'

/** A climb, a function that measures the current limit with this goodput, and one that lowers it to these values. */
function climbFrom(initial: number, min = 1) {
  const limit = createCurrentLimit({ min, max: 500, initial })
  const climb = createClimb(limit)
  function measure(goodput: number, ceiling?: number): string {
    climb.next({ concurrency: limit.value, goodput, goodputWithoutUncounted: goodput }, ceiling)
    return `${limit.value} ${limit.reason}`
  }
  function fall(values: readonly number[], allFailed = true): void {
    for (const value of values) {
      const before = limit.value
      limit.set(value, 'overload')
      climb.lowered(before, allFailed)
    }
  }
  return { limit, climb, measure, fall }
}

t.test('a higher limit that was worth it stays, if a still higher one would not help', (t) => {
  const { measure } = climbFrom(50)
  t.equal(measure(1, 1000), '100 probe')
  t.equal(measure(2), '100 gain')
  t.equal(measure(2.5, 1000), '100 gain', 'the probe has ended, so this measures the reference')
  t.end()
})

t.test('a lower limit that is as good stays, with its reason, if there is no lower one', (t) => {
  const limit = createCurrentLimit({ min: 44, max: 500, initial: 50 })
  const climb = createClimb(limit)
  const measured = () => ({ concurrency: limit.value, goodput: 1, goodputWithoutUncounted: 1 })
  while (limit.value === 50 || limit.reason !== 'gain') climb.next(measured(), limit.value > 44 ? 51 : undefined)
  t.equal(limit.value, 44)
  t.end()
})

t.test('a probed limit is kept if its goodput is exactly at the threshold', (t) => {
  const up = climbFrom(50)
  t.equal(up.measure(1, 1000), '100 probe')
  t.equal(up.measure(1.4, 1000), '200 probe', '40 % of the growth of the limit')
  const down = climbFrom(50)
  while (down.limit.value === 50) down.measure(1)
  t.equal(down.measure(0.95), '37 probe', 'exactly 95 % of the previous goodput')
  t.end()
})

t.test('if a lower limit has the same goodput, the measurement of the higher limit stays the reference', (t) => {
  const { limit, climb, measure } = climbFrom(50)
  while (limit.value === 50) measure(1)
  climb.next({ concurrency: 43, goodput: 1, goodputWithoutUncounted: 2 }, undefined)
  t.equal(limit.value, 37)
  t.equal(measure(1), '32 probe', 'goodputWithoutUncounted is compared with 1, and not with 2')
  t.end()
})

t.test('after a restart, the first measurement is a new reference and the next probe doubles the limit', (t) => {
  const { limit, climb, measure } = climbFrom(50)
  measure(1, 1000)
  t.equal(measure(1.1, 1000), '55 no-gain')
  limit.set(50, 'idle')
  climb.restart()
  t.equal(climb.isDoubling, true)
  t.equal(measure(1, 1000), '100 probe')
  t.end()
})

t.test('after pressure in a probe upwards, a lower limit is still measured if it is worth it', (t) => {
  for (const [lowered, isWorthIt, value] of [
    [56, true, 56],
    [55, false, 50],
    [40, false, 40],
  ] as const) {
    const { limit, climb, measure } = climbFrom(50)
    measure(1, 1000)
    limit.set(lowered, 'overload')
    t.equal(climb.lowered(100, false), isWorthIt)
    t.equal(limit.value, value)
  }
  t.end()
})

/** Measures goodputs that grow with the limit, and expects these probes. */
function assertProbes(t: Test, { limit, measure }: ReturnType<typeof climbFrom>, probes: readonly number[]): void {
  for (const probe of probes) t.equal(measure(limit.value / 100, 1000), `${probe} probe`)
}

/** A climb that has measured the limit 200. */
function climbAt200() {
  const climbing = climbFrom(200)
  climbing.measure(4)
  return climbing
}

t.test(
  'if all jobs have failed even at a quarter of the limit, probes double the limit until it has recovered',
  (t) => {
    const { climb, measure, fall } = climbAt200()
    fall([50, 12])
    t.equal(measure(0.12, 1000), '24 probe')
    t.equal(measure(0.24, 1000), '48 probe')
    t.equal(measure(0.48, 1000), '96 probe')
    t.equal(measure(0.96, 1000), '192 probe')
    t.equal(climb.isDoubling, true)
    t.equal(measure(1.92, 1000), '200 probe')
    t.equal(climb.isDoubling, false)
    t.equal(measure(2, 1000), '210 probe')
    t.equal(measure(2.1, 1000), '231 probe', 'a step that succeeds doubles the next one')
    t.end()
  },
)

t.test('if all jobs have failed at min, probes double the limit, even if min is more than a quarter of it', (t) => {
  const climbing = climbFrom(30, 10)
  climbing.measure(0.3)
  climbing.fall([15, 10])
  climbing.fall([10])
  assertProbes(t, climbing, [20, 30])
  t.equal(climbing.climb.isDoubling, false)
  t.end()
})

t.test('after other pressure, probes do not double the limit', (t) => {
  for (const [title, values, allFailed] of [
    ['some jobs have succeeded', [50, 12], false],
    ['all jobs have failed, but not at a quarter of the limit', [51, 12], true],
  ] as const) {
    const { climb, measure, fall } = climbAt200()
    fall(values, allFailed)
    t.equal(climb.isDoubling, false, title)
    t.equal(measure(0.12, 1000), '12 overload', title)
  }
  t.end()
})

t.test('after an outage in a probe upwards, the limit returns to that before the probe', (t) => {
  const climbing = climbFrom(200)
  t.equal(climbing.measure(2, 1000), '400 probe')
  climbing.fall([100, 50, 12])
  assertProbes(t, climbing, [24, 48, 96, 192, 200])
  t.equal(climbing.climb.isDoubling, false)
  t.end()
})

t.test('after an outage before the limit has recovered, it returns to half of the limit', (t) => {
  const climbing = climbAt200()
  climbing.fall([50, 12])
  assertProbes(t, climbing, [24])
  climbing.fall([6, 1])
  assertProbes(t, climbing, [2, 4, 8, 16, 32, 64, 100])
  t.equal(climbing.climb.isDoubling, false)
  t.end()
})

t.test('after an outage when the limit has nearly recovered, it returns to the last one that was good', (t) => {
  const climbing = climbAt200()
  climbing.fall([50, 12])
  assertProbes(t, climbing, [24, 48, 96, 192, 200])
  climbing.fall([96, 48, 12])
  assertProbes(t, climbing, [24, 48, 96, 192, 201])
  t.end()
})

t.test('a measurement without a success does not end an outage', (t) => {
  const climbing = climbAt200()
  climbing.fall([50, 12, 4])
  t.equal(climbing.measure(0, 1000), '4 overload')
  climbing.fall([2, 1])
  assertProbes(t, climbing, [2, 4, 8, 16, 32, 64, 128, 200])
  t.end()
})

t.test('jobs that succeed at the end of an outage do not prevent that probes double the limit', (t) => {
  const climbing = climbAt200()
  climbing.fall([50, 12])
  climbing.fall([6], false)
  assertProbes(t, climbing, [12])
  t.end()
})

t.test('when the limit has recovered, probes no longer double it, even if it becomes lower', (t) => {
  const climbing = climbAt200()
  climbing.fall([50, 12])
  assertProbes(t, climbing, [24, 48, 96, 192, 200])
  const { limit, measure } = climbing
  t.equal(measure(2), '200 gain')
  while (limit.value > 100) measure(2)
  t.equal(measure(1), '113 no-gain')
  let decision = ''
  while (!decision.endsWith('probe')) decision = measure(2, 1000)
  t.equal(decision, '118 probe')
  t.end()
})

t.test('a limit that causes the pressure ends the doubling', (t) => {
  const { climb, measure, fall } = climbAt200()
  fall([50, 12])
  t.equal(measure(0.12, 1000), '24 probe')
  fall([20], false)
  t.equal(climb.isDoubling, false)
  t.end()
})

t.test('if a doubled limit is not worth it, the next probe is a small one', (t) => {
  const { limit, climb, measure, fall } = climbAt200()
  fall([50, 10])
  t.equal(measure(1, 1000), '20 probe')
  t.equal(measure(1, 1000), '10 no-gain')
  t.equal(climb.isDoubling, false)
  const decisions = Array.from({ length: 40 }, () => measure(limit.value / 10, 1000))
  const firstProbe = decisions.find((decision) => decision.endsWith('probe'))
  t.equal(firstProbe, '11 probe')
  t.end()
})

t.test('after the limit was raised again, probes double it, until there is pressure', (t) => {
  const { limit, climb, measure, fall } = climbAt200()
  fall([90], false)
  limit.set(200, 'no-gain')
  climb.raised()
  t.equal(climb.isDoubling, true)
  t.equal(measure(2, 1000), '400 probe')
  fall([190], false)
  t.equal(climb.isDoubling, false)
  climb.restart()
  t.equal(climb.isDoubling, true)
  fall([100], false)
  t.equal(climb.isDoubling, false)
  t.end()
})
