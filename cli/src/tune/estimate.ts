import type { InvocationMetrics } from '../local/simulator/metrics.ts'
import { cpuShareOf } from '../shared/reserve.ts'
import type { Estimate } from './consent.ts'
import { explore, fullMemory, type Measure, noResults, type Plan } from './explore.ts'
import { mean, QUICK } from './figures/confidence.ts'
import { type MeasuredBatch, type MeasureOptions, measureFor, type Start, StoppedError } from './measure.ts'
import type { Run, TuneOptions } from './options.ts'

/** What a few short batches showed at one concurrency. */
export interface Speed {
  /** Of one environment. */
  readonly concurrency: number
  /** Records of all environments per second, successful or not. */
  readonly rate: number
  readonly failedShare: number
  /** CPU milliseconds of a record. */
  readonly cpu: number
  /** MB. */
  readonly peakMemory: number
  /** Milliseconds until new environments can receive a batch. */
  readonly startMs: number
  /** Milliseconds that this process needs for a record: it makes the event and reads the response. */
  readonly overheadMs: number
  /** The standard deviation of the rate, as a share. It decides how many rounds follow. */
  readonly noise: number
}

/** Each concurrency is the previous one × this. */
const CONCURRENCY_FACTOR = 4
/** The first batch is small, because records can take long. Each batch has this many times as many records. */
const BATCH_FACTOR = 4
/** Batches become larger until one takes this long. Shorter ones are not exact, because Node still compiles the code. */
const BATCH_MS = 400
/** A higher concurrency is measured only while the rate grows by at least this factor. */
const MIN_GROWTH = 1.3
/** After this time, no other concurrency is measured. */
const MAX_TOTAL_MS = 10_000
/** At the last concurrency, the noise is measured with this many batches, or with fewer if they take this long. */
const NOISE_BATCHES = 8
const MAX_NOISE_MS = 5000
/** What is assumed if the noise was not measured, and the minimum. */
const USUAL_NOISE = 0.02

type SpeedOptions = Pick<MeasureOptions, 'environments' | 'sample' | 'start' | 'onBatch' | 'signal'> & {
  now?: () => number
}

/** Measures a few short batches at the lowest concurrency, and then at higher ones while they are faster. */
export async function measureSpeeds(plan: Plan, options: SpeedOptions): Promise<Speed[]> {
  const { now = () => performance.now() } = options
  const startedAt = now()
  const speeds: Speed[] = []
  for (let at = plan.least; ; at = Math.min(plan.most, at * CONCURRENCY_FACTOR)) {
    const before = speeds.at(-1)
    const isLast = (rate: number) =>
      at === plan.most || (before && rate <= before.rate * MIN_GROWTH) || now() - startedAt > MAX_TOTAL_MS
    const speed = await measureSpeed(at, fullMemory(plan.memories), isLast, { ...options, now })
    speeds.push(speed)
    if (isLast(speed.rate)) return speeds.map((each) => ({ ...each, noise: speed.noise }))
  }
}

async function measureSpeed(
  concurrency: number,
  memory: number,
  isLast: (rate: number) => boolean | undefined,
  options: Required<SpeedOptions>,
): Promise<Speed> {
  const { environments: count, sample, start, now } = options
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  const openedAt = now()
  const opening = Array.from({ length: count }, (_, index) => start(concurrency, memory, index, signal))
  try {
    const environments = await Promise.all(opening)
    const startMs = now() - openedAt
    async function deliver(records: number) {
      const deliveredAt = now()
      const batches = await Promise.all(
        environments.map((environment) => {
          const batch = sample.batch(records)
          options.onBatch(batch.length)
          return environment.process(batch, () => {})
        }),
      )
      options.signal.throwIfAborted()
      return speedOf(batches, now() - deliveredAt)
    }
    const hasProblem = () => environments.some(({ problem }) => problem !== undefined)
    let records = concurrency
    let measured = await deliver(records)
    while (measured.wallMs < BATCH_MS && records < sample.batchSize && !hasProblem()) {
      records *= BATCH_FACTOR
      measured = await deliver(records)
    }
    const rates = [measured.rate]
    if (isLast(measured.rate) && !hasProblem()) {
      const until = now() + MAX_NOISE_MS - measured.wallMs
      while (rates.length < NOISE_BATCHES && now() < until) rates.push((await deliver(records)).rate)
    }
    const noise = Math.max(USUAL_NOISE, rates.length > 1 ? deviationOf(rates) : 0)
    const { wallMs, ...figures } = measured
    return { ...figures, concurrency, startMs, rate: mean(rates), noise }
  } catch (error) {
    throw options.signal.aborted ? new StoppedError('interrupted') : error
  } finally {
    ended.abort()
    for (const opened of await Promise.allSettled(opening))
      if (opened.status === 'fulfilled') await opened.value.ended()
  }
}

/** The standard deviation as a share of the mean. */
function deviationOf(values: readonly number[]): number {
  const middle = mean(values)
  const squares = values.map((value) => (value - middle) ** 2)
  return Math.sqrt((mean(squares) * values.length) / (values.length - 1)) / middle
}

