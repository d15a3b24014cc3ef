import { test } from 'tap'
import { climb, isOverloaded, kneeOf, maxSteps, type Step } from '../../src/tune/climb.ts'

type Curve = (concurrency: number) => { goodput: number; failedShare?: number }

async function run(curve: Curve, least = 10, most = 400) {
  const steps = await climb(
    least,
    most,
    async (concurrency): Promise<Step> => ({
      failedShare: 0,
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

test('a peak at 40: the climb stops behind it, and looks between the neighbours', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: c <= 40 ? 25 * c : 1000 - 10 * (c - 40) }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 33, 53, 37, 47])
  t.equal(knee, 42)
})

test('a plateau from 40: the lowest concurrency with the full goodput is the knee', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: 25 * Math.min(c, 40) }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 107, 33, 53, 37, 47])
  t.equal(knee, 42)
})

test('a plateau with an error of measurement of 2.5 %', async (t) => {
  const { tried, knee = 0 } = await run((c) => ({ goodput: 25 * Math.min(c, 40) * noise(c) }))
  t.ok(knee >= 33 && knee <= 53, `${knee}`)
  t.ok(tried.length <= 14)
})

test('a goodput that always grows: the highest concurrency is the knee', async (t) => {
  const { tried, knee } = await run((c) => ({ goodput: c }))
  t.strictSame(tried, [10, 16, 26, 42, 67, 107, 171, 274, 400, 331, 364])
  t.equal(knee, 400)
})

test('a cliff at 900, above which all records fail: the knee is below, and close to it', async (t) => {
  const { tried, knee } = await run((c) => (c > 900 ? { goodput: 0, failedShare: 1 } : { goodput: c }), 100, 1000)
  t.strictSame(tried, [100, 160, 256, 410, 656, 1000, 519, 810, 729, 900])
  t.equal(knee, 900)
})

test('failures above 100 with a goodput that still grows: these steps are not the knee', async (t) => {
  const { knee } = await run((c) => ({ goodput: c, failedShare: c > 100 ? 0.05 : 0 }))
  t.equal(knee, 95)
})

test('records that fail at every concurrency do not count against it', async (t) => {
  const { knee } = await run((c) => ({ goodput: Math.min(c, 40), failedShare: 0.3 }))
  t.equal(knee, 42)
  const steps = [0.3, 0.305, 0.32].map((failedShare, index) => ({ concurrency: index, goodput: 1, failedShare }))
  t.strictSame(
    steps.map((step) => isOverloaded(step, steps)),
    [false, false, true],
  )
})

test('a low concurrency whose batch does not fit into the timeout does not end the climb', async (t) => {
  const { knee } = await run((c) => (c < 40 ? { goodput: c, failedShare: 1 - c / 40 } : { goodput: Math.min(c, 100) }))
  t.equal(knee, 95)
})

test('if nothing succeeds, the climb ends after two steps, and there is no knee', async (t) => {
  const { tried, knee } = await run(() => ({ goodput: 0, failedShare: 1 }))
  t.strictSame(tried, [10, 16])
  t.equal(knee, undefined)
})

test('a range of one value is one step, and a small range is not tried twice', async (t) => {
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
