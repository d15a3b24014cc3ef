import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware'
import middy from '@middy/core'
import warmup from '@middy/warmup'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const logger = new Logger()
const metrics = new Metrics({ namespace: 'orders' })

export const handler = middy()
  .use(warmup())
  .use(injectLambdaContext(logger))
  .use(logMetrics(metrics))
  .use(boundedSqsBatch())
  .handler(
    eachRecord(async ({ messageId }) => {
      if (messageId !== 'b') return
      logger.createChild({ persistentKeys: { messageId } }).info('refused')
      metrics.addMetric('refused', MetricUnit.Count, 1)
      throw new Error('b failed')
    }),
  )
