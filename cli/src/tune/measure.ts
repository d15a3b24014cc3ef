import {
  type Environment,
  FUNCTION_DEFAULTS,
  type FunctionOptions,
  startEnvironment,
} from '../local/simulator/environment.ts'
import { causeOf, classifyBatch } from '../local/simulator/event-source.ts'
import { openCounter } from '../local/simulator/ledger.ts'
import type { InvocationMetrics } from '../local/simulator/metrics.ts'
import { NOT_TAKEN, type Outcome } from '../local/simulator/runtime-api.ts'
import { type Received, toEvent } from '../local/simulator/sqs-record.ts'
import { InitError, oneLine, UsageError } from '../shared/errors.ts'
import { formatNumber } from '../shared/format.ts'
import { MEMORY_OF_ONE_CPU } from '../shared/reserve.ts'
import type { Quota } from './cpu-quota.ts'
import { fullMemory, type Measure, type Plan } from './explore.ts'
import { isConfident, marginOf, mean, type Precision } from './figures/confidence.ts'
import type { Measurement } from './figures/result.ts'
import type { Sample } from './sample.ts'

/** The minimum number of records of one environment in a round. If batches are smaller, a round has several of them. */
const MIN_RECORDS = 100
/** The warm-up has this many records for each slot, so that every connection of a pool is open. */
const WARM_UP_FACTOR = 2

/** The run was interrupted, or it has used up its messages. */
export class StoppedError extends Error {
  override name = 'StoppedError'
}

export interface MeasureOptions {
  /** Starts one of the environments that run at once. The signal ends it. */
  start: Start
  environments: number
  sample: Pick<Sample, 'batch' | 'batchSize'>
  precision: Precision
  /** Called before each batch. Throws `StoppedError` if no more messages may be delivered. */
  onBatch: (records: number) => void
  /** Called before each round. Round 0 is the warm-up. */
  onRound: (concurrency: number, round: number) => void
  signal: AbortSignal
  /** Milliseconds. Default: the time of this process. */
  now?: () => number
}

export type Start = (
  concurrency: number,
  memory: number,
  index: number,
  signal: AbortSignal,
) => Promise<MeasuredEnvironment>

export interface MeasuredEnvironment {
  /** How a process ended or a batch timed out, if that happened. */
  readonly problem: string | undefined
  process: (batch: readonly Received[], addCause: (text: string) => void) => Promise<MeasuredBatch>
  /** Resolves when the environment has ended. */
  ended: () => Promise<unknown>
}

/** What happened to one batch. */
export interface MeasuredBatch {
  succeeded: number
  failed: number
  /** Milliseconds. */
  duration: number
  metrics: InvocationMetrics | undefined
}

/** What all rounds of a concurrency have measured. */
interface Tally {
  goodputs: number[]
  batches: MeasuredBatch[]
  /** The time that the rounds took. */
  ms: number
  causes: ReturnType<typeof openCounter>
  problem: string | undefined
}

function newTally(): Tally {
  return { goodputs: [], batches: [], ms: 0, causes: openCounter(), problem: undefined }
}

/**
 * Measures the handler with this concurrency and memory size, in new environments. Rounds follow until the goodput is
 * known exactly enough, or there is a problem.
 */
export async function measure(concurrency: number, memory: number, options: MeasureOptions): Promise<Measurement> {
  const { precision } = options
  const tally = newTally()
  const { goodputs } = tally
  const session = await openSession(concurrency, memory, options, tally)
  try {
    const isZero = () => goodputs.length >= precision.minRounds && goodputs.every((goodput) => goodput === 0)
    do await session.round()
    while (
      tally.problem === undefined &&
      goodputs.length < precision.maxRounds &&
      !isConfident(goodputs, precision) &&
      !isZero()
    )
  } finally {
    await session.close()
  }
  return toMeasurement(concurrency, tally, precision)
}

