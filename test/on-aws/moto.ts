import {
  CloudWatchLogsClient,
  CreateLogStreamCommand,
  DescribeLogGroupsCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import {
  GetEventSourceMappingCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  LambdaClient,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import t, { type Test } from 'tap'
import { spawnMoto } from '../support/moto.ts'
import { type Aws, connect } from './aws.ts'
import { codeFiles, zip } from './code.ts'
import { template } from './template.ts'

/** Starts moto, and returns the calls to it. Every client in this process uses it. */
async function startMoto(t: Test): Promise<Aws> {
  const endpoint = await spawnMoto(t)
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  Object.assign(process.env, env)
  const aws = connect()
  // moto knows no batch size above 10.
  const small = (stack: object) => JSON.parse(JSON.stringify(stack).replaceAll(/"BatchSize":\d+/g, '"BatchSize":10'))
  return {
    ...aws,
    createStack: (name, stack) => aws.createStack(name, small(stack)),
    // Its stacks have the URLs of AWS.
    async resourcesOf(name) {
      const resources = await aws.resourcesOf(name)
      const local = (id: string) => id.replace('https://sqs.eu-west-1.amazonaws.com', endpoint)
      return new Map(Array.from(resources, ([id, physical]) => [id, local(physical)]))
    },
  }
}

/** The names of everything that moto has. */
async function inventory(): Promise<string[]> {
  const { QueueUrls = [] } = await new SQSClient().send(new ListQueuesCommand({}))
  const { Functions = [] } = await new LambdaClient().send(new ListFunctionsCommand({}))
  const { logGroups = [] } = await new CloudWatchLogsClient().send(new DescribeLogGroupsCommand({}))
  return [
    ...QueueUrls,
    ...Functions.map(({ FunctionName }) => `${FunctionName}`),
    ...logGroups.map(({ logGroupName }) => `${logGroupName}`),
  ]
}

// Not the metrics: moto 5.1 does not know the JSON protocol of CloudWatch.
t.test('each call to AWS that moto knows', async (t) => {
  const aws = await startMoto(t)
  const { signal } = new AbortController()
  const name = 'bounded-sqs-batch-proof-calls'
  t.equal(await aws.region(), 'eu-west-1')
  t.match(await aws.account(), /^\d{12}$/)
  t.strictSame(aws.otherHosts(), [new URL(`${process.env.AWS_ENDPOINT_URL}`).host])

  await aws.createStack(name, template())
  await aws.waitUntilCreated(name, signal)
  t.strictSame(
    (await aws.stacks()).map(({ StackName }) => StackName),
    [name],
  )
  const resources = await aws.resourcesOf(name)
  // It does not list the ids of alarms.
  const ids = Object.keys(template().Resources).filter((id) => !id.endsWith('Alarm'))
  t.strictSame([...resources.keys()].filter((id) => id !== '').sort(), ids.sort())
  const physical = (id: string) => `${resources.get(id)}`

  const code = zip(await codeFiles())
  await aws.upload(physical('RespondFunction'), code, signal)
  const { Configuration } = await new LambdaClient().send(
    new GetFunctionCommand({ FunctionName: physical('RespondFunction') }),
  )
  t.equal(Configuration?.CodeSize, code.length)

  await aws.enableMapping(physical('LargeMapping'))
  const mapping = await new LambdaClient().send(new GetEventSourceMappingCommand({ UUID: physical('LargeMapping') }))
  t.equal(mapping.State, 'Enabled')

  await aws.reserve(physical('ThrottledFunction'), 1)
  const { ReservedConcurrentExecutions } = await new LambdaClient().send(
    new GetFunctionConcurrencyCommand({ FunctionName: physical('ThrottledFunction') }),
  )
  t.equal(ReservedConcurrentExecutions, 1)

  const bodies = Array.from({ length: 25 }, (_, number) => `body ${number}`)
  await aws.send(
    physical('DeadLetters'),
    bodies.map((MessageBody) => ({ MessageBody })),
    signal,
  )
  t.strictSame((await aws.drain(physical('DeadLetters'))).sort(), bodies.sort())
  t.strictSame(await aws.drain(physical('DeadLetters')), [])
  const ordered = bodies.map((MessageBody, index) => ({
    MessageBody,
    MessageGroupId: 'a',
    MessageDeduplicationId: `${index}`,
  }))
  await aws.send(physical('FifoDeadLetters'), ordered, signal)
  t.strictSame(await aws.drain(physical('FifoDeadLetters')), bodies)

  const start = Date.now() - 1000
  const stream = { logGroupName: physical('Logs'), logStreamName: 'stream' }
  const logs = new CloudWatchLogsClient()
  await logs.send(new CreateLogStreamCommand(stream))
  const logEvents = [
    { timestamp: start - 5000, message: 'too early' },
    { timestamp: start + 10, message: '{"note":"respond"}' },
  ]
  await logs.send(new PutLogEventsCommand({ ...stream, logEvents }))
  t.strictSame(await aws.logLines(physical('Logs'), start), [{ at: start + 10, text: '{"note":"respond"}' }])

  t.not((await inventory()).length, 0)
  await aws.deleteStack(name)
  t.strictSame(await inventory(), [])
  t.strictSame(await aws.stacks(), [])
  await aws.deleteStack(name) // again
})
