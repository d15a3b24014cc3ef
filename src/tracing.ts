import { tracingChannel } from 'node:diagnostics_channel'
import type { Batch, BatchTrace, RecordOptions, RecordTrace } from './types.ts'
import type { Units } from './units.ts'

const batches = tracingChannel<unknown, BatchTrace>('middy-bounded-sqs-batch:batch')
const records = tracingChannel<unknown, RecordTrace>('middy-bounded-sqs-batch:record')

/** The trace of an invocation, from its checked event to its response; nothing where nobody listens. */
export function traceBatch(trace: BatchTrace): PromiseWithResolvers<unknown> | undefined {
  if (!batches.hasSubscribers) return undefined
  const outcome = Promise.withResolvers<unknown>()
  batches.tracePromise(() => outcome.promise, trace as never).catch(ignore)
  return outcome
}

type Traced = Pick<Units, 'run'> & {
  settled?: (unit: number, result: PromiseSettledResult<undefined>) => void
}

/**
 * Traces each handler's run up to what its record is reported as: a handler that hangs has an end at its timeout. What
 * nobody listens to costs nothing: it is asked once an invocation.
 */
export function traceRecords(units: Units, batch: Batch, trace: BatchTrace): Traced {
  if (!records.hasSubscribers) return units
  const outcomes: PromiseWithResolvers<void>[] = []
  return {
    run(unit: number, options: RecordOptions): unknown {
      const outcome = Promise.withResolvers<void>()
      outcomes[unit] = outcome
      let returned: unknown
      const start = () => {
        returned = attempt(() => units.run(unit, options))
        return outcome.promise
      }
      const message = { batch: trace, records: units.recordsIn(unit).map((index) => batch.records[index]) }
      records.tracePromise(start, message as never).catch(ignore)
      return returned
    },
    settled(unit, result) {
      if (result.status === 'fulfilled') outcomes[unit]?.resolve()
      else outcomes[unit]?.reject(result.reason)
    },
  }
}

/** What is thrown at once is an outcome like any other. */
function attempt(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Whoever listens has been told. */
function ignore(): void {}
