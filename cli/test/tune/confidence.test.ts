import { test } from 'tap'
import { isConfident, marginOf, sampleUntilConfident } from '../../src/tune/figures/confidence.ts'

test('the margin of two and of three values', async (t) => {
  // Standard errors 5 and 1; quantiles 12.706 and 4.303.
  t.equal(marginOf([95, 105])?.toFixed(4), '0.6353')
  t.equal(marginOf([100 - Math.sqrt(3), 100, 100 + Math.sqrt(3)])?.toFixed(5), '0.04303')
  t.equal(marginOf([100]), undefined)
  t.equal(marginOf([0, 0, 0]), undefined)
})

test('three equal values are enough to be confident, and two are not', async (t) => {
  t.equal(isConfident([100, 100]), false)
  t.equal(isConfident([100, 100, 100]), true)
  t.equal(isConfident([80, 100, 120]), false)
})

test('samples are taken until their mean is known exactly enough, but at most ten, and only three if they are 0', async (t) => {
  const never = () => false
  const take = (values: (round: number) => number) => sampleUntilConfident(async (round) => values(round), never)
  t.strictSame(await take(() => 100), [100, 100, 100])
  t.strictSame(await take((round) => [90, 110][round - 1] ?? 100), [90, 110, 100, 100, 100, 100, 100, 100])
  t.equal((await take((round) => (round % 2 ? 50 : 150))).length, 10)
  t.strictSame(await take(() => 0), [0, 0, 0])
  t.strictSame((await take((round) => (round === 1 ? 0 : 100))).length, 10)
})

test('no more samples are taken if they are useless', async (t) => {
  t.strictSame(
    await sampleUntilConfident(
      async (round) => round,
      () => true,
    ),
    [1],
  )
})
