import { globSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { compileFunction } from 'node:vm'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'
import { startServer, useEndpoint } from '../support/services.ts'
import {
  alarmsOf,
  cdkTemplate,
  metricsOf,
  type Properties,
  propertiesOf,
  samFile,
  samTemplate,
  type Template,
  written,
  writtenText,
} from '../support/templates.ts'

const cdkFolder = temporaryFolder(t)
const cdk = cdkTemplate(cdkFolder, { pauseOnOutage: true }).template
const sam = samTemplate(true)
const samFunction = propertiesOf(sam, 'AWS::Serverless::Function', 'Pause')

t.test('no template pauses the queue by default', async (t) => {
  t.equal(sam.Parameters?.PauseOnOutage?.Default, 'false')
  t.strictSame(sam.Conditions, { PausesOnOutage: { 'Fn::Equals': [{ Ref: 'PauseOnOutage' }, 'true'] } })
  t.notMatch(JSON.stringify(samTemplate().Resources), /Pause|UpdateEventSourceMapping/)
  const standard = cdkTemplate(temporaryFolder(t)).template
  t.notMatch(JSON.stringify(standard.Resources), /Pause|UpdateEventSourceMapping/)
})

/** The settings of the function, its permissions and the alarm, with references as in `Fn::Sub`. */
function settings(template: Template, lambda: Properties, policy: Properties) {
  const { AlarmDescription, AlarmActions, Metrics, ...alarm } = alarmsOf(template).PauseAlarm as Properties
  const { Handler, Runtime, Architectures, Timeout, Environment } = lambda
  const permission = propertiesOf(template, 'AWS::Lambda::Permission')
  const { Action, Effect, Resource } = policy
  return {
    alarm,
    description: writtenText(template, AlarmDescription),
    actions: AlarmActions.map((action: Properties) => written(template, action)),
    expression: Metrics.map(({ Expression, ReturnData }: Properties) => [Expression, ReturnData ?? true]),
    metrics: metricsOf({ Metrics }),
    lambda: { Handler, Runtime, Architectures, Timeout, uuid: written(template, Environment.Variables.MAPPING_UUID) },
    policy: { Action, Effect, Resource: writtenText(template, Resource) },
    permission: Object.fromEntries(Object.entries(permission).map(([name, value]) => [name, written(template, value)])),
  }
}

t.test(
  'with PauseOnOutage, an alarm of either template may invoke a function that may update only the mapping',
  async (t) => {
    const batchMetric = { Namespace: 'shop', Dimensions: [{ Name: 'service', Value: 'orders' }], Period: 300 }
    const expected = {
      alarm: {
        EvaluationPeriods: 3,
        Threshold: 0.9,
        ComparisonOperator: 'GreaterThanThreshold',
        TreatMissingData: 'notBreaching',
      },
      description: `More than 90 % of the records fail, so a function pauses the queue. To resume: aws lambda update-event-source-mapping --enabled --uuid \${FunctionQueue}`,
      actions: [`\${AlarmTopic}`, `\${PauseFunction.Arn}`],
      expression: [
        ['IF(reported > 100, share, 0)', true],
        [undefined, false],
        [undefined, false],
      ],
      metrics: [
        { Id: 'reported', ...batchMetric, MetricName: 'reported', Statistic: 'Sum' },
        { Id: 'share', ...batchMetric, MetricName: 'reportedShare', Statistic: 'Average' },
      ],
      lambda: {
        Handler: 'index.handler',
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Timeout: 30,
        uuid: `\${FunctionQueue}`,
      },
      policy: {
        Action: 'lambda:UpdateEventSourceMapping',
        Effect: 'Allow',
        Resource: `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:event-source-mapping:\${FunctionQueue}`,
      },
      permission: {
        Action: 'lambda:InvokeFunction',
        FunctionName: `\${PauseFunction.Arn}`,
        Principal: 'lambda.alarms.cloudwatch.amazonaws.com',
        SourceAccount: `\${AWS::AccountId}`,
        SourceArn: `\${PauseAlarm.Arn}`,
      },
    }
    const [samPolicy, ...others] = samFunction.Policies.flatMap(({ Statement }: Properties) => Statement)
    t.strictSame(others, [])
    t.strictSame(settings(sam, samFunction, samPolicy), expected)
    const cdkFunction = propertiesOf(cdk, 'AWS::Lambda::Function', 'Pause')
    const { Statement } = propertiesOf(cdk, 'AWS::IAM::Policy', 'Pause').PolicyDocument
    t.equal(Statement.length, 1)
    t.strictSame(settings(cdk, cdkFunction, Statement[0]), expected)
  },
)

t.test('the alarm fires if more than 90 % fail, but not because of a few messages', async (t) => {
  const { Metrics, Threshold } = alarmsOf(sam).PauseAlarm as Properties
  const evaluate = compileFunction(`return ${Metrics[0].Expression}`, ['IF', 'reported', 'share'])
  const isBreaching = (reported: number, share: number) =>
    evaluate((condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise), reported, share) >
    Threshold
  t.equal(isBreaching(101, 1), true)
  t.equal(isBreaching(101, 0.91), true)
  t.equal(isBreaching(5000, 0.9), false)
  t.equal(isBreaching(100, 1), false)
})

const file = resolve(dirname(samFile), samFunction.CodeUri, 'index.mjs')

t.test('the CDK deploys the same function', async (t) => {
  const copies = globSync(`${cdkFolder}/asset.*/index.mjs`).map((copy) => readFileSync(copy, 'utf8'))
  t.ok(copies.includes(readFileSync(file, 'utf8')))
})

t.test('the function disables the mapping, and fails if Lambda refuses, so that Lambda retries it', async (t) => {
  const requests: unknown[] = []
  const uuid = '0b3a2f6c-8f0e-4c0e-9c39-6d2f6b1f7a11'
  let [status, response] = [202, { UUID: uuid, State: 'Disabling' } as object]
  const endpoint = await startServer(t, async (request, answer) => {
    requests.push([request.method, request.url, JSON.parse(await text(request))])
    answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(response))
  })
  useEndpoint('LAMBDA', endpoint)
  process.env.MAPPING_UUID = uuid
  const lines = t.capture(console, 'log')
  const handler = (await import(file))[samFunction.Handler.split('.')[1]]

  await handler({ source: 'aws.cloudwatch', alarmData: { state: { value: 'ALARM' } } })
  t.strictSame(requests, [['PUT', `/2015-03-31/event-source-mappings/${uuid}`, { Enabled: false }]])
  t.strictSame(
    lines().map(({ args }) => args),
    [[`The event source mapping ${uuid} is paused, with the state Disabling`]],
  )

  status = 403
  response = { __type: 'AccessDeniedException', message: 'not authorized to perform: lambda:UpdateEventSourceMapping' }
  await t.rejects(handler(), { name: 'AccessDeniedException' })
  t.equal(requests.length, 2)
})
