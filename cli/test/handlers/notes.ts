import { appendFileSync } from 'node:fs'
import type { SQSBatchResponse, SQSRecord } from 'aws-lambda'

/** Appends a JSON line to the notes of the test. */
export function note(value: unknown): void {
  appendFileSync(`${process.env.RECORD_TO}`, `${JSON.stringify(value)}\n`)
}

export function numberOf(record: SQSRecord): number {
  return JSON.parse(record.body).number
}

export function failures(records: readonly SQSRecord[]): SQSBatchResponse {
  return {
    batchItemFailures: records.map(({ messageId }) => ({ itemIdentifier: messageId })),
  }
}
