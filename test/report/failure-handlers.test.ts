import middy from '@middy/core'
import type { Context, SQSEvent } from 'aws-lambda'
import t from 'tap'
import {
  boundedSqsBatch,
  eachChunk,
  eachRecord,
  type FailureHandler,
  type FailureRequest,
  InvalidBodyError,
  RecordAbortedError,
  type RecordFailure,
  RecordTimeoutError,
} from '../../src/index.ts'
import { busyClock, mockClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failing, failureHandlerLines, idOf, keep, noteFailures } from '../support/failures.ts'
import { batchHandlerOf, failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { logged, warned } from '../support/output.ts'

t.test(
  'a failure handler gets the records that ran and failed, in record order, with error and receive count',
  async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const given: RecordFailure[] = []
    const handler = middy()
      .use(
        boundedSqsBatch({
          logger: false,
          concurrency: 2,
          recordTimeout: 5_000,
          onFailure(failures) {
            given.push(...failures)
            return failures
          },
        }),
      )
      .handler(eachRecord(held.handle as never, { body: 'json' }))
    const event: SQSEvent = {
      Records: ['good', 'late', 'bad', 'thrown', 'slow', 'aborted', 'waits'].map((id, index) =>
        sqsRecord(id, {
          body: id === 'bad' ? '{' : '{}',
          attributes: { ...sqsRecord(id).attributes, ApproximateReceiveCount: String(index + 1) },
        }),
      ),
    }
    const result = handler(event, timedContext(10_000))
    await settled()
    held.succeed('good')
    await settled()
    t.strictSame(held.running(), ['late', 'thrown'])
    held.fail('thrown')
    await settled()
    clock.advance(4_000)
    held.fail('late')
    await settled()
    t.strictSame(held.running(), ['slow', 'aborted'])
    clock.advance(1_000)
    clock.advance(3_000)
    t.strictSame(failed(await result), ['late', 'bad', 'thrown', 'slow', 'aborted', 'waits'])
    t.strictSame(given.map(idOf), ['late', 'bad', 'thrown', 'slow', 'aborted'])
    t.strictSame(
      given.map(({ receiveCount }) => receiveCount),
      [2, 3, 4, 5, 6],
    )
    t.ok(
      given.every(({ record }) => event.Records.includes(record)),
      'the failures have the records of the event, with their bodies as text',
    )
    t.match(
      given.map(({ error }) => error),
      [
        { message: 'late failed' },
        InvalidBodyError,
        { message: 'thrown failed' },
        RecordTimeoutError,
        RecordAbortedError,
      ],
    )
  },
)

t.test('a failure handler gets no blocked records, which stay reported after the failure is handled', async (t) => {
  const event = fifoEvent('a1', 'b1', 'a2', 'c1', 'b2')
  function fails({ messageId }: { messageId: string }) {
    if (messageId === 'a1' || messageId === 'c1') throw new Error(messageId)
  }
  for (const [fifoFailure, expected] of [
    ['group', ['a2']],
    ['batch', ['b1', 'a2', 'c1', 'b2']],
  ] as const) {
    const { calls, onFailure } = noteFailures(() => [])
    const handle = handlerOf(fails, { fifoFailure, onFailure, concurrency: 1 })
    t.strictSame(failed(await handle(event)), expected, fifoFailure)
    t.strictSame(calls, [fifoFailure === 'group' ? ['a1', 'c1'] : ['a1']], fifoFailure)
  }
})

t.test('on a FIFO queue a failure handler gets only the first failed record of each group', async (t) => {
  const event = fifoEvent('a1', 'b1', 'a2', 'c1', 'a3', 'c2')
  const reject = (id: string) => ({ itemIdentifier: id })
  const inner: [what: string, handler: (event: SQSEvent, context: Context) => Promise<unknown>][] = [
    [
      'chunks',
      eachChunk(3, (records) => ({
        batchItemFailures: records.flatMap(({ messageId }) => (messageId === 'b1' ? [] : reject(messageId))),
      })),
    ],
    ['a list', async () => ({ batchItemFailures: ['a1', 'a2', 'c1', 'a3', 'c2'].map(reject) })],
    [
      'settled results',
      async ({ Records }) =>
        Promise.allSettled(Records.map(({ messageId }) => (messageId === 'b1' ? 0 : Promise.reject(messageId)))),
    ],
  ]
  for (const [what, handle] of inner) {
    const { calls, onFailure } = noteFailures(() => [])
    const handler = batchHandlerOf(handle as never, { onFailure })
    t.strictSame(failed(await handler(event, testContext())), ['a2', 'a3', 'c2'], what)
    t.strictSame(calls, [['a1', 'c1']], what)
  }
})

t.test('a failure handler gets all failed records of a standard queue, even beside a FIFO queue', async (t) => {
  const { calls, onFailure } = noteFailures(() => [])
  const Records = [...fifoEvent('x1', 'x2').Records, ...standardEvent('x3', 'x4').Records]
  t.strictSame(failed(await handlerOf(failing, { onFailure })({ Records })), ['x2'])
  t.strictSame(calls, [['x1', 'x3', 'x4']])
})