/** Measures several concurrencies with this memory size, one round of each at a time. */
export function openRounds(memory: number, options: MeasureOptions) {
  const tallies = new Map<number, Tally>()
  const sessions = new Map<number, Session>()
  async function closeExcept(concurrencies: readonly number[]) {
    for (const [concurrency, session] of sessions) {
      if (concurrencies.includes(concurrency)) continue
      sessions.delete(concurrency)
      await session.close()
    }
  }
  return {
    /**
     * Measures this concurrency once more, and returns the result of all its rounds.
     *
     * @param inTurn the concurrencies that are measured in turn. Only their environments keep running
     */
    async measure(concurrency: number, inTurn: readonly number[]): Promise<Measurement> {
      await closeExcept(inTurn)
      const tally = tallies.get(concurrency) ?? newTally()
      tallies.set(concurrency, tally)
      const session = sessions.get(concurrency) ?? (await openSession(concurrency, memory, options, tally))
      sessions.set(concurrency, session)
      await session.round()
      return toMeasurement(concurrency, tally, options.precision)
    },
    close: () => closeExcept([]),
  }
}

/**
 * The measurements of a run.
 *
 * @param limited the options for an environment with the CPU share of this memory size. Without it, predictions are not
 *   confirmed
 */
export function measureFor(
  plan: Plan,
  options: MeasureOptions,
  limited?: (memory: number) => Partial<MeasureOptions>,
): Measure & { close: () => Promise<void> } {
  const { measure: round, close } = openRounds(fullMemory(plan.memories), options)
  /** Ends the environments of the search first: they would share the CPU limit. */
  async function measureAlone(concurrency: number, memory: number, changes: Partial<MeasureOptions> = {}) {
    await close()
    return measure(concurrency, memory, { ...options, ...changes })
  }
  return {
    round,
    atFullCpu: (concurrency, memory) => measureAlone(concurrency, memory),
    withQuota: limited && ((concurrency, memory) => measureAlone(concurrency, memory, limited(memory))),
    close,
  }
}

type Session = Awaited<ReturnType<typeof openSession>>

/**
 * Starts environments and warms them up. In a round, all environments process batches at the same time.
 *
 * @param tally receives what the rounds measure. Of the warm-up, it receives only a problem
 */
async function openSession(concurrency: number, memory: number, options: MeasureOptions, tally: Tally) {
  const { environments: count, sample, signal, onRound, start, precision, now = () => performance.now() } = options
  const ended = new AbortController()
  const stopping = AbortSignal.any([signal, ended.signal])
  const environments: MeasuredEnvironment[] = []

  async function close() {
    ended.abort()
    await Promise.all(environments.map((environment) => environment.ended()))
  }
  async function closeOnError<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      await close()
      if (signal.aborted) throw new StoppedError('interrupted')
      throw error
    }
  }
  /** Delivers a batch to each environment at the same time. */
  async function deliver(maxRecords: number, { batches, causes }: Pick<Tally, 'batches' | 'causes'>) {
    const delivered = environments.map(async (environment) => {
      const batch = sample.batch(maxRecords)
      options.onBatch(batch.length)
      const measured = await environment.process(batch, causes.add)
      if (stopping.aborted) throw new StoppedError('interrupted')
      tally.problem ??= environment.problem ?? earlyEndOf(batch.length, measured.metrics)
      return measured
    })
    const each = await Promise.all(delivered)
    batches.push(...each)
    return each
  }
  async function warmUp() {
    onRound(concurrency, 0)
    const startedAt = now()
    const ignored = newTally()
    const maxRecords = Math.max(MIN_RECORDS, WARM_UP_FACTOR * concurrency)
    do await deliver(maxRecords, ignored)
    while (
      tally.problem === undefined &&
      (recordsOf(ignored.batches) < MIN_RECORDS * count || now() - startedAt < precision.roundMs)
    )
  }
  async function round() {
    onRound(concurrency, tally.goodputs.length + 1)
    const startedAt = now()
    const steps: MeasuredBatch[][] = []
    do steps.push(await deliver(sample.batchSize, tally))
    while (
      tally.problem === undefined &&
      (recordsOf(steps.flat()) < MIN_RECORDS * count || now() - startedAt < precision.roundMs)
    )
    tally.ms += now() - startedAt
    tally.goodputs.push(goodputOf(steps))
  }

  await closeOnError(async () => {
    const started = Array.from({ length: count }, (_, index) => start(concurrency, memory, index, stopping))
    environments.push(...(await Promise.all(started)))
    await warmUp()
  })
  return { round: () => closeOnError(round), close }
}

/**
 * Starts processes with the handler.
 *
 * @param quotas give each environment priority over other programs. `undefined` if this machine does not permit it
 * @param limitCpu whether the quotas also limit the CPU of each environment to the share of its memory
 */
