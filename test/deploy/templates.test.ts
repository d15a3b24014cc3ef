import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Duration } from 'aws-cdk-lib'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { samTemplateOfPage } from '../support/pages.ts'
import {
  alarmsOf,
  cdkTemplate,
  metricsOf,
  type Properties,
  partsOf,
  samFile,
  samTemplate,
  type Template,
  violations,
  widgetsOf,
  withDefaults,
  writeTemplate,
} from '../support/templates.ts'

// Synthesised once each, because bundling the function takes seconds.
const synthesised = cdkTemplate(temporaryFolder(t))
const pausing = cdkTemplate(temporaryFolder(t), { pauseOnOutage: true })

t.test('the SAM template and the CDK template have the same settings', async (t) => {
  function settings(template: Template) {
    const { queue, redrive, deadLetterQueue, lambda, mapping } = partsOf(template)
    const { deadLetterTargetArn, ...redriven } = redrive
    const { Queue, EventSourceArn, FunctionName, ...mapped } = mapping
    const { Runtime, Architectures, MemorySize, Timeout, LoggingConfig } = lambda
    return {
      queue: { ...queue, RedrivePolicy: redriven },
      deadLetterQueue,
      lambda: { Runtime, Architectures, MemorySize, Timeout, LoggingConfig },
      mapping: mapped,
    }
  }
  const expected = {
    queue: { VisibilityTimeout: 365, MessageRetentionPeriod: 345_600, RedrivePolicy: { maxReceiveCount: 15 } },
    deadLetterQueue: { MessageRetentionPeriod: 1_209_600 },
    lambda: {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 512,
      Timeout: 60,
      LoggingConfig: { LogFormat: 'JSON' },
    },
    mapping: {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      MetricsConfig: { Metrics: ['EventCount'] },
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 5,
      ScalingConfig: { MaximumConcurrency: 10 },
    },
  }
  t.strictSame(settings(withDefaults(samTemplate())), expected)
  t.strictSame(settings(synthesised.template), expected)
})

const sqs = {
  Namespace: 'AWS/SQS',
  Statistic: 'Maximum',
  Period: 60,
  ComparisonOperator: 'GreaterThanThreshold',
  TreatMissingData: 'notBreaching',
}
const batch = {
  Namespace: 'shop',
  Dimensions: [{ Name: 'service', Value: 'orders' }],
  Statistic: 'Sum',
  Period: 300,
  EvaluationPeriods: 3,
  ComparisonOperator: 'GreaterThanThreshold',
  TreatMissingData: 'notBreaching',
}
const ALARMS: Record<string, Properties> = {
  OldestMessageAlarm: {
    ...sqs,
    AlarmDescription:
      'The oldest message in the queue has waited too long. Check whether the mapping is enabled and the function keeps up.',
    MetricName: 'ApproximateAgeOfOldestMessage',
    Threshold: 3600,
    EvaluationPeriods: 5,
  },
  DeadLetterAlarm: {
    ...sqs,
    AlarmDescription: 'The dead-letter queue contains messages. Find out why they failed, then redrive or delete them.',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Threshold: 0,
    EvaluationPeriods: 1,
    TreatMissingData: 'ignore',
  },
  ErrorAlarm: {
    AlarmDescription:
      'Invocations fail as a whole, so all their messages are redelivered. Check the errors in the log of the function.',
    Namespace: 'AWS/Lambda',
    MetricName: 'Errors',
    Statistic: 'Sum',
    Period: 300,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: 'GreaterThanThreshold',
    TreatMissingData: 'notBreaching',
  },
  DeletedFailuresAlarm: {
    AlarmDescription:
      'Lambda deletes messages that the function reports as failed. Check that the mapping has ReportBatchItemFailures.',
    Expression: 'IF(reported > 2 * FILL(failed, 0), reported + deleted - 1.01 * invoked, 0)',
    Metrics: [
      { Id: 'reported', Namespace: 'shop', MetricName: 'reported', Statistic: 'Sum', Period: 900 },
      { Id: 'deleted', Namespace: 'AWS/Lambda', MetricName: 'DeletedEventCount', Statistic: 'Sum', Period: 900 },
      { Id: 'invoked', Namespace: 'AWS/Lambda', MetricName: 'InvokedEventCount', Statistic: 'Sum', Period: 900 },
      { Id: 'failed', Namespace: 'AWS/Lambda', MetricName: 'FailedInvokeEventCount', Statistic: 'Sum', Period: 900 },
    ],
    EvaluationPeriods: 2,
    Threshold: 0,
    ComparisonOperator: 'GreaterThanThreshold',
    TreatMissingData: 'notBreaching',
  },
  FailedRecordsAlarm: {
    ...batch,
    AlarmDescription:
      'More than 10 % of the records fail. Check the downstream and the last deployment, before messages are dead-lettered.',
    MetricName: 'reportedShare',
    Statistic: 'Average',
    Threshold: 0.1,
  },
  NotStartedAlarm: {
    ...batch,
    AlarmDescription:
      'Batches end before all their records have started. Raise the timeout or the concurrency, or lower the batch size.',
    MetricName: 'notStarted',
    Threshold: 0,
  },
  TimeLeftAlarm: {
    ...batch,
    AlarmDescription:
      'Batches use more than 90 % of the timeout of the function. Raise the timeout, or lower the batch size.',
    MetricName: 'timeLeft',
    Statistic: 'Minimum',
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 6000,
  },
}

