import { countOf } from '../shared/format.ts'
import { formatCost, formatFigure, formatList, formatShare } from './format.ts'
import { choose, combinationsOf, type Findings, type Plan, withFittingBatches } from './predict.ts'
import { PRICES_OF, type Workload } from './prices.ts'
import type { Combination, Measurement, TuneResult } from './result.ts'
import { equalTo, kneeOf, MAX_MORE_FAILURES, type Range } from './search.ts'

/** If a round differs from the median by more than this share, the figures are doubtful. */
const MAX_DEVIATION = 0.25
/** A growth that was not measured is not the same as none. */
export type Growth = number | null | 'not measured'

/** What a run has found, and under which settings. */
export interface Run extends Findings {
  readonly handler: string
  readonly plan: Plan
  readonly range: Range
  /** Bytes for each record. */
  readonly growth: Growth
  /** The number of records in a batch of the best concurrency, which is smaller if records take long. */
  readonly usedBatchSize: number | undefined
  /** The batching window, in seconds. */
  readonly window: number
  /** How many records the handler received in the whole run. */
  readonly delivered: number
  readonly isIncomplete: boolean
}

/** What to print, from what was found. */
export function toResult(run: Run): TuneResult {
  const { handler, measurements, growth, delivered, isIncomplete } = run
  const { environments, batchSize, timeout } = run.plan.workload
  const plan = withFittingBatches(run, run.plan)
  const { workload, optimize } = plan
  const combinations = combinationsOf(run, plan)
  const best = choose(combinations, measurements, optimize)
  const knee = kneeOf(measurements)
  const equal = best && knee ? equalTo(knee, measurements) : []
  return {
    handler,
    environments,
    batchSize,
    optimize,
    failures: failuresIn(measurements),
    warnings: best && knee ? warningsOf(best, knee, run, workload.batchSize) : [],
    delivered,
    measurements: measurements.toSorted((a, b) => a.concurrency - b.concurrency),
    combinations,
    growth: growth === 'not measured' ? null : growth,
    best: best ?? null,
    equal: equal.map(({ concurrency }) => concurrency),
    settings: best
      ? {
          MemorySize: best.memory,
          BOUNDED_SQS_BATCH_CONCURRENCY: best.concurrency,
          VisibilityTimeout: 6 * timeout + run.window,
          ...(workload.batchSize < batchSize ? { BatchSize: workload.batchSize } : {}),
        }
      : null,
    recommendation: best && knee ? textFor(best, knee, equal, workload) : whyNone(combinations, measurements),
    isIncomplete,
  }
}

/** What failed at which concurrencies. Those with the same error have one line. */
function failuresIn(measurements: readonly Measurement[]): string[] {
  const failed = measurements
    .filter(({ problem, failedShare }) => problem !== undefined || failedShare > 0)
    .sort((a, b) => a.concurrency - b.concurrency)
  const byReason = Map.groupBy(failed, ({ problem, causes }) => problem ?? causeIn(causes))
  return Array.from(byReason, ([reason, each]) => {
    const concurrencies = formatList(each.map(({ concurrency }) => formatFigure(concurrency)))
    const records = each.reduce((sum, measurement) => sum + measurement.records, 0)
    const count = Math.round(each.reduce((sum, { failedShare, records }) => sum + failedShare * records, 0))
    const failures = count === 0 ? '' : `${formatFigure(count)} of ${formatFigure(records)} records failed: `
    return `Concurrency ${concurrencies}: ${failures}${reason}`
  })
}

function causeIn(causes: Measurement['causes']): string {
  const [first = 'the reason is not known', ...others] = Object.keys(causes)
  return others.length === 0 ? first : `${first}, and ${countOf(others.length, 'other error')}`
}

