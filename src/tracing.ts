import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import type { SQSRecord } from 'aws-lambda'
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
 *
 * Not by `tracePromise()`, whose events come a turn of the microtask queue late: after the next handler has begun, or
 * many of those that return at once.
 */
export function traceRecords(units: Units, batch: Batch, trace: BatchTrace): Traced {
  if (!records.hasSubscribers) return units
  const ends: ((result: PromiseSettledResult<undefined>) => void)[] = []
  return {
    run(unit: number, options: RecordOptions): unknown {
      const message: RecordTrace = {
        batch: trace,
        records: units.recordsIn(unit).map((index) => batch.records[index] as SQSRecord),
      }
      return records.start.runStores(message, () => {
        ends[unit] = AsyncLocalStorage.bind((result) => {
          if (result.status === 'rejected') {
            Reflect.set(message, 'error', result.reason) // which does not throw where a listener has frozen it
            records.error.publish(message)
          }
          records.asyncStart.publish(message)
          records.asyncEnd.publish(message)
        })
        try {
          return units.run(unit, options)
        } finally {
          records.end.publish(message)
        }
      })
    },
    settled: (unit, result) => ends[unit]?.(result),
  }
}

/** Whoever listens has been told. */
function ignore(): void {}
