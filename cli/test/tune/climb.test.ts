import { test } from 'tap'
import { isOverloaded, kneeOf, overlapping, type Step, search } from '../../src/tune/figures/climb.ts'
import { PRECISION } from '../../src/tune/figures/confidence.ts'
import { normal, openSteps, randomNumbers } from '../support/simulated-machine.ts'

type Curve = (concurrency: number) => { goodput: number } & Partial<Step>

/** Searches, and returns the passes: the concurrencies that were measured one after the other. */
async function run(curve: Curve, least = 10, most = 400, isLate?: (passes: number) => boolean) {
  const passes: string[] = []
  const steps = new Map<number, Step>()
  const addRound = openSteps(PRECISION)
  async function measure(concurrencies: readonly number[]) {
    passes.push(concurrencies.join('+'))
    return concurrencies.map((concurrency) => {
      const { goodput, ...changes } = curve(concurrency)
      const made = { ...addRound(concurrency, goodput), ...changes }
      steps.set(concurrency, made)
      return made
    })
  }
  const endedEarly = await search(least, most, PRECISION, measure, isLate && (() => isLate(passes.length)))
  const all = [...steps.values()]
  return { passes: passes.join(' '), steps: all, knee: kneeOf(all)?.concurrency, endedEarly }
}

function step(changes: Partial<Step>): Step {
  return {
    concurrency: 10,
    goodput: 100,
    margin: 0.02,
    isConfident: true,
    rounds: 3,
    failedShare: 0,
    records: 1000,
    ...changes,
  }
}

test('goodput falls above 40: the scan ends early, then the best one races with values near it', async (t) => {
  const { passes, knee } = await run((c) => ({ goodput: c <= 40 ? 25 * c : 1000 - 10 * (c - 40) }))
  t.equal(passes, '10 16 26 42 67 107 171 33+42+67 42 37+42+53 37+42+53 42+47 42+47')
  t.equal(knee, 42)
})

test('goodput does not grow above 40: rounds of equal concurrencies alternate until each has three', async (t) => {
  const { passes, knee } = await run((c) => ({ goodput: 25 * Math.min(c, 40) }))
  t.equal(passes, '10 16 26 42 67 107 171 274 400 33+42+67 42+67 37+42+53 37+42+53 42+53 42+47 42+47 42+47')
  t.equal(knee, 42)
})

test('after the estimated time, the search ends as soon as the best one is exact enough', async (t) => {
  const curve = (c: number) => ({ goodput: 25 * Math.min(c, 40) })
  const atOnce = await run(curve, 10, 400, () => true)
  t.equal(atOnce.passes, '10 16 26 42 67 107 171 274 400 33+42+67', 'one round is not exact, and two are')
  t.equal(atOnce.knee, 42)
  t.equal(atOnce.endedEarly, true)
  const later = await run(curve, 10, 400, (passes) => passes >= 12)
  t.equal(later.passes, '10 16 26 42 67 107 171 274 400 33+42+67 42+67 37+42+53')
  t.equal(later.endedEarly, true)
  t.equal((await run(curve)).endedEarly, false)
})

test('goodput grows with every step: the knee is the highest concurrency', async (t) => {
  const { passes, knee } = await run((c) => ({ goodput: c }))
  t.equal(passes, '10 16 26 42 67 107 171 274 400 331+400 400 364+400 364+400')
  t.equal(knee, 400)
})

test('above 900, all records fail: the knee is at most 900, and close to it', async (t) => {
  const { passes, knee } = await run((c) => (c > 900 ? { goodput: 0, failedShare: 1 } : { goodput: c }), 100, 1000)
  t.equal(passes, '100 160 256 410 656 1000 519+656+810 810 810 729+810+900 729+900 900')
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
  // 3 × √(0.18 × 0.82 × (1 ÷ 100 + 1 ÷ 300)) = 13.3 percentage points. The lowest share is not the first.
  const few = { failedShare: 0.18, records: 100 }
  t.strictSame(
    [0.31, 0.32].map((failedShare) =>
      isOverloaded({ failedShare, records: 300 }, [{ failedShare, records: 300 }, few]),
    ),
    [false, true],
  )
})

