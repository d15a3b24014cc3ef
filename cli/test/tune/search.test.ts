import { test } from 'tap'
import { seededRandom } from '../../src/shared/random.ts'
import type { Measurement } from '../../src/tune/result.ts'
import { equalTo, isOverloaded, kneeOf, type Range, scanOf, search } from '../../src/tune/search.ts'
import { median } from '../../src/tune/statistics.ts'
import { measurement } from '../support/combinations.ts'

const RANGE: Range = { least: 10, most: 400 }

/** A service that processes 30 calls at once, each in 100 ms. */
const slots30 = (concurrency: number) => ({ goodput: 10 * Math.min(concurrency, 30) })

type Fits = (measured: number, share: number, concurrency: number) => boolean

const inTime =
  (rounds: number): Fits =>
  (measured, share) =>
    measured + 1 <= share * rounds

/** Ends the repeated scan and the comparison after this number of rounds. Nothing else ends before it is complete. */
const until =
  (scan: number, comparison: number): Fits =>
  (measured, share) =>
    share === 2 / 3 || measured < (share < 0.5 ? scan : comparison)

/**
 * Searches on an imitated machine, on which each round takes the same time. `log` has the concurrencies in the order in
 * which they were measured.
 */
async function run(
  curve: (concurrency: number, round: number) => Partial<Measurement>,
  { rounds = 70, range = RANGE, comparisonEnd = 0.9, fits = inTime(rounds) } = {},
) {
  const log: number[] = []
  const goodputs = new Map<number, number[]>()
  const all = new Map<number, Measurement>()
  await search(range, {
    async measure(concurrency) {
      log.push(concurrency)
      const { goodput = 0, ...changes } = curve(concurrency, log.length)
      const each = [...(goodputs.get(concurrency) ?? []), goodput]
      goodputs.set(concurrency, each)
      const figures = measurement({ concurrency, goodput: median(each), rounds: each.length, ...changes })
      all.set(concurrency, figures)
      return figures
    },
    fits: (concurrency, share) => fits(log.length, share, concurrency),
    roundsUntil: (share) => Math.floor(share * rounds - log.length),
    comparisonEnd: () => comparisonEnd,
  })
  const measurements = [...all.values()]
  const knee = kneeOf(measurements)
  const equal = knee ? equalTo(knee, measurements).map(({ concurrency }) => concurrency) : []
  return { log, measurements, knee: knee?.concurrency ?? 0, equal }
}

test('the scan has the lowest and the highest concurrency, with at most the factor between neighbours', async (t) => {
  t.strictSame(scanOf(RANGE), [10, 16, 25, 40, 63, 100, 159, 252, 400])
  t.strictSame(scanOf(RANGE, 7), [10, 63, 400])
  t.strictSame(scanOf({ least: 1, most: 4 }), [1, 2, 3, 4])
  t.strictSame(scanOf({ least: 10, most: 10 }), [10])
})

test('the lowest concurrency with the highest goodput is found, and all equal ones are named', async (t) => {
  const { log, knee, equal, measurements } = await run(slots30)
  t.ok(knee >= 29 && knee <= 36, `${knee}`)
  const from = measurements.map(({ concurrency }) => concurrency).filter((concurrency) => concurrency >= 29)
  t.strictSame(
    equal,
    from.sort((a, b) => a - b),
  )
  t.strictSame(log.slice(0, 9), scanOf(RANGE))
  t.equal(log.length, 63, 'the comparison ends after 0.9 of 70 rounds')
})

test('a service that refuses the 21st call: what failed is not recommended, and is not equal', async (t) => {
  const { knee, equal, log } = await run((concurrency) =>
    concurrency <= 20 ? { goodput: 20 * concurrency } : { goodput: 390, failedShare: 0.8 },
  )
  t.ok(knee >= 19 && knee <= 20, `${knee}`)
  t.ok(Math.max(...equal) <= 20, `${equal}`)
  t.equal(log.filter((concurrency) => concurrency > 20).length, new Set(log.filter((each) => each > 20)).size)
})

