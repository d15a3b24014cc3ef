/** The texts of the CDK in docs/troubleshooting.md. The lint checks its links to the rules of `doctor`. */
import { App, Duration, Stack } from 'aws-cdk-lib'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { SqsEventSource, type SqsEventSourceProps } from 'aws-cdk-lib/aws-lambda-event-sources'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import t from 'tap'
import { read } from '../support/pages.ts'

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
