import type { OpenLedger } from '../../src/local/simulator/ledger.ts'
import type { Received } from '../../src/local/simulator/sqs-record.ts'

type Ids = readonly Pick<Received, 'messageId'>[]

/** Settles messages as `judge()` does with this number of deliveries. */
export function settling(ledger: OpenLedger, maxReceives = Number.POSITIVE_INFINITY) {
  return {
    processed(batch: Ids) {
      for (const { messageId } of batch) ledger.settle(messageId, 'processed')
    },
    failed(batch: readonly Received[], isThrown = false) {
      for (const { messageId, receiveCount } of batch)
        ledger.settle(messageId, receiveCount >= maxReceives ? 'exhausted' : 'failed', isThrown)
    },
    lost(batch: Ids) {
      for (const { messageId } of batch) ledger.settle(messageId, 'lost')
    },
    filtered(batch: Ids) {
      for (const { messageId } of batch) ledger.settle(messageId, 'filtered')
    },
  }
}
