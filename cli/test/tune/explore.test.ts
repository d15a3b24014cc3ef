import { test } from 'tap'
import { choose } from '../../src/tune/choose.ts'
import { combinationsOf, explore, fullMemory, type Measure, noResults, type Plan } from '../../src/tune/explore.ts'
import { PRECISION } from '../../src/tune/figures/confidence.ts'
import type { Measurement } from '../../src/tune/figures/result.ts'
import { pricesFor } from '../../src/tune/prices.ts'
import { recommendationFor } from '../../src/tune/recommend.ts'
import { measurement } from '../support/combinations.ts'

const prices = pricesFor('x86_64', false)
const workload = { environments: 1, batchSize: 1000, bodyBytes: 100, prices, timeout: 30 }

function plan(changes: Partial<Plan> = {}): Plan {
  return {
    least: 10,
    most: 400,
    memories: [128, 512, 1769],
    moreMemories: [],
    precision: PRECISION,
    workload,
    optimize: 'cost',
    ...changes,
  }
}

/** Returns the same measurement in each round, with the number of rounds. */
function roundsOf(measure: (concurrency: number, memory: number) => Promise<Measurement>): Measure['round'] {
  const counts = new Map<number, number>()
  return async (concurrency) => {
    const rounds = (counts.get(concurrency) ?? 0) + 1
    counts.set(concurrency, rounds)
    return { ...(await measure(concurrency, 1769)), rounds }
  }
}

/** Explores with fake measurements, and returns what was measured as `memory × concurrency`. */
async function run(
  made: Plan,
  at: (concurrency: number, memory: number) => Partial<Measurement>,
  quota?: (concurrency: number, memory: number) => Partial<Measurement>,
) {
  const results = noResults()
  const full: string[] = []
  const limited: string[] = []
  const record =
    (list: string[], figures = at) =>
    async (concurrency: number, memory: number) => {
      list.push(`${memory} × ${concurrency}`)
      return measurement({ concurrency, ...figures(concurrency, memory) })
    }
  const measure: Measure = {
    round: roundsOf(record(full)),
    atFullCpu: record(full),
    ...(quota ? { withQuota: record(limited, quota) } : {}),
  }
  await explore(made, measure, results)
  const combinations = combinationsOf(results, made)
  return {
    full,
    limited,
    combinations,
    best: choose(combinations, made.optimize, results.measurements),
    confirmed: results.confirmed,
    measurements: results.measurements,
  }
}

/** A downstream that processes 40 records at once, each in 50 ms. */
function downstream(concurrency: number): Partial<Measurement> {
  return { goodput: 20 * Math.min(concurrency, 40), cpuPerRecord: 0.05 }
}

test('a downstream with a capacity of 40: the smallest memory with about 40 records in flight is the cheapest', async (t) => {
  const { full, best, combinations } = await run(plan(), downstream)
  t.match(best, { memory: 128, concurrency: 42, origin: 'predicted' })
  // A batch takes 1,250 ms. Its first 42 records use 2.1 ms of CPU, which takes 27 ms longer with 128 MB.
  t.equal(best?.goodput.toFixed(0), (1000 / 1.277).toFixed(0))
  t.strictSame(
    [...new Set(full)],
    [10, 16, 26, 42, 67, 107, 171, 274, 400, 33, 37, 53, 47].map((concurrency) => `1769 × ${concurrency}`),
  )
  t.equal(combinations.length, 39, 'one for each memory size and concurrency, and not for each round')
  t.strictSame(
    combinations.filter(({ memory }) => memory === 512).map(({ concurrency }) => concurrency),
    [10, 16, 26, 33, 37, 42, 47, 53, 67, 107, 171, 274, 400],
    'in ascending order',
  )
})

test('a range that ends before the goodput stops growing: the recommendation claims nothing about higher values', async (t) => {
  /** A batch of 100 records that take 20 ms each. The goodput grows in steps. */
  const records = (concurrency: number) => ({ goodput: 100 / (0.02 * Math.ceil(100 / concurrency)), cpuPerRecord: 0 })
  async function recommend(most: number) {
    const made = plan({ least: 5, most, memories: [1769], workload: { ...workload, batchSize: 100 } })
    const { best, combinations, measurements } = await run(made, records)
    return recommendationFor(best, combinations, made, measurements)
  }
  t.match(
    await recommend(40),
    /a concurrency of 34 in one environment: .* Of the higher concurrencies that were tried \(up to 40\), no usable one is clearly faster\. A concurrency above 40, the end of the range, may be faster: raise --concurrency\.$/,
  )
  t.match(await recommend(99), /a concurrency of 5\d in .* \(up to 99\), .* A concurrency above 99, the end of/)
  t.match(
    await recommend(100),
    /a concurrency of 100 in .* No higher concurrency was tried, because a batch has 100 records\.$/,
  )
})