test('a peak between two concurrencies of the scan is found', async (t) => {
  const { knee } = await run((concurrency) => ({ goodput: concurrency < 80 ? concurrency : 160 - concurrency }))
  t.ok(knee > 70 && knee < 90, `${knee}`)
})

test('the best ones are measured in turn until the time is over, and those that were measured least come first', async (t) => {
  const { log } = await run(slots30, { rounds: 120 })
  const compared = [...new Set(log.slice(-20))]
  t.ok(compared.length >= 4 && compared.length <= 7, `${compared}`)
  const last = log.slice(-2 * compared.length)
  for (const each of compared) t.equal(last.filter((concurrency) => concurrency === each).length, 2, `${last}`)
  const short = await run((concurrency) => ({ goodput: concurrency }), { rounds: 10 })
  t.equal(short.knee, 400)
  t.ok((short.measurements.find(({ concurrency }) => concurrency === 400)?.rounds ?? 0) >= 2, `${short.log}`)
})

test('a concurrency that is clearly slower drops out after the scan, and the last one is measured five times', async (t) => {
  const { log } = await run((concurrency) => ({ goodput: concurrency === 10 ? 100 : 75 }), {
    range: { least: 10, most: 11 },
    rounds: 12,
  })
  t.strictSame(log, [10, 11, 10, 11, 10, 10, 10], 'the scan ends after four rounds')
})

test('the scan is repeated, so a slow round of a low concurrency does not decide', async (t) => {
  const { knee, log } = await run((concurrency, round) => ({
    goodput: (round <= 4 ? 0.6 : 1) * 10 * Math.min(concurrency, 30),
  }))
  t.ok(knee >= 29 && knee <= 40, `${knee}`)
  t.strictSame(log.slice(9, 15), [25, 40, 63, 100, 159, 252], 'those with half of the highest goodput')
})

test('a slow round of the best one does not decide', async (t) => {
  const { knee } = await run((concurrency, round) => ({
    goodput: (round % 9 === 0 ? 0.5 : 1) * 10 * Math.min(concurrency, 30),
  }))
  t.ok(knee >= 29 && knee <= 40, `${knee}`)
})

test('if nothing succeeds, the search ends after two concurrencies', async (t) => {
  const { log, knee } = await run(() => ({ goodput: 0, failedShare: 1 }))
  t.strictSame(log, [10, 16])
  t.equal(knee, 0)
})

test('the scan ends when the goodput has been half of the highest, or less, twice in a row', async (t) => {
  const scanned = async (goodputs: Record<number, number>) =>
    (await run((concurrency) => ({ goodput: goodputs[concurrency] ?? 60 }), { range: { least: 10, most: 63 } })).log
  t.strictSame((await scanned({ 10: 100, 16: 50, 25: 50 })).slice(0, 4), [10, 16, 25, 10])
  t.strictSame((await scanned({ 10: 100, 16: 50, 25: 51, 40: 50 })).slice(0, 5), [10, 16, 25, 40, 63])
})

test('if there is time for few rounds only, the scan has larger steps', async (t) => {
  const { log, knee } = await run(slots30, { rounds: 9 })
  t.strictSame(log.slice(0, 3), [10, 63, 400])
  t.ok(log.length <= 9)
  t.ok(knee >= 29 && knee <= 63, `${knee}`)
})

test('one concurrency is measured five times', async (t) => {
  const { log } = await run(slots30, { range: { least: 7, most: 7 } })
  t.strictSame(log, [7, 7, 7, 7, 7])
})

test('if each round differs by up to 15 %, the recommended goodput is rarely below 0.9 of the best', async (t) => {
  const random = seededRandom(1)
  let low = 0
  for (let count = 0; count < 200; count += 1) {
    const { knee } = await run((concurrency) => ({
      goodput: 10 * Math.min(concurrency, 30) * (0.85 + 0.3 * random()),
    }))
    if (knee < 27) low += 1
  }
  t.ok(low <= 10, `${low} of 200`)
})

