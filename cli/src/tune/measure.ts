import { causeOf, classifyBatch } from '../local/event-source.ts'
import { openCounter } from '../local/ledger.ts'
import type { Quota } from '../local/runtime/cpu-quota.ts'
import {
  type Environment,
  FUNCTION_DEFAULTS,
  type FunctionOptions,
  startEnvironment,
} from '../local/runtime/environment.ts'
import type { InvocationMetrics } from '../local/runtime/metrics.ts'
import { NOT_TAKEN, type Outcome } from '../local/runtime/runtime-api.ts'
import { type Received, toEvent } from '../local/sqs-record.ts'
import { InitError, oneLine, UsageError } from '../shared/errors.ts'
import { MEMORY_OF_ONE_CPU } from '../shared/reserve.ts'
import { isConfident, MAX_ROUNDS, marginOf, mean, sampleUntilConfident } from './figures/confidence.ts'
import type { Measurement } from './figures/result.ts'
import type { Sample } from './sample.ts'

/** The minimum number of records of one environment in a round. If batches are smaller, a round has several of them. */
const MIN_RECORDS = 100

/** The run was interrupted, or it has used up its messages. */
export class StoppedError extends Error {
  override name = 'StoppedError'
}

export interface MeasureOptions {
  function: FunctionOptions
  environments: number
  sample: Sample
  /** Called before each batch. Throws `StoppedError` if no more messages may be delivered. */
  onBatch: (records: number) => void
  /** Called before each round. Round 0 is the warm-up. */
  onRound: (concurrency: number, round: number) => void
  signal: AbortSignal
  /** Limits the CPU of each environment after it has loaded. Default: no limit. */
  quotas?: readonly Quota[] | undefined
}

function batchesPerRound(batchSize: number): number {
  return Math.ceil(MIN_RECORDS / batchSize)
}

/** The maximum number of messages that `measure` delivers. */
export function maxMessages(
  { environments, sample }: Pick<MeasureOptions, 'environments' | 'sample'>,
  rounds = MAX_ROUNDS,
) {
  return environments * sample.batchSize * batchesPerRound(sample.batchSize) * (1 + rounds)
}

/** What happened to one batch. */
interface MeasuredBatch {
  succeeded: number
  failed: number
  /** Milliseconds. */
  duration: number
  metrics: InvocationMetrics | undefined
}

/** All batches that count, the time that they took, and why records failed. */
function newTotals() {
  return { batches: [] as MeasuredBatch[], ms: 0, causes: openCounter() }
}

/**
 * Measures the handler with this concurrency and memory size, in new environments. The first round is a warm-up. More
 * rounds follow until the goodput is known exactly enough, or a process has ended. In a round, all environments process
 * batches at the same time.
 */
export async function measure(concurrency: number, memory: number, options: MeasureOptions): Promise<Measurement> {
  const { environments: count, sample, signal, onRound, quotas } = options
  const ended = new AbortController()
  const stopping = AbortSignal.any([signal, ended.signal])
  let totals = newTotals()
  const environments: ReusedEnvironment[] = []
  try {
    const functionOptions = {
      ...options.function,
      memory,
      env: { ...options.function.env, BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) },
    }
    const started = Array.from({ length: count }, (_, index) =>
      reuseEnvironment(functionOptions, stopping, quotas?.[index]),
    )
    environments.push(...(await Promise.all(started)))

    async function round(number: number) {
      onRound(concurrency, number)
      const startedAt = performance.now()
      const each = await Promise.all(environments.map((environment) => deliverRound(environment)))
      totals.batches.push(...each.flat())
      totals.ms += performance.now() - startedAt
      return goodputOf(each)
    }
    async function deliverRound(environment: ReusedEnvironment) {
      const batches: MeasuredBatch[] = []
      for (let left = batchesPerRound(sample.batchSize); left > 0; left -= 1) {
        const batch = sample.batch()
        options.onBatch(batch.length)
        const { outcome, metrics } = await environment.invoke(toEvent(batch))
        if (stopping.aborted) throw new StoppedError('interrupted')
        const { unlisted, ...counts } = settle(batch, outcome, sample.fifo, totals.causes.add)
        if (metrics) checkLibraryUse(outcome, metrics, concurrency, counts.succeeded + unlisted)
        batches.push({ ...counts, duration: outcome.duration ?? 0, metrics })
      }
      return batches
    }

    await round(0)
    totals = newTotals() // the warm-up does not count
    const deathOf = () => environments.map(({ death }) => death).find((text) => text !== undefined)
    const goodputs = await sampleUntilConfident(round, () => deathOf() !== undefined)
    const death = deathOf()
    return {
      concurrency,
      ...summarize(totals.batches, goodputs, totals.ms),
      causes: totals.causes.counts(),
      // This ended the measurement early, so the few rounds say nothing about the exact goodput.
      ...(death === undefined ? {} : { death, margin: null, isConfident: false }),
    }
  } catch (error) {
    if (signal.aborted) throw new StoppedError('interrupted')
    throw error
  } finally {
    ended.abort()
    await Promise.all(environments.map((environment) => environment.ended()))
  }
}