test('if a record needs a millisecond of CPU, the goodput grows with the memory', async (t) => {
  const { best, combinations } = await run(plan({ optimize: 'speed' }), () => ({ goodput: 990, cpuPerRecord: 1 }))
  t.match(best, { memory: 1769, concurrency: 10, origin: 'measured' })
  const smallest = combinations.find(({ memory }) => memory === 128)
  t.equal(smallest?.goodput.toFixed(3), (1000 * (128 / 1769)).toFixed(3))
})

test('if a handler uses more than one core, more memory sizes are considered, up to the cores that it uses', async (t) => {
  async function memories(cores: number, changes: Partial<Plan> = {}) {
    const moreMemories = [3538, 5307, 7076]
    const made = plan({ least: 10, most: 10, optimize: 'speed', moreMemories, ...changes })
    const { best, combinations } = await run(made, () => ({ goodput: 1000 * cores, cpuPerRecord: 1 }))
    return { best: best?.memory, tried: combinations.map(({ memory }) => memory) }
  }
  t.strictSame(await memories(1.2), { best: 1769, tried: [128, 512, 1769] })
  t.strictSame(await memories(1.3), { best: 3538, tried: [128, 512, 1769, 3538] })
  t.strictSame(await memories(2), { best: 3538, tried: [128, 512, 1769, 3538] })
  t.strictSame(await memories(2.5), { best: 5307, tried: [128, 512, 1769, 3538, 5307] })
  t.strictSame(await memories(9), { best: 7076, tried: [128, 512, 1769, 3538, 5307, 7076] })
  const given = await memories(1.9, { moreMemories: [] })
  t.strictSame(given, { best: 1769, tried: [128, 512, 1769] }, '--memory was given')
  const ofTemplate = async (memory: number) => (await memories(2.5, { memories: [1769, memory] })).tried
  t.strictSame(await ofTemplate(3538), [1769, 3538, 5307], 'a size is not tried twice')
  t.strictSame(await ofTemplate(4096), [1769, 3538, 4096, 5307])
})

test('the search has the heap limits of the largest memory size, but at least those of one core', (t) => {
  t.strictSame([fullMemory([128, 512]), fullMemory([512, 3538])], [1769, 3538])
  t.end()
})

test('a memory that seems to be too small is checked with its own heap limits, at the best concurrency', async (t) => {
  const peak = (memory: number) => ({ peakMemory: memory === 1769 ? 600 : memory === 512 ? 400 : 300 })
  const { full, best, combinations } = await run(plan(), (concurrency, memory) => ({
    ...downstream(concurrency),
    ...peak(memory),
  }))
  t.strictSame(full.slice(-2), ['512 × 42', '128 × 42'])
  t.match(best, { memory: 512, concurrency: 42, peakMemory: 400 })
  t.equal(
    combinations.find(({ memory }) => memory === 128)?.problem,
    'the process needs 300 MB, more than 80 % of the memory',
  )
})

test('memory sizes that seem too small are checked from the largest on, until the process does not fit', async (t) => {
  async function checked(peaks: Record<number, number>, figures: Partial<Measurement> = {}) {
    const made = plan({ least: 42, most: 42, memories: [128, 256, 512, 1769] })
    const { full } = await run(made, (concurrency, memory) => ({
      ...downstream(concurrency),
      peakMemory: peaks[memory] ?? 100,
      ...figures,
    }))
    return full.filter((each) => each !== '1769 × 42')
  }
  t.strictSame(await checked({ 1769: 600, 512: 400, 256: 300 }), ['512 × 42', '256 × 42'])
  t.strictSame(await checked({ 1769: 600, 512: 400, 256: 204.8 }), ['512 × 42', '256 × 42', '128 × 42'])
  t.strictSame(await checked({ 1769: 409.6, 256: 204.9 }), ['256 × 42'])
  t.strictSame(await checked({ 1769: 600 }, { margin: null }), [], 'the best concurrency is not known')
})

test('the memory of the concurrency that needs most decides whether a memory size is checked', async (t) => {
  const made = plan({ least: 10, most: 16, memories: [128] })
  const { full } = await run(made, (concurrency) => ({ goodput: 100, peakMemory: concurrency === 16 ? 103 : 102 }))
  t.equal(full.at(-1), '128 × 10')
})

