import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import {
  boundedSqsBatch,
  eachChunk,
  eachRecord,
  FullBatchFailureError,
  RecordAbortedError,
  RecordTimeoutError,
} from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { batchHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { listenToTraces } from '../support/tracing.ts'

type TracedHandler = ReturnType<typeof batchHandlerOf> | middy.MiddyfiedHandler<SQSEvent, SQSBatchResponse>

const BEGINS = ['batch start', 'batch end']
const RESPONDS = ['batch asyncStart summary result', 'batch asyncEnd summary result']

t.test(
  'a batch and its records publish their events in order, whether handlers return, resolve, throw or reject',
  async (t) => {
    const heard = listenToTraces(t)
    const event = standardEvent('returns', 'resolves', 'throws', 'rejects')
    const context = testContext()
    const thrown = new Error('throws')
    const handle = handlerOf(
      ({ messageId }) => {
        if (messageId === 'throws') throw thrown
        if (messageId === 'resolves') return settled()
        if (messageId === 'rejects') return settled().then(() => Promise.reject())
      },
      { concurrency: 1 },
    )
    const response = await handle(event, context)
    t.strictSame(heard.heard(), [
      ...BEGINS,
      ...['returns start', 'returns end', 'returns asyncStart', 'returns asyncEnd'],
      ...['resolves start', 'resolves end', 'resolves asyncStart', 'resolves asyncEnd'],
      ...['throws start', 'throws end', 'throws failed error', 'throws failed asyncStart', 'throws failed asyncEnd'],
      ...[
        'rejects start',
        'rejects end',
        'rejects failed error',
        'rejects failed asyncStart',
        'rejects failed asyncEnd',
      ],
      ...RESPONDS,
    ])
    t.equal(heard.batches.size, 1, 'one object for all events of a batch')
    const [batch] = heard.batches
    t.strictSame(batch?.event, event)
    t.equal(batch?.context, context)
    t.strictSame(batch?.result, response)
    t.match(batch?.summary, { records: 4, succeeded: 2, failed: 2, reported: 2 })
    const records = [...heard.records]
    t.equal(records.length, 4, 'one object for all events of a record')
    t.ok(records.every((record, index) => record.batch === batch && record.records[0] === event.Records[index]))
    t.equal(records[2]?.error, thrown)
    t.equal(records[3]?.error, undefined)
  },
)

t.test('a record publishes its end at its timeout, and not again when its handler settles', async (t) => {
  const clock = mockClock(t)
  const heard = listenToTraces(t)
  const held = heldRecords()
  const result = handlerOf(held.handle, { recordTimeout: 100 })(standardEvent('hangs', 'a'))
  await settled()
  clock.advance(100)
  await settled()
  t.strictSame(heard.of('hangs'), [
    ...['hangs start', 'hangs end', 'hangs failed error', 'hangs failed asyncStart', 'hangs failed asyncEnd'],
  ])
  held.succeed('hangs')
  await settled()
  t.strictSame(failed(await result), ['hangs', 'a'])
  await settled()
  t.equal(heard.of('hangs').length, 5)
  t.match([...heard.records][0]?.error, RecordTimeoutError)
})

t.test(
  'records in flight at the end publish their end before the batch does; records that never start publish nothing',
  async (t) => {
    const clock = mockClock(t)
    const heard = listenToTraces(t)
    const held = heldRecords()
    const result = handlerOf(held.handle, { concurrency: 2 })(
      fifoEvent('a1', 'b1', 'a2', 'b2', 'c1', 'd1'),
      timedContext(1000),
    )
    await settled()
    held.fail('a1')
    await settled()
    t.strictSame(held.running(), ['b1', 'c1'])
    clock.advance(950)
    t.strictSame(failed(await result), ['a1', 'b1', 'a2', 'b2', 'c1', 'd1'])
    held.fail('b1')
    await settled()
    t.strictSame(heard.heard(), [
      ...BEGINS,
      ...['a1 start', 'a1 end', 'b1 start', 'b1 end'],
      ...['a1 failed error', 'a1 failed asyncStart', 'a1 failed asyncEnd', 'c1 start', 'c1 end'],
      ...['c1 failed error', 'c1 failed asyncStart', 'c1 failed asyncEnd'],
      ...['b1 failed error', 'b1 failed asyncStart', 'b1 failed asyncEnd'],
      ...RESPONDS,
    ])
    const errors = [...heard.records].map(({ error }) => error)
    t.match(errors, [{ message: 'a1 failed' }, RecordAbortedError, RecordAbortedError])
  },
)

t.test('a chunk publishes one trace with its records', async (t) => {
  const heard = listenToTraces(t)
  const event = standardEvent('a', 'b', 'c', 'd', 'e')
  const handler = batchHandlerOf(
    eachChunk(2, async ([first, second]) => {
      if (first?.messageId === 'c') throw new Error('c')
      return { batchItemFailures: second ? [{ itemIdentifier: second.messageId }] : [] }
    }),
    { concurrency: 1 },
  )
  const response = await handler(event, testContext())
  t.strictSame(failed(response), ['b', 'c', 'd'])
  t.strictSame(heard.heard(), [
    ...BEGINS,
    ...['a+b start', 'a+b end', 'a+b failed error', 'a+b failed asyncStart', 'a+b failed asyncEnd'],
    ...['c+d start', 'c+d end', 'c+d failed error', 'c+d failed asyncStart', 'c+d failed asyncEnd'],
    ...['e start', 'e end', 'e asyncStart', 'e asyncEnd'],
    ...RESPONDS,
  ])
  t.ok([...heard.records].flatMap(({ records }) => records).every((record, index) => record === event.Records[index]))
  const failures = [...heard.records].map(({ failures = [] }) =>
    failures.map(({ record, error }) => `${record.messageId}: ${(error as Error).message}`),
  )
  t.strictSame(failures, [['b: The handler reported the record as failed'], ['c: c', 'd: c'], []])
})

t.test('a batch that fails its invocation publishes the error', async (t) => {
  const failing = eachRecord(() => Promise.reject(new Error('x')))
  const FAILS = ['batch error error', 'batch asyncStart error', 'batch asyncEnd error']
  const cases: [what: string, handler: TracedHandler, events: string[]][] = [
    [
      'FullBatchFailureError',
      batchHandlerOf(failing, { throwOnFullBatchFailure: true }),
      FAILS.map((event) => event.replace(/ error$/, ' summary error')),
    ],
    [
      'an error of a later middleware',
      middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false, throwOnFullBatchFailure: true }))
        .after(() => {
          throw new Error('inner')
        })
        .handler(failing),
      FAILS,
    ],
    [
      'an error before the records',
      middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .before(() => {
          throw new Error('no secrets')
        })
        .handler(failing),
      FAILS,
    ],
  ]
  for (const [what, handler, expected] of cases) {
    const heard = listenToTraces(t)
    const error = await handler(standardEvent('x'), testContext()).catch((error) => error)
    t.ok(error instanceof Error, what)
    await settled()
    t.strictSame(heard.of('batch'), [...BEGINS, ...expected], what)
    t.equal([...heard.batches][0]?.error, error, what)
    t.equal(error instanceof FullBatchFailureError, what.startsWith('Full'), what)
    heard.stop()
  }
})

t.test(
  "the error is published also if a later onError hook responds, so that the middleware's own hook does not run",
  async (t) => {
    const heard = listenToTraces(t)
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .onError(() => ({ batchItemFailures: [] }))
      .handler(async () => undefined as never)
    await t.rejects(handler(standardEvent('a'), testContext()))
    await settled()
    t.strictSame(heard.of('batch'), [...BEGINS, 'batch error error', 'batch asyncStart error', 'batch asyncEnd error'])
    t.match([...heard.batches][0]?.error, {
      name: 'TypeError',
      message: /^The handler returned undefined;/,
    })
  },
)
