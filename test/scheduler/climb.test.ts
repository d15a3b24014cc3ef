import t from 'tap'
import { createClimb } from '../../src/scheduler/adaptive/climb.ts'
import { createCurrentLimit } from '../../src/scheduler/adaptive/current-limit.ts'

/** A climb from 50, and a function that measures the current limit with this goodput. */
function climbFrom50() {
  const limit = createCurrentLimit({ min: 1, max: 500, initial: 50 })
  const climb = createClimb(limit)
  function measure(goodput: number, ceiling?: number): string {
    climb.next({ concurrency: limit.value, goodput, goodputWithoutUncounted: goodput }, ceiling)
    return `${limit.value} ${limit.reason}`
  }
  return { limit, climb, measure }
}

t.test('a higher limit that was worth it stays, if a still higher one would not help', (t) => {
  const { measure } = climbFrom50()
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

t.test('after a restart, the first measurement is a new reference and the next probe doubles the limit', (t) => {
  const { limit, climb, measure } = climbFrom50()
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
    const { limit, climb, measure } = climbFrom50()
    measure(1, 1000)
    limit.set(lowered, 'overload')
    t.equal(climb.lowered(), isWorthIt)
    t.equal(limit.value, value)
  }
  t.end()
})