test('the result of a check concerns all concurrencies of its memory size', async (t) => {
  const atFull: Record<number, Partial<Measurement>> = {
    16: { goodput: 150, problem: 'an invocation timed out' },
    26: { goodput: 0, failedShare: 1, cpuPerRecord: null, margin: null },
  }
  async function checked(check: Partial<Measurement>) {
    const made = plan({ least: 10, most: 26, memories: [128, 1769] })
    const { combinations } = await run(made, (concurrency, memory) =>
      memory === 128
        ? { peakMemory: 100, cpuPerRecord: 0.1, ...check }
        : { goodput: 200, cpuPerRecord: 0.1, peakMemory: 300, ...atFull[concurrency] },
    )
    return combinations
      .filter(({ memory, concurrency }) => memory === 128 && [10, 16, 26].includes(concurrency))
      .map(({ concurrency, goodput, failedShare, cpuPerRecord, problem }) => ({
        figures: `${concurrency}: ${goodput.toFixed(1)} records/s, ${failedShare}, ${cpuPerRecord} ms`,
        problem,
      }))
  }
  // 1,000 records take 5 s. The first ten use 2 ms of CPU, which takes 26 ms longer.
  t.strictSame(await checked({ goodput: 10, cpuPerRecord: 0.2 }), [
    { figures: '10: 199.0 records/s, 0, 0.2 ms', problem: undefined },
    { figures: '16: 149.4 records/s, 0, 0.2 ms', problem: 'an invocation timed out' },
    { figures: '26: 0.0 records/s, 1, null ms', problem: 'no record succeeded' },
  ])
  const failing = { failedShare: 0.2, causes: { 'Error: heap': 5 } }
  const failed = '20 % of the records failed: Error: heap'
  t.strictSame((await checked({ ...failing, goodput: 500 }))[0], {
    figures: '10: 199.5 records/s, 0.2, 0.1 ms',
    problem: failed,
  })
  t.strictSame((await checked({ ...failing, goodput: 50 }))[0], {
    figures: '10: 50.0 records/s, 0.2, 0.1 ms',
    problem: failed,
  })
})

test('if the process does not work with a memory size, smaller sizes are not checked', async (t) => {
  const dead = { goodput: 0, failedShare: 1, peakMemory: null, cpuPerRecord: null, causes: { 'out of memory': 1 } }
  const { full, best, combinations } = await run(plan({ memories: [128, 256, 512, 1769] }), (concurrency, memory) =>
    memory === 1769 ? { ...downstream(concurrency), peakMemory: 600 } : dead,
  )
  t.strictSame(full.slice(-1), ['512 × 42'])
  t.match(best, { memory: 1769 })
  const problems = new Map(combinations.map(({ memory, problem }) => [memory, problem]))
  t.strictSame(
    [...problems.values()],
    [
      'the process needs 600 MB, more than 80 % of the memory',
      'the process needs 600 MB, more than 80 % of the memory',
      'no record succeeded: out of memory',
      undefined,
    ],
  )
})

test('if a process ends between two batches with a memory size, that size cannot be used', async (t) => {
  const death = 'the process ended with exit code 1 after its response'
  const { full, best, combinations } = await run(plan({ memories: [128, 256, 1769] }), (concurrency, memory) =>
    memory === 1769
      ? { ...downstream(concurrency), peakMemory: 600 }
      : { goodput: 100, peakMemory: 100, problem: death },
  )
  t.strictSame(full.slice(-1), ['256 × 42'])
  t.match(best, { memory: 1769 })
  const problems = new Map(combinations.map(({ memory, problem }) => [memory, problem]))
  t.strictSame([...problems.values()], ['the process needs 600 MB, more than 80 % of the memory', death, undefined])
})

test('if the process ends between two batches at every concurrency, nothing is recommended', async (t) => {
  const death = 'the process ended with exit code 1 after its response'
  const { best, combinations, measurements } = await run(plan(), (concurrency) => ({
    ...downstream(concurrency),
    problem: death,
  }))
  t.equal(best, undefined)
  t.equal(recommendationFor(best, combinations, plan(), measurements), `No combination can be used: ${death}.`)
})

test('a concurrency at which an invocation crashed or timed out is not recommended, even if it seems to be the fastest', async (t) => {
  const death = 'an invocation timed out after 30.00 seconds'
  const { best, combinations } = await run(plan(), (concurrency) => ({
    ...downstream(concurrency),
    ...(concurrency === 42 ? { goodput: 900, failedShare: 0.005, problem: death } : {}),
  }))
  t.match(best, { concurrency: 47 })
  t.strictSame(
    new Set(combinations.filter(({ concurrency }) => concurrency === 42).map(({ problem }) => problem)),
    new Set([death]),
  )
})

