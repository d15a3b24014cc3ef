import { ErrorCounter } from '../shared/error-groups.ts'
import type { Candidate, MeasuredBatch, MeasuredEnvironment, Start } from './environment.ts'
import type { Workload } from './prices.ts'
import type { Measurement } from './result.ts'
import type { Sample } from './sample.ts'
import { median, sum } from './statistics.ts'

export interface RoundOptions {
  start: Start
  sample: Pick<Sample, 'batch' | 'batchSize'>
  /** Of the run, in milliseconds. */
  time: number
  signal: AbortSignal
  /** Milliseconds. Default: the time of this process. */
  now?: () => number
}

/** What the environments of a candidate did in one round. */
export interface Round {
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  readonly batches: readonly MeasuredBatch[]
  readonly problem: string | undefined
}

/** Environments that keep running, and a text that identifies their candidate. */
type Running = Readonly<{ key: string; environments: readonly MeasuredEnvironment[] }>

/** The shortest and the longest round, in milliseconds. In a run of 3 minutes, a round takes a second. */
const [MIN_ROUND_MS, MAX_ROUND_MS] = [500, 5000]
const ROUNDS_IN_TIME = 180
/** A batch takes at most this part of the time, so that several concurrencies can be measured. */
const BATCHES_IN_TIME = 40
/** And at most this part of the timeout, so that the library does not end it early. */
const MAX_SHARE_OF_TIMEOUT = 0.7
/** Node still compiles the code in the first half second: without a warm-up, the first round was up to 40 % slower. */
const WARM_UP_MS = 500
/** How many times as many records each batch of the warm-up has as the one before. */
const WARM_UP_FACTOR = 4

/** Measures candidates in rounds. The environments of one end before the next start, which may need their connections. */
export function openRounds(
  options: RoundOptions,
  { environments: count, timeout }: Pick<Workload, 'environments' | 'timeout'>,
) {
  const { start, sample, time, signal, now = () => performance.now() } = options
  const roundMs = Math.min(MAX_ROUND_MS, Math.max(MIN_ROUND_MS, time / ROUNDS_IN_TIME))
  /** The batch size of each concurrency. Other sizes end differently, so the rounds could not be compared. */
  const batchSizes = new Map<number, number>()
  let running: Running | undefined

  async function close() {
    const ended = running?.environments.map((environment) => environment.end())
    running = undefined
    await Promise.all(ended ?? [])
  }
  /** A full batch, or a smaller one if that would take too long, whose last records also use the whole concurrency. */
  function batchSizeFor(concurrency: number, recordsPerMs: number): number {
    const most = recordsPerMs * Math.min(time / BATCHES_IN_TIME, MAX_SHARE_OF_TIMEOUT * timeout * 1000)
    if (most >= sample.batchSize) return sample.batchSize
    return Math.min(sample.batchSize, concurrency * Math.max(1, Math.floor(most / concurrency)))
  }
  async function open(candidate: Candidate): Promise<Running> {
    await close()
    const environments: MeasuredEnvironment[] = []
    running = { key: 'starting', environments }
    while (environments.length < count) environments.push(await start(candidate, signal))
    running = { key: JSON.stringify(candidate), environments }
    return running
  }
  /** Delivers a batch to each environment at the same time. */
  async function deliver({ environments }: Running, batchSize: number): Promise<MeasuredBatch[]> {
    const batches = await Promise.all(environments.map((each) => each.process(sample.batch(batchSize))))
    signal.throwIfAborted()
    return batches
  }
  /** The first batch has only as many records as can be in flight, because records can take long. */
  async function warmUp(opened: Running, concurrency: number): Promise<string | undefined> {
    const startedAt = now()
    for (let records = concurrency; ; records = Math.min(sample.batchSize, records * WARM_UP_FACTOR)) {
      const deliveredAt = now()
      const batches = await deliver(opened, records)
      const problem = problemIn(batches)
      const ms = now() - deliveredAt
      if (problem === undefined && now() - startedAt < WARM_UP_MS) continue
      if (!batchSizes.has(concurrency)) batchSizes.set(concurrency, batchSizeFor(concurrency, records / ms))
      return problem
    }
  }
  /** Measures this candidate once more. Ends its environments if there was a problem. */
  async function measure(candidate: Candidate): Promise<Round> {
    const isRunning = running?.key === JSON.stringify(candidate)
    const opened = running && isRunning ? running : await open(candidate)
    const steps: MeasuredBatch[][] = []
    let problem = isRunning ? undefined : await warmUp(opened, candidate.concurrency)
    const startedAt = now()
    while (problem === undefined && (steps.length === 0 || now() - startedAt < roundMs)) {
      const batches = await deliver(opened, batchSizes.get(candidate.concurrency) ?? candidate.concurrency)
      steps.push(batches)
      problem = problemIn(batches)
    }
    if (problem !== undefined) await close()
    return { goodput: goodputOf(steps), batches: steps.flat(), problem }
  }
  return {
    measure,
    /** The number of records in a batch of this concurrency. */
    batchSizeOf: (concurrency: number) => batchSizes.get(concurrency),
    close,
  }
}

const problemIn = (rounds: readonly { problem?: string | undefined }[]) =>
  rounds.find(({ problem }) => problem !== undefined)?.problem

/**
 * Successful records per second of all environments together. Each step takes as long as its slowest batch, which uses
 * the downstream alone in the end. So the sum of the rates would be too high.
 */
export function goodputOf(steps: readonly (readonly MeasuredBatch[])[]): number {
  const succeeded = sum(steps.flat().map((batch) => batch.succeeded))
  const duration = sum(steps.map((batches) => Math.max(...batches.map((batch) => batch.duration))))
  return succeeded === 0 ? 0 : (1000 * succeeded) / duration
}

/** The figures of all rounds of a concurrency. */
export function toMeasurement(concurrency: number, rounds: readonly Round[]): Measurement {
  const goodputs = rounds.map(({ goodput }) => goodput)
  const batches = rounds.flatMap((round) => round.batches)
  const succeeded = sum(batches.map((batch) => batch.succeeded))
  const failed = sum(batches.map((batch) => batch.failed))
  const cpu = sum(batches.map(({ usage }) => usage?.cpu ?? 0))
  const memory = batches.flatMap(({ usage }) => usage?.peakMemory ?? [])
  const causes = new ErrorCounter()
  for (const group of batches.flatMap((batch) => batch.causes)) causes.add(group, group.count)
  return {
    concurrency,
    goodput: median(goodputs),
    lowest: Math.min(...goodputs),
    highest: Math.max(...goodputs),
    rounds: rounds.length,
    records: succeeded + failed,
    failedShare: failed / (succeeded + failed || 1),
    causes: causes.counts(),
    cpuPerRecord: succeeded > 0 && cpu > 0 ? cpu / succeeded : null,
    peakMemory: memory.length === 0 ? null : Math.max(...memory),
    problem: problemIn(rounds),
  }
}