test('the scan ends when the goodput has been half of the highest, or less, twice in a row', async (t) => {
  const passes = async (goodputs: Record<number, number>) =>
    (await run((c) => ({ goodput: goodputs[c] ?? 60 }), 10, 60)).passes
  t.match(await passes({ 10: 100, 16: 50, 26: 50 }), /^10 16 26 (?!42)/)
  t.match(await passes({ 10: 100, 16: 50, 26: 51, 42: 50 }), /^10 16 26 42 60 /, 'not in a row')
})

test('neighbours that differ by a factor of 1.2 have no value between them', async (t) => {
  t.equal((await run((c) => ({ goodput: c }), 10, 12)).passes, '10 12 10+12 12')
  t.equal((await run((c) => ({ goodput: c }), 10, 13)).passes, '10 13 10+13 13 11+13')
})

test('if a batch with a low concurrency does not fit into the timeout, the scan continues', async (t) => {
  const { knee } = await run((c) =>
    c < 40 ? { goodput: c, failedShare: 1 - c / 40, problem: 'too slow' } : { goodput: Math.min(c, 100) },
  )
  t.equal(knee, 107)
})

test('if nothing succeeds, the search ends after two rounds, and there is no knee', async (t) => {
  const { passes, knee, endedEarly } = await run(() => ({ goodput: 0, failedShare: 1 }))
  t.equal(passes, '10 16')
  t.equal(knee, undefined)
  t.equal(endedEarly, false)
})

test('a range of one value takes three rounds, and a small range has no value twice', async (t) => {
  t.equal((await run((c) => ({ goodput: c }), 7, 7)).passes, '7 7 7')
  t.equal((await run((c) => ({ goodput: c }), 1, 2)).passes, '1 2 2 2')
  t.equal((await run((c) => ({ goodput: c }), 1, 10)).passes, '1 2 3 5 8 10 8+10 10 9+10 9+10')
})

test('a drop of more than 10 % does not end the search if it is noise', async (t) => {
  // The first round of 16 is disturbed. The true goodput grows up to 40.
  let rounds = 0
  const disturbed: Curve = (c) => ({ goodput: Math.min(c, 40) * (c === 16 && rounds++ === 0 ? 0.5 : 1) })
  t.equal((await run(disturbed)).knee, 42)
})

test('the best of the scan is measured again, so a lucky round does not make it the knee', async (t) => {
  let rounds = 0
  const lucky: Curve = (c) => ({ goodput: Math.min(c, 40) * (c === 171 && rounds++ === 0 ? 1.3 : 1) })
  const { steps, knee } = await run(lucky)
  t.ok((steps.find(({ concurrency }) => concurrency === 171)?.rounds ?? 0) >= 2)
  t.ok(knee !== undefined && knee >= 40 && knee < 171, `${knee}`)
})

test('a lucky round of the scan does not change the race of others', async (t) => {
  let rounds = 0
  const lucky: Curve = (c) => ({ goodput: 25 * Math.min(c, 40) * (c === 107 && rounds++ === 0 ? 1.08 : 1) })
  t.equal((await run(lucky)).passes, (await run((c) => ({ goodput: 25 * Math.min(c, 40) }))).passes)
})

test('concurrencies that are never measured exactly have ten rounds each', async (t) => {
  let rounds = 0
  const { passes } = await run(() => ({ goodput: rounds++ % 4 < 2 ? 80 : 120 }), 10, 11)
  t.equal(passes, `10 11${' 10+11'.repeat(PRECISION.maxRounds - 1)}`)
})

