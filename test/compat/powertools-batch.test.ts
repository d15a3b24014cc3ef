/**
 * Each row of the table of differences in docs/from-powertools-batch.md is shown for both packages.
 * `examples/readme-figures` checks the figures of the benchmark.
 */
import { readFileSync } from 'node:fs'
import {
  BatchProcessor,
  EventType,
  FullBatchFailureError as FullBatchFailureErrorThere,
  processPartialResponse,
  processPartialResponseSync,
  SqsFifoPartialProcessor,
  SqsFifoPartialProcessorAsync,
  UnexpectedBatchTypeError,
} from '@aws-lambda-powertools/batch'
import { parser } from '@aws-lambda-powertools/batch/parser'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t, { type Test } from 'tap'
import * as v from 'valibot'
import * as z from 'zod'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord, FullBatchFailureError } from '../../src/index.ts'
import { isolateCrashes } from '../../src/sqs/index.ts'
import { busyClock, mockClock, settled } from '../support/clock.ts'
import { lambdaContext } from '../support/compat.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, handlerOf, listOf } from '../support/handlers.ts'
import { logged } from '../support/output.ts'
import { startSqs } from '../support/sqs.ts'

type Handle = (record: SQSRecord) => unknown

/** The rows of the table, by their text about Powertools. The tests that are no rows are about the other tables of the page. */
const rows: string[] = []

function difference(row: string, test: (t: Test) => Promise<void>): void {
  rows.push(row)
  t.test(row, test)
}

/** Powertools reports all failed records, as this package does by default, unless the options say something else. */
async function there(handle: Handle, event: unknown, options = {}, processor = new BatchProcessor(EventType.SQS)) {
  const context = lambdaContext()
  return processPartialResponse(event as SQSEvent, handle, processor, {
    context,
    throwOnFullBatchFailure: false,
    ...options,
  }) as Promise<SQSBatchResponse>
}

async function here(handle: Handle, event: unknown, options: BoundedSqsBatchOptions = {}) {
  return handlerOf(handle, options)(event as SQSEvent, lambdaContext())
}

/** A handler that counts how many records are in flight and notes the ids in the order in which they start. */
function counting() {
  const seen = { started: [] as string[], inFlight: 0, peak: 0 }
  async function handle({ messageId }: SQSRecord) {
    seen.started.push(messageId)
    seen.peak = Math.max(seen.peak, ++seen.inFlight)
    await settled()
    seen.inFlight--
    if (messageId.includes('x')) throw new Error(`${messageId} failed`)
  }
  return { seen, handle }
}

function fail({ messageId }: SQSRecord): void {
  throw new Error(`${messageId} failed`)
}

difference('All records start at once.', async (t) => {
  busyClock(t) // on a busy machine, 10 ms could pass before the last of 100 records starts
  const [old, ours] = [counting(), counting()]
  await there(old.handle, standardEvent(...ids(150)))
  await here(ours.handle, standardEvent(...ids(150)))
  t.equal(old.seen.peak, 150)
  t.equal(ours.seen.peak, 100)
})

t.test('`isolateCrashes()` works with the batch processor of Powertools in Middy.', async (t) => {
  const sqs = await startSqs(t)
  const { arn } = sqs.queue('orders')
  const event = standardEvent('a', 'x', 'b')
  for (const record of event.Records) record.eventSourceARN = arn
  for (const { attributes } of event.Records.slice(1)) attributes.ApproximateReceiveCount = '2'
  const delayed = () => sqs.calls.flatMap(({ input }) => input.Entries).map(({ ReceiptHandle }) => ReceiptHandle)
  const atStart: string[][] = []
  function handle(record: SQSRecord) {
    atStart.push(delayed())
    if (record.messageId === 'x') fail(record)
  }
  const handler = middy()
    .use(isolateCrashes({ client: sqs.client() }))
    .handler((event: SQSEvent) => there(handle, event))
  const lines = await logged(async () => t.strictSame(failed(await handler(event, lambdaContext())), ['x']))
  t.match(lines, [/SQS did not confirm the delay of 2 of 2 records/], 'these records are not in the queue')
  t.equal(lines.length, 1)
  t.strictSame(atStart, Array(3).fill(['receipt-of-x', 'receipt-of-b']))
})

