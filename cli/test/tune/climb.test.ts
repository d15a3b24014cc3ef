import { test } from 'tap'
import { climb, isOverloaded, kneeOf, maxSteps, type Step } from '../../src/tune/figures/climb.ts'

type Curve = (concurrency: number) => { goodput: number; failedShare?: number; records?: number }

async function run(curve: Curve, least = 10, most = 400) {
  const steps = await climb(
    least,
    most,
    async (concurrency): Promise<Step> => ({
      failedShare: 0,
      records: 10_000,
      ...curve(concurrency),
      concurrency,
    }),
  )
  return { tried: steps.map(({ concurrency }) => concurrency), knee: kneeOf(steps)?.concurrency }
}

/** A deterministic error of at most 2.5 %. */
function noise(concurrency: number) {
  return 1 + 0.025 * Math.sin(concurrency * 12.9898)
}

test('goodput falls above 40: the climb stops, then tries values near the best one', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: c <= 40 ? 25 * c : 1000 - 10 * (c - 40) }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 33, 53, 37, 47])
  t.equal(knee, 42)
})

test('goodput does not grow above 40: the knee is the lowest concurrency with the full goodput', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: 25 * Math.min(c, 40) }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 107, 33, 53, 37, 47])
  t.equal(knee, 42)
})

test('goodput does not grow above 40 and is measured with an error of 2.5 %: the knee is near 40', async (t) => {
  const { tried, knee = 0 } = await run((c) => ({ goodput: 25 * Math.min(c, 40) * noise(c) }))
  t.ok(knee >= 33 && knee <= 53, `${knee}`)
  t.ok(tried.length <= 14)
})

test('goodput grows with every step: the knee is the highest concurrency', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: c }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 107, 171, 274, 400, 331, 364])
  t.equal(knee, 400)
})

test('above 900, all records fail: the knee is at most 900, and close to it', async (t) => {
  const { tried, knee } = await run((c) => (c > 900 ? { goodput: 0, failedShare: 1 } : { goodput: c }), 100, 1000)
  t.strictSame(tried, [100, 160, 256, 410, 656, 1000, 519, 810, 729, 900])
  t.equal(knee, 900)
})

test('above 100, records fail while goodput still grows: the knee is below 100', async (t) => {
  const { knee } = await run((c) => ({ goodput: c, failedShare: c > 100 ? 0.05 : 0 }))
  t.equal(knee, 95)
})

test('records that fail at every concurrency do not change the knee', async (t) => {
  const { knee } = await run((c) => ({ goodput: Math.min(c, 40), failedShare: 0.3 }))
  t.equal(knee, 42)
  const steps = [0.3, 0.305, 0.32].map((failedShare) => ({ failedShare, records: 100_000 }))
  t.strictSame(
    steps.map((step) => isOverloaded(step, steps)),
    [false, false, true],
  )
})

test('if records fail at random, shares that differ by chance do not change the knee', async (t) => {
  const shares: Record<number, number> = { 10: 0.18, 16: 0.23 }
  const random = (c: number) => ({ goodput: Math.min(c, 40), failedShare: shares[c] ?? 0.21, records: 300 })
  t.equal((await run(random)).knee, 42)
  const overloaded = (failedShare: number, lowest: number, records: number) =>
    isOverloaded({ failedShare, records }, [
      { failedShare: lowest, records },
      { failedShare, records },
    ])
  // Three standard errors of a difference: 3 × √(0.18 × 0.82 × 2 ÷ 300) = 9.4 percentage points.
  t.strictSame(
    [0.27, 0.28].map((share) => overloaded(share, 0.18, 300)),
    [false, true],
  )
  t.strictSame(
    [0.18 + 0.016, 0.18 + 0.018].map((share) => overloaded(share, 0.18, 10_000)),
    [false, true],
  )
  t.strictSame(
    [0.01, 0.02].map((share) => overloaded(share, 0, 300)),
    [false, true],
  )
})

test('if a batch with a low concurrency does not fit into the timeout, the climb continues', async (t) => {
  const { knee } = await run((c) => (c < 40 ? { goodput: c, failedShare: 1 - c / 40 } : { goodput: Math.min(c, 100) }))
  t.equal(knee, 107)
})

test('if nothing succeeds, the climb ends after two steps, and there is no knee', async (t) => {
  const { tried, knee } = await run(() => ({ goodput: 0, failedShare: 1 }))
  t.strictSame(tried, [10, 16])
  t.equal(knee, undefined)
})

test('a range of one value takes one step, and each value of a small range is tried at most once', async (t) => {
  t.strictSame((await run((c) => ({ goodput: c }), 7, 7)).tried, [7])
  const { tried } = await run((c) => ({ goodput: c }), 1, 10)
  t.strictSame(tried, [1, 2, 3, 5, 8, 10, 9])
})

test('the climb never takes more than maxSteps()', async (t) => {
  t.equal(maxSteps(10, 400), 14)
  t.equal(maxSteps(7, 7), 1)
  t.equal(maxSteps(1, 3), 3)
  const curves: Curve[] = [
    (c) => ({ goodput: c }),
    (c) => ({ goodput: Math.min(c, 40) }),
    (c) => ({ goodput: noise(c) }),
  ]
  for (const curve of curves) {
    for (const [least, most] of [
      [1, 2],
      [1, 10],
      [10, 400],
      [5, 1000],
    ] as const) {
      const { tried } = await run(curve, least, most)
      t.ok(tried.length <= maxSteps(least, most), `${tried}`)
      t.equal(new Set(tried).size, tried.length, 'no concurrency is measured twice')
      t.ok(tried.every((each) => each >= least && each <= most))
    }
  }
})

test('a step whose process ended between two batches is never the knee', async (t) => {
  const step = { failedShare: 0, records: 1000 }
  const death = 'the process ended with exit code 1 after its response'
  const steps = [
    { ...step, concurrency: 10, goodput: 100 },
    { ...step, concurrency: 20, goodput: 200, death },
  ]
  t.equal(kneeOf(steps)?.concurrency, 10)
  t.equal(kneeOf([{ ...step, concurrency: 10, goodput: 100, death }]), undefined)
})
