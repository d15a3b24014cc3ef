/** What is deployed: one CloudFormation stack with a function, a queue and a mapping for each setup. */

export interface QueueSetup {
  readonly fifo?: boolean
  /** Seconds; default: the timeout of the function, so that failed messages return early. */
  readonly visibility?: number
  /** Default 2, so that a message that always fails is soon dead-lettered. */
  readonly maxReceives?: number
  readonly batchSize: number
  /** Seconds. */
  readonly window?: number
  /** Default true: the mapping has ReportBatchItemFailures. */
  readonly reports?: boolean
  /** Default true. */
  readonly enabled?: boolean
  /** Whether the function changes visibility timeouts. Default false. */
  readonly delays?: boolean
  /** Whether the mapping has the metrics EventCount, and an alarm. Default false. */
  readonly metrics?: boolean
  /** How often an average message is delivered, if this is more than `maxReceives` or 4. */
  readonly deliveries?: number
  /** The number of messages that the experiments send. */
  readonly messages: number
}

export interface Setup {
  /** An export of `functions.ts`, which becomes `index`, or of `sqs-functions.ts`, which becomes `sqs`. */
  readonly handler: `${'index' | 'sqs'}.${string}`
  /** Default nodejs24.x. */
  readonly runtime?: string
  /** Megabytes; default 512. */
  readonly memory?: number
  /** Seconds; default 5. */
  readonly timeout?: number
  readonly env?: Readonly<Record<string, string>>
  readonly queue?: QueueSetup
  /** At most this many invocations. The estimate of the costs assumes that each takes the whole timeout. */
  readonly invocations: number
}

export const MEMORY = 512
export const TIMEOUT = 5
export const MAX_RECEIVES = 2
/** The smallest value that Lambda accepts. It keeps the proof small in an account that runs other functions, too. */
export const MAXIMUM_CONCURRENCY = 2

export const SETUPS = {
  // A visibility timeout of 60 s lies between the two that the function sets.
  visibility: {
    handler: 'sqs.visibility',
    queue: { batchSize: 1, visibility: 60, delays: true, messages: 6 },
    invocations: 20,
  },
  // The window is long, so that the messages of a batch that has crashed can be in one batch again.
  crashes: {
    handler: 'sqs.crashes',
    queue: { batchSize: 200, window: 5, visibility: 15, maxReceives: 4, enabled: false, messages: 200 },
    invocations: 100,
  },
  // The same with isolateCrashes().
  isolated: {
    handler: 'sqs.isolatedCrashes',
    queue: { batchSize: 200, window: 5, visibility: 15, maxReceives: 4, enabled: false, delays: true, messages: 200 },
    invocations: 500,
  },
  backoff: {
    handler: 'sqs.backoff',
    queue: { batchSize: 10, visibility: 30, maxReceives: 4, delays: true, messages: 60 },
    invocations: 240,
  },
  groups: {
    handler: 'sqs.groups',
    queue: { fifo: true, batchSize: 10, visibility: 60, maxReceives: 10, enabled: false, delays: true, messages: 9 },
    invocations: 30,
  },
  throttled: {
    handler: 'sqs.throttled',
    memory: 128,
    timeout: 15,
    queue: { batchSize: 1, visibility: 300, enabled: false, messages: 6 },
    invocations: 12,
  },
  polling: {
    handler: 'sqs.polling',
    memory: 256,
    queue: { batchSize: 10, maxReceives: 30, deliveries: 11, messages: 100 },
    invocations: 1100,
  },
  flags22: { handler: 'index.flags', runtime: 'nodejs22.x', invocations: 2 },
  flags24: { handler: 'index.flags', invocations: 2 },
  flagsAllowed: { handler: 'index.flags', env: { NODE_OPTIONS: '--experimental-require-module' }, invocations: 2 },
  descriptors: { handler: 'index.descriptors', invocations: 2 },
  cpuShare: { handler: 'index.cpuShare', memory: 128, timeout: 10, invocations: 2 },
  freeze: { handler: 'index.freeze', invocations: 10 },
  respond: { handler: 'index.respond', queue: { batchSize: 1, messages: 12 }, invocations: 30 },
  tooLate: { handler: 'index.tooLate', queue: { batchSize: 1, messages: 1 }, invocations: 4 },
  failsOnce: { handler: 'index.failsOnce', queue: { batchSize: 100, window: 2, messages: 100 }, invocations: 110 },
  reportsOn: { handler: 'index.fails', queue: { batchSize: 10, messages: 10, metrics: true }, invocations: 20 },
  reportsOff: {
    handler: 'index.fails',
    queue: { batchSize: 10, messages: 10, metrics: true, reports: false },
    invocations: 20,
  },
  large: {
    handler: 'index.large',
    memory: 1024,
    timeout: 30,
    queue: { batchSize: 10_000, window: 60, visibility: 300, enabled: false, messages: 30_000 },
    invocations: 100,
  },
  hangingFetch: {
    handler: 'index.hangingFetch',
    memory: 128,
    timeout: 10,
    queue: { batchSize: 1000, window: 5, visibility: 30, messages: 1000 },
    invocations: 40,
  },
  // Within a window of 20 s, a message becomes visible again every 2 s. So the same batch can receive it again.
  twice: {
    handler: 'index.failsFirst',
    timeout: 2,
    queue: { batchSize: 1000, window: 20, maxReceives: 1000, messages: 100 },
    invocations: 100,
  },
  fifo: {
    handler: 'index.fifo',
    queue: { fifo: true, batchSize: 10, maxReceives: 5, enabled: false, messages: 30 },
    invocations: 50,
  },
  loop: { handler: 'index.loop', queue: { batchSize: 1, messages: 30 }, invocations: 32 },
} as const satisfies Record<string, Setup>