t.test('both templates have the same alarms', async (t) => {
  for (const template of [withDefaults(samTemplate()), synthesised.template]) {
    const alarms = Object.entries(alarmsOf(template)).map(([name, { AlarmActions, Dimensions, Metrics, ...alarm }]) => {
      if (!Metrics) return [name, Dimensions[0].Name === 'service' ? { ...alarm, Dimensions } : alarm]
      const [{ Expression, ReturnData = true }, ...others] = Metrics
      t.strictSame(
        [ReturnData, ...others.map(({ ReturnData }: Properties) => ReturnData)],
        [true, false, false, false, false],
      )
      const metrics = metricsOf({ Metrics }).map(({ Dimensions, ...metric }) => metric)
      return [name, { ...alarm, Expression, Metrics: metrics }]
    })
    t.strictSame(Object.fromEntries(alarms), ALARMS)
  }
})

t.test(
  'FailedRecordsAlarm fires in less than half of the time after which failing messages are dead-lettered',
  async (t) => {
    const template = samTemplate()
    const { EvaluationPeriods, Period } = alarmsOf(template).FailedRecordsAlarm as Properties
    const visibilityTimeouts = Object.values(template.Mappings?.VisibilityTimeout ?? {}).flatMap(Object.values<number>)
    t.equal(visibilityTimeouts.length, 15)
    const { maxReceiveCount } = partsOf(template).redrive
    t.ok(EvaluationPeriods * Period < ((maxReceiveCount - 1) * Math.min(...visibilityTimeouts)) / 2)
  },
)

t.test('both templates have the same dashboard', async (t) => {
  const [sam, cdk] = [samTemplate(), synthesised.template].map(widgetsOf)
  t.strictSame(sam, cdk)
})

// AWS's validator accepts any text as the body of a dashboard, so this test checks it.
t.test(
  'the dashboard shows every alarm and its metric, and its widgets do not overlap and stay within the grid of 24 columns',
  async (t) => {
    const widgets = widgetsOf(samTemplate())
    const [first, ...graphs] = widgets
    t.strictSame(
      first?.properties.alarms,
      Object.keys(ALARMS).map((name) => `\${${name}.Arn}`),
    )
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from({ length: width * height }, (_, cell) => `${x + (cell % width)},${y + Math.floor(cell / width)}`),
    )
    t.equal(new Set(cells).size, cells.length)
    for (const { x, width } of widgets) t.ok(x >= 0 && x + width <= 24)

    const shown = new Set()
    for (const { type, properties } of graphs) {
      t.equal(type, 'metric')
      t.match(properties.region, /^\$\{AWS::Region\}$/)
      for (const [namespace, metricName, ...rest] of properties.metrics) {
        const { stat = 'Average' } = typeof rest.at(-1) === 'string' ? {} : rest.at(-1)
        shown.add([namespace, metricName, stat].join(' '))
      }
    }
    for (const { Namespace, MetricName, Statistic } of Object.values(alarmsOf(samTemplate())).flatMap(metricsOf)) {
      t.ok(shown.has([Namespace, MetricName, Statistic].join(' ')), MetricName)
    }
  },
)

t.test('the dashboard of the SAM template refers only to resources of the template', async (t) => {
  const template = samTemplate()
  const body = JSON.stringify(widgetsOf(template))
  const names = new Set(Array.from(body.matchAll(/\$\{(\w+)(?:\.\w+)?\}/g), ([, name]) => name as string))
  const others = ['DeadLetterQueue', 'Function', 'FunctionQueue', 'Queue']
  t.strictSame([...names].toSorted(), [...Object.keys(ALARMS), ...others].toSorted())
  const { Events } = partsOf(template).lambda
  const mappings = Object.keys(Events).map((event) => `Function${event}`) // SAM makes them
  for (const name of names) t.ok(name in template.Resources || mappings.includes(name), name)
})

