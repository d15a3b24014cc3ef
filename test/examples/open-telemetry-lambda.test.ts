import { createRequire } from 'node:module'
import { context, propagation, type SpanContext, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { AwsLambdaInstrumentation } from '@opentelemetry/instrumentation-aws-lambda'
import { AwsInstrumentation } from '@opentelemetry/instrumentation-aws-sdk'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { lambdaContext } from '../support/compat.ts'
import { sqsRecord } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startDownstream } from '../support/services.ts'
import { startSqs, toRecord } from '../support/sqs.ts'

// The instrumentations wrap modules when they are required. Lambda's finds the handler by these two variables.
const example = new URL('../../examples/open-telemetry.ts', import.meta.url)
process.env.LAMBDA_TASK_ROOT = temporaryFolder(t, {
  'index.cjs': `exports.handler = async (event, context) => (await import('${example}')).handler(event, context)`,
})
process.env._HANDLER = 'index.handler'
const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
context.setGlobalContextManager(new AsyncLocalStorageContextManager())
trace.setGlobalTracerProvider(provider)
propagation.setGlobalPropagator(new W3CTraceContextPropagator())
for (const instrumentation of [new AwsLambdaInstrumentation(), new AwsInstrumentation()]) {
  instrumentation.setTracerProvider(provider)
}
const require = createRequire(import.meta.url)
const { handler }: { handler: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse> } = require(
  `${process.env.LAMBDA_TASK_ROOT}/index.cjs`,
)
require('@smithy/core/client') // the part of the AWS SDK that the other instrumentation wraps

process.env.DOWNSTREAM_URL = await startDownstream(t, () => 200)

const PER_BATCH = 'span of the batch'
const PER_RECORD = 'span of the record'

/** Invokes the handler. Returns all links of all spans, by the id of the message: the span that has it, and the sender. */
async function linksOf(Records: SQSRecord[]): Promise<Record<string, string[]>> {
  exporter.reset()
  t.strictSame(await handler({ Records }, lambdaContext()), { batchItemFailures: [] })
  const links: Record<string, string[]> = Object.fromEntries(Records.map(({ messageId }) => [messageId, []]))
  for (const span of exporter.getFinishedSpans()) {
    for (const link of span.links) {
      const ofBatch = link.attributes?.['messaging.message.id']
      const id = (ofBatch ?? span.attributes['messaging.message.id']) as string
      links[id]?.push(`${ofBatch ? PER_BATCH : PER_RECORD}: ${sender(link.context)}`)
    }
  }
  return links
}

function sender({ traceId, spanId }: SpanContext): string {
  return `${traceId}-${spanId}`
}

const XRAY = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
const XRAY_SENDER = '5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8'
const W3C_SENDER = '0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331'

/** A record with the trace context in `AWSTraceHeader`, in the message attribute `traceparent`, in both or in none. */
function sentBy(id: string, AWSTraceHeader?: string, traceparent?: string): SQSRecord {
  const { attributes } = sqsRecord('')
  const attribute = (stringValue: string) => ({
    stringValue,
    stringListValues: [],
    binaryListValues: [],
    dataType: 'String',
  })
  return sqsRecord(id, {
    attributes: AWSTraceHeader === undefined ? attributes : { ...attributes, AWSTraceHeader },
    messageAttributes: traceparent === undefined ? {} : { traceparent: attribute(traceparent) },
  })
}

t.test('with the instrumentation of Lambda, each message whose sender was traced has exactly one link', async (t) => {
  const w3c = `00-${W3C_SENDER}-01`
  const links = await linksOf([
    sentBy('xray', XRAY),
    sentBy('w3c', undefined, w3c),
    sentBy('both', XRAY, w3c),
    sentBy('untraced'),
    sentBy('bad X-Ray header', 'nonsense', w3c),
    sentBy('bad traceparent', XRAY, 'nonsense'),
    sentBy('both bad', 'nonsense', 'nonsense'),
  ])
  t.strictSame(links, {
    xray: [`${PER_BATCH}: ${XRAY_SENDER}`],
    w3c: [`${PER_RECORD}: ${W3C_SENDER}`],
    both: [`${PER_BATCH}: ${XRAY_SENDER}`],
    untraced: [],
    'bad X-Ray header': [`${PER_RECORD}: ${W3C_SENDER}`],
    'bad traceparent': [`${PER_BATCH}: ${XRAY_SENDER}`],
    'both bad': [],
  })
  const spans = exporter.getFinishedSpans()
  const names = spans.map(({ name }) => name).sort()
  t.strictSame(names, ['orders-worker', ...Array.from({ length: 8 }, () => 'process orders')])
})

t.test('a message sent by the instrumented AWS SDK through SQS is linked to the span that sent it', async (t) => {
  const { client, queue, receiveAll } = await startSqs(t)
  const { url, arn } = queue('orders')
  const { SendMessageCommand } = await import('@aws-sdk/client-sqs')
  const sqs = client()
  exporter.reset()
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'w3c' }))
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'both' }))
  const sent = exporter.getFinishedSpans().filter(({ name }) => name === 'orders send')
  t.equal(sent.length, 2)

  const records = (await receiveAll(url)).map((message) => toRecord(message, arn))
  const recordOf = (text: string) => records.find(({ body }) => body === text) as SQSRecord
  const [w3c, both] = [recordOf('w3c'), recordOf('both')]
  // As SQS does if the sender is traced by X-Ray, too. The SQS of this test does not store the attribute.
  const withHeader = { ...both, attributes: { ...both.attributes, AWSTraceHeader: XRAY } }
  t.strictSame(await linksOf([w3c, withHeader]), {
    [w3c.messageId]: [`${PER_RECORD}: ${sender((sent[0] as ReadableSpan).spanContext())}`],
    [both.messageId]: [`${PER_BATCH}: ${XRAY_SENDER}`],
  })
})
