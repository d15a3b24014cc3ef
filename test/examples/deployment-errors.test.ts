/** The texts of the CDK in docs/troubleshooting.md, and the rules of `doctor` that find the same mistakes. */
import { App, Duration, Stack } from 'aws-cdk-lib'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource, type SqsEventSourceProps } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import t from 'tap'
import { stringify } from 'yaml'
import { doctor, project, read } from '../support/pages.ts'

const page = read('docs/troubleshooting.md')

/** The error of the CDK if a mapping has these properties. */
function errorOf(props: SqsEventSourceProps, fifo: boolean): string {
  const stack = new Stack(new App(), 'Orders')
  const code = Code.fromInline('exports.handler = () => {}')
  const handler = new LambdaFunction(stack, 'Function', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code,
  })
  try {
    handler.addEventSource(new SqsEventSource(new Queue(stack, 'Queue', fifo ? { fifo } : {}), props))
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}

t.test('the page has the texts of the CDK', async (t) => {
  for (const text of [
    errorOf({ maxBatchingWindow: Duration.seconds(5) }, true),
    errorOf({ batchSize: 100 }, false),
    errorOf({ maxConcurrency: 1 }, false),
  ]) {
    t.ok(page.includes(`\`${text}\``), text)
  }
})

const mistakes: [rule: string, mapping: object, fifo?: boolean, timeout?: number][] = [
  ['visibility-below-timeout', {}, false, 60],
  ['fifo-window', { MaximumBatchingWindowInSeconds: 5 }, true],
  ['fifo-batch-size', { BatchSize: 11 }, true],
  ['batch-needs-window', { BatchSize: 100 }],
  ['invalid-value', { ScalingConfig: { MaximumConcurrency: 1 } }],
]
for (const [rule, mapping, fifo = false, timeout = 3] of mistakes) {
  t.test(`doctor finds ${rule}, to which the page links`, async (t) => {
    t.ok(page.includes(`doctor-rules.md#${rule})`))
    const Queue = { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 30, ...(fifo && { FifoQueue: true }) } }
    const Events = { Queue: { Type: 'SQS', Properties: { Queue: { 'Fn::GetAtt': ['Queue', 'Arn'] }, ...mapping } } }
    const Handler = {
      Type: 'AWS::Serverless::Function',
      Properties: { InlineCode: '', Handler: 'index.handler', Runtime: 'nodejs24.x', Timeout: timeout, Events },
    }
    const template = stringify({ Transform: 'AWS::Serverless-2016-10-31', Resources: { Queue, Handler } })
    const { findings } = await doctor(project(t, { 'template.yaml': template }), 'template.yaml')
    t.ok(
      findings.some((finding: string) => finding.startsWith(`${rule} `)),
      findings.join(', '),
    )
  })
}