t.test(
  'both templates connect the queue with its dead-letter queue and function, and each alarm with its resource and the topic',
  async (t) => {
    for (const template of [samTemplate(), synthesised.template]) {
      const id = (type: string, start = '') =>
        Object.keys(template.Resources).find((key) => template.Resources[key]?.Type === type && key.startsWith(start))
      const attribute = (resource: string | undefined, name: string) => ({ 'Fn::GetAtt': [resource, name] })
      const queue = id('AWS::SQS::Queue', 'Queue')
      const deadLetterQueue = id('AWS::SQS::Queue', 'DeadLetterQueue')
      const parts = partsOf(template)
      t.strictSame(parts.redrive.deadLetterTargetArn, attribute(deadLetterQueue, 'Arn'))
      t.strictSame(parts.mapping.EventSourceArn ?? parts.mapping.Queue, attribute(queue, 'Arn'))
      const lambda = id('AWS::Serverless::Function') ?? id('AWS::Lambda::Function')
      const { OldestMessageAlarm, DeadLetterAlarm, ErrorAlarm, DeletedFailuresAlarm, ...others } = alarmsOf(template)
      t.strictSame(OldestMessageAlarm?.Dimensions, [{ Name: 'QueueName', Value: attribute(queue, 'QueueName') }])
      t.strictSame(DeadLetterAlarm?.Dimensions, [{ Name: 'QueueName', Value: attribute(deadLetterQueue, 'QueueName') }])
      t.strictSame(ErrorAlarm?.Dimensions, [{ Name: 'FunctionName', Value: { Ref: lambda } }])
      const mapping = [
        { Name: 'EventSourceMappingUUID', Value: { Ref: id('AWS::Lambda::EventSourceMapping') ?? 'FunctionQueue' } },
      ]
      const queueAndService = [
        { Name: 'queue', Value: attribute(queue, 'Arn') },
        { Name: 'service', Value: 'orders' },
      ]
      t.strictSame(
        metricsOf(DeletedFailuresAlarm as Properties).map(({ Id, Dimensions }) => [Id, Dimensions]),
        [
          ['reported', queueAndService],
          ['deleted', mapping],
          ['invoked', mapping],
          ['failed', mapping],
        ],
      )
      const queueAlarms = [OldestMessageAlarm, DeadLetterAlarm, ErrorAlarm, DeletedFailuresAlarm]
      for (const alarm of [...queueAlarms, ...Object.values(others)]) {
        t.strictSame(alarm?.AlarmActions, [{ Ref: id('AWS::SNS::Topic') }])
      }
    }
  },
)

t.test(
  'for all allowed values, the SAM template has a visibility timeout of 6 × function timeout + window, and matching alarm thresholds',
  async (t) => {
    const { Parameters, Mappings, ...template } = samTemplate()
    const timeouts: number[] = Parameters?.FunctionTimeout?.AllowedValues
    const windows: number[] = Parameters?.BatchingWindow?.AllowedValues
    const rows = timeouts.map((timeout) => {
      const row = windows.map((window) => [window, 6 * timeout + window])
      return [timeout, Object.fromEntries(row)]
    })
    t.strictSame(Mappings?.VisibilityTimeout, Object.fromEntries(rows))
    const thresholds = timeouts.map((timeout) => [
      timeout,
      { OldestMessage: Math.max(3600, 3 * (6 * timeout + Math.max(...windows))), TimeLeft: (1000 * timeout) / 10 },
    ])
    t.strictSame(Mappings?.AlarmThreshold, Object.fromEntries(thresholds))

    const { queue, lambda, mapping } = partsOf(template)
    t.strictSame(lambda.Timeout, { Ref: 'FunctionTimeout' })
    t.strictSame(mapping.MaximumBatchingWindowInSeconds, { Ref: 'BatchingWindow' })
    t.strictSame(queue.VisibilityTimeout, {
      'Fn::FindInMap': ['VisibilityTimeout', { Ref: 'FunctionTimeout' }, { Ref: 'BatchingWindow' }],
    })
  },
)

t.test(
  'the CDK template calculates its visibility timeout and alarm thresholds from the function timeout and the batching window',
  async (t) => {
    const longest = { functionTimeout: Duration.minutes(15), batchingWindow: Duration.minutes(5) }
    const { template } = cdkTemplate(temporaryFolder(t), longest)
    const { queue, lambda, mapping } = partsOf(template)
    t.equal(lambda.Timeout, 900)
    t.equal(mapping.MaximumBatchingWindowInSeconds, 300)
    t.equal(queue.VisibilityTimeout, 6 * 900 + 300)
    const { OldestMessageAlarm, TimeLeftAlarm } = alarmsOf(template)
    t.equal(OldestMessageAlarm?.Threshold, 3 * (6 * 900 + 300))
    t.equal(TimeLeftAlarm?.Threshold, 90_000)
  },
)

