// Spans need an OpenTelemetry SDK. It must be set up before this file is loaded, and flushed before the response is
// sent. The Lambda layer of the AWS Distro for OpenTelemetry does both. It also creates the span of the invocation.

import middy from '@middy/core'
import {
  type Attributes,
  defaultTextMapGetter,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { AWSXRAY_TRACE_ID_HEADER, AWSXRayPropagator } from '@opentelemetry/propagator-aws-xray'
import type { SQSMessageAttributes, SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord, type RecordHandler } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

const tracer = trace.getTracer('orders')
const xray = new AWSXRayPropagator()
const w3c = new W3CTraceContextPropagator()

const attributeGetter: TextMapGetter<SQSMessageAttributes> = {
  keys: Object.keys,
  get: (attributes, name) => attributes[name]?.stringValue,
}

/**
 * Links to the span that sent the message, if the sender was traced. It is not the parent, because a batch has many senders.
 * OpenTelemetry's instrumentation of the AWS SDK sends the message attribute `traceparent`, and X-Ray sends `AWSTraceHeader`.
 */
function linksTo({ attributes: { AWSTraceHeader }, messageAttributes }: SQSRecord): Link[] {
  const carrier = { [AWSXRAY_TRACE_ID_HEADER]: AWSTraceHeader }
  const xrayContext = trace.getSpanContext(xray.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter))
  const w3cContext = trace.getSpanContext(w3c.extract(ROOT_CONTEXT, messageAttributes, attributeGetter))
  const context = w3cContext ?? xrayContext
  const linkedByInstrumentation = xrayContext // w3cContext with the option useGlobalPropagatorForSqsExtraction
  return context && !(linkedByInstrumentation && isInstrumented()) ? [{ context }] : []
}

/**
 * Whether the active span is that of the invocation from OpenTelemetry's instrumentation of Lambda. Since version 0.71,
 * it also makes a span of the batch, with a link for each `AWSTraceHeader`. By default, a span keeps 128 links: set
 * `OTEL_SPAN_LINK_COUNT_LIMIT` to the batch size.
 */
function isInstrumented(): boolean {
  const span = trace.getActiveSpan() as { readonly attributes?: Attributes } | undefined
  return span?.attributes?.['faas.trigger'] === 'pubsub'
}

/**
 * Runs a record handler in a span that follows OpenTelemetry's conventions for SQS. Spans that the handler creates are
 * children of this span.
 *
 * This wraps the handler and does not use the channel `middy-bounded-sqs-batch:record`. The channel would need
 * OpenTelemetry's AsyncLocalStorage, which is private (https://github.com/open-telemetry/opentelemetry-js/issues/6088).
 */
function inSpan(handle: RecordHandler): RecordHandler {
  return (record, context, options) => {
    const queue = record.eventSourceARN.slice(record.eventSourceARN.lastIndexOf(':') + 1)
    const attributes = {
      'messaging.system': 'aws_sqs',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': record.messageId,
    }
    const spanOptions = { kind: SpanKind.CONSUMER, links: linksTo(record), attributes }
    return tracer.startActiveSpan(`process ${queue}`, spanOptions, async (span) => {
      function fail(error: unknown) {
        span.recordException(error as Error)
        span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      }
      const { signal } = options
      const tooLate = () => fail(signal.reason) // a handler that hangs would never end its span
      signal.addEventListener('abort', tooLate)
      try {
        await handle(record, context, options)
        if (!signal.aborted) span.end()
      } catch (error) {
        if (!signal.aborted) fail(error)
        throw error
      } finally {
        signal.removeEventListener('abort', tooLate)
      }
    })
  }
}

export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 100, recordTimeout: 5000 }))
  .handler(
    eachRecord(
      inSpan(async (record, _context, { signal }) => {
        const response = await fetch(url, { method: 'POST', body: record.body, signal })
        await response.arrayBuffer() // an unread body keeps its socket open
        if (!response.ok) throw new Error(`downstream returned ${response.status}`)
      }),
    ),
  )