t.test('With `processInParallel: false`, one record runs after another.', async (t) => {
  const [old, ours] = [counting(), counting()]
  t.strictSame(failed(await there(old.handle, standardEvent('a', 'x', 'b'), { processInParallel: false })), ['x'])
  t.strictSame(failed(await here(ours.handle, standardEvent('a', 'x', 'b'), { concurrency: 1 })), ['x'])
  t.strictSame(old.seen, { started: ['a', 'x', 'b'], inFlight: 0, peak: 1 })
  t.strictSame(ours.seen, old.seen)
})

difference('`BatchProcessor` does not keep the order of message groups.', async (t) => {
  const [old, ours] = [counting(), counting()]
  t.strictSame(failed(await there(old.handle, fifoEvent('ax', 'a2'))), ['ax'])
  t.strictSame(failed(await here(ours.handle, fifoEvent('ax', 'a2'))), ['ax', 'a2'])
  t.strictSame(old.seen.started, ['ax', 'a2'])
  t.strictSame(ours.seen.started, ['ax'])
})

difference('The FIFO processors run one record after another.', async (t) => {
  const [old, ours] = [counting(), counting()]
  await there(old.handle, fifoEvent('a1', 'b1', 'c1'), {}, new SqsFifoPartialProcessorAsync())
  await here(ours.handle, fifoEvent('a1', 'b1', 'c1'))
  t.equal(old.seen.peak, 1)
  t.equal(ours.seen.peak, 3)
})

t.test('By default, a failed record of a FIFO queue blocks all later records.', async (t) => {
  const event = fifoEvent('a1', 'bx', 'c1', 'b2')
  const { handle } = counting()
  t.strictSame(failed(await there(handle, event, {}, new SqsFifoPartialProcessorAsync())), ['bx', 'c1', 'b2'])
  const sync: Handle = (record) => record.messageId === 'bx' && fail(record)
  const processor = new SqsFifoPartialProcessor()
  t.strictSame(failed(processPartialResponseSync(event, sync, processor)), ['bx', 'c1', 'b2'])
  t.strictSame(failed(await here(handle, event)), ['bx', 'b2'])
  t.strictSame(failed(await here(handle, event, { fifoFailure: 'batch', concurrency: 1 })), ['bx', 'c1', 'b2'])
})

t.test('With `skipGroupOnError: true`, a failed record blocks the later records of its message group.', async (t) => {
  const event = fifoEvent('a1', 'bx', 'c1', 'b2')
  const { handle } = counting()
  const options = { skipGroupOnError: true }
  t.strictSame(failed(await there(handle, event, options, new SqsFifoPartialProcessorAsync())), ['bx', 'b2'])
  t.strictSame(failed(await here(handle, event)), ['bx', 'b2'])
})

t.test('If every record failed, `FullBatchFailureError` is thrown.', async (t) => {
  const event = standardEvent('x1', 'x2')
  const errors = [{ message: 'x1 failed' }, { message: 'x2 failed' }]
  const old = await there(fail, event, { throwOnFullBatchFailure: undefined }).catch((error: unknown) => error)
  t.ok(old instanceof FullBatchFailureErrorThere)
  t.match(old, { recordErrors: errors })
  t.strictSame(await here(fail, event), listOf('x1', 'x2'))
  const ours = await here(fail, event, { throwOnFullBatchFailure: true }).catch((error: unknown) => error)
  t.ok(ours instanceof FullBatchFailureError && ours instanceof AggregateError)
  t.match(ours, { errors })
})

difference('A handler that throws `null` or `undefined` fails the invocation.', async (t) => {
  for (const thrown of [null, undefined]) {
    function handle({ messageId }: SQSRecord) {
      if (messageId === 'x') throw thrown
    }
    await t.rejects(there(handle, standardEvent('a', 'x')), TypeError)
    t.strictSame(failed(await here(handle, standardEvent('a', 'x'))), ['x'])
  }
})

difference('A record without a `messageId` is reported without an identifier.', async (t) => {
  const { messageId: _, ...record } = sqsRecord('x')
  const event = { Records: [sqsRecord('a'), record] }
  const started: string[] = []
  function handle({ messageId }: SQSRecord) {
    started.push(messageId)
    if (messageId !== 'a') throw new Error('failed')
  }
  const response = await there(handle, event)
  t.equal(JSON.stringify(response), '{"batchItemFailures":[{}]}')
  started.length = 0
  await t.rejects(here(handle, event), { name: 'InvalidSqsEventError' })
  t.strictSame(started, [])
})