function speedOf(batches: readonly MeasuredBatch[], wallMs: number) {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const failed = sum(batches.map((batch) => batch.failed))
  const records = failed + sum(batches.map((batch) => batch.succeeded))
  const ms = Math.max(1, ...batches.map(({ duration }) => duration))
  const metrics = batches.flatMap((batch) => batch.metrics ?? [])
  return {
    wallMs,
    rate: (1000 * records) / ms,
    failedShare: failed / records,
    cpu: sum(metrics.map(({ cpu }) => cpu)) / records,
    peakMemory: Math.max(0, ...metrics.map(({ peakMemory }) => peakMemory)),
    overheadMs: Math.max(0, wallMs - ms) / records,
  }
}

/**
 * What a run takes. This is the same search as that of the run, with imitated environments: their speed is known, so
 * the time passes at once.
 */
export async function estimate(plan: Plan, speeds: readonly Speed[], isConfirmed: boolean): Promise<Estimate> {
  const passed = { ms: 0, searchMs: 0, messages: 0 }
  const common = {
    environments: plan.workload.environments,
    precision: plan.precision,
    sample: { batchSize: plan.workload.batchSize, batch: imitatedBatch(plan.workload.batchSize) },
    onBatch(records: number) {
      passed.messages += records
    },
    onRound: () => {},
    signal: new AbortController().signal,
    now: () => passed.ms,
  }
  const start = (isLimited: boolean) => imitate(plan, speeds, passed, isLimited)
  const measure = measureFor(
    plan,
    { ...common, start: start(false) },
    isConfirmed ? () => ({ start: start(true) }) : undefined,
  )
  async function round(...args: Parameters<Measure['round']>) {
    const measurement = await measure.round(...args)
    passed.searchMs = passed.ms
    return measurement
  }
  await explore(plan, { ...measure, round }, noResults())
  return passed
}

/** --quick lowers the batch size until a run takes at most this time. */
const QUICK_MS = 60_000
/** Smaller batches would end before many records are in flight. */
const MIN_QUICK_BATCH = 100

/** The run with the largest batches that is quick. */
export async function quickRun(
  { run, batchSize }: Pick<TuneOptions, 'run' | 'batchSize'>,
  speeds: readonly Speed[],
  isConfirmed: boolean,
): Promise<{ run: Run; expected: Estimate }> {
  for (let size = batchSize; ; size = Math.ceil(size / 2)) {
    const smaller = run(size, QUICK)
    const expected = await estimate(smaller.plan, speeds, isConfirmed)
    if (expected.ms <= QUICK_MS || size / 2 < MIN_QUICK_BATCH) return { run: smaller, expected }
  }
}

/** Batches without records: an imitated environment only counts them. */
function imitatedBatch(batchSize: number) {
  return (maxRecords = batchSize) => new Array(Math.min(batchSize, maxRecords))
}

/** Environments whose batches take as long as the speeds say. */
function imitate(plan: Plan, speeds: readonly Speed[], passed: Estimate, isLimited: boolean): Start {
  const { environments, timeout } = plan.workload
  return async (concurrency, memory, index) => {
    const speed = speedAt(concurrency, speeds)
    const possible = isLimited ? (1000 * environments * cpuShareOf(memory)) / speed.cpu : Number.POSITIVE_INFINITY
    const rate = Math.min(speed.rate, possible)
    // All environments start and process batches at the same time, so the time of one of them is counted.
    if (index === 0) passed.ms += speed.startMs
    let problem: string | undefined
    let sign = 1
    return {
      get problem() {
        return problem
      },
      async process(batch) {
        const wanted = (1000 * environments * batch.length) / rate
        const ms = Math.min(wanted, timeout * 1000)
        if (wanted > ms) problem = 'timed out'
        sign = -sign
        if (index === 0) passed.ms += ms + speed.overheadMs * batch.length * environments
        const failed = batch.length * speed.failedShare
        return {
          succeeded: batch.length - failed,
          failed,
          duration: ms * (1 + sign * speed.noise),
          // What the search needs of them.
          metrics: {
            unfinished: 0,
            durations: [],
            cpu: speed.cpu * batch.length,
            peakMemory: speed.peakMemory,
            descriptors: 0,
          } as unknown as InvocationMetrics,
        }
      },
      ended: async () => {},
    }
  }
}

/**
 * The speed at this concurrency. Between two that were measured, the rate grows like the concurrency until it reaches
 * that of the higher one. A rate that falls does so evenly.
 */
export function speedAt(concurrency: number, speeds: readonly Speed[]): Speed {
  const above = speeds.find((speed) => speed.concurrency > concurrency)
  const below = speeds.findLast((speed) => speed.concurrency <= concurrency)
  if (!above || !below) return { ...((below ?? above) as Speed), concurrency }
  const factor = concurrency / below.concurrency
  const share = Math.log(factor) / Math.log(above.concurrency / below.concurrency)
  const even = below.rate * (above.rate / below.rate) ** share
  const rate = Math.max(even, Math.min(above.rate, below.rate * factor))
  return { ...(share < 0.5 ? below : above), concurrency, rate }
}