const INCLUDED =
  'The records per second include only successful records. Find the cause first: failed records can take less time ' +
  'than others, so the figures can be wrong.'
const MAYBE_CAUSE = `The concurrency may cause these failures, so try a wider range with --concurrency. ${INCLUDED}`

/** What the recommendation says about failures. */
async function aboutFailures(
  made: Plan,
  failedShare: (concurrency: number) => number,
  quota?: (concurrency: number) => Partial<Measurement>,
) {
  const { best, combinations, measurements } = await run(
    made,
    (concurrency) => ({ ...downstream(concurrency), failedShare: failedShare(concurrency) }),
    quota,
  )
  return /But [\d.]+ % of the records failed.*$/.exec(recommendationFor(best, combinations, made, measurements))?.[0]
}

test('if many records fail at every concurrency, the recommendation says that the concurrency is not the cause', async (t) => {
  t.equal(
    await aboutFailures(plan(), () => 0.9),
    'But 90 % of the records failed, and about as many failed at every other concurrency that can be used. ' +
      `So the concurrency does not cause these failures. ${INCLUDED}`,
  )
  t.equal(await aboutFailures(plan(), () => 0.01), undefined)
})

test('if no much lower or higher concurrency can be used, it may be the cause of the failures', async (t) => {
  const expected = `But 20 % of the records failed. ${MAYBE_CAUSE}`
  t.equal(await aboutFailures(plan({ least: 10, most: 10 }), () => 0.2), expected)
  t.equal(await aboutFailures(plan(), (concurrency) => (concurrency === 10 ? 0.2 : 0.5)), expected)
  /** The downstream serves 40 records at once, and refuses the others. */
  const refused = (concurrency: number) => (concurrency - 40) / concurrency
  t.equal(
    await aboutFailures(plan({ least: 380, most: 400 }), refused),
    `But 89.5 % of the records failed. ${MAYBE_CAUSE}`,
  )
})

test('if far fewer records fail under the quota, the recommendation does not say that as many fail elsewhere', async (t) => {
  const confirmed = (concurrency: number) => ({ ...downstream(concurrency), failedShare: 0.05 })
  t.equal(await aboutFailures(plan(), () => 0.2, confirmed), `But 5 % of the records failed. ${MAYBE_CAUSE}`)
})

test('a small heap needs more CPU for garbage collection, and the prediction includes it', async (t) => {
  const { combinations } = await run(plan(), (_concurrency, memory) =>
    memory === 1769 ? { goodput: 500, cpuPerRecord: 0.1, peakMemory: 200 } : { cpuPerRecord: 0.2, goodput: 500 },
  )
  const small = combinations.find(({ memory }) => memory === 128)
  t.match(small, { cpuPerRecord: 0.2, peakMemory: 100, problem: undefined })
  t.equal(small?.goodput.toFixed(3), ((1000 * (128 / 1769)) / 0.2).toFixed(3))
})

test('a confirmation measures the recommended combination and its neighbours, and replaces their figures', async (t) => {
  const { limited, combinations, best, confirmed } = await run(plan(), downstream, (concurrency) => ({
    ...downstream(concurrency),
    goodput: 790,
  }))
  t.strictSame(limited, ['128 × 42', '512 × 42', '128 × 37', '128 × 47'])
  t.match(best, { memory: 128, concurrency: 37, goodput: 790, origin: 'confirmed' })
  t.equal(combinations.filter(({ origin }) => origin === 'confirmed').length, 4)
  t.strictSame(
    confirmed.map(({ predicted }) => Math.round(predicted)),
    [783, 797, 727, 783],
  )
})

test('if the recommended combination is much slower under the quota, a confirmed neighbour is recommended', async (t) => {
  const { limited, best, combinations } = await run(plan(), downstream, (concurrency, memory) => ({
    ...downstream(concurrency),
    ...(memory === 128 ? { goodput: 10 } : {}),
  }))
  t.match(best, { memory: 512, concurrency: 42, origin: 'confirmed' })
  t.strictSame(limited, ['128 × 42', '512 × 42', '128 × 37', '128 × 47'])
  const other = combinations.find(({ memory, concurrency }) => memory === 128 && concurrency === 67)
  t.equal(other?.origin, 'predicted')
  t.equal(other?.goodput.toFixed(1), '10.0', 'a prediction for the same memory is corrected')
})