difference('Records from another event source are processed.', async (t) => {
  const event = { Records: [sqsRecord('a', { eventSource: 'aws:kinesis' })] }
  t.strictSame(await there(() => {}, event), listOf())
  await t.rejects(
    here(() => {}, event),
    { name: 'InvalidSqsEventError' },
  )
})

t.test('An event without `Records` throws `UnexpectedBatchTypeError`.', async (t) => {
  await t.rejects(
    there(() => {}, {}),
    UnexpectedBatchTypeError,
  )
  await t.rejects(
    here(() => {}, {}),
    { name: 'InvalidSqsEventError', message: /Records: undefined/ },
  )
})

difference("A handler that hangs keeps the whole batch until the function's timeout.", async (t) => {
  const clock = mockClock(t)
  const handle = ({ messageId }: SQSRecord) => (messageId === 'x' ? new Promise(() => {}) : undefined)
  const responses: [string, string[]][] = []
  void there(handle, standardEvent('a', 'x')).then((response) => responses.push(['there', failed(response)]))
  void here(handle, standardEvent('a', 'x')).then((response) => responses.push(['here', failed(response)]))
  await settled()
  clock.advance(29_750) // `abort`
  await settled()
  clock.advance(250) // the timeout of lambdaContext()
  await settled()
  t.strictSame(responses, [['here', ['x']]])
})

difference('Failed records are not logged.', async (t) => {
  t.strictSame(await logged(() => there(fail, standardEvent('x1', 'x2'))), [])
  const handler = middy().use(boundedSqsBatch()).handler(eachRecord(fail))
  const lines = await logged(() => handler(standardEvent('x1', 'x2'), lambdaContext()))
  t.match(lines, [/^middy-bounded-sqs-batch: 2 of 2 records of orders failed/])
  t.equal(lines.length, 1)
  t.notMatch(lines[0], 'body of')
})

const event = { Records: [sqsRecord('a', { body: '{"id":"secret"}' })] }

t.test('`innerSchema` accepts only Zod.', async (t) => {
  const Schema = v.object({ id: v.string() })
  const processor = new BatchProcessor(EventType.SQS, { parser, innerSchema: Schema, transformer: 'json' })
  await logged(async () => t.strictSame(failed(await there(() => {}, event, {}, processor)), ['a']))
  const ids: string[] = []
  const handler = middy()
    .use(boundedSqsBatch())
    .handler(eachRecord(({ body }) => void ids.push(body.id), { body: Schema }))
  t.strictSame(await handler(event, lambdaContext()), listOf())
  t.strictSame(ids, ['secret'])
})

difference('The message of a `ParsingError` contains the messages of the schema.', async (t) => {
  const Schema = z.object({ id: z.string().refine(() => false, { error: ({ input }) => `${input} is not an id` }) })
  const errors: unknown[] = []
  class Processor extends BatchProcessor {
    override failureHandler(record: SQSRecord, error: Error) {
      errors.push(error)
      return super.failureHandler(record, error)
    }
  }
  const processor = new Processor(EventType.SQS, { parser, innerSchema: Schema, transformer: 'json' })
  t.strictSame(failed(await there(() => {}, event, {}, processor)), ['a'])
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error) => errors.push(error) }))
    .handler(eachRecord(() => {}, { body: Schema }))
  t.strictSame(failed((await handler(event, lambdaContext())) as SQSBatchResponse), ['a'])
  t.match(errors, [
    { name: 'ParsingError', message: /secret is not an id/ },
    { name: 'InvalidBodyError', message: /1 issue at id/ },
  ])
  t.notMatch((errors[1] as Error).message, 'secret')
})

t.test('docs/from-powertools-batch.md lists these differences', async (t) => {
  const page = readFileSync(new URL('../../docs/from-powertools-batch.md', import.meta.url), 'utf8')
  const [, table = ''] = page.split('| @aws-lambda-powertools/batch | here |\n| --- | --- |\n')
  const [lines = ''] = table.split('\n\n')
  t.strictSame(
    Array.from(lines.matchAll(/^\| (.*?) \| /gm), ([, there]) => there),
    rows,
  )
})
