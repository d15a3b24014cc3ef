// The limits of the figures. `npm run test:small-functions` measures another target: whether functions with little
// memory respond before their timeout.
import { CALLS, CASE, callCases, type HttpCase, OVERLAP, type Part, TIMEOUT } from './parts.ts'
import { BARE_LOOP, BASELINE, OURS, P_MAP, POWERTOOLS } from './peers.ts'
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
  /** The samples of this package, or of the baseline, and those that they are divided by. Empty if not measured. */
  readonly samples: (results: Results, mine: string) => Pair
  /** For a figure that misses its target, and must not become worse. Default: see `kind`. */
  readonly gate: number | undefined
}
type Pair = readonly [mine: readonly number[], others: readonly number[]]

/** The medians vary from run to run. So `--gate` allows this much more than a target. */
const GATE_FACTOR = 1.15
/** A short run has few samples, on a machine that may be busy. */
const SHORT_RUN_FACTOR = 1.5

function ofKind(kind: Target['kind'], gate?: number) {
  return (part: Part, title: string, limit: number, samples: Target['samples']) => ({
    ...{ kind, gate, part, title, limit, samples },
  })
}
const [target, gate, exact] = [ofKind('target'), ofKind('gate'), ofKind('exact')]

const TARGETS: readonly Target[] = [
  waiting('first batch of 10 of a process', CASE.first, 0.8), // a short run measures CPU time
  waiting('batches of 10, the first twenty', CASE.early10, 1.9),
  waiting('batches of 10, later ones', CASE.later10, 1.6),
  waiting('batches of 100, the first twenty', CASE.early100, 1.25),
  waiting('batches of 100, later ones', CASE.later100, 1.15),
  waiting('batches of 1,000', CASE.of1000, 0.6),
  waiting('batches of 100, later ones', CASE.later100, 1.2, P_MAP),
  waiting('batches of 1,000', CASE.of1000, 0.65, P_MAP),
  // Most of a new environment is the import of @middy/core, which both need.
  waiting('new environment: import, construction and first batch of 10', CASE.environment, 1),
  exact('http', '10,000 × 10 ms HTTP, 1,024 descriptors, concurrency 100: records failed', 0, (results, mine) =>
    highest(httpAt100(results, mine).map(({ failed }) => failed)),
  ),
  target('http', 'the same: time ÷ bare loop', 1.05, (results, mine) => [
    httpAt100(results, mine).map(({ ms }) => ms),
    httpAt100(results, BARE_LOOP).map(({ ms }) => ms),
  ]),
  ...CALLS.flatMap(callCases).map((name) =>
    target('calls', `CPU time of batches of HTTP calls: ${name} ÷ ${POWERTOOLS}`, 1.1, ({ calls }, mine) =>
      pair(mine, POWERTOOLS, calls?.data.cpu[name]),
    ),
  ),
  // Records that run one after another give 1.
  target('fifo', `FIFO, 10 records of 10 ms in 10 groups ÷ ${POWERTOOLS}`, 0.15, ({ fifo }, mine) =>
    pair(mine, POWERTOOLS, fifo?.data),
  ),
  target('heap', `heap in the middle of 10,000 records ÷ ${POWERTOOLS}`, 0.2, ({ heap }, mine) =>
    pair(mine, POWERTOOLS, heap?.data),
  ),
  overlapping('cpu', OVERLAP.together, OVERLAP.apart),
  overlapping('cpu', OVERLAP.beside, OVERLAP.alone),
  overlapping('time', OVERLAP.beside, OVERLAP.alone),
  exact('timeout', 'asynchronous schema, then 200 ms of CPU per record: response ÷ timeout', 1, ({ timeout }, mine) =>
    highest(timeout?.data[mine]?.map((ms) => ms / TIMEOUT)),
  ),
  target('log', 'log entry of 6,900 failures with 760 hexadecimal digits each, ms of CPU time', 30, ({ log }, mine) => [
    log?.data[mine] ?? [],
    (log?.data[mine] ?? []).map(() => 1),
  ]),
  ofKind('exact', 33)('bundle', 'our own code in a bundle by esbuild, minified, kB', 31.5, ({ bundle }, mine) =>
    highest([(bundle?.data[mine]?.packages[OURS] ?? Number.NaN) / 1_000]),
  ),
  noop('batches of 10, the first twenty', CASE.early10, 2.6),
  noop('batches of 10, later ones', CASE.later10, 2.6),
  noop('batches of 100, later ones', CASE.later100, 1.1),
  noop('batches of 1,000', CASE.of1000, 0.6),
  noop('batches of 10,000', CASE.of10000, 0.45),
  gate('noop', 'handler does nothing: cost per record in batches of 10,000 ÷ 1,000', 1, ({ noop }, mine) => [
    noop?.data[CASE.of10000]?.[mine] ?? [],
    noop?.data[CASE.of1000]?.[mine] ?? [],
  ]),
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
  /** The same ratio of the baseline. `NaN` without `BENCH_PACKAGE`. */
  readonly baseline: number
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
  return TARGETS.filter(({ part }) => parts.includes(part)).map(
    ({ title, limit, kind, part, samples, gate: given }) => {
      const [ours, others] = samples(results, OURS)
      const [baseline, itsOthers] = samples(results, BASELINE)
      const gate = given ?? limit * factorOf(kind, isShort)
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
        baseline: median(baseline) / median(itsOthers),
        quartiles: [quantile(perRound, 0.25), quantile(perRound, 0.75)],
        ratioOfFastest,
        isWithinGate: isWithin(gate, ratio) || (isShort && isWithin(gate, ratioOfFastest)),
      }
    },
  )
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
  return target('waits', `handler waits: ${title} ÷ ${other}`, limit, ({ waits }, mine) =>
    pair(mine, other, waits?.data[name]),
  )
}

function noop(title: string, name: string, limit: number): Target {
  return gate('noop', `handler does nothing: ${title} ÷ ${POWERTOOLS}`, limit, ({ noop }, mine) =>
    pair(mine, POWERTOOLS, noop?.data[name]),
  )
}

function overlapping(cost: 'cpu' | 'time', title: string, other: string): Target {
  const name = `${cost === 'cpu' ? 'CPU time' : 'duration'} of ${title} ÷ ${other}`
  return target('overlap', name, 1.3, ({ overlap }, mine) => [
    overlap?.data[cost][title]?.[mine] ?? [],
    overlap?.data[cost][other]?.[mine] ?? [],
  ])
}

function pair(mine: string, other: string, samples: Samples = {}): Pair {
  return [samples[mine] ?? [], samples[other] ?? []]
}

/** The highest sample, divided by 1. */
function highest(samples: readonly number[] = []): Pair {
  return [samples.length > 0 ? [Math.max(...samples)] : [], [1]]
}

function httpAt100({ http }: Results, wanted: string): HttpCase['outcomes'] {
  return http?.data.find(({ peer, concurrency }) => peer === wanted && concurrency === 100)?.outcomes ?? []
}
