import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  AlarmStatusWidget,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type GraphWidgetProps,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import type { Topic } from 'aws-cdk-lib/aws-sns'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

export interface Monitored {
  readonly queue: Queue
  readonly deadLetterQueue: Queue
  readonly handler: LambdaFunction
  /** The event source mapping. It was added to the function. */
  readonly mapping: SqsEventSource
  readonly functionTimeout: Duration
  readonly visibilityTimeout: Duration
  /** Receives the alarms. */
  readonly topic: Topic
}

/** Adds a dashboard and alarms. ../README.md gives the reason for each threshold and for each treatment of missing data. */
export function monitor(scope: Construct, monitored: Monitored): void {
  const { queue, deadLetterQueue, handler, mapping, functionTimeout, visibilityTimeout, topic } = monitored
  const eachMinute = { period: Duration.minutes(1) } // the CDK uses the maximum of these metrics of a queue
  const oldestMessage = queue.metricApproximateAgeOfOldestMessage(eachMinute)
  const deadLetters = deadLetterQueue.metricApproximateNumberOfMessagesVisible(eachMinute)
  const errors = handler.metricErrors()
  const mappingMetrics = {
    reported: batchMetric('reported', 'Sum', { queue: queue.queueArn }),
    deleted: mappingMetric(mapping, 'DeletedEventCount'),
    invoked: mappingMetric(mapping, 'InvokedEventCount'),
    failed: mappingMetric(mapping, 'FailedInvokeEventCount'),
  }

  const above = {
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  }
  const below = { ...above, comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD }
  const alarms = [
    new Alarm(scope, 'OldestMessageAlarm', {
      ...above,
      alarmDescription:
        'The oldest message in the queue has waited too long. Check whether the mapping is enabled and the function keeps up.',
      metric: oldestMessage,
      // At least an hour, and more than two visibility timeouts. A message that keeps failing counts in this metric
      // only until its third delivery.
      threshold: Math.max(Duration.hours(1).toSeconds(), 3 * visibilityTimeout.toSeconds()),
      evaluationPeriods: 5,
    }),
    new Alarm(scope, 'DeadLetterAlarm', {
      ...above,
      alarmDescription:
        'The dead-letter queue contains messages. Find out why they failed, then redrive or delete them.',
      metric: deadLetters,
      threshold: 0,
      evaluationPeriods: 1,
      // SQS stops publishing this metric after six hours without activity, although the messages are still there.
      treatMissingData: TreatMissingData.IGNORE,
    }),
    new Alarm(scope, 'ErrorAlarm', {
      ...above,
      alarmDescription:
        'Invocations fail as a whole, so all their messages are redelivered. Check the errors in the log of the function.',
      metric: errors,
      threshold: 0,
      evaluationPeriods: 1,
    }),
    new Alarm(scope, 'DeletedFailuresAlarm', {
      ...above,
      alarmDescription:
        'Lambda deletes messages that the function reports as failed. Check that the mapping has ReportBatchItemFailures.',
      // More than 0 if messages were both reported as failed and deleted. The README explains the expression.
      metric: new MathExpression({
        expression: 'IF(reported > 2 * FILL(failed, 0), reported + deleted - 1.01 * invoked, 0)',
        usingMetrics: mappingMetrics,
        period: Duration.minutes(15),
      }),
      threshold: 0,
      evaluationPeriods: 2,
    }),
    new Alarm(scope, 'FailedRecordsAlarm', {
      ...above,
      alarmDescription:
        'More than 10 % of the records fail. Check the downstream and the last deployment, before messages are dead-lettered.',
      metric: batchMetric('reportedShare', 'Average'),
      threshold: 0.1,
      evaluationPeriods: 3,
    }),
    new Alarm(scope, 'NotStartedAlarm', {
      ...above,
      alarmDescription:
        'Batches end before all their records have started. Raise the timeout or the concurrency, or lower the batch size.',
      metric: batchMetric('notStarted'),
      threshold: 0,
      evaluationPeriods: 3,
    }),
    new Alarm(scope, 'TimeLeftAlarm', {
      ...below,
      alarmDescription:
        'Batches use more than 90 % of the timeout of the function. Raise the timeout, or lower the batch size.',
      metric: batchMetric('timeLeft', 'Minimum'),
      threshold: functionTimeout.toMilliseconds() / 10,
      evaluationPeriods: 3,
    }),
  ]
  for (const alarm of alarms) alarm.addAlarmAction(new SnsAction(topic))

  const outcomes = ['succeeded', 'failed', 'timedOut', 'aborted', 'blocked', 'notStarted']
  new Dashboard(scope, 'Dashboard', {
    widgets: [
      [new AlarmStatusWidget({ title: 'Alarms', alarms, width: 24 })],
      [
        graph('Records by result', { left: outcomes.map((outcome) => batchMetric(outcome)), stacked: true }),
        graph('Records reported to Lambda, and handled by onFailure', {
          left: [batchMetric('reported'), batchMetric('handled')],
        }),
        graph('Share of the records of a batch that were reported', {
          left: [batchMetric('reportedShare', 'Average')],
        }),
      ],
      [
        graph('Messages in the queues', {
          left: [
            queue.metricApproximateNumberOfMessagesVisible(eachMinute),
            queue.metricApproximateNumberOfMessagesNotVisible(eachMinute),
            deadLetters.with({ label: 'Dead letters' }),
          ],
        }),
        graph('Age of the oldest message', { left: [oldestMessage] }),
        graph('Invocations that failed or were throttled', { left: [errors, handler.metricThrottles()] }),
      ],
      [
        graph('95th percentile of handler durations, slowest batch', { left: [batchMetric('recordP95', 'Maximum')] }),
        graph('Minimum time left at the end of a batch', { left: [batchMetric('timeLeft', 'Minimum')] }),
        graph('Maximum number of handlers in flight in a batch', { left: [batchMetric('peakInFlight', 'Maximum')] }),
      ],
      [
        graph('Messages of the mapping, and reported by the function', {
          left: [mappingMetrics.invoked, mappingMetrics.deleted, mappingMetrics.failed, mappingMetrics.reported],
        }),
      ],
    ],
  })
}

/** A metric that ../../powertools-metrics.ts publishes. Namespace and dimension must be the same there. */
export function batchMetric(metricName: string, statistic = 'Sum', dimensions?: Record<string, string>): Metric {
  const dimensionsMap = { ...dimensions, service: 'orders' }
  return new Metric({ namespace: 'shop', metricName, dimensionsMap, statistic })
}

/** A metric that Lambda publishes for an event source mapping with the metrics `EventCount`. */
function mappingMetric({ eventSourceMappingId }: SqsEventSource, metricName: string): Metric {
  const dimensionsMap = { EventSourceMappingUUID: eventSourceMappingId }
  return new Metric({ namespace: 'AWS/Lambda', metricName, dimensionsMap, statistic: 'Sum' })
}

function graph(title: string, props: GraphWidgetProps): GraphWidget {
  return new GraphWidget({ title, width: 8, leftYAxis: { min: 0 }, ...props })
}
