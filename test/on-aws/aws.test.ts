import { text } from 'node:stream/consumers'
import t from 'tap'
import { startServer } from '../support/services.ts'
import { connect, isAwsHost } from './aws.ts'

// Calls that moto does not know. Their responses are those of the API reference.
const RESPONSES: Record<string, object> = {
  GetMetricStatistics: { Label: 'DeletedEventCount', Datapoints: [{ Sum: 7 }, { Sum: 3 }] },
  DescribeAlarmHistory: { AlarmHistoryItems: [{ HistorySummary: 'Alarm updated from INSUFFICIENT_DATA to OK' }] },
}

t.test('metrics, alarms and invocations', async (t) => {
  const requests: [name: string, input: unknown][] = []
  let error: string | undefined
  const AWS_ENDPOINT_URL = await startServer(t, async (request, response) => {
    const body = await text(request)
    const { 'x-amz-target': target } = request.headers
    const name = target ? String(target).replace(/^.*\./, '') : `${request.method} ${request.url}`
    requests.push([name, JSON.parse(body)])
    if (error) response.setHeader('x-amz-function-error', error)
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    response.end(JSON.stringify(RESPONSES[name] ?? { share: 0.07 }))
  })
  Object.assign(process.env, {
    AWS_ENDPOINT_URL,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
  })
  const aws = connect()
  t.strictSame(aws.otherHosts(), [])

  t.equal(await aws.mappingMetric('the-uuid', 'DeletedEventCount', 1_000_000), 10)
  t.match(requests[0], [
    'GetMetricStatistics',
    {
      Namespace: 'AWS/Lambda',
      MetricName: 'DeletedEventCount',
      Dimensions: [{ Name: 'EventSourceMappingUUID', Value: 'the-uuid' }],
      StartTime: 1000,
      Period: 60,
      Statistics: ['Sum'],
    },
  ])

  t.strictSame(aws.otherHosts(), [new URL(AWS_ENDPOINT_URL).host])

  t.equal(await aws.hasAlarmed('the-alarm'), false)
  t.match(requests[1], ['DescribeAlarmHistory', { AlarmName: 'the-alarm', HistoryItemType: 'StateUpdate' }])
  const again = { HistorySummary: 'Alarm updated from OK to ALARM' }
  RESPONSES.DescribeAlarmHistory = { AlarmHistoryItems: [{ HistorySummary: 'Alarm updated from ALARM to OK' }, again] }
  t.equal(await aws.hasAlarmed('the-alarm'), true)

  t.strictSame(await aws.invoke('the-function'), { share: 0.07 })
  t.strictSame(requests[3], ['POST /2015-03-31/functions/the-function/invocations', {}])
  error = 'Unhandled'
  await t.rejects(aws.invoke('the-function'), { message: 'the function failed: {"share":0.07}' })
})

t.test('hosts of AWS are not other hosts', async (t) => {
  const hosts = ['sqs.eu-west-1.amazonaws.com', 'monitoring.cn-north-1.amazonaws.com.cn', 'lambda.eu-west-1.api.aws']
  t.strictSame(hosts.filter(isAwsHost), hosts)
  for (const host of [
    'amazonaws.com.example',
    'notamazonaws.com',
    'localhost',
    'sqs.eu-west-1.localhost.localstack.cloud',
  ]) {
    t.notOk(isAwsHost(host), host)
  }
})