test('rounds of concurrencies with overlapping intervals go on to the maximum, and others drop out', async (t) => {
  const swing = [0.8, 1, 1.2]
  const rounds = new Map<number, number>()
  const uneven: Curve = (c) => {
    const round = rounds.get(c) ?? 0
    rounds.set(c, round + 1)
    return { goodput: Math.min(c, 40) * (swing[round % 3] as number) }
  }
  const { steps } = await run(uneven, 10, 40)
  const roundsAt = (at: number) => steps.find(({ concurrency }) => concurrency === at)?.rounds
  t.equal(roundsAt(10), 1, 'clearly worse')
  t.ok((roundsAt(40) ?? 0) >= PRECISION.maxRounds)
})

test('without a clear winner, a search ends after a limited number of passes', async (t) => {
  const random = randomNumbers(1)
  const { steps, passes, endedEarly } = await run(() => ({ goodput: 1 + random() }))
  t.equal(passes.split(' ').length, 9 + 40)
  t.equal(endedEarly, false)
  t.equal(new Set(steps.map(({ concurrency }) => concurrency)).size, steps.length)
})

test('the knee is exact to ±25 %, can be used, and is the lowest of the best', async (t) => {
  const knee = (...steps: Partial<Step>[]) => kneeOf(steps.map(step))?.concurrency
  const low = { concurrency: 10, goodput: 100 }
  t.equal(knee(low, { concurrency: 20, goodput: 105 }), 10)
  t.equal(knee({ concurrency: 20, goodput: 105 }, low), 10, 'in any order')
  t.equal(knee(low, { concurrency: 20, goodput: 105.1 }), 20)
  t.equal(knee(low, { concurrency: 20, goodput: 200, problem: 'the process ended with exit code 1' }), 10)
  t.equal(knee(low, { concurrency: 20, goodput: 200, margin: 0.25 }), 20)
  t.equal(knee(low, { concurrency: 20, goodput: 200, margin: 0.26 }), 10)
  t.equal(knee({ ...low, margin: null }), undefined)
})

test('figures overlap if their intervals do, and if they can be used', async (t) => {
  const own = step({ concurrency: 20, goodput: 100, margin: 0.1 })
  const overlaps = (changes: Partial<Step>) => overlapping(own, [own, step(changes)]).length === 2
  t.equal(overlaps({ goodput: 89, margin: 0.02 }), true, '90.8 is above 90')
  t.equal(overlaps({ goodput: 88, margin: 0.02 }), false, '89.8 is below 90')
  t.equal(overlaps({ goodput: 80, margin: 0.125 }), true, 'they touch at 90')
  t.equal(overlaps({ goodput: 113, margin: 0.02 }), false)
  t.equal(overlaps({ goodput: 100, problem: 'no' }), false)
  t.equal(overlaps({ goodput: 100, margin: null }), false)
})

/** A service whose goodput grows up to the best concurrency, and then falls. */
function peak(best: number): (concurrency: number) => number {
  return (concurrency) => (concurrency <= best ? concurrency / best : (best / concurrency) ** 0.7)
}

test('with noise and a machine whose speed changes, at most 10 % of 300 searches end more than 10 % below the best', async (t) => {
  let worse = 0
  let rounds = 0
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = randomNumbers(seed)
    const curve = peak(15 * 13 ** random())
    let left = 0
    let speed = 1
    const { knee = 0, steps } = await run((c) => {
      // Every few rounds, another program starts or ends.
      if (left <= 0) {
        left = 3 + 15 * random()
        speed = random() < 0.5 ? 1 : 0.7
      }
      left -= 1
      return { goodput: curve(c) * speed * Math.exp(0.05 * normal(random)) }
    })
    if (curve(knee) < 0.9) worse += 1
    rounds += steps.reduce((sum, each) => sum + each.rounds, 0)
  }
  t.ok(worse <= 30, `${worse} of 300`)
  t.ok(rounds / 300 < 80, `${rounds / 300} rounds`)
  t.comment(`${worse} of 300 searches, ${rounds / 300} rounds each`)
})
