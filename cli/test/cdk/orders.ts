import { Duration, type Stack } from 'aws-cdk-lib'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource, type SqsEventSourceProps } from 'aws-cdk-lib/aws-lambda-event-sources'
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs'

interface Changes {
  mapping?: Partial<SqsEventSourceProps>
  /** Seconds. */
  visibilityTimeout?: number
  maxReceiveCount?: number
}

export function addQueue(stack: Stack, { visibilityTimeout = 180, maxReceiveCount = 5 }: Changes = {}): Queue {
  const dead = new Queue(stack, 'Dead', { retentionPeriod: Duration.days(14) })
  return new Queue(stack, 'Queue', {
    visibilityTimeout: Duration.seconds(visibilityTimeout),
    deadLetterQueue: { queue: dead, maxReceiveCount },
  })
}

/** A function that reports failures, and its mapping. */
export function addHandler(stack: Stack, queue: IQueue, { mapping }: Changes = {}): LambdaFunction {
  const handler = new LambdaFunction(stack, 'Handler', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromAsset(`${import.meta.dirname}/handler`),
    timeout: Duration.seconds(30),
    memorySize: 512,
  })
  handler.addEventSource(new SqsEventSource(queue, { reportBatchItemFailures: true, ...mapping }))
  return handler
}

/** Without changes, `doctor` finds nothing. */
export function addOrders(stack: Stack, changes: Changes = {}) {
  const queue = addQueue(stack, changes)
  return { queue, handler: addHandler(stack, queue, changes) }
}

/** Failures are deleted, Lambda rejects the mapping, and a throttled message goes to the dead-letter queue. */
export const DEFECTS: Changes = {
  mapping: { reportBatchItemFailures: false },
  visibilityTimeout: 20,
  maxReceiveCount: 1,
}
