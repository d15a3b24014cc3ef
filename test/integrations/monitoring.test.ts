/** The samples of docs/monitoring.md: Sentry with a server on this machine, Datadog and New Relic with the log. */
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { sqsEvent } from '../../src/testing/index.ts'
import { compile, folderOf } from '../support/integrations.ts'
import { type Any, run } from '../support/pages.ts'
import { startServer } from '../support/services.ts'

const folder = folderOf(t, 'docs/monitoring.md')

/** What a program prints in a process of its own, because these libraries change Node's modules. */
async function print(code: string, env: NodeJS.ProcessEnv): Promise<string> {
  const {
    code: exitCode,
    stdout,
    stderr,
  } = await run(folder, process.execPath, ['--input-type=module', '-e', code], env)
  if (exitCode !== 0) throw new Error(stderr)
  return stdout
}

t.test('the samples compile', async (t) => {
  t.doesNotThrow(() => compile(folder))
})

t.test('Sentry receives one event for each group, before the response', async (t) => {
  const events: Any[] = []
  const address = await startServer(t, async (request, response) => {
    const items = (await text(request))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    events.push(...items.filter(({ exception }) => exception))
    response.end('{}')
  })

  const bodies = Array.from({ length: 100 }, (_, index) => (index % 10 === 0 ? '' : 'text'))
  const event = sqsEvent(bodies.map((body, index) => ({ messageId: `m${index}`, body })))
  const code = `const { handler } = await import('./sentry.ts')
    const respond = async (event) => (await handler(event, { getRemainingTimeInMillis: () => 60_000 })).batchItemFailures
    console.log(JSON.stringify([await respond(${JSON.stringify(event)}), await respond(${JSON.stringify(sqsEvent(['text']))})]))
    process.exit() // what was not sent before the response is lost, as in a frozen process`
  const SENTRY_DSN = address.replace('http://', 'http://key@').concat('/1')
  const responses = JSON.parse(await print(code, { SENTRY_DSN }))
  const failed = Array.from({ length: 10 }, (_, index) => ({ itemIdentifier: `m${10 * index}` }))
  t.strictSame(responses, [failed, []])
  t.strictSame(
    events.map(({ exception, extra }) => [exception.values.map(({ value }: Any) => value), extra]),
    [[['empty'], { records: 10, some: ['m0', 'm10', 'm20'] }]],
  )
})

t.test('Datadog counts the failed records, and writes the metrics of the sample', async (t) => {
  const code = `import { datadog } from 'datadog-lambda-js'
    import { toDatadog } from './datadog.ts'
    const handler = datadog(async () => {
      toDatadog({ failed: 3, timedOut: 1 })
      return { batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: 'b' }] }
    })
    await handler(${JSON.stringify(sqsEvent(['a', 'b']))}, { invokedFunctionArn: 'arn:aws:lambda:eu-west-1:1:function:orders' })`
  const output = await print(code, { DD_FLUSH_TO_LOG: 'true', DD_TRACE_ENABLED: 'false' })
  const metrics = output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
  const metric = (name: string) => metrics.find(({ m }) => m === name)?.v
  t.strictSame(['orders.failed', 'orders.timed_out', 'aws.lambda.enhanced.batch_item_failures'].map(metric), [3, 1, 2])
})

t.test('New Relic writes one error for each group', async (t) => {
  const code = `import newrelic from 'newrelic'
    import { toNewRelic } from './new-relic.ts'
    const handler = newrelic.setLambdaHandler(async () => {
      toNewRelic(new Error('downstream returned 503'), 12)
      return { batchItemFailures: [] }
    })
    await handler(${JSON.stringify(sqsEvent(['a']))}, { functionName: 'orders', invokedFunctionArn: 'arn:aws:lambda:eu-west-1:1:function:orders' })`
  const output = await print(code, {
    NEW_RELIC_SERVERLESS_MODE_ENABLED: 'true',
    NEW_RELIC_NO_CONFIG_FILE: 'true',
    NEW_RELIC_ACCOUNT_ID: '1',
    NEW_RELIC_LOG_ENABLED: 'false',
    AWS_LAMBDA_FUNCTION_NAME: 'orders',
  })
  const line = output.split('\n').find((line) => line.includes('NR_LAMBDA_MONITORING')) ?? ''
  const [, , compressed] = JSON.parse(line)
  const { data } = JSON.parse(gunzipSync(Buffer.from(compressed, 'base64')).toString())
  const [, errors] = data.error_data
  t.strictSame(
    errors.map(([, , message, , { userAttributes }]: Any) => [message, userAttributes]),
    [['downstream returned 503', { records: 12 }]],
  )
})
