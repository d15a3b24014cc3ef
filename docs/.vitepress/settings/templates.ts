/** The settings as code. */
import type { Settings } from './recommend.ts'

export const FORMATS = { handler: 'Handler', sam: 'SAM', cdk: 'CDK', terraform: 'Terraform' } as const
export type Format = keyof typeof FORMATS

export function codeFor(format: Format, settings: Settings): string {
  return { handler, sam, cdk, terraform }[format](settings)
}

function handler({ concurrency, rateLimit }: Settings): string {
  const options = rateLimit
    ? `{
    concurrency: ${concurrency},
    rateLimit: { limit: ${rateLimit.limit}, interval: ${rateLimit.interval} },
  }`
    : `{ concurrency: ${concurrency} }`
  return `import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import { processRecord } from './process-record.ts'

export const handler = middy()
  .use(boundedSqsBatch(${options}))
  .handler(eachRecord(processRecord))
`
}

function sam({ timeout, window, visibilityTimeout, batchSize, maximumConcurrency, memory }: Settings): string {
  return `Transform: AWS::Serverless-2016-10-31
Resources:
  DeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties: { MessageRetentionPeriod: 1209600 } # 14 days
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: ${visibilityTimeout} # 6 × Timeout + MaximumBatchingWindowInSeconds
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn
        maxReceiveCount: 15
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: dist # with handler.mjs
      Handler: handler.handler
      Runtime: nodejs24.x
      MemorySize: ${memory}
      Timeout: ${timeout}
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            FunctionResponseTypes: [ReportBatchItemFailures]
            BatchSize: ${batchSize}
            MaximumBatchingWindowInSeconds: ${window}
            ScalingConfig: { MaximumConcurrency: ${maximumConcurrency} }
`
}

function cdk({ timeout, window, visibilityTimeout, batchSize, maximumConcurrency, memory }: Settings): string {
  return `import { Duration, Stack } from 'aws-cdk-lib'
import { Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources'
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'

export class OrdersStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id)
    const deadLetterQueue = new Queue(this, 'DeadLetterQueue', {
      retentionPeriod: Duration.days(14),
    })
    const queue = new Queue(this, 'Queue', {
      visibilityTimeout: Duration.seconds(${visibilityTimeout}), // 6 × timeout + window
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: 15 },
    })
    const handler = new NodejsFunction(this, 'Function', {
      entry: 'src/handler.ts',
      runtime: Runtime.NODEJS_24_X,
      memorySize: ${memory},
      timeout: Duration.seconds(${timeout}),
      bundling: { format: OutputFormat.ESM, mainFields: ['module', 'main'] },
    })
    handler.addEventSource(
      new SqsEventSource(queue, {
        reportBatchItemFailures: true,
        batchSize: ${batchSize},
        maxBatchingWindow: Duration.seconds(${window}),
        maxConcurrency: ${maximumConcurrency},
      }),
    )
  }
}
`
}

function terraform({ timeout, window, visibilityTimeout, batchSize, maximumConcurrency, memory }: Settings): string {
  return `resource "aws_sqs_queue" "dead" {
  name                      = "orders-dead"
  message_retention_seconds = 1209600 # 14 days
}

resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = ${visibilityTimeout} # 6 × timeout + window
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 15
  })
}

resource "aws_lambda_function" "orders" {
  function_name = "orders"
  filename      = "dist/handler.zip"
  handler       = "handler.handler"
  runtime       = "nodejs24.x"
  memory_size   = ${memory}
  timeout       = ${timeout}
  role          = aws_iam_role.orders.arn # with AWSLambdaSQSQueueExecutionRole
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn                   = aws_sqs_queue.orders.arn
  function_name                      = aws_lambda_function.orders.arn
  function_response_types            = ["ReportBatchItemFailures"]
  batch_size                         = ${batchSize}
  maximum_batching_window_in_seconds = ${window}
  scaling_config { maximum_concurrency = ${maximumConcurrency} }
}
`
}
