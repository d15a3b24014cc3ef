import { PermanentError, type RecordFailure } from 'middy-bounded-sqs-batch'
import type { Order } from './order.ts'

/** Charges an order. The service charges a key only once, so a second attempt for the same order is harmless. */
export async function charge(order: Order, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${process.env.PAYMENTS_URL}/charges`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': order.id },
    body: JSON.stringify(order),
    signal,
  })
  await response.arrayBuffer() // an unread body keeps its socket open
  const { ok, status, headers } = response
  if (ok) return
  if (status === 402) throw new PermanentError('the card was declined') // a retry cannot succeed
  const after = Number(headers.get('retry-after')) || undefined // seconds
  throw Object.assign(new Error(`payments returned ${status}`), { after })
}

/** How long the service asked to wait, for retryBackoff(). */
export const askedDelay = ({ error }: RecordFailure) => (error as { after?: number } | undefined)?.after