test('equal concurrencies end at one that failed, had a problem, or is slower or faster', async (t) => {
  const at = (concurrency: number, changes: Partial<Measurement> = {}) => measurement({ concurrency, ...changes })
  const equal = (...others: Measurement[]) => {
    const knee = at(20)
    return equalTo(knee, [at(40), knee, at(30), at(10), ...others])
      .map(({ concurrency }) => concurrency)
      .sort((a, b) => a - b)
  }
  t.strictSame(equal(), [10, 20, 30, 40])
  t.strictSame(equal(at(35, { failedShare: 0.2 })), [10, 20, 30])
  t.strictSame(equal(at(25, { problem: 'it died' })), [10, 20])
  t.strictSame(equal(at(15, { goodput: 950 }), at(35, { goodput: 1050 })), [10, 15, 20, 30, 35, 40])
  t.strictSame(equal(at(15, { goodput: 940 }), at(35, { goodput: 960 })), [20, 30, 35, 40])
  t.strictSame(equal(at(25, { goodput: 1060 })), [10, 20])
})

test('of equally fast concurrencies, the lowest usable one is the best', async (t) => {
  const best = (...all: Partial<Measurement>[]) => kneeOf(all.map(measurement))?.concurrency
  t.equal(best({ concurrency: 40 }, { concurrency: 20, goodput: 953 }, { concurrency: 10, goodput: 952 }), 20)
  t.equal(best({ concurrency: 20, problem: 'it died' }, { concurrency: 40 }), 40)
  t.equal(best({ concurrency: 20, goodput: 0 }), undefined)
  t.equal(best(), undefined)
})

test('too many failures are more than 1 % more than the fewest, and not chance', async (t) => {
  const overloaded = (failedShare: number, lowest: number, records: number) => {
    const step = measurement({ failedShare, records })
    return isOverloaded(step, [step, measurement({ failedShare: lowest, records })])
  }
  t.strictSame(
    [0.01, 0.011].map((share) => overloaded(share, 0, 100_000)),
    [false, true],
  )
  // Three standard errors of a difference: 3 × √(0.18 × 0.82 × 2 ÷ 300) = 9.4 percentage points.
  t.strictSame(
    [0.27, 0.28].map((share) => overloaded(share, 0.18, 300)),
    [false, true],
  )
  t.strictSame(
    [0.18 + 0.016, 0.18 + 0.018].map((share) => overloaded(share, 0.18, 10_000)),
    [false, true],
  )
})

test('the refinement ends when the neighbours are close, and then the least measured ones are compared first', async (t) => {
  const peak = (at: number) => (concurrency: number) => ({ goodput: 100 - Math.abs(concurrency - at) })
  const { log } = await run((concurrency) => ({ goodput: 20 - Math.abs(concurrency - 20) }), {
    range: { least: 10, most: 25 },
    fits: until(6, 13),
  })
  t.strictSame(log, [10, 16, 25, 10, 16, 25, 13, 20, 18, 22, 18, 20, 22])
  const close = await run(peak(10), { range: { least: 10, most: 12 }, fits: until(0, 4) })
  t.strictSame(close.log, [10, 12, 10, 12], 'a factor of 1.2')
  const wide = await run(peak(10), { range: { least: 10, most: 13 }, fits: until(0, 5) })
  t.strictSame(wide.log, [10, 13, 11, 10, 11], 'a factor of 1.3')
  const small = await run(peak(1), { range: { least: 1, most: 3 }, fits: until(0, 6) })
  t.strictSame(small.log, [1, 2, 3, 1, 2, 3], 'there is no number between them')
})

test('at most the six lowest ones and the fastest one are compared', async (t) => {
  const { log } = await run((concurrency) => ({ goodput: concurrency === 400 ? 1010 : 1000 }), { fits: until(0, 23) })
  t.strictSame(log.slice(9), [13, 11, 10, 11, 13, 16, 25, 40, 400, 10, 11, 13, 16, 25])
})

test('the scan ends early if the next round would take too long', async (t) => {
  const { log } = await run(slots30, { fits: (measured, _share, concurrency) => concurrency < 100 && measured < 20 })
  t.strictSame(log.slice(0, 6), [10, 16, 25, 40, 63, 16])
})