function warningsOf(best: Combination, knee: Measurement, run: Run, fitting: number): string[] {
  const { plan, range, growth, usedBatchSize = 0 } = run
  const { batchSize, timeout } = plan.workload
  const { lowest, highest, goodput, rounds } = knee
  const isUneven = lowest < goodput * (1 - MAX_DEVIATION) || highest > goodput * (1 + MAX_DEVIATION)
  const warnings = [
    growth === 'not measured' && 'Whether the memory grows is not known, because the time was over. Raise --time.',
    typeof growth === 'number' && growthText(growth, best),
    rounds < 3 && `The concurrency ${knee.concurrency} was measured only ${timesOf(rounds)}. Raise --time.`,
    isUneven && 'The rounds differ by more than 25 %. Run tune again on a quiet machine.',
    fitting < batchSize &&
      `Full batches of ${formatFigure(batchSize)} records do not end within the timeout of ${formatFigure(timeout)} s with any of these memory sizes, so BatchSize is ${formatFigure(fitting)}.`,
    usedBatchSize < fitting &&
      `Batches had ${formatFigure(usedBatchSize)} records and not ${formatFigure(fitting)}, which would take too long. Full ones can need more memory: raise --time to measure them.`,
    best.concurrency === range.most &&
      best.concurrency < batchSize &&
      'The recommended concurrency is the highest that was tried. A higher one may be faster: raise --concurrency.',
    knee.failedShare > MAX_MORE_FAILURES &&
      `${formatShare(knee.failedShare)} of the records failed at the recommended concurrency. Find the cause first: failed records can take less time, so the figures can be wrong.`,
  ]
  return warnings.filter((warning) => warning !== false)
}

function growthText(growth: number, { memory, peakMemory }: Combination): string {
  const records = ((memory - (peakMemory ?? 0)) * 1024 ** 2) / growth
  const rounded = Number(records.toPrecision(2))
  return `The memory grows by ${formatFigure(growth / 1000)} kB a record: ${formatFigure(memory)} MB are full after about ${formatFigure(rounded)} records. Find out what the handler keeps.`
}

const timesOf = (rounds: number) => (rounds === 1 ? 'once' : `${rounds} times`)

/** How to use a concurrency if all environments share a limit, such as the connections of a database. */
function sharedLimitText(inFlight: number, { environments, maximumConcurrency }: Workload): string {
  if (maximumConcurrency === undefined)
    return ` If more environments share a limit, divide ${formatFigure(inFlight)} by MaximumConcurrency.`
  if (maximumConcurrency <= environments) return ''
  const each = Math.max(1, Math.floor(inFlight / maximumConcurrency))
  return ` MaximumConcurrency is ${formatFigure(maximumConcurrency)}: if the environments share a limit, use a concurrency of ${formatFigure(each)}.`
}

function textFor(best: Combination, knee: Measurement, equal: readonly Measurement[], workload: Workload): string {
  const { environments } = workload
  const { memory, concurrency, goodput, costPerMillion, origin } = best
  const where = environments === 1 ? '' : ` in each of ${environments} environments`
  const rounds = `measured ${timesOf(knee.rounds)} with a full CPU: ${formatFigure(knee.lowest)} to ${formatFigure(knee.highest)}`
  const names = formatList(equal.map((each) => formatFigure(each.concurrency)))
  const inFlight = concurrency * environments
  return [
    `${formatFigure(memory)} MB and a concurrency of ${formatFigure(concurrency)}${where}: ${formatFigure(goodput)} records/s for ${formatCost(costPerMillion)} per million messages (${origin === 'predicted' ? `predicted; ` : ''}${rounds}).`,
    ...(equal.length > 1 ? [`Equal within 5 %: ${names}.`] : []),
    `Up to ${formatFigure(inFlight)} records were in flight.${sharedLimitText(inFlight, workload)}`,
    `Prices: x86_64 in ${PRICES_OF}.`,
  ].join(' ')
}

function whyNone(combinations: readonly Combination[], measurements: readonly Measurement[]): string {
  const knee = kneeOf(measurements)?.concurrency
  // With the most memory, the reason is not the memory.
  const reason = combinations.findLast(({ concurrency }) => knee === undefined || concurrency === knee)?.problem
  return `No combination can be used: ${reason ?? 'the time was over before the first round. Raise --time'}.`
}