export function startWith(handler: FunctionOptions, fifo: boolean, quotas?: readonly Quota[], limitCpu = false): Start {
  return async (concurrency, memory, index, signal) => {
    const env = { ...handler.env, BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) }
    const cores = limitCpu ? memory / MEMORY_OF_ONE_CPU : Number.POSITIVE_INFINITY
    const environment = await reuseEnvironment({ ...handler, memory, env }, signal, cores, quotas?.[index])
    return {
      get problem() {
        return environment.problem
      },
      async process(batch, addCause) {
        const { outcome, metrics } = await environment.invoke(toEvent(batch))
        const { unlisted, ...counts } = settle(batch, outcome, fifo, addCause)
        if (metrics && !signal.aborted) checkLibraryUse(outcome, metrics, concurrency, counts.succeeded + unlisted)
        return { ...counts, duration: outcome.duration ?? 0, metrics }
      },
      ended: () => environment.ended(),
    }
  }
}

/** An environment. If its process ends, the next batch starts a new one, as on Lambda. */
async function reuseEnvironment(options: FunctionOptions, signal: AbortSignal, cores: number, quota?: Quota) {
  const { timeout = FUNCTION_DEFAULTS.timeout } = options
  let metrics = Promise.withResolvers<InvocationMetrics>()
  let killing = new AbortController()
  let problem: string | undefined
  async function start() {
    quota?.lift()
    killing = new AbortController()
    const started = await startEnvironment(
      {
        ...options,
        freeze: false, // the metrics arrive after the response
        onMetrics: (taken) => metrics.resolve(taken),
        onDeathBetween: (message) => {
          problem ??= message
        },
      },
      AbortSignal.any([signal, killing.signal]),
    )
    quota?.limit(started.pid, cores)
    return started
  }
  let environment: Environment = await start()
  async function deliver(event: string): Promise<{ outcome: Outcome; metrics?: InvocationMetrics | undefined }> {
    metrics = Promise.withResolvers()
    try {
      if (!environment.alive) environment = await start()
    } catch (error) {
      if (!(error instanceof InitError)) throw error
      return { outcome: { type: 'crash', message: error.message } }
    }
    const outcome = await environment.invoke(event)
    if (outcome.type === NOT_TAKEN.type) {
      return { outcome: { type: 'crash', message: problem ?? 'the process ended between two batches' } }
    }
    // The metrics arrive after the response. They never arrive if the process has ended or blocks its event loop.
    const timer = setTimeout(() => killing.abort(), timeout)
    const taken = await Promise.race([metrics.promise, environment.ended.then(() => undefined)])
    clearTimeout(timer)
    if (!killing.signal.aborted) return { outcome, metrics: taken }
    const message = `timed out: it blocked its event loop for ${timeout / 1000} seconds after its response`
    return { outcome: { ...outcome, type: 'timeout', message } }
  }
  return {
    /** How a process ended or a batch timed out, if that happened. */
    get problem() {
      return problem
    },
    async invoke(event: string) {
      const delivered = await deliver(event)
      const { outcome } = delivered
      if (outcome.type === 'crash') problem ??= outcome.message
      if (outcome.type === 'timeout') problem ??= `an invocation ${outcome.message}`
      return delivered
    },
    ended: () => environment.ended,
  }
}

/**
 * Refuses a handler that ignores or changes BOUNDED_SQS_BATCH_CONCURRENCY. Also refuses it if records count as
 * successful, but did not run in the library.
 */
function checkLibraryUse({ type }: Outcome, metrics: InvocationMetrics, concurrency: number, succeeded: number) {
  const { isLibraryUsed, concurrencyVariable, peakInFlight } = metrics
  if (type === 'response' && !isLibraryUsed) {
    throw new UsageError(
      'the handler responded without middy-bounded-sqs-batch, so BOUNDED_SQS_BATCH_CONCURRENCY has no effect and there ' +
        'is nothing to compare. Use boundedSqsBatch() in the handler, and let no earlier middleware respond',
    )
  }
  if (concurrencyVariable !== String(concurrency)) {
    throw new UsageError(
      `the handler changed BOUNDED_SQS_BATCH_CONCURRENCY: expected ${concurrency}, got ${oneLine(concurrencyVariable ?? 'no value')}. ` +
        'Remove the code that changes it, because tune must set this variable',
    )
  }
  if (peakInFlight > concurrency) {
    throw new UsageError(
      `the library did not use BOUNDED_SQS_BATCH_CONCURRENCY: expected at most ${concurrency} records or chunks in flight, got ` +
        `${peakInFlight}. Check whether a bundler has replaced this variable with a fixed value`,
    )
  }
  // For example, the handler calls Promise.allSettled(), or an earlier middleware removes records from the event.
  if (succeeded > metrics.succeeded) {
    throw new UsageError(
      `expected eachRecord() or eachChunk() to run all ${succeeded} records that count as successful, got ${metrics.succeeded}. ` +
        'Pass the function for one record to eachRecord(), and use no middleware that removes records from the event',
    )
  }
}

