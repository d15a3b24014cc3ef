import assert from 'node:assert/strict'
import type { SQSBatchResponse } from 'aws-lambda'

/** Throws unless a response names exactly the records whose handlers failed, each once; their order is the peer's. */
export function assertReported({ batchItemFailures }: SQSBatchResponse, failed: readonly string[]): void {
  const reported = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  assert.deepEqual(reported.toSorted(), failed.toSorted(), 'what failed is what is reported')
  assert.equal(new Set(reported).size, reported.length, 'each record is handled and reported once')
}
