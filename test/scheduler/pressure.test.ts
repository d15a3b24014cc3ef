import t from 'tap'
import { createPressure } from '../../src/adaptive/pressure.ts'

/** Counts this many overloaded jobs among all jobs. */
function pressureOf(overloads: number, jobs: number) {
  const pressure = createPressure()
  pressure.restart(0)
  for (let job = 0; job < jobs; job++) {
    if (job < overloads) pressure.failed('overload')
    pressure.ended(job >= overloads)
  }
  return pressure
}

t.test('the share of overloads is unchanged if it is at most two standard deviations lower', (t) => {
  // With a share of 25 %, 100 of 400 jobs are expected, and the standard deviation is 10.
  t.equal(pressureOf(80, 400).learnIfUnchangedFrom(0.25), true)
  t.equal(pressureOf(79, 400).learnIfUnchangedFrom(0.25), false)
  t.end()
})

t.test('one overload does not show that the share is unchanged, but two do', (t) => {
  t.equal(pressureOf(1, 10).learnIfUnchangedFrom(0.1), false)
  t.equal(pressureOf(2, 10).learnIfUnchangedFrom(0.1), true)
  t.end()
})

t.test('successes are counted since the last restart', (t) => {
  const pressure = pressureOf(2, 10)
  t.equal(pressure.successes, 8)
  pressure.restart(0)
  t.equal(pressure.successes, 0)
  t.end()
})
