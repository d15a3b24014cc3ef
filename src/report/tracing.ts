import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import type { SQSRecord } from 'aws-lambda'
import type { RecordJobs, RecordPosition } from '../handlers/jobs.ts'
import type { JobNumber } from '../scheduler/job.ts'
import { safely } from '../shared/safely.ts'
import type { Batch } from '../sqs-event.ts'
import type { BatchTrace, RecordOptions, RecordTrace } from '../types.ts'

const batchChannel = tracingChannel<unknown, BatchTrace>('middy-bounded-sqs-batch:batch')
const recordChannel = tracingChannel<unknown, RecordTrace>('middy-bounded-sqs-batch:record')

export function isTraced(): boolean {
  return batchChannel.hasSubscribers || recordChannel.hasSubscribers
}

/** Traces an invocation from its checked event to its response. `undefined` if nobody has subscribed. */
export function traceBatch(trace: BatchTrace): PromiseWithResolvers<unknown> | undefined {
  if (!batchChannel.hasSubscribers) return undefined
  const outcome = Promise.withResolvers<unknown>()
  // The error is ignored, because the subscribers have received it, and Middy throws it.
  batchChannel.tracePromise(() => outcome.promise, trace as never).catch(() => {})
  return outcome
}

/**
 * Traces each run of a handler, up to the result that is reported. The trace of a handler that hangs ends at
 * its timeout, or when the batch ends. Without subscribers, it returns the same jobs, at no cost.
 *
 * Does not use `tracePromise()`: its events come a microtask late, after the start of the next handlers.
 */
export function traceJobs(jobs: RecordJobs, batch: Batch, trace: BatchTrace): RecordJobs {
  if (!recordChannel.hasSubscribers) return jobs
  const ends: ((result: PromiseSettledResult<undefined>) => void)[] = []
  return {
    ...jobs,
    boundedSqsBatchJob(job: JobNumber, options: RecordOptions): unknown {
      const recordAt = (index: RecordPosition) => batch.records[index] as SQSRecord
      const message: RecordTrace = { batch: trace, records: jobs.recordsIn(job).map(recordAt) }
      return recordChannel.start.runStores(message, () => {
        ends[job] = AsyncLocalStorage.bind((result) => {
          if (result.status === 'rejected') {
            const failed = jobs.failedRecords([{ job, reason: result.reason }])
            const failures = failed.map(({ index, reason }) => ({ record: recordAt(index), error: reason }))
            // Does not throw if a subscriber has frozen the message.
            safely(() => Object.assign(message, { error: result.reason, failures }))
            recordChannel.error.publish(message)
          }
          recordChannel.asyncStart.publish(message)
          recordChannel.asyncEnd.publish(message)
        })
        try {
          return jobs.boundedSqsBatchJob(job, options)
        } finally {
          recordChannel.end.publish(message)
        }
      })
    },
    settled: (job, result) => ends[job]?.(result),
  }
}
