import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { type BatchSummary, boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

/** Used only for the metrics of batches. Publishing them must not publish metrics that other code has added. */
const metrics = new Metrics({ namespace: 'shop', serviceName: 'orders' })

/** The ARN of the queue of each invocation, by its context. An empty batch has none. */
const queues = new WeakMap<Context, string | undefined>()

const OUTCOMES = ['succeeded', 'failed', 'timedOut', 'aborted', 'blocked', 'notStarted', 'handled'] as const

/** Publishes the result of each batch as CloudWatch metrics, in the embedded metric format. */
function publishMetrics(summary: BatchSummary, context: Context): void {
  const { records, reported, durations, peakInFlight, timeLeft } = summary
  for (const outcome of OUTCOMES) metrics.addMetric(outcome, MetricUnit.Count, summary[outcome])
  metrics.addMetric('records', MetricUnit.Count, records)
  metrics.addMetric('reported', MetricUnit.Count, reported)
  // From 0 to 1. Its average rises long before a message that fails again and again is dead-lettered.
  metrics.addMetric('reportedShare', MetricUnit.NoUnit, records > 0 ? reported / records : 0)
  metrics.addMetric('peakInFlight', MetricUnit.Count, peakInFlight)
  // The 95th percentile of the durations of the batch's handlers. Undefined if no record started.
  if (durations) metrics.addMetric('recordP95', MetricUnit.Milliseconds, durations.p95)
  // Undefined if the context has no remaining time, as in most unit tests.
  if (timeLeft !== undefined) metrics.addMetric('timeLeft', MetricUnit.Milliseconds, timeLeft)
  metrics.publishStoredMetrics()
  // Once more by queue, for the alarm that compares it with Lambda's metrics of the event source mapping. The function
  // knows the queue of a batch, but not the mapping.
  const queue = queues.get(context)
  if (queue) metrics.singleMetric().addDimension('queue', queue).addMetric('reported', MetricUnit.Count, reported)
}

export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 100, onSummary: publishMetrics }))
  .before(({ event, context }) => {
    queues.set(context, event.Records[0]?.eventSourceARN)
  })
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, { method: 'POST', body: record.body, signal })
      await response.arrayBuffer() // an unread body keeps its socket open
      if (!response.ok) throw new Error(`downstream returned ${response.status}`)
    }),
  )
