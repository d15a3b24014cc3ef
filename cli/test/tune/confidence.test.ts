import { test } from 'tap'
import { isConfident, marginOf, mean, PRECISION, QUICK } from '../../src/tune/figures/confidence.ts'

test('the margin of two and of three values', async (t) => {
  // Standard errors 5 and 1; quantiles 12.706 and 4.303.
  t.equal(marginOf([95, 105])?.toFixed(4), '0.6353')
  t.equal(marginOf([100 - Math.sqrt(3), 100, 100 + Math.sqrt(3)])?.toFixed(5), '0.04303')
  t.equal(marginOf([100]), null)
  t.equal(marginOf([0, 0, 0]), null)
})

test('the margin of more than ten values uses the quantile of ten', async (t) => {
  const values = Array.from({ length: 12 }, (_, index) => 100 + (index % 2 ? 1 : -1))
  t.equal(marginOf(values)?.toFixed(6), ((2.262 * Math.sqrt(12 / 11 / 12)) / 100).toFixed(6))
})

test('three equal values are enough to be confident, and two are not', async (t) => {
  t.equal(isConfident([100, 100], PRECISION), false)
  t.equal(isConfident([100, 100, 100], PRECISION), true)
  t.equal(isConfident([80, 100, 120], PRECISION), false)
  t.equal(isConfident([80, 100, 120], { ...PRECISION, margin: 0.5 }), true)
  t.equal(isConfident([100, 100, 100], { ...PRECISION, margin: 0 }), true, 'exactly the margin')
  t.equal(isConfident([0, 0, 0], PRECISION), false, 'the margin of 0 is not known')
})

test('a run measures to ±5 % in at most ten rounds, and with --quick to ±10 % in at most six', async (t) => {
  t.strictSame(PRECISION, { margin: 0.05, minRounds: 3, maxRounds: 10, roundMs: 500 })
  t.strictSame(QUICK, { margin: 0.1, minRounds: 3, maxRounds: 6, roundMs: 250 })
  t.equal(mean([1, 2, 6]), 3)
})