type ReusedEnvironment = Awaited<ReturnType<typeof reuseEnvironment>>

/** An environment. If its process ends, the next batch starts a new one, as on Lambda. */
async function reuseEnvironment(options: FunctionOptions & { memory: number }, signal: AbortSignal, quota?: Quota) {
  const { timeout = FUNCTION_DEFAULTS.timeout } = options
  let metrics = Promise.withResolvers<InvocationMetrics>()
  let killing = new AbortController()
  let death: string | undefined
  async function start() {
    quota?.lift()
    killing = new AbortController()
    const started = await startEnvironment(
      {
        ...options,
        freeze: false, // the metrics arrive after the response
        onMetrics: (taken) => metrics.resolve(taken),
        onDeathBetween: (message) => {
          death ??= message
        },
      },
      AbortSignal.any([signal, killing.signal]),
    )
    quota?.limit(started.pid, options.memory / MEMORY_OF_ONE_CPU)
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
      return { outcome: { type: 'crash', message: death ?? 'the process ended between two batches' } }
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
    get death() {
      return death
    },
    async invoke(event: string) {
      const delivered = await deliver(event)
      const { outcome } = delivered
      if (outcome.type === 'crash') death ??= outcome.message
      if (outcome.type === 'timeout') death ??= `an invocation ${outcome.message}`
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

/**
 * Successful records per second of all environments together: the sum of their records ÷ the longest duration. The sum
 * of their rates would be too high: when the others have finished, the slowest environment uses the downstream alone.
 */
export function goodputOf(environments: readonly (readonly MeasuredBatch[])[]): number {
  const succeeded = sum(environments.flat().map((batch) => batch.succeeded))
  const durations = environments.map((batches) => sum(batches.map(({ duration }) => duration)))
  return succeeded === 0 ? 0 : (1000 * succeeded) / Math.max(...durations)
}

function summarize(
  batches: readonly MeasuredBatch[],
  goodputs: readonly number[],
  measuredMs: number,
): Omit<Measurement, 'concurrency' | 'causes'> {
  const succeeded = sum(batches.map((batch) => batch.succeeded))
  const failed = sum(batches.map((batch) => batch.failed))
  const metrics = batches.flatMap((batch) => batch.metrics ?? [])
  const durations = Float64Array.from(metrics.flatMap((each) => each.durations)).sort()
  const cpu = sum(metrics.map((each) => each.cpu))
  return {
    goodput: mean(goodputs),
    margin: marginOf(goodputs) ?? null,
    isConfident: isConfident(goodputs),
    batches: batches.length,
    records: succeeded + failed,
    failedShare: failed / (succeeded + failed),
    p50: percentile(durations, 0.5),
    p95: percentile(durations, 0.95),
    cpuPerRecord: succeeded > 0 && cpu > 0 ? cpu / succeeded : null,
    peakMemory: maximum(metrics.map((each) => each.peakMemory)),
    peakDescriptors: maximum(metrics.map(({ descriptors }) => descriptors ?? FUNCTION_DEFAULTS.fdLimit)),
    cores: cpu / measuredMs,
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