export type Name = keyof typeof SETUPS

export const setups: [Name, Setup][] = Object.entries(SETUPS) as [Name, Setup][]

/** The namespace of the metric `reported`, which `functions.ts` publishes. */
export const NAMESPACE = 'bounded-sqs-batch-proof'
export const LOG_GROUP = 'Logs'

/** The logical ids of the resources of a setup. */
export function idsOf(name: Name) {
  const id = `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
  return { fn: `${id}Function`, queue: `${id}Queue`, mapping: `${id}Mapping`, alarm: `${id}Alarm` }
}

export const deadLettersOf = ({ fifo = false }: QueueSetup) => (fifo ? 'FifoDeadLetters' : 'DeadLetters')

const ref = (Ref: string) => ({ Ref })
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] })

/** A CloudFormation template. The code of the functions is uploaded later, because it is too long for a template. */
export function template() {
  const Resources = {
    [LOG_GROUP]: { Type: 'AWS::Logs::LogGroup', Properties: { RetentionInDays: 1 } },
    DeadLetters: { Type: 'AWS::SQS::Queue', Properties: {} },
    FifoDeadLetters: { Type: 'AWS::SQS::Queue', Properties: fifoProperties('FifoDeadLetters') },
    Role: role(),
    ...Object.assign({}, ...setups.map(resourcesOf)),
  }
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: 'The experiments of middy-bounded-sqs-batch on AWS. Its command removes this stack at its end.',
    Resources,
  }
}

/** It cannot create log groups, so no function creates one after the stack has been removed. */
function role() {
  const queues = setups.filter(([, { queue }]) => queue)
  const arnsOf = (some: typeof setups) => some.map(([name]) => arnOf(idsOf(name).queue))
  const Statement = [
    { Effect: 'Allow', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: arnOf(LOG_GROUP) },
    {
      Effect: 'Allow',
      Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
      Resource: arnsOf(queues),
    },
    {
      Effect: 'Allow',
      Action: 'sqs:ChangeMessageVisibility',
      Resource: arnsOf(queues.filter(([, { queue }]) => queue?.delays)),
    },
    { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: arnOf(idsOf('loop').queue) },
  ]
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [trust] },
      Policies: [{ PolicyName: 'proof', PolicyDocument: { Version: '2012-10-17', Statement } }],
    },
  }
}

function resourcesOf([name, setup]: [Name, Setup]) {
  const { handler, runtime = 'nodejs24.x', memory = MEMORY, timeout = TIMEOUT, env = {}, queue } = setup
  const ids = idsOf(name)
  const queueUrl = name === 'loop' ? { QUEUE_URL: ref(ids.queue) } : {}
  const fn = {
    Type: 'AWS::Lambda::Function',
    Properties: {
      Runtime: runtime,
      Architectures: ['arm64'],
      Handler: handler,
      Code: { ZipFile: 'exports.handler = async () => { throw new Error("the code has not been uploaded") }' },
      MemorySize: memory,
      Timeout: timeout,
      Role: arnOf('Role'),
      LoggingConfig: { LogFormat: 'JSON', LogGroup: ref(LOG_GROUP) },
      Environment: { Variables: { NAME: name, ...queueUrl, ...env } },
    },
  }
  if (!queue) return { [ids.fn]: fn }
  return {
    [ids.fn]: fn,
    [ids.queue]: queueResource(queue, timeout, ids.queue),
    [ids.mapping]: mappingResource(queue, ids),
    ...(queue.metrics ? { [ids.alarm]: alarm(ids) } : {}),
  }
}

/** CloudFormation adds .fifo to the names that it gives, but moto does not. */
function fifoProperties(id: string) {
  return { FifoQueue: true, QueueName: { 'Fn::Sub': `\${AWS::StackName}-${id}.fifo` } }
}

const SHORT = 'a failed message is to be dead-lettered soon'

/** The findings of `doctor` that these settings cause. */
function acceptances(accept: Readonly<Record<string, string>>) {
  return { 'bounded-sqs-batch': { accept } }
}

function queueResource(queue: QueueSetup, timeout: number, id: string) {
  const { fifo, visibility = timeout, maxReceives = MAX_RECEIVES, window = 0 } = queue
  const accepted = {
    ...(visibility < 6 * timeout + window ? { 'visibility-headroom': SHORT } : {}),
    ...(maxReceives < 5 ? { 'max-receive-count': SHORT } : {}),
  }
  return {
    Type: 'AWS::SQS::Queue',
    Metadata: acceptances(accepted),
    Properties: {
      MessageRetentionPeriod: 3600,
      ...(fifo ? fifoProperties(id) : {}),
      VisibilityTimeout: visibility,
      RedrivePolicy: { deadLetterTargetArn: arnOf(deadLettersOf(queue)), maxReceiveCount: maxReceives },
    },
  }
}

function mappingResource(queue: QueueSetup, ids: ReturnType<typeof idsOf>) {
  const { batchSize, window, reports = true, enabled = true, metrics = false } = queue
  const accepted = {
    ...(reports ? {} : { 'report-batch-item-failures': 'an experiment observes what happens without it' }),
    ...(enabled ? {} : { 'disabled-mapping': 'its experiment enables it after all messages have been sent' }),
  }
  return {
    Type: 'AWS::Lambda::EventSourceMapping',
    Metadata: acceptances(accepted),
    Properties: {
      EventSourceArn: arnOf(ids.queue),
      FunctionName: ref(ids.fn),
      BatchSize: batchSize,
      ...(window ? { MaximumBatchingWindowInSeconds: window } : {}),
      ...(reports ? { FunctionResponseTypes: ['ReportBatchItemFailures'] } : {}),
      ...(metrics ? { MetricsConfig: { Metrics: ['EventCount'] } } : {}),
      Enabled: enabled,
      ScalingConfig: { MaximumConcurrency: MAXIMUM_CONCURRENCY },
    },
  }
}

/** Seconds. */
export const ALARM_PERIOD = 300
const DELETED_FAILURES = 'IF(reported > 2 * FILL(failed, 0), reported + deleted - 1.01 * invoked, 0)'

/** `DeletedFailuresAlarm` of examples/deploy, with one short period. */
function alarm({ fn, mapping }: ReturnType<typeof idsOf>) {
  const ofMapping = [{ Name: 'EventSourceMappingUUID', Value: ref(mapping) }]
  const metric = (Id: string, Namespace: string, MetricName: string, Dimensions: object[]) => ({
    Id,
    ReturnData: false,
    MetricStat: { Metric: { Namespace, MetricName, Dimensions }, Period: ALARM_PERIOD, Stat: 'Sum' },
  })
  return {
    Type: 'AWS::CloudWatch::Alarm',
    Properties: {
      Metrics: [
        { Id: 'deletedFailures', Expression: DELETED_FAILURES },
        metric('reported', NAMESPACE, 'reported', [{ Name: 'FunctionName', Value: ref(fn) }]),
        metric('deleted', 'AWS/Lambda', 'DeletedEventCount', ofMapping),
        metric('invoked', 'AWS/Lambda', 'InvokedEventCount', ofMapping),
        metric('failed', 'AWS/Lambda', 'FailedInvokeEventCount', ofMapping),
      ],
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'notBreaching',
    },
  }
}
