import { judge } from '../local/account/fate.ts'
import { Environment, type FunctionOptions } from '../local/environment/environment.ts'
import type { Outcome } from '../local/environment/runtime-api.ts'
import type { LibraryReport } from '../local/in-function/library-watch.ts'
import type { Usage } from '../local/in-function/resource-usage.ts'
import { type Received, toEvent } from '../local/queue/sqs-record.ts'
import { type CountedCause, ErrorCounter } from '../shared/error-groups.ts'
import { oneLine, refuseIf, UsageError } from '../shared/errors.ts'
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
  /** Why records failed, in the groups of the library's log entry. */
  readonly causes: readonly CountedCause[]
  /** Milliseconds. */
  readonly duration: number
  /** Missing if the process ended. */
  readonly usage: Usage | undefined
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
  /** Later, an error before the library receives an event is one of the handler, such as of an earlier middleware. */
  let isLibraryKnown = false
  return async ({ concurrency, memory, collects }, signal) => {
    const ending = new AbortController()
    let death = 'the process ended between two batches'
    function died(message: string) {
      death = message
    }
    const env = { ...handler.env, BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) }
    const environment = await new Environment(
      // Batches follow one another, as in a busy function.
      { ...handler, memory, limitMemory: false, env, collectsGarbage: collects, freeze: false, observer: { died } },
      AbortSignal.any([signal, ending.signal]),
    ).start()
    async function process(batch: readonly Received[]): Promise<MeasuredBatch> {
      const invoked = await environment.invoke(toEvent(batch))
      const outcome: Outcome = invoked ?? { type: 'crash', message: death }
      const { usage, library, duration = 0 } = outcome
      const { unlisted, ...settled } = settle(batch, outcome, fifo)
      let problem = problemOf(outcome)
      if (usage && !signal.aborted) {
        isLibraryKnown ||= library !== undefined
        const isForeign = outcome.type === 'response' || (outcome.type === 'error' && !isLibraryKnown)
        if (isForeign && !library) refuseForeign(outcome)
        if (library) checkLibraryUse(usage, library, concurrency, settled.succeeded + unlisted)
        problem ??= earlyEndOf(batch.length, library?.ended ?? 0)
      }
      return { ...settled, duration, usage, problem }
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

function refuseForeign(outcome: Outcome): never {
  const how = outcome.type === 'response' ? 'responded' : `failed (${oneLine(outcome.message)})`
  throw new UsageError(
    `the handler ${how} without middy-bounded-sqs-batch, so BOUNDED_SQS_BATCH_CONCURRENCY has no effect and there ` +
      'is nothing to compare. Use boundedSqsBatch() in the handler, and let no earlier middleware respond',
  )
}

/** Refuses a handler that ignores or changes the variable, or whose records succeed without the library. */
function checkLibraryUse(usage: Usage, library: LibraryReport, concurrency: number, succeeded: number) {
  const { concurrencyVariable = 'no value' } = usage
  const { peakInFlight, succeeded: ran } = library
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
    succeeded > ran,
    `expected eachRecord() or eachChunk() to run all ${succeeded} records that count as successful, got ${ran}. ` +
      'Pass the function for one record to eachRecord(), and use no middleware that removes records from the event',
  )
}

/**
 * Counts the records that succeeded, and says why the others failed. Also those count as failed that `onFailure` removed
 * from the report. `unlisted` are failed ones that the response counts as successful, but the library did not receive.
 */
function settle(batch: readonly Received[], outcome: Outcome, fifo: boolean) {
  const circumstances = { reportBatchItemFailures: true, fifo, maxReceives: Number.POSITIVE_INFINITY }
  const { messages, error } = judge(batch, outcome, circumstances)
  const failed = messages.filter(({ fate }) => fate !== 'processed')
  const causes = new ErrorCounter()
  for (const { cause = '' } of failed) causes.add(error ?? cause)
  const isUnlisted = ({ messageId }: Received) => outcome.library?.records[messageId]?.isUnlisted
  return {
    succeeded: batch.length - failed.length,
    failed: failed.length,
    unlisted: failed.filter(({ fate, message }) => fate === 'lost' && isUnlisted(message)).length,
    causes: causes.groups(),
  }
}

function problemOf(outcome: Outcome): string | undefined {
  if (outcome.type === 'crash') return outcome.message
  return outcome.type === 'timeout' ? `an invocation ${outcome.message}` : undefined
}

/** What the library did not finish before it ended a batch, because of its time budget or of handlers that hang. */
function earlyEndOf(records: number, ended: number): string | undefined {
  if (ended === 0) return undefined
  return `the library ended a batch early: ${formatFigure(ended)} of ${formatFigure(records)} records had not started or finished in time`
}
