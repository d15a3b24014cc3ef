import { subscribe } from 'node:diagnostics_channel'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import middy from '@middy/core'
import { type BatchTrace, boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is where each record is posted to')

/** For these alone: what is added to it is published at once, whatever other invocations of this process do. */
const metrics = new Metrics({ namespace: 'shop', serviceName: 'orders' })
const startedAt = new WeakMap<object, number>()

subscribe('tracing:middy-bounded-sqs-batch:batch:start', (batch) => {
  startedAt.set(batch as BatchTrace, performance.now())
})

/** Publishes what each batch came to as CloudWatch metrics, in the embedded metric format. */
subscribe('tracing:middy-bounded-sqs-batch:batch:asyncEnd', (batch) => {
  const { summary } = batch as BatchTrace
  if (!summary) return // the invocation failed before its records came to something
  for (const count of ['records', 'succeeded', 'failed', 'timedOut', 'aborted', 'notStarted', 'reported'] as const) {
    metrics.addMetric(count, MetricUnit.Count, summary[count])
  }
  const duration = performance.now() - (startedAt.get(batch as BatchTrace) ?? 0)
  metrics.addMetric('batchDuration', MetricUnit.Milliseconds, duration)
  // Of the handlers in the batch; nothing where none ran.
  if (summary.durations) metrics.addMetric('recordP95', MetricUnit.Milliseconds, summary.durations.p95)
  metrics.publishStoredMetrics()
})

export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 100 }))
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const response = await fetch(url, { method: 'POST', body: record.body, signal })
      await response.arrayBuffer() // an unread body keeps its descriptor
      if (!response.ok) throw new Error(`downstream said ${response.status}`)
    }),
  )
