import { fileURLToPath } from 'node:url'
import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { LambdaAction, SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Architecture, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import type { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import type { Topic } from 'aws-cdk-lib/aws-sns'
import type { Construct } from 'constructs'
import { batchMetric } from './monitoring.ts'

/** Adds an alarm that disables the event source mapping in an outage. Nothing enables it again. */
export function pauseOnOutage(scope: Construct, mapping: SqsEventSource, topic: Topic): void {
  const pause = new LambdaFunction(scope, 'PauseFunction', {
    code: Code.fromAsset(fileURLToPath(new URL('../pause', import.meta.url))),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    timeout: Duration.seconds(30),
    environment: { MAPPING_UUID: mapping.eventSourceMappingId },
  })
  pause.addToRolePolicy(
    new PolicyStatement({
      actions: ['lambda:UpdateEventSourceMapping'],
      resources: [mapping.eventSourceMappingArn],
    }),
  )
  const alarm = new Alarm(scope, 'PauseAlarm', {
    alarmDescription: `More than 90 % of the records fail, so a function pauses the queue. To resume: aws lambda update-event-source-mapping --enabled --uuid ${mapping.eventSourceMappingId}`,
    // A few messages that always fail must not pause a quiet queue.
    metric: new MathExpression({
      expression: 'IF(reported > 100, share, 0)',
      usingMetrics: { reported: batchMetric('reported'), share: batchMetric('reportedShare', 'Average') },
    }),
    threshold: 0.9,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: 3,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  })
  alarm.addAlarmAction(new SnsAction(topic), new LambdaAction(pause))
}
