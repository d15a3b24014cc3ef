// The limits of the figures. `npm run test:small-functions` measures another target: whether functions with little
// memory respond before their timeout.
import { CALLS, CASE, callCases, type Part } from './parts.ts'
import { BARE_LOOP, OURS, P_MAP, POWERTOOLS } from './peers.ts'
import type { Results } from './results.ts'
import { median, quantile, type Samples } from './rounds.ts'

interface Target {
  readonly title: string
  readonly limit: number
  /**
   * The gate of a target is higher by `GATE_FACTOR`. A limit that is only a gate shows whether something became worse.
   * An exact figure does not vary: a short run has the same limit, and does not measure a missed one again.
   */
  readonly kind: 'target' | 'gate' | 'exact'
  readonly part: Part
  /** Our samples and those that they are divided by; `undefined` if the part was not measured. */
  readonly samples: (results: Results) => Pair | undefined
}
type Pair = readonly [ours: readonly number[], others: readonly number[]]

/** The medians vary from run to run. So `--gate` allows this much more than a target. */
const GATE_FACTOR = 1.15
/** A short run has few samples, on a machine that may be busy. */
const SHORT_RUN_FACTOR = 1.5

const TARGETS: readonly Target[] = [
  waiting('first batch of 10 of a process', CASE.first, 1.4), // a short run measures CPU time
  waiting('batches of 10, the first twenty', CASE.early10, 2),
  waiting('batches of 10, later ones', CASE.later10, 1.7),
  waiting('batches of 100, the first twenty', CASE.early100, 1.6),
  waiting('batches of 100, later ones', CASE.later100, 1.4),
  waiting('batches of 1,000', CASE.of1000, 0.75),
  waiting('batches of 100, later ones', CASE.later100, 1.4, P_MAP),
  waiting('batches of 1,000', CASE.of1000, 0.75, P_MAP),
  // Most of a new environment is the import of @middy/core, which both need.
  waiting('new environment: import, construction and first batch of 10', CASE.environment, 1.1),
  {
    title: '10,000 × 10 ms HTTP, 1,024 descriptors, concurrency 100: records failed',
    limit: 0,
    kind: 'exact',
    part: 'http',
    samples: (results) => {
      const outcomes = httpAt100(results, OURS)
      return outcomes && [[Math.max(...outcomes.map(({ failed }) => failed))], [1]]
    },
  },
  {
    title: 'the same: time ÷ bare loop',
    limit: 1.05,
    kind: 'target',
    part: 'http',
    samples: (results) => {
      const times = httpAt100(results, OURS)?.map(({ ms }) => ms)
      return times && [times, httpAt100(results, BARE_LOOP)?.map(({ ms }) => ms) ?? []]
    },
  },
  ...CALLS.flatMap(callCases).map(
    (name): Target => ({
      title: `CPU time of batches of HTTP calls: ${name} ÷ ${POWERTOOLS}`,
      limit: 1.1,
      kind: 'target',
      part: 'calls',
      samples: ({ calls }) => calls && oursAnd(POWERTOOLS, calls.data.cpu[name]),
    }),
  ),
  {
    title: `FIFO, 10 records of 10 ms in 10 groups ÷ ${POWERTOOLS}`,
    limit: 0.15, // records that run one after another give 1
    kind: 'target',
    part: 'fifo',
    samples: ({ fifo }) => fifo && oursAnd(POWERTOOLS, fifo.data),
  },
  {
    title: `heap in the middle of 10,000 records ÷ ${POWERTOOLS}`,
    limit: 0.2,
    kind: 'target',
    part: 'heap',
    samples: ({ heap }) => heap && oursAnd(POWERTOOLS, heap.data),
  },
  {
    title: 'our own code in a bundle by esbuild, minified, kB',
    limit: 31.5,
    kind: 'exact',
    part: 'bundle',
    samples: ({ bundle }) => bundle && [[(bundle.data[OURS]?.packages[OURS] ?? Number.NaN) / 1_000], [1]],
  },
  noop('batches of 10, the first twenty', CASE.early10, 2.6),
  noop('batches of 10, later ones', CASE.later10, 2.6),
  noop('batches of 100, later ones', CASE.later100, 1.1),
  noop('batches of 1,000', CASE.of1000, 0.6),
  noop('batches of 10,000', CASE.of10000, 0.45),
  {
    title: 'handler does nothing: cost per record in batches of 10,000 ÷ 1,000',
    limit: 1,
    kind: 'gate',
    part: 'noop',
    samples: ({ noop }) => noop && [ours(noop.data[CASE.of10000]), ours(noop.data[CASE.of1000])],
  },
]

export interface Verdict {
  readonly title: string
  readonly part: Part
  readonly isExact: boolean
  /** `undefined` if there is only a gate. */
  readonly target: number | undefined
  /** `--gate` fails above this. */
  readonly gate: number
  /** Our median ÷ the other median. */
  readonly ratio: number
  /** The quartiles of the ratios of single rounds. */
  readonly quartiles: readonly [number, number]
  /** Our fastest sample ÷ the other fastest sample. */
  readonly ratioOfFastest: number
  readonly isWithinGate: boolean
}

/**
 * Compares the parts with their targets. A figure that was not measured is `NaN` and misses its target. In a short run,
 * it is enough if the fastest samples are within the gate, because other load can only make a sample slower.
 */
export function verdicts(results: Results, parts: readonly Part[], isShort: boolean): Verdict[] {
  return TARGETS.filter(({ part }) => parts.includes(part)).map(({ title, limit, kind, part, samples }) => {
    const [ours, others] = samples(results) ?? [[], []]
    const gate = limit * factorOf(kind, isShort)
    const ratio = median(ours) / median(others)
    const ratioOfFastest = Math.min(...ours) / Math.min(...others)
    const perRound = ours.map((value, round) => value / (others[round] ?? Number.NaN))
    return {
      title,
      part,
      isExact: kind === 'exact',
      target: kind === 'gate' ? undefined : limit,
      gate,
      ratio,
      quartiles: [quantile(perRound, 0.25), quantile(perRound, 0.75)],
      ratioOfFastest,
      isWithinGate: isWithin(gate, ratio) || (isShort && isWithin(gate, ratioOfFastest)),
    }
  })
}

function factorOf(kind: Target['kind'], isShort: boolean): number {
  if (kind === 'exact') return 1
  if (isShort) return SHORT_RUN_FACTOR
  return kind === 'target' ? GATE_FACTOR : 1
}

export function isWithin(limit: number, ratio: number): boolean {
  return ratio >= 0 && ratio <= limit
}

function waiting(title: string, name: string, limit: number, other = POWERTOOLS): Target {
  return {
    title: `handler waits: ${title} ÷ ${other}`,
    limit,
    kind: 'target',
    part: 'waits',
    samples: ({ waits }) => waits && oursAnd(other, waits.data[name]),
  }
}

function noop(title: string, name: string, limit: number): Target {
  return {
    title: `handler does nothing: ${title} ÷ ${POWERTOOLS}`,
    limit,
    kind: 'gate',
    part: 'noop',
    samples: ({ noop }) => noop && oursAnd(POWERTOOLS, noop.data[name]),
  }
}

function oursAnd(other: string, samples: Samples = {}): Pair {
  return [ours(samples), samples[other] ?? []]
}

function ours(samples: Samples = {}): readonly number[] {
  return samples[OURS] ?? []
}

function httpAt100({ http }: Results, wanted: string) {
  return http?.data.find(({ peer, concurrency }) => peer === wanted && concurrency === 100)?.outcomes
}