/**
 * Counts the records of a batch that succeeded, and those that failed. A failed record counts as failed, even if
 * `onFailure` removed it from the report, for example because it was sent to a dead-letter queue. `unlisted` are failed
 * records that the response counts as successful, but that the library did not receive.
 */
function settle(batch: readonly Received[], outcome: Outcome, fifo: boolean, addCause: (text: string) => void) {
  const { processed, failed, deletedThoughFailed, error } = classifyBatch(batch, outcome, true)
  const errors = outcome.recordErrors?.errors ?? {}
  const handled = processed.filter(({ messageId }) => errors[messageId] !== undefined)
  const all = [...failed, ...deletedThoughFailed, ...handled]
  for (const { messageId } of all) addCause(error ?? causeOf(outcome, messageId, fifo))
  const unlisted = deletedThoughFailed.filter(({ messageId }) => outcome.recordErrors?.unlisted?.[messageId])
  return { succeeded: batch.length - all.length, failed: all.length, unlisted: unlisted.length }
}

/** What the library did not finish before it ended a batch, because of its time budget or of handlers that hang. */
function earlyEndOf(records: number, metrics: InvocationMetrics | undefined): string | undefined {
  if (!metrics || metrics.unfinished === 0) return undefined
  return `the library ended a batch early: ${formatNumber(metrics.unfinished)} of ${formatNumber(records)} records had not started or finished in time`
}

/**
 * Successful records per second of all environments together. Each step has a batch of each environment, and takes as
 * long as the slowest one. The sum of their rates would be too high: when the others have finished, the slowest
 * environment uses the downstream alone.
 */
export function goodputOf(steps: readonly (readonly MeasuredBatch[])[]): number {
  const succeeded = sum(steps.flat().map((batch) => batch.succeeded))
  const duration = sum(steps.map((batches) => Math.max(...batches.map((batch) => batch.duration))))
  return succeeded === 0 ? 0 : (1000 * succeeded) / duration
}

function recordsOf(batches: readonly MeasuredBatch[]): number {
  return sum(batches.map(({ succeeded, failed }) => succeeded + failed))
}

function toMeasurement(
  concurrency: number,
  { goodputs, batches, ms, causes, problem }: Tally,
  precision: Precision,
): Measurement {
  const succeeded = sum(batches.map((batch) => batch.succeeded))
  const records = recordsOf(batches)
  const metrics = batches.flatMap((batch) => batch.metrics ?? [])
  const durations = Float64Array.from(metrics.flatMap((each) => each.durations)).sort()
  const cpu = sum(metrics.map((each) => each.cpu))
  return {
    concurrency,
    goodput: mean(goodputs),
    margin: marginOf(goodputs),
    isConfident: isConfident(goodputs, precision),
    rounds: goodputs.length,
    batches: batches.length,
    records,
    failedShare: (records - succeeded) / records,
    causes: causes.counts(),
    p50: percentile(durations, 0.5),
    p95: percentile(durations, 0.95),
    cpuPerRecord: succeeded > 0 && cpu > 0 ? cpu / succeeded : null,
    peakMemory: maximum(metrics.map((each) => each.peakMemory)),
    peakDescriptors: maximum(metrics.map(({ descriptors }) => descriptors ?? FUNCTION_DEFAULTS.fdLimit)),
    cores: cpu / ms,
    // A problem ends the measurement early, so the few rounds say nothing about the exact goodput.
    ...(problem === undefined ? {} : { problem, margin: null, isConfident: false }),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function maximum(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values)
}

function percentile(sorted: Float64Array, share: number): number | null {
  return sorted[Math.ceil(share * sorted.length) - 1] ?? null
}
