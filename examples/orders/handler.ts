import { AsyncLocalStorage } from 'node:async_hooks'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import {
  type BatchSummary,
  boundedSqsBatch,
  eachRecord,
  InvalidBodyError,
  PermanentError,
  type RecordFailure,
} from 'middy-bounded-sqs-batch'
import { deadLetter, isolateCrashes, retryBackoff } from 'middy-bounded-sqs-batch/sqs'
import pg from 'pg'
import { type Order, OrderFromSns } from './order.ts'
import { askedDelay, charge } from './payments.ts'

const concurrency = 10 // as many connections: 2 × MaximumConcurrency × 10 must be available
const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: concurrency,
  connectionTimeoutMillis: 5_000,
  query_timeout: 5_000,
  allowExitOnIdle: true,
})
pool.on('error', (error) => logger.warn('lost a connection', error))

const ids = new AsyncLocalStorage<{ messageId: string; orderId: string }>()
const logger = new Logger({ serviceName: 'orders' })
const metrics = new Metrics({ namespace: 'orders', serviceName: 'orders' })

/** The order is stored last, so a stored order was charged. A repeated charge has the same key. */
async function processOrder(order: Order, signal: AbortSignal): Promise<void> {
  const stored = await pool.query('SELECT FROM orders WHERE id = $1', [order.id])
  if (stored.rowCount) return
  await charge(order, signal)
  await pool.query('INSERT INTO orders VALUES ($1, $2) ON CONFLICT DO NOTHING', [order.id, order.cents])
  logger.info('stored', { ...ids.getStore() })
}

const client = new SQSClient({ requestHandler: { connectionTimeout: 1_000 } })
const queueUrl = process.env.DEAD_LETTER_QUEUE_URL as string
const when = ({ error }: RecordFailure) => error instanceof PermanentError || error instanceof InvalidBodyError

function onSummary({ succeeded, reported, handled, notStarted }: BatchSummary): void {
  for (const [name, count] of Object.entries({ succeeded, reported, handled, notStarted })) {
    metrics.addMetric(name, MetricUnit.Count, count)
  }
  metrics.publishStoredMetrics()
}

export const handler = middy()
  .use(isolateCrashes({ client }))
  .use(
    boundedSqsBatch({
      concurrency,
      recordTimeout: 5_000, // a call that hangs
      onFailure: [deadLetter({ client, queueUrl, when }), retryBackoff({ client, delay: askedDelay })],
      onSummary,
    }),
  )
  .handler(
    eachRecord(
      ({ messageId, body: { Message: order } }, _context, { signal }) =>
        ids.run({ messageId, orderId: order.id }, processOrder, order, signal),
      { body: OrderFromSns },
    ),
  )
