/** The calls to AWS. Each function makes one call, or repeats one until it has the whole result. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  paginateDescribeStacks,
  paginateListStackResources,
  type Stack,
} from '@aws-sdk/client-cloudformation'
import {
  CloudWatchClient,
  DescribeAlarmHistoryCommand,
  type Dimension,
  GetMetricStatisticsCommand,
} from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs'
import {
  GetAccountSettingsCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
  UpdateEventSourceMappingCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda'
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import pMap from 'p-map'

/** The names of all stacks begin like this. */
export const PREFIX = 'bounded-sqs-batch-proof-'

/** Whether a host belongs to AWS. The hosts of simulators do not. */
export function isAwsHost(host: string): boolean {
  return /\.(amazonaws\.com(\.cn)?|api\.aws)$/.test(host)
}

const STATUS_INTERVAL = 5000
/** Fifteen minutes. */
const MAX_STATUS_READS = 180

export type Aws = ReturnType<typeof connect>

/** A line of a log, and its time. */
export interface LogLine {
  readonly at: number
  readonly text: string
}

/** Takes the region and the credentials from the environment or the files of the AWS CLI. */
export function connect() {
  // A call that a busy service refuses is repeated. The messages of 30,000 calls are sent 20 at a time.
  const config = { maxAttempts: 6 }
  const cloudFormation = new CloudFormationClient(config)
  const lambda = new LambdaClient(config)
  const sqs = new SQSClient(config)
  const logs = new CloudWatchLogsClient(config)
  const cloudWatch = new CloudWatchClient(config)
  const sts = new STSClient(config)

  // A profile or an environment variable can name another endpoint. Only the calls themselves show where they go.
  const otherHosts = new Set<string>()
  const noteHost =
    <A extends { request: unknown }, R>(next: (args: A) => R) =>
    (args: A) => {
      const { hostname, port } = args.request as { hostname: string; port?: number }
      if (!isAwsHost(hostname)) otherHosts.add(port ? `${hostname}:${port}` : hostname)
      return next(args)
    }
  // biome-ignore lint/suspicious/noExplicitAny: each client has types of its own
  const clients: { middlewareStack: { add(middleware: any, options: { step: 'finalizeRequest' }): void } }[] = [
    cloudFormation,
    lambda,
    sqs,
    logs,
    cloudWatch,
    sts,
  ]
  for (const { middlewareStack } of clients) middlewareStack.add(noteHost, { step: 'finalizeRequest' })

  /**
   * Reads the status of a stack until `isSettled`. It is `undefined` if the stack does not exist. The waiters of the SDK
   * would go on for minutes after an error, for example if the credentials have expired.
   */
  async function settledStatus(name: string, isSettled: (status?: string) => boolean, signal?: AbortSignal) {
    for (let tries = 0; ; tries++) {
      const status = await statusOf(name)
      if (isSettled(status)) return status
      if (tries === MAX_STATUS_READS) throw new Error(`the status of the stack is still ${status}`)
      await sleep(STATUS_INTERVAL, undefined, signal ? { signal } : {})
    }
  }

  async function statusOf(StackName: string): Promise<string | undefined> {
    try {
      const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }))
      const status = Stacks[0]?.StackStatus
      return status === 'DELETE_COMPLETE' ? undefined : status
    } catch (error) {
      if (/does not exist/.test((error as Error).message)) return undefined
      throw error
    }
  }

  async function sumOfMetric(MetricName: string, dimension: Dimension, start: number): Promise<number> {
    const { Datapoints = [] } = await cloudWatch.send(
      new GetMetricStatisticsCommand({
        Namespace: 'AWS/Lambda',
        MetricName,
        Dimensions: [dimension],
        StartTime: new Date(start),
        EndTime: new Date(),
        Period: 60,
        Statistics: ['Sum'],
      }),
    )
    return Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0)
  }

  return {
    region: (): Promise<string> => cloudFormation.config.region(),

    async account(): Promise<string> {
      return `${(await sts.send(new GetCallerIdentityCommand({}))).Account}`
    },

    /** The hosts of the calls until now that are not hosts of AWS, such as that of a simulator. */
    otherHosts: (): string[] => [...otherHosts].sort(),

    /** How many more functions may run at once in this account and region. */
    async freeConcurrency(): Promise<number> {
      const { AccountLimit } = await lambda.send(new GetAccountSettingsCommand({}))
      return AccountLimit?.UnreservedConcurrentExecutions ?? 0
    },

    async createStack(name: string, template: object): Promise<void> {
      await cloudFormation.send(
        new CreateStackCommand({
          StackName: name,
          ClientRequestToken: name, // so that a call whose response was lost can be repeated
          TemplateBody: JSON.stringify(template),
          Capabilities: ['CAPABILITY_IAM'],
          OnFailure: 'DO_NOTHING', // so that its events say why, until it is removed
          Tags: [{ Key: 'bounded-sqs-batch-proof', Value: name.slice(PREFIX.length) }],
        }),
      )
    },

    async waitUntilCreated(name: string, signal: AbortSignal): Promise<void> {
      const status = await settledStatus(name, (status) => status !== 'CREATE_IN_PROGRESS', signal)
      if (status !== 'CREATE_COMPLETE') throw new Error(`the status of the stack is ${status}`)
    },

    /** Why resources of a stack could not be created. */
    async failuresOf(name: string): Promise<string[]> {
      const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName: name }))
      const failed = StackEvents.filter(({ ResourceStatus }) => ResourceStatus === 'CREATE_FAILED')
      return failed.map(
        ({ LogicalResourceId, ResourceStatusReason }) => `${LogicalResourceId}: ${ResourceStatusReason}`,
      )
    },

    /** The physical ids of the resources of a stack that still exist, by logical id. */
    async resourcesOf(name: string): Promise<Map<string, string>> {
      const resources = new Map<string, string>()
      for await (const page of paginateListStackResources({ client: cloudFormation }, { StackName: name })) {
        for (const { LogicalResourceId, PhysicalResourceId, ResourceStatus } of page.StackResourceSummaries ?? []) {
          if (ResourceStatus !== 'DELETE_COMPLETE') resources.set(`${LogicalResourceId}`, `${PhysicalResourceId}`)
        }
      }
      return resources
    },

    /** The stacks of this and of earlier runs. */
    async stacks(): Promise<Stack[]> {
      const stacks: Stack[] = []
      for await (const page of paginateDescribeStacks({ client: cloudFormation }, {}))
        stacks.push(...(page.Stacks ?? []))
      return stacks.filter(({ StackName = '' }) => StackName.startsWith(PREFIX))
    },

    /** Deletes a stack, and waits until it is gone. A stack that does not exist is gone. */
    async deleteStack(name: string): Promise<void> {
      await cloudFormation.send(new DeleteStackCommand({ StackName: name }))
      // After the call, the stack can have its old status for a moment.
      const status = await settledStatus(name, (status) => status === undefined || status === 'DELETE_FAILED')
      if (status !== undefined) throw new Error(`the status of the stack is ${status}`)
    },

    async upload(functionName: string, ZipFile: Uint8Array, signal: AbortSignal): Promise<void> {
      await lambda.send(new UpdateFunctionCodeCommand({ FunctionName: functionName, ZipFile }))
      // Until the update is complete, invocations run the old code.
      for (;;) {
        const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }))
        if (configuration.LastUpdateStatus === 'Successful') return
        if (configuration.LastUpdateStatus === 'Failed') throw new Error(`${configuration.LastUpdateStatusReason}`)
        await sleep(1000, undefined, { signal })
      }
    },

    async invoke(functionName: string): Promise<unknown> {
      const { Payload, FunctionError } = await lambda.send(
        new InvokeCommand({ FunctionName: functionName, Payload: '{}' }),
      )
      const text = Payload?.transformToString() ?? ''
      if (FunctionError) throw new Error(`the function failed: ${text}`)
      return JSON.parse(text)
    },

    async reserve(FunctionName: string, ReservedConcurrentExecutions: number): Promise<void> {
      await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }))
    },

    async enableMapping(UUID: string): Promise<void> {
      await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: true }))
    },

    async send(QueueUrl: string, messages: readonly Omit<SendMessageBatchRequestEntry, 'Id'>[], signal: AbortSignal) {
      const calls = Array.from({ length: Math.ceil(messages.length / 10) }, (_, index) => index * 10)
      // The messages of a FIFO queue are sent in order.
      const concurrency = messages[0]?.MessageGroupId ? 1 : 20
      await pMap(
        calls,
        async (start) => {
          const Entries = messages.slice(start, start + 10).map((message, index) => ({ ...message, Id: String(index) }))
          const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
          if (Failed.length > 0) throw new Error(`SQS refused ${Failed.length} messages: ${Failed[0]?.Message}`)
        },
        { concurrency, signal },
      )
    },

    /** Receives the visible messages of a queue, deletes them, and returns their bodies. */
    async drain(QueueUrl: string): Promise<string[]> {
      const bodies: string[] = []
      for (;;) {
        const receive = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(receive))
        if (Messages.length === 0) return bodies
        const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
        bodies.push(...Messages.map(({ Body }) => `${Body}`))
      }
    },

    async logLines(logGroupName: string, startTime: number): Promise<LogLine[]> {
      const lines: LogLine[] = []
      for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, { logGroupName, startTime })) {
        lines.push(...events.map(({ timestamp = 0, message = '' }) => ({ at: timestamp, text: message })))
      }
      return lines
    },

    mappingMetric: (uuid: string, metric: string, start: number) =>
      sumOfMetric(metric, { Name: 'EventSourceMappingUUID', Value: uuid }, start),

    throttles: (functionName: string, start: number) =>
      sumOfMetric('Throttles', { Name: 'FunctionName', Value: functionName }, start),

    async hasAlarmed(AlarmName: string): Promise<boolean> {
      const history = { AlarmName, HistoryItemType: 'StateUpdate' } as const
      const { AlarmHistoryItems = [] } = await cloudWatch.send(new DescribeAlarmHistoryCommand(history))
      return AlarmHistoryItems.some(({ HistorySummary }) => HistorySummary?.endsWith('to ALARM'))
    },
  }
}
