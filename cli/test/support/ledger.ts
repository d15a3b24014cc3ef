import type { OpenLedger } from '../../src/local/account/ledger.ts'
import type { LibraryReport, RecordReport } from '../../src/local/in-function/library-watch.ts'
import type { Received } from '../../src/local/queue/sqs-record.ts'

type Messages = readonly Pick<Received, 'messageId'>[]

/** Settles messages as `judge()` does with this number of deliveries. */
export function settling(ledger: OpenLedger, maxReceives = Number.POSITIVE_INFINITY) {
  return {
    processed(batch: Messages) {
      for (const { messageId } of batch) ledger.settle(messageId, 'processed')
    },
    failed(batch: readonly Received[], isThrown = false) {
      for (const { messageId, receiveCount } of batch)
        ledger.settle(messageId, receiveCount >= maxReceives ? 'exhausted' : 'failed', isThrown)
    },
    lost(batch: Messages) {
      for (const { messageId } of batch) ledger.settle(messageId, 'lost')
    },
    filtered(batch: Messages) {
      for (const { messageId } of batch) ledger.settle(messageId, 'filtered')
    },
  }
}

interface Ids {
  errors?: Record<string, NonNullable<RecordReport['error']>>
  reported?: string[]
  unfinished?: Record<string, true>
  unlisted?: Record<string, true>
}

/** A report of the library with these records. */
export function libraryReport({ errors = {}, reported = [], unfinished = {}, unlisted = {} }: Ids): LibraryReport {
  const records: Record<string, RecordReport> = {}
  function add(id: string, news: RecordReport) {
    records[id] = { ...records[id], ...news }
  }
  for (const [id, error] of Object.entries(errors)) add(id, { error })
  for (const id of reported) add(id, { isReported: true })
  for (const id of Object.keys(unfinished)) add(id, { isUnfinished: true })
  for (const id of Object.keys(unlisted)) add(id, { isUnlisted: true })
  return { records, succeeded: 0, ended: 0, peakInFlight: 0 }
}