t.test('a failure handler gets the failed records of chunks, each with its own error', async (t) => {
  const given: RecordFailure[] = []
  const handler = middy()
    .use(
      boundedSqsBatch({
        logger: false,
        onFailure(failures) {
          given.push(...failures)
          return failures.slice(1)
        },
      }),
    )
    .handler(
      eachChunk(2, (records) => {
        if (records[0]?.messageId === 'x1') throw new Error('the chunk failed')
        return records.map(({ messageId }) =>
          messageId === 'x3' ? { status: 'rejected', reason: 'r' } : { status: 'fulfilled', value: 1 },
        )
      }),
    )
  const response = await handler(standardEvent('a', 'b', 'x1', 'x2', 'c', 'x3'), testContext())
  t.strictSame(given.map(idOf), ['x1', 'x2', 'x3'])
  t.match(given, [
    { error: { message: 'the chunk failed' } },
    { error: { message: 'the chunk failed' } },
    { error: 'r' },
  ])
  t.strictSame(failed(response), ['x2', 'x3'])
})

t.test('a failure handler gets no record that the rate limit admitted but that did not start', async (t) => {
  busyClock(t) // time stands still, so no record waits because the machine is slow
  for (let waits = 0; waits < 10; waits++) {
    const started: string[] = []
    const { calls, onFailure } = noteFailures()
    const handler = batchHandlerOf(
      async (event: SQSEvent, context) => {
        void eachRecord(({ messageId }) => {
          started.push(messageId)
          return new Promise(() => {})
        })(event, context)
        for (let wait = 0; wait < waits; wait++) await null
        return { batchItemFailures: [] }
      },
      { onFailure, rateLimit: { limit: 100, interval: 1000 } },
    )
    t.strictSame(failed(await handler(standardEvent(...ids(20)), testContext())), ids(20))
    t.ok(started.length > 0 && started.length < 20, `${started.length} started`)
    t.strictSame(calls, [started])
  }
})

t.test('a failure handler is not called if no record failed, if none started, or for an empty batch', async (t) => {
  const { calls, onFailure } = noteFailures()
  const handle = handlerOf(failing, { onFailure, timeBudget: { drain: 900, abort: 100 } })
  t.strictSame(failed(await handle(standardEvent('a', 'b'))), [])
  t.strictSame(failed(await handle({ Records: [] })), [])
  const warnings = await warned(async () => {
    t.strictSame(failed(await handle(standardEvent('x', 'b'), timedContext(500))), ['x', 'b'])
  })
  t.match(warnings, [{ code: 'BOUNDED_SQS_BATCH_TIME_BUDGET' }])
  t.strictSame(calls, [])
})

t.test(
  'failure handlers run in order, each with the failures that the one before returned, until none is left',
  async (t) => {
    const order: string[] = []
    function named(name: string, next: FailureHandler): FailureHandler {
      return async (failures, request) => {
        order.push(`${name}: ${failures.map(idOf)}`)
        await settled()
        order.push(`${name} is done`)
        return next(failures, request)
      }
    }
    const event = standardEvent('x1', 'a', 'x2', 'x3', 'x4')
    const first = named('first', keep('x2', 'x3', 'x4'))
    const broken = named('broken', () => Promise.reject(new Error('no')))
    const second = named('second', keep('x4', 'x2'))
    const onFailure = [first, broken, second]
    const handle = handlerOf(failing, { onFailure })
    onFailure.length = 0 // must not change the list of the middleware
    t.strictSame(failed(await handle(event)), ['x2', 'x4'], 'in record order')
    t.strictSame(order.splice(0), [
      'first: x1,x2,x3,x4',
      'first is done',
      'broken: x2,x3,x4',
      'broken is done',
      'second: x2,x3,x4',
      'second is done',
    ])
    const third = named('third', keep())
    t.strictSame(failed(await handlerOf(failing, { onFailure: [third, first] })(event)), [])
    t.strictSame(order, ['third: x1,x2,x3,x4', 'third is done'])
  },
)

t.test('the request of a failure handler has the event, the context, a signal and a log function', async (t) => {
  for (const [logger, expected] of [
    [undefined, 1],
    [() => {}, 1],
    [false, 0],
  ] as const) {
    let request: FailureRequest | undefined
    const { onFailure } = noteFailures((failures, given) => {
      request = given
      given.log(new Error('queue q is unknown'))
      return failures
    })
    const event = standardEvent('x', 'a')
    const context = testContext()
    const lines = await logged(() => handlerOf(failing, { onFailure, logger })(event, context))
    t.strictSame(request?.event, event)
    t.equal(request?.context, context)
    t.equal(request?.signal.aborted, false)
    t.strictSame(failureHandlerLines(lines), expected === 1 ? ['Error: queue q is unknown'] : [])
  }
})