test('a changed recommendation is confirmed once more, and not again', async (t) => {
  const made = plan({ least: 42, most: 42, memories: [128, 256, 512, 1024, 1769] })
  const { limited, best } = await run(made, downstream, () => ({ goodput: 10 }))
  t.strictSame(limited, ['128 × 42', '256 × 42', '512 × 42', '1024 × 42'])
  t.match(best, { memory: 1769, origin: 'measured' })
  const slow = await run(made, downstream, () => ({ goodput: 100 }))
  t.strictSame(slow.limited, ['128 × 42', '256 × 42', '512 × 42', '1024 × 42'], 'nothing is confirmed twice')
  t.match(slow.best, { memory: 128, origin: 'confirmed' })
})

test('a combination that cannot be used is not confirmed', async (t) => {
  const made = plan({ least: 42, most: 42, memories: [128, 512] })
  const tooSmall = (concurrency: number, memory: number) => ({
    ...downstream(concurrency),
    peakMemory: memory === 128 ? 200 : 300,
  })
  t.strictSame((await run(made, tooSmall, downstream)).limited, ['512 × 42'])
  const crashed = (concurrency: number) => ({ ...downstream(concurrency), problem: 'it crashed' })
  t.strictSame((await run(made, crashed, downstream)).limited, [])
})

test('if the process needs more memory under the quota, the other combinations of this memory cannot be used either', async (t) => {
  const { best, combinations } = await run(plan(), downstream, (concurrency, memory) => ({
    ...downstream(concurrency),
    peakMemory: memory === 128 && concurrency === 42 ? 140 : 100,
  }))
  t.match(best, { memory: 512, concurrency: 42, origin: 'confirmed' })
  const problems = new Set(combinations.filter(({ memory }) => memory === 128).map(({ problem }) => problem))
  t.strictSame([...problems], ['the process needs 140 MB, more than 80 % of the memory'])
})

test('a search that takes too long ends early, and the memory sizes are checked all the same', async (t) => {
  async function searched(isLate?: () => boolean) {
    const results = noResults()
    const checked: string[] = []
    const figures = async (concurrency: number) =>
      measurement({ concurrency, ...downstream(concurrency), peakMemory: 200 })
    async function atFullCpu(concurrency: number, memory: number) {
      checked.push(`${memory} × ${concurrency}`)
      return figures(concurrency)
    }
    await explore(plan(), { round: roundsOf(figures), atFullCpu }, results, isLate)
    const concurrencies = results.measurements.map(({ concurrency }) => concurrency)
    return { endedEarly: results.endedEarly, concurrencies, checked }
  }
  const scanned = [10, 16, 26, 42, 67, 107, 171, 274, 400]
  t.strictSame(await searched(() => true), { endedEarly: true, concurrencies: scanned, checked: ['128 × 42'] })
  t.strictSame(await searched(), {
    endedEarly: false,
    concurrencies: [...scanned, 33, 37, 53, 47],
    checked: ['128 × 42'],
  })
})

test('an interrupted run recommends the same concurrency for each memory size', async (t) => {
  const goodputs: Record<number, number> = { 10: 300, 16: 500, 26: 900, 42: 940, 67: 1000 }
  const results = noResults()
  const made = plan({ memories: [128, 256, 1769], optimize: 'balanced' })
  async function atFullCpu(concurrency: number) {
    const goodput = goodputs[concurrency]
    if (goodput === undefined) throw new Error('stopped')
    // With more than one core, 1,769 MB limits the two highest concurrencies. Only the highest needs more than 128 MB.
    return measurement({ concurrency, goodput, cpuPerRecord: 1.1, peakMemory: concurrency === 67 ? 140 : 120 })
  }
  await t.rejects(explore(made, { round: roundsOf(atFullCpu), atFullCpu }, results), { message: 'stopped' })
  const combinations = combinationsOf(results, made)
  const chosen = [...Map.groupBy(combinations, ({ memory }) => memory).values()].map(
    (ofMemory) => choose(ofMemory, 'balanced', results.measurements)?.concurrency,
  )
  t.strictSame(chosen, [undefined, 67, 67])
  t.match(choose(combinations, 'balanced', results.measurements), { memory: 1769, concurrency: 67 })
})

test('an interrupted run has the combinations that were already measured', async (t) => {
  const results = noResults()
  async function atFullCpu(concurrency: number) {
    if (concurrency > 16) throw new Error('stopped')
    return measurement({ concurrency })
  }
  await t.rejects(explore(plan(), { round: roundsOf(atFullCpu), atFullCpu }, results), { message: 'stopped' })
  t.equal(results.endedEarly, false, 'it was not the time')
  t.strictSame(
    combinationsOf(results, plan()).map(({ memory, concurrency }) => `${memory} × ${concurrency}`),
    ['128 × 10', '128 × 16', '512 × 10', '512 × 16', '1769 × 10', '1769 × 16'],
  )
})
