// The limits of the figures. `npm run test:small-functions` measures another target: whether functions with little
// memory respond before their timeout.
import { CASE, type Part } from './parts.ts'
import { BARE_LOOP, MIDDY_IDIOM, OURS, POWERTOOLS } from './peers.ts'
import type { Results } from './results.ts'
import { median, quantile, type Samples } from './rounds.ts'

interface Target {
  readonly title: string
  readonly limit: number
  /** The figure does not vary. A short run has the same limit, and does not measure a missed target again. */
  readonly isExact?: boolean
  readonly part: Part
  /** Our samples and those that they are divided by; `undefined` if the part was not measured. */
  readonly samples: (results: Results) => Pair | undefined
}
type Pair = readonly [ours: readonly number[], others: readonly number[]]

/**
 * A short run has few samples, on a machine that may be busy. Its limits are the targets times this factor. In seven
 * short runs, at a load of 8 to 27 on two cores, no figure was more than 1.27 times its target. (The figure is the
 * smaller of the two that a short run accepts.)
 */
const SHORT_RUN_FACTOR = 1.5

const TARGETS: readonly Target[] = [
  // Most of a new environment is the import of @middy/core, which both need.
  lambda('new environment: import, construction and first batch of 10', POWERTOOLS, CASE.environment, 1.1),
  lambda('first batch of 10 alone', POWERTOOLS, CASE.first, 1.5), // a short run measures CPU time
  lambda('batches of 10, the first twenty', POWERTOOLS, CASE.early, 1.9),
  lambda('batches of 10, later ones', POWERTOOLS, CASE.later, 1.9),
  lambda('batches of 100', POWERTOOLS, CASE.of100, 1),
  lambda('batches of 1,000', POWERTOOLS, CASE.of1000, 0.5),
  lambda('batches of 10,000', POWERTOOLS, CASE.of10000, 0.4),
  lambda('batches of 10,000', MIDDY_IDIOM, CASE.of10000, 1),
  {
    title: 'cost per record in batches of 10,000 ÷ 1,000',
    limit: 1,
    part: 'lambda',
    samples: ({ lambda }) => lambda && [ours(lambda.data[CASE.of10000]), ours(lambda.data[CASE.of1000])],
  },
  {
    title: '10,000 × 10 ms HTTP, 1,024 descriptors, concurrency 100: records failed',
    limit: 0,
    isExact: true,
    part: 'http',
    samples: (results) => {
      const outcomes = httpAt100(results, OURS)
      return outcomes && [[Math.max(...outcomes.map(({ failed }) => failed))], [1]]
    },
  },
  {
    title: 'the same: time ÷ bare loop',
    limit: 1.05,
    part: 'http',
    samples: (results) => {
      const times = httpAt100(results, OURS)?.map(({ ms }) => ms)
      return times && [times, httpAt100(results, BARE_LOOP)?.map(({ ms }) => ms) ?? []]
    },
  },
  {
    title: `FIFO, 10 records of 10 ms in 10 groups ÷ ${POWERTOOLS}`,
    limit: 0.15, // records that run one after another give 1
    part: 'fifo',
    samples: ({ fifo }) => fifo && oursAnd(POWERTOOLS, fifo.data),
  },
  {
    title: `heap in the middle of 10,000 records ÷ ${POWERTOOLS}`,
    limit: 0.2,
    part: 'heap',
    samples: ({ heap }) => heap && oursAnd(POWERTOOLS, heap.data),
  },
  {
    title: 'our own code in a bundle by esbuild, minified, kB',
    limit: 32,
    isExact: true,
    part: 'bundle',
    samples: ({ bundle }) => bundle && [[(bundle.data[OURS]?.packages[OURS] ?? Number.NaN) / 1_000], [1]],
  },
]

export interface Verdict {
  readonly title: string
  readonly part: Part
  readonly isExact: boolean
  /** Our median ÷ the other median. */
  readonly ratio: number
  /** The quartiles of the ratios of single rounds. */
  readonly quartiles: readonly [number, number]
  /** Our fastest sample ÷ the other fastest sample. */
  readonly ratioOfFastest: number
  readonly limit: number
  readonly isMet: boolean
}

/**
 * Compares the parts with their targets. A figure that was not measured is `NaN` and misses its target. In a short run,
 * it is enough if the fastest samples meet the limit, because other load can only make a sample slower.
 */
export function verdicts(results: Results, parts: readonly Part[], isShort: boolean): Verdict[] {
  return TARGETS.filter(({ part }) => parts.includes(part)).map(
    ({ title, part, isExact = false, samples, ...target }) => {
      const [ours, others] = samples(results) ?? [[], []]
      const limit = isShort && !isExact ? SHORT_RUN_FACTOR * target.limit : target.limit
      const ratio = median(ours) / median(others)
      const ratioOfFastest = Math.min(...ours) / Math.min(...others)
      const perRound = ours.map((value, round) => value / (others[round] ?? Number.NaN))
      const quartiles = [quantile(perRound, 0.25), quantile(perRound, 0.75)] as const
      const isMet = isWithin(limit, ratio) || (isShort && isWithin(limit, ratioOfFastest))
      return { title, part, isExact, ratio, quartiles, ratioOfFastest, limit, isMet }
    },
  )
}

function isWithin(limit: number, ratio: number): boolean {
  return ratio >= 0 && ratio <= limit
}

function lambda(title: string, other: string, name: string, limit: number): Target {
  return {
    title: `${title} ÷ ${other}`,
    limit,
    part: 'lambda',
    samples: ({ lambda }) => lambda && oursAnd(other, lambda.data[name]),
  }
}

function oursAnd(other: string, samples: Samples = {}): Pair {
  return [ours(samples), samples[other] ?? []]
}

function ours(samples: Samples = {}): readonly number[] {
  return samples[OURS] ?? []
}

function httpAt100({ http }: Results, peer: string) {
  const isWanted = (found: { peer: string; client: string; concurrency: number }) =>
    found.peer === peer && found.client === 'node:http' && found.concurrency === 100
  return http?.data.find(isWanted)?.outcomes
}
