import { openCounter } from '../local/simulator/causes.ts'
import { FUNCTION_DEFAULTS, type FunctionOptions, startEnvironment } from '../local/simulator/environment.ts'
import { judge } from '../local/simulator/fate.ts'
import type { InvocationMetrics } from '../local/simulator/metrics.ts'
import { NOT_TAKEN, type Outcome } from '../local/simulator/runtime-api.ts'
import { type Received, toEvent } from '../local/simulator/sqs-record.ts'
import { oneLine } from '../shared/errors.ts'
import { refuseIf } from '../shared/flags.ts'
import { formatFigure } from './format.ts'

/** What runs in an environment. Node and the library read all of this only once, when the process starts. */
export interface Candidate {
  readonly concurrency: number
  /** MB. It limits V8's heap. */
  readonly memory: number
  /** Whether garbage is collected after each batch, so that the memory in use is known. */
  readonly collects: boolean
}

/** What happened to one batch. */
export interface MeasuredBatch {
  readonly succeeded: number
  readonly failed: number
  /** The number of failed records by their error. */
  readonly causes: Readonly<Record<string, number>>
  /** Milliseconds. */
  readonly duration: number
  /** Missing if the process ended. */
  readonly metrics: InvocationMetrics | undefined
  /** Why this concurrency cannot be used: how the process ended, or that the batch did not end in time. */
  readonly problem: string | undefined
}

/** One process with the handler. */
export interface MeasuredEnvironment {
  readonly pid: number
  process: (batch: readonly Received[]) => Promise<MeasuredBatch>
  /** Resolves when the process has ended. */
  end: () => Promise<void>
}

export type Start = (candidate: Candidate, signal: AbortSignal) => Promise<MeasuredEnvironment>

/** Starts processes with this handler. The signal of each ends it. */
export function startWith(handler: FunctionOptions, fifo: boolean): Start {
  const { timeout = FUNCTION_DEFAULTS.timeout } = handler
  return async (candidate, signal) => {
    const ending = new AbortController()
    let metrics = Promise.withResolvers<InvocationMetrics>()
    let death = 'the process ended between two batches'
    const environment = await startEnvironment(
      {
        ...handler,
        memory: candidate.memory,
        env: { ...handler.env, ...variablesFor(candidate, handler) },
        freeze: false, // the metrics arrive after the response
        observer: {
          metrics: (taken) => metrics.resolve(taken),
          died: (message) => {
            death = message
          },
        },
      },
      AbortSignal.any([signal, ending.signal]),
    )
    async function process(batch: readonly Received[]): Promise<MeasuredBatch> {
      metrics = Promise.withResolvers()
      const invoked = await environment.invoke(toEvent(batch))
      const outcome: Outcome = invoked.type === NOT_TAKEN.type ? { type: 'crash', message: death } : invoked
      // The metrics never arrive if the process has ended or blocks its event loop.
      let problem = problemOf(outcome)
      const timer = setTimeout(() => {
        problem ??= `it blocked its event loop for ${timeout / 1000} seconds after its response`
        ending.abort()
      }, timeout)
      const taken = await Promise.race([metrics.promise, environment.ended.then(() => undefined)])
      clearTimeout(timer)
      const { unlisted, ...settled } = settle(batch, outcome, fifo)
      if (taken && !signal.aborted) {
        checkLibraryUse(outcome, taken, candidate.concurrency, settled.succeeded + unlisted)
        problem ??= earlyEndOf(batch.length, taken)
      }
      return { ...settled, duration: outcome.duration ?? 0, metrics: taken, problem }
    }
    return {
      pid: environment.pid,
      process,
      end() {
        ending.abort()
        return environment.ended
      },
    }
  }
}

function variablesFor({ concurrency, collects }: Candidate, { env = {} }: FunctionOptions): Record<string, string> {
  const { NODE_OPTIONS = process.env.NODE_OPTIONS ?? '' } = env
  return {
    BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency),
    ...(collects ? { NODE_OPTIONS: `${NODE_OPTIONS} --expose-gc` } : {}),
  }
}

/**
 * Refuses a handler that ignores or changes BOUNDED_SQS_BATCH_CONCURRENCY. Also refuses it if records count as
 * successful, but did not run in the library.
 */
function checkLibraryUse({ type }: Outcome, metrics: InvocationMetrics, concurrency: number, succeeded: number) {
  const { isLibraryUsed, concurrencyVariable = 'no value', peakInFlight } = metrics
  refuseIf(
    type === 'response' && !isLibraryUsed,
    'the handler responded without middy-bounded-sqs-batch, so BOUNDED_SQS_BATCH_CONCURRENCY has no effect and there ' +
      'is nothing to compare. Use boundedSqsBatch() in the handler, and let no earlier middleware respond',
  )
  refuseIf(
    concurrencyVariable !== String(concurrency),
    `the handler changed BOUNDED_SQS_BATCH_CONCURRENCY: expected ${concurrency}, got ${oneLine(concurrencyVariable)}. ` +
      'Remove the code that changes it, because tune must set this variable',
  )
  refuseIf(
    peakInFlight > concurrency,
    `the library did not use BOUNDED_SQS_BATCH_CONCURRENCY: expected at most ${concurrency} records or chunks in flight, got ` +
      `${peakInFlight}. Check whether a bundler has replaced this variable with a fixed value`,
  )
  // For example, the handler calls Promise.allSettled(), or an earlier middleware removes records from the event.
  refuseIf(
    succeeded > metrics.succeeded,
    `expected eachRecord() or eachChunk() to run all ${succeeded} records that count as successful, got ${metrics.succeeded}. ` +
      'Pass the function for one record to eachRecord(), and use no middleware that removes records from the event',
  )
}

/**
 * Counts the records of a batch that succeeded, and says why the others failed. A failed record counts as failed, even
 * if `onFailure` removed it from the report, for example because it was sent to a dead-letter queue. `unlisted` are
 * failed records that the response counts as successful, but that the library did not receive.
 */
function settle(batch: readonly Received[], outcome: Outcome, fifo: boolean) {
  const circumstances = { reportBatchItemFailures: true, fifo, maxReceives: Number.POSITIVE_INFINITY }
  const { messages, error } = judge(batch, outcome, { ...circumstances, deleted: new Set() })
  const failed = messages.filter(({ fate }) => fate !== 'processed')
  const causes = openCounter()
  for (const { cause = '' } of failed) causes.add(error ?? cause)
  const { unlisted = {} } = outcome.recordErrors ?? {}
  return {
    succeeded: batch.length - failed.length,
    failed: failed.length,
    unlisted: failed.filter(({ fate, message }) => fate === 'lost' && unlisted[message.messageId]).length,
    causes: causes.counts(),
  }
}

function problemOf(outcome: Outcome): string | undefined {
  if (outcome.type === 'crash') return outcome.message
  return outcome.type === 'timeout' ? `an invocation ${outcome.message}` : undefined
}

/** What the library did not finish before it ended a batch, because of its time budget or of handlers that hang. */
function earlyEndOf(records: number, { unfinished }: InvocationMetrics): string | undefined {
  if (unfinished === 0) return undefined
  return `the library ended a batch early: ${formatFigure(unfinished)} of ${formatFigure(records)} records had not started or finished in time`
}
