import { subscribe } from 'node:diagnostics_channel'
import { type AttributeValue, context, DiagLogLevel, diag, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import t from 'tap'
import { requestClock } from '../support/clock.ts'
import { sqsRecord } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { barrier, startDownstream } from '../support/services.ts'

t.test(
  'open-telemetry.ts makes a span per record with a link to its sender and the spans of its handler',
  async (t) => {
    const all = barrier(6)
    const never = Promise.withResolvers<number>()
    process.env.DOWNSTREAM_URL = await startDownstream(t, async ({ body }) => {
      await all() // so that all records are in flight at once
      if (body === 'body of hangs') return never.promise
      return body === 'body of refused' ? 503 : 200
    })
    const warnings: unknown[] = []
    const warn = (...words: unknown[]) => warnings.push(words)
    const logger = { error: warn, warn, info() {}, debug() {}, verbose() {} }
    diag.setLogger(logger, DiagLogLevel.WARN)
    const exporter = new InMemorySpanExporter()
    context.setGlobalContextManager(new AsyncLocalStorageContextManager())
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
    const { handler } = await import('../../examples/open-telemetry.ts')
    const tracer = trace.getTracer('test')
    // Starts a span for each request in the active span, like the instrumentation of fetch.
    subscribe('undici:request:create', () => tracer.startSpan('fetch').end())

    const { attributes } = sqsRecord('')
    const sentBy = (AWSTraceHeader: string) => ({ attributes: { ...attributes, AWSTraceHeader } })
    const traceparent = {
      stringValue: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      ...{ dataType: 'String' as const, stringListValues: [], binaryListValues: [] },
    }
    const xray = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
    const Records = [
      sqsRecord('traced', sentBy(xray)),
      sqsRecord('attribute', { messageAttributes: { traceparent } }),
      sqsRecord('both', { ...sentBy(xray), messageAttributes: { traceparent } }),
      sqsRecord('refused', sentBy('Root=1-6920c2b4-0123456789abcdef01234567;Parent=00f067aa0ba902b7;Sampled=0')),
      sqsRecord('untraced'),
      sqsRecord('hangs', sentBy('nonsense')),
    ]
    const { until } = requestClock(t, 1) // one record hangs
    await tracer.startActiveSpan('invocation', async (span) => {
      await logged(async () => {
        t.strictSame(failed(await until(handler({ Records }, timedContext(1000)))), ['refused', 'hangs'])
      })
      span.end()
    })
    t.strictSame(warnings, [], 'OpenTelemetry warns of a span that is ended twice')

    const spans = exporter.getFinishedSpans()
    const idOf = (value: AttributeValue | undefined) => value as string
    const byRecord = new Map<string, ReadableSpan>()
    for (const span of spans) {
      if (span.name === 'process orders') byRecord.set(idOf(span.attributes['messaging.message.id']), span)
    }
    t.strictSame([...byRecord.keys()].sort(), ['attribute', 'both', 'hangs', 'refused', 'traced', 'untraced'])
    function nameOf(id: string | undefined) {
      const span = spans.find((span) => span.spanContext().spanId === id)
      return idOf(span?.attributes['messaging.message.id'] ?? span?.name)
    }
    t.strictSame(
      spans.map((span) => `${nameOf(span.spanContext().spanId)} in ${nameOf(span.parentSpanContext?.spanId)}`).sort(),
      [
        ...['attribute in invocation', 'both in invocation', 'fetch in attribute', 'fetch in both'],
        ...['fetch in hangs', 'fetch in refused', 'fetch in traced', 'fetch in untraced'],
        ...['hangs in invocation', 'invocation in undefined', 'refused in invocation', 'traced in invocation'],
        'untraced in invocation',
      ],
    )
    const links = (id: string) => byRecord.get(id)?.links.map(({ context: { traceId, spanId } }) => [traceId, spanId])
    t.strictSame(links('traced'), [['5759e988bd862e3fe1be46a994272793', '53995c3f42cd8ad8']])
    t.strictSame(links('refused'), [['6920c2b40123456789abcdef01234567', '00f067aa0ba902b7']])
    const attributeLink = [['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']]
    t.strictSame([links('attribute'), links('both')], [attributeLink, attributeLink])
    t.strictSame([links('untraced'), links('hangs')], [[], []])

    function outcome(id: string) {
      const { status, events } = byRecord.get(id) as ReadableSpan
      return [status.code, ...events.map(({ attributes }) => attributes?.['exception.message'])]
    }
    t.strictSame(outcome('traced'), [SpanStatusCode.UNSET])
    t.strictSame(outcome('untraced'), [SpanStatusCode.UNSET])
    t.strictSame(outcome('refused'), [SpanStatusCode.ERROR, 'downstream returned 503'])
    t.strictSame(outcome('hangs'), [SpanStatusCode.ERROR, 'The batch ended before the record was finished'])
    t.match(byRecord.get('traced'), {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'aws_sqs',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'orders',
      },
    })
  },
)
