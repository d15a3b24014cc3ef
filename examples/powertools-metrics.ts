import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import { type BatchSummary, boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

/** Only for the metrics of batches, so that publishing them does not publish what other code has added. */
const metrics = new Metrics({ namespace: 'shop', serviceName: 'orders' })

/** Publishes the result of each batch as CloudWatch metrics, in the embedded metric format. */
function publishMetrics(summary: BatchSummary): void {
  for (const count of ['records', 'succeeded', 'failed', 'timedOut', 'aborted', 'notStarted', 'reported'] as const) {
    metrics.addMetric(count, MetricUnit.Count, summary[count])
  }
  // The 95th percentile of the handlers of the batch; undefined if none ran.
  if (summary.durations) metrics.addMetric('recordP95', MetricUnit.Milliseconds, summary.durations.p95)
  metrics.publishStoredMetrics()
}

export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 100, onSummary: publishMetrics }))
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, { method: 'POST', body: record.body, signal })
      await response.arrayBuffer() // an unread body keeps its descriptor
      if (!response.ok) throw new Error(`downstream returned ${response.status}`)
    }),
  )
