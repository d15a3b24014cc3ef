import { fileURLToPath } from 'node:url'
import { Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

export interface BatchStackProps extends StackProps {
  /** Where the function posts each record to. */
  readonly downstreamUrl: string
  /** Who is told of an alarm. */
  readonly alarmEmail: string
  /** What the function has for a batch, up to 15 minutes. Default: 1 minute. */
  readonly functionTimeout?: Duration
  /** The longest that Lambda waits for a batch to fill, 1 to 300 s. Default: 5 s. */
  readonly batchingWindow?: Duration
}

/** An SQS queue, the function that handles its batches, a dead-letter queue, and alarms. */
export class BatchStack extends Stack {
  constructor(scope: Construct, id: string, props: BatchStackProps) {
    super(scope, id, props)
    const { functionTimeout = Duration.minutes(1), batchingWindow = Duration.seconds(5) } = props

    const visibilityTimeout = Duration.seconds(6 * functionTimeout.toSeconds()).plus(batchingWindow) // as AWS advises

    const deadLetterQueue = new Queue(this, 'DeadLetterQueue', {
      // The most there is. A message's age counts from when it was sent to the first queue, so it needs more than there.
      retentionPeriod: Duration.days(14),
    })
    const queue = new Queue(this, 'Queue', {
      visibilityTimeout,
      retentionPeriod: Duration.days(4),
      // What throttling or the function's timeout kept from being handled counts as received too: 5 or more.
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: 5 },
    })

    const handler = new NodejsFunction(this, 'Function', {
      entry: fileURLToPath(new URL('../../http-fanout.ts', import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      timeout: functionTimeout,
      environment: { DOWNSTREAM_URL: props.downstreamUrl },
      bundling: { format: OutputFormat.ESM, target: 'node24' },
    })
    handler.addEventSource(
      new SqsEventSource(queue, {
        reportBatchItemFailures: true, // without it, Lambda deletes the messages that failed
        batchSize: 1000,
        maxBatchingWindow: batchingWindow, // at least 1 s for more than 10 records
        maxConcurrency: 10, // invocations, each with up to the handler's 100 records at once
      }),
    )

    const topic = new Topic(this, 'AlarmTopic')
    topic.addSubscription(new EmailSubscription(props.alarmEmail))
    const eachMinute = { period: Duration.minutes(1) } // the statistic of both metrics is their maximum
    const onExcess = {
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }
    const alarms = [
      new Alarm(this, 'OldestMessageAlarm', {
        ...onExcess,
        alarmDescription: 'Messages wait too long for the function',
        metric: queue.metricApproximateAgeOfOldestMessage(eachMinute),
        // An hour, and more than two visibility timeouts: after its third delivery, SQS leaves a message that keeps failing out of this.
        threshold: Math.max(Duration.hours(1).toSeconds(), 3 * visibilityTimeout.toSeconds()),
        evaluationPeriods: 5,
      }),
      new Alarm(this, 'DeadLetterAlarm', {
        ...onExcess,
        alarmDescription: 'The function has given messages up',
        metric: deadLetterQueue.metricApproximateNumberOfMessagesVisible(eachMinute),
        threshold: 0,
        evaluationPeriods: 1,
      }),
    ]
    for (const alarm of alarms) alarm.addAlarmAction(new SnsAction(topic))
  }
}
