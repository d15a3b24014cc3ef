import { fileURLToPath } from 'node:url'
import { Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { Architecture, LoggingFormat, MetricType, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { monitor } from './monitoring.ts'
import { pauseOnOutage } from './pause.ts'

export interface BatchStackProps extends StackProps {
  /** The URL to which the function posts each record. */
  readonly downstreamUrl: string
  /** The e-mail address that receives the alarms. */
  readonly alarmEmail: string
  /** The timeout of the function, up to 15 minutes. Default: 1 minute. */
  readonly functionTimeout?: Duration
  /** How long Lambda waits until a batch is full, 1 to 300 s. Default: 5 s. */
  readonly batchingWindow?: Duration
  /** Whether an alarm pauses the queue in an outage. Default: false. */
  readonly pauseOnOutage?: boolean
}

/** An SQS queue, the function that processes its batches, a dead-letter queue, alarms and a dashboard. */
export class BatchStack extends Stack {
  constructor(scope: Construct, id: string, props: BatchStackProps) {
    super(scope, id, props)
    const { functionTimeout = Duration.minutes(1), batchingWindow = Duration.seconds(5) } = props

    const visibilityTimeout = Duration.seconds(6 * functionTimeout.toSeconds()).plus(batchingWindow) // as AWS recommends

    const deadLetterQueue = new Queue(this, 'DeadLetterQueue', {
      // The maximum. The age of a message counts from the time when it was sent to the source queue. So the dead-letter
      // queue must keep messages longer than the source queue.
      retentionPeriod: Duration.days(14),
    })
    const queue = new Queue(this, 'Queue', {
      visibilityTimeout,
      retentionPeriod: Duration.days(4),
      // With retryBackoff(), messages survive an outage of at least 75 minutes. Without it, they survive 14 visibility
      // timeouts. FailedRecordsAlarm fires long before.
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: 15 },
    })

    const handler = new NodejsFunction(this, 'Function', {
      entry: fileURLToPath(new URL('../../powertools-metrics.ts', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      timeout: functionTimeout,
      environment: { DOWNSTREAM_URL: props.downstreamUrl },
      loggingFormat: LoggingFormat.JSON, // so that CloudWatch Logs Insights finds the fields of a log entry
      bundling: { format: OutputFormat.ESM, target: 'node24' },
    })
    const mapping = new SqsEventSource(queue, {
      reportBatchItemFailures: true, // without it, Lambda deletes the messages that failed
      metricsConfig: { metrics: [MetricType.EVENT_COUNT] }, // for DeletedFailuresAlarm
      batchSize: 100, // as many as one invocation processes at once
      maxBatchingWindow: batchingWindow, // a batch size above 10 needs at least 1 s
      maxConcurrency: 10, // concurrent invocations
    })
    handler.addEventSource(mapping)

    const topic = new Topic(this, 'AlarmTopic')
    topic.addSubscription(new EmailSubscription(props.alarmEmail))
    monitor(this, { queue, deadLetterQueue, handler, mapping, functionTimeout, visibilityTimeout, topic })
    if (props.pauseOnOutage) pauseOnOutage(this, mapping, topic)
  }
}
