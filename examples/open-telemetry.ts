// Spans need an SDK that is set up before this file is loaded, and flushed before the response goes out: the layer of the
// AWS Distro for OpenTelemetry does both, and makes the span of the invocation.

import middy from '@middy/core'
import { defaultTextMapGetter, type Link, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AWSXRAY_TRACE_ID_HEADER, AWSXRayPropagator } from '@opentelemetry/propagator-aws-xray'
import type { SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord, type RecordHandler } from 'middy-bounded-sqs-batch'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is where each record is posted to')

const tracer = trace.getTracer('orders')
const propagator = new AWSXRayPropagator()

/** The span that sent the message, if its sender was traced. A link, not the parent: one batch has many senders. */
function linksTo({ attributes: { AWSTraceHeader } }: SQSRecord): Link[] {
  const carrier = { [AWSXRAY_TRACE_ID_HEADER]: AWSTraceHeader }
  const context = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter))
  return context ? [{ context }] : []
}

/**
 * Runs a record handler in a span, by OpenTelemetry's conventions for SQS: what is traced in the handler is in its span.
 *
 * Around the handler, and not by the channel `middy-bounded-sqs-batch:record`, because OpenTelemetry keeps to itself the
 * store that would have to be bound to it (https://github.com/open-telemetry/opentelemetry-js/issues/6088).
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
      const fail = (error: unknown) => {
        span.recordException(error as Error)
        span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      }
      const { signal } = options
      const tooLate = () => fail(signal.reason) // a handler that hangs never comes back to end its span
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
        await response.arrayBuffer() // an unread body keeps its descriptor
        if (!response.ok) throw new Error(`downstream said ${response.status}`)
      }),
    ),
  )
