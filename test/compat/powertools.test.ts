import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { logMetrics } from '@aws-lambda-powertools/metrics/middleware'
import middy from '@middy/core'
import t, { type Test } from 'tap'
import { eachRecord, type RecordHandler } from '../../src/index.ts'
import { busyClock } from '../support/clock.ts'
import { lambdaContext, ours, printed } from '../support/compat.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed } from '../support/handlers.ts'

t.test(
  'injectLambdaContext and logMetrics, used before or after: request ids, and one line for the batch',
  async (t) => {
    for (const place of ['before', 'after']) {
      const logger = new Logger({ serviceName: 'orders' })
      const metrics = new Metrics({ namespace: 'orders', serviceName: 'worker' })
      const context = injectLambdaContext(logger, { logEvent: true, resetKeys: true })
      const flush = logMetrics(metrics, { captureColdStartMetric: false })
      const handler = middy()
        .use(place === 'before' ? [context, flush, ours()] : [ours(), context, flush])
        .handler(
          eachRecord(({ messageId }) => {
            logger.info('handling', { messageId })
            metrics.addMetric(messageId === 'b' ? 'refused' : 'handled', MetricUnit.Count, 1)
            if (messageId === 'b') throw new Error('b failed')
          }),
        )
      const event = standardEvent('a', 'b', 'c')
      const lines = await printed(async () => t.strictSame(failed(await handler(event, lambdaContext())), ['b'], place))
      const ofRecord = { message: 'handling', function_request_id: 'request-1', service: 'orders' }
      t.match(lines, [
        { message: 'Lambda invocation event', event },
        ...['a', 'b', 'c'].map((messageId) => ({ ...ofRecord, messageId })),
        { handled: [1, 1], refused: 1, service: 'worker' },
      ])
      t.equal(lines.length, 5)
    }
  },
)

/** Runs a handler for `m0` and `m1`. Both records start before one of them continues after `await yielded()`. */
function runTwo(t: Test, handle: RecordHandler, ...middlewares: Parameters<ReturnType<typeof middy>['use']>[0][]) {
  busyClock(t) // on a busy machine, 10 ms could pass before the second record starts
  return printed(async () => {
    const handler = middy().use(ours())
    for (const middleware of middlewares) handler.use(middleware)
    t.strictSame(failed(await handler.handler(eachRecord(handle))(standardEvent(...ids(2)), lambdaContext())), [])
  })
}

function yielded() {
  return new Promise((resolve) => setImmediate(resolve))
}

t.test('metrics.singleMetric() separates the dimensions of records', async (t) => {
  const metrics = new Metrics({ namespace: 'orders' })
  const handle: RecordHandler = async ({ messageId }) => {
    const metric = metrics.singleMetric()
    metric.addDimension('customer', messageId)
    await yielded()
    metric.addMetric('handled', MetricUnit.Count, 1)
  }
  const lines = await runTwo(t, handle, logMetrics(metrics))
  t.strictSame(
    lines.map(({ customer, handled }) => [customer, handled]),
    [
      ['m0', 1],
      ['m1', 1],
    ],
  )
})

interface Subsegment {
  readonly name: string
  readonly id: string
  readonly parent_id?: string
  readonly subsegments?: Subsegment[]
}

t.test('the tracer of Powertools', async (t) => {
  // Receives the UDP messages that Lambda's X-Ray daemon would receive.
  const daemon = createSocket('udp4')
  daemon.bind(0, '127.0.0.1')
  await once(daemon, 'listening')
  t.teardown(() => daemon.close())
  const received: Subsegment[] = []
  let wakeUp = () => {}
  daemon.on('message', (message) => {
    function add({ subsegments = [], ...subsegment }: Subsegment) {
      received.push(subsegment)
      for (const inner of subsegments) add({ parent_id: subsegment.id, ...inner })
    }
    add(JSON.parse(message.toString().split('\n')[1] as string))
    wakeUp()
  })
  async function receive(count: number) {
    while (received.length < count) {
      await new Promise<void>((resolve) => {
        wakeUp = resolve
      })
    }
    return received.splice(0)
  }
  Object.assign(process.env, {
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
    AWS_XRAY_LOG_LEVEL: 'silent',
    LAMBDA_TASK_ROOT: '/var/task',
    _HANDLER: 'index.handler',
    _X_AMZN_TRACE_ID: 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
  })
  const { Tracer } = await import('@aws-lambda-powertools/tracer')
  const { captureLambdaHandler } = await import('@aws-lambda-powertools/tracer/middleware')
  const tracer = new Tracer({ serviceName: 'orders', captureHTTPsRequests: false })

  /** Each segment with its parent, after the daemon has received the five segments of two records. */
  async function tree(): Promise<string[]> {
    const all = await receive(5)
    const nameOf = (id: string | undefined) => all.find((subsegment) => subsegment.id === id)?.name
    return all.map(({ name, parent_id }) => `${name} in ${nameOf(parent_id) ?? 'the invocation'}`).sort()
  }

  await t.test('captureLambdaHandler, used before or after: one segment per batch', async (t) => {
    for (const place of ['before', 'after']) {
      const capture = captureLambdaHandler(tracer)
      const handler = middy()
        .use(place === 'before' ? [capture, ours()] : [ours(), capture])
        .handler(
          eachRecord(({ messageId }) => {
            if (messageId === 'b') throw new Error('b failed')
          }),
        )
      const response = await handler(standardEvent('a', 'b'), lambdaContext())
      t.strictSame(failed(response), ['b'])
      t.match(await receive(1), [{ name: '## index.handler', annotations: { Service: 'orders' } }])
    }
  })

  await t.test('tracer.provider.captureAsyncFunc() separates the traces of records', async (t) => {
    const handle: RecordHandler = ({ messageId }) =>
      tracer.provider.captureAsyncFunc(messageId, async (subsegment) => {
        await yielded()
        tracer.getSegment()?.addNewSubsegment(`work of ${messageId}`).close()
        subsegment?.close()
      })
    await runTwo(t, handle, captureLambdaHandler(tracer))
    t.strictSame(await tree(), [
      '## index.handler in the invocation',
      'm0 in ## index.handler',
      'm1 in ## index.handler',
      'work of m0 in m0',
      'work of m1 in m1',
    ])
  })
})