/**
 * The SAM template with its function and mapping as CloudFormation resources, because the validator does not check a
 * SAM function. SAM's transform keeps the names of all properties except `CodeUri`, `Events` and `Queue`.
 */
function transformed(template: Template): Template {
  const { Function: _, ...others } = template.Resources
  const { CodeUri, Events, ...properties } = partsOf(template).lambda
  const { Queue, ...mapping } = partsOf(template).mapping
  const added = { Code: { S3Bucket: 'bucket', S3Key: 'key' }, Role: 'arn:aws:iam::123456789012:role/function' }
  return {
    ...template,
    Resources: {
      ...others,
      Function: { Type: 'AWS::Lambda::Function', Properties: { ...properties, ...added } },
      // The name that SAM gives to the mapping of the event "Queue".
      FunctionQueue: {
        Type: 'AWS::Lambda::EventSourceMapping',
        Properties: { ...mapping, EventSourceArn: Queue, FunctionName: { Ref: 'Function' } },
      },
    },
  }
}

t.test('AWS’s template validator finds nothing in either template', async (t) => {
  const folder = temporaryFolder(t)
  const unknown = /'FunctionQueue'|'\$\{FunctionQueue\}'/ // SAM makes it
  t.strictSame(
    violations(samFile).filter((description) => !unknown.test(description)),
    [],
  )
  t.strictSame(violations(writeTemplate(`${folder}/sam.json`, transformed(samTemplate(true)))), [])
  t.strictSame(violations(synthesised.file), [])
  t.strictSame(violations(pausing.file), [])
})

t.test(
  'the command in cdk.json synthesises the stack with its context, and fails if the context is wrong',
  async (t) => {
    const outdir = temporaryFolder(t)
    async function app(context: Properties) {
      const env = { PATH: process.env.PATH, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: JSON.stringify(context) }
      const cwd = fileURLToPath(new URL('../../examples/deploy/cdk', import.meta.url))
      const [program = '', ...args] = JSON.parse(readFileSync(`${cwd}/cdk.json`, 'utf8')).app.split(' ')
      await promisify(execFile)(program, args, { cwd, env })
      return JSON.parse(readFileSync(`${outdir}/BatchStack.template.json`, 'utf8'))
    }
    const context = { downstreamUrl: 'https://example.com/', alarmEmail: 'a@example.com' }
    const template = await app(context)
    t.strictSame(partsOf(template).lambda.Environment.Variables, { DOWNSTREAM_URL: 'https://example.com/' })
    t.notOk('PauseAlarm' in alarmsOf(template))
    t.ok('PauseAlarm' in alarmsOf(await app({ ...context, pauseOnOutage: 'true' })))
    await t.rejects(app({ ...context, pauseOnOutage: 'yes' }), { message: /must be true or false, but it is yes/ })
    await t.rejects(app({ alarmEmail: 'a@example.com' }), { message: /--context downstreamUrl=… is missing/ })
  },
)

/** What `doctor --strict` finds in templates with these parameters. */
async function findingsOf(parameters: Readonly<Record<string, string>>, ...files: string[]): Promise<unknown> {
  const given = Object.entries(parameters).flatMap(([name, value]) => ['--parameter', `${name}=${value}`])
  const bin = fileURLToPath(new URL('../../cli/dist/bin.js', import.meta.url))
  const args = [bin, 'doctor', '--strict', '--format', 'json', ...given, ...files]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } })
  return JSON.parse(stdout).findings
}

t.test('doctor --strict finds nothing in either template, with and without the pause on an outage', async (t) => {
  const page = `${temporaryFolder(t, { 'template.yaml': samTemplateOfPage() })}/template.yaml`
  t.strictSame(await findingsOf({}, samFile, synthesised.file, pausing.file, page), [])
  t.strictSame(await findingsOf({ PauseOnOutage: 'true' }, samFile), [])
})

t.test('doctor --strict finds nothing in the SAM template with its shortest and longest times', async (t) => {
  t.strictSame(await findingsOf({ FunctionTimeout: '30', BatchingWindow: '1' }, samFile), [])
  t.strictSame(await findingsOf({ FunctionTimeout: '900', BatchingWindow: '30' }, samFile), [])
})
