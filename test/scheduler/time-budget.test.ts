import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import {
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  eachRecord,
  type FailureHandler,
  RecordAbortedError,
  RecordNotStartedError,
} from '../../src/index.ts'
import { busyClock, iterationCounter, mockClock, settled } from '../support/clock.ts'
import { withEnvironment } from '../support/environment.ts'
import { ids, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, handlerOf, listOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { warned } from '../support/output.ts'

t.test(
  'by default nothing starts in the last second, and the response is sent 250 ms before the timeout',
  async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const errors = new Map<string, unknown>()
    const logger = (error: unknown, { messageId }: { messageId: string }) => errors.set(messageId, error)
    const handle = handlerOf(held.handle, { concurrency: 2, logger })
    const start = performance.now()
    const result = handle(standardEvent('a', 'b', 'c', 'd', 'e'), timedContext(10_000))
    await settled()
    clock.advance(8_999)
    held.succeed('a')
    await settled()
    t.strictSame(held.running(), ['b', 'c'])
    clock.advance(1)
    held.succeed('b')
    await settled()
    t.strictSame(held.running(), ['c'], 'no further record starts')
    clock.advance(749)
    await settled()
    t.equal(held.signalOf('c')?.aborted, false)
    clock.advance(1)
    t.equal(held.signalOf('c')?.aborted, true)
    t.ok(held.signalOf('c')?.reason instanceof RecordAbortedError)
    t.strictSame(failed(await result), ['c', 'd', 'e'])
    t.equal(performance.now() - start, 9_750)
    t.match(errors.get('c'), { name: 'RecordAbortedError', code: 'ERR_RECORD_ABORTED' })
    t.ok(errors.get('d') instanceof RecordNotStartedError)
    t.match(errors.get('e'), { name: 'RecordNotStartedError', code: 'ERR_RECORD_NOT_STARTED' })
  },
)

t.test('the time budget is that of the context that the inner handler passes on', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const records = eachRecord(held.handle)
  const handler = batchHandlerOf((event) => records(event, timedContext(1000)), {
    timeBudget: { drain: 100, abort: 100 },
  })
  const result = handler(standardEvent('a', 'b'), timedContext(3000))
  await settled()
  held.succeed('b')
  await settled()
  clock.advance(900)
  t.strictSame(failed(await result), ['a'])
})

t.test('without a budget or a usable remaining time, records run until they are done', async (t) => {
  const contexts: [what: string, context: unknown][] = [
    ['no getRemainingTimeInMillis', {}],
    ['one that throws', { getRemainingTimeInMillis: () => JSON.parse('nonsense') }],
  ]
  for (const [what, context] of contexts) {
    await t.test(what, async (t) => {
      const clock = mockClock(t)
      const held = heldRecords()
      // Only the inner handler runs, because Middy itself also reads the remaining time.
      const { before } = boundedSqsBatch({ logger: false })
      const request = { event: standardEvent('a', 'b'), context } as never as Parameters<typeof before>[0]
      before(request)
      const result = eachRecord(held.handle)(request.event, request.context)
      await settled()
      clock.advance(1e9)
      await settled()
      held.fail('a')
      held.succeed('b')
      t.strictSame(failed(await result), ['a'])
    })
  }
  await t.test('timeBudget: false', async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(boundedSqsBatch({ logger: false, timeBudget: false }))
      .handler(eachRecord(held.handle))
    const result = handler(standardEvent('a', 'b'), timedContext(1000))
    await settled()
    clock.advance(5000)
    await settled()
    held.fail('a')
    held.succeed('b')
    t.strictSame(failed(await result), ['a'])
  })
})

for (const [what, isAsync] of [
  ['return at once', false],
  ['wait only for microtasks', true],
] as const) {
  t.test(`handlers that block the thread and ${what} do not start after the drain`, async (t) => {
    const keepBusy = busyClock(t)
    const started: string[] = []
    const handle = handlerOf(
      ({ messageId }) => {
        started.push(messageId)
        keepBusy(4)
        return isAsync ? Promise.resolve() : undefined
      },
      { concurrency: 1 },
    )
    const response = await handle(standardEvent(...ids(1000)), timedContext(1000))
    t.strictSame(started, ids(200), 'records start until 200 of 1,000 ms are left')
    t.strictSame(failed(response), ids(1000).slice(200))
  })

  t.test(`handlers that block the thread and ${what} do not start after the abort`, async (t) => {
    const keepBusy = busyClock(t)
    let started = 0
    const handle = handlerOf(
      () => {
        started++
        keepBusy(4)
        return isAsync ? Promise.resolve() : undefined
      },
      { concurrency: 1, timeBudget: { drain: 0, abort: 300 } },
    )
    const response = await handle(standardEvent(...ids(1000)), timedContext(1000))
    t.equal(started, 175, 'a drain shorter than abort is as long as abort')
    t.strictSame(failed(response), ids(1000).slice(175))
  })

  t.test(`workers yield to the event loop every 10 ms if handlers block the thread and ${what}`, async (t) => {
    const keepBusy = busyClock(t)
    const records = iterationCounter(t)
    const handle = handlerOf(
      () => {
        records.count()
        keepBusy(4)
        return isAsync ? Promise.resolve() : undefined
      },
      { concurrency: 3 },
    )
    t.strictSame(failed(await handle(standardEvent(...ids(100)))), [])
    t.ok(records.max >= 2 && records.max <= 4, `${records.max} records of 4 ms in one iteration`)
  })
}

t.test("Middy's early timeout fails the invocation, aborts the signals and frees the slots", async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handler = batchHandlerOf(eachRecord(held.handle), { timeBudget: false, concurrency: 2 })
  const result = handler(standardEvent('a', 'b', 'c', 'd'), timedContext(1000))
  await settled()
  held.succeed('b')
  await settled()
  t.strictSame(held.running(), ['a', 'c'])
  clock.advance(994)
  await settled()
  t.equal(held.signalOf('a')?.aborted, false)
  clock.advance(1)
  await t.rejects(result, { name: 'TimeoutError' })
  for (const id of ['a', 'c']) t.ok(held.signalOf(id)?.reason instanceof RecordAbortedError, id)
  const next = handler(standardEvent('e', 'f'), timedContext(1000))
  await settled()
  t.strictSame(held.started, ['a', 'b', 'c', 'e', 'f'], 'the next records have the slots, and d never starts')
  held.succeed('e')
  held.succeed('f')
  t.strictSame(failed(await next), [])
})

const EARLY_TIMEOUT_ERROR = {
  name: 'TypeError',
  message:
    'timeoutEarlyResponse may have responded, which would delete unfinished messages: let it throw. An inner handler ' +
    'that does not pass its third argument to eachRecord() must respond 20 ms before the timeout',
}

for (const [what, timeoutEarlyResponse] of [
  ['undefined', () => undefined],
  ['an empty list', () => ({ batchItemFailures: [] })],
  ['settled results', () => Promise.allSettled([1, 2, 3])],
] as const) {
  t.test(`an early timeout that returns ${what} is a TypeError`, async (t) => {
    for (const passesSignal of [true, false]) {
      for (const phase of ['records are in flight', 'the inner handler goes on after the last record']) {
        const about = `while ${phase}; the signal is ${passesSignal ? '' : 'not '}passed on`
        const clock = mockClock(t)
        const held = heldRecords()
        const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyResponse })
          .use(boundedSqsBatch({ logger: false, timeBudget: false, concurrency: 2 }))
          .after(() => settled())
          .handler(async (event, context, options) => {
            const report = await eachRecord(held.handle)(event, context, passesSignal ? options : undefined)
            report.batchItemFailures.push({ itemIdentifier: 'a' })
            await new Promise(() => {})
            return report
          })
        const result = handler(standardEvent('a', 'b', 'c'), timedContext(1000))
        await settled()
        held.succeed('b')
        await settled()
        if (phase !== 'records are in flight') {
          held.succeed('a')
          held.fail('c')
          await settled()
        }
        const running = held.running()
        clock.advance(995)
        await t.rejects(result, EARLY_TIMEOUT_ERROR, about)
        for (const id of running) t.equal(held.signalOf(id)?.aborted, true, about)
        const next = handler(standardEvent('d', 'e'), timedContext(1000))
        await settled()
        t.strictSame(held.started, ['a', 'b', 'c', 'd', 'e'], `the slots are free, ${about}`)
        clock.advance(995)
        await t.rejects(next, EARLY_TIMEOUT_ERROR, `the next invocation, ${about}`)
        clock.exit()
      }
    }
  })
}

t.test(
  'without the signal, an early timeout is recognised in the last 20 ms, except by the report itself',
  async (t) => {
    const fails = ({ messageId }: { messageId: string }) =>
      messageId === 'b' ? Promise.reject(new Error('b')) : undefined
    for (const [passed, returns, isAccepted] of [
      [979, 'a list', true],
      [980, 'a list', false],
      [994, 'a list', false],
      [979, 'the report', true],
      [994, 'the report', true],
    ] as const) {
      const about = `${returns} after ${passed} ms`
      const clock = mockClock(t)
      clock.advance(5000) // the process is older than the invocation
      const { promise, resolve } = Promise.withResolvers<void>()
      const handler = batchHandlerOf(async (event: SQSEvent, context) => {
        const report = await eachRecord(fails)(event, context)
        await promise
        return returns === 'the report' ? report : listOf('a')
      })
      const result = handler(standardEvent('a', 'b', 'c'), timedContext(1000))
      await settled()
      clock.advance(passed)
      resolve()
      if (isAccepted) t.strictSame(failed(await result), returns === 'the report' ? ['b'] : ['a', 'b'], about)
      else await t.rejects(result, EARLY_TIMEOUT_ERROR, about)
      clock.exit()
    }
  },
)

for (const [what, passesSignal] of [
  ['is recognised by the signal', true],
  ['reports the records that are still running if the signal is not passed on', false],
] as const) {
  t.test(`an early timeout long before the end that returns an empty list ${what}`, async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const handler = middy<SQSEvent, SQSBatchResponse>({
      timeoutEarlyInMillis: 500,
      timeoutEarlyResponse: () => ({ batchItemFailures: [] }),
    })
      .use(boundedSqsBatch({ logger: false, timeBudget: false }))
      .handler((event, context, options) => eachRecord(held.handle)(event, context, passesSignal ? options : undefined))
    const result = handler(standardEvent('a', 'b'), timedContext(1000))
    await settled()
    held.succeed('b')
    await settled()
    clock.advance(500)
    if (passesSignal) await t.rejects(result, EARLY_TIMEOUT_ERROR)
    else t.strictSame(failed(await result), ['a'])
  })
}

t.test('the early timeout of one invocation does not affect another', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handler = middy({ timeoutEarlyResponse: () => ({ batchItemFailures: [] }) })
    .use(boundedSqsBatch({ logger: false, timeBudget: false }))
    .handler(async (event: SQSEvent, context, options) => {
      const report = await eachRecord(held.handle)(event, context, options)
      return event.Records[0]?.messageId === 'e' ? ({} as SQSBatchResponse) : report
    })
  const first = handler(standardEvent('a', 'b'), timedContext(30))
  const second = handler(standardEvent('c', 'd'), timedContext(60))
  const third = handler(standardEvent('e'), timedContext(5000))
  const fourth = handler(standardEvent('f', 'g'), timedContext(5000))
  await settled()
  held.succeed('b')
  held.succeed('c')
  await settled()
  clock.advance(25)
  await t.rejects(first, EARLY_TIMEOUT_ERROR)
  t.strictSame(
    ['a', 'd', 'e', 'f'].map((id) => held.signalOf(id)?.aborted),
    [true, false, false, false],
  )
  clock.advance(30)
  await t.rejects(second, EARLY_TIMEOUT_ERROR)
  t.equal(held.signalOf('d')?.aborted, true)
  held.succeed('e')
  await t.rejects(third, { name: 'TypeError', message: /batchItemFailures is undefined/ })
  held.fail('f')
  held.succeed('g')
  t.strictSame(failed(await fourth), ['f'])
})

/** Checks that the signals of a batch abort at most 2 ms after `expected` ms. */
async function checkAbort(
  t: Test,
  expected: number,
  {
    records,
    timeout,
    chunkSize,
    ...given
  }: BoundedSqsBatchOptions & { records: number; timeout: number; chunkSize?: number },
): Promise<void> {
  const clock = mockClock(t)
  let signal: AbortSignal | undefined
  function hang(_: unknown, _context: Context, options: { signal: AbortSignal }): Promise<void> {
    signal ??= options.signal
    return new Promise(() => {})
  }
  const options = { concurrency: 5, ...given }
  const handle = chunkSize ? chunkHandlerOf(chunkSize, hang, options) : handlerOf(hang, options)
  const result = handle(standardEvent(...ids(records)), timedContext(timeout))
  await settled()
  clock.advance(Math.floor(expected) - 1)
  await settled()
  t.equal(signal?.aborted, false, `not aborted after ${expected - 1} ms of ${timeout} ms`)
  clock.advance(3)
  t.equal(signal?.aborted, true, `aborted after ${expected} ms of ${timeout} ms`)
  t.equal(failed(await result).length, records)
  clock.exit()
}

t.test('a small function reserves more time for its response if it has more records or less CPU', async (t) => {
  // (8,000 records × 0.008 ms + 5 handlers in flight × 0.25 ms + 50 ms) ÷ (memory ÷ 1,769 MB), at most half of the time
  const end = 115.25
  for (const [memory, timeout, expected] of [
    [undefined, 30_000, 29_750],
    ['1769', 30_000, 29_750],
    ['10240', 30_000, 29_750],
    ['what', 30_000, 29_750],
    [undefined, 300, 300 - end],
    ['128', 30_000, 30_000 - (end * 1769) / 128],
    ['256', 30_000, 30_000 - (end * 1769) / 256],
    ['128', 500, 250],
  ] as const) {
    withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memory })
    await checkAbort(t, expected, { records: 8000, timeout })
  }
  await checkAbort(t, 30_000 - (51.29 * 1769) / 128, { records: 5, timeout: 30_000 })
  const onFailure: FailureHandler = (failures) => failures
  // 1.75 times as long with failure handlers, and 150 ms of CPU time for the first; at most three quarters of the time
  await checkAbort(t, 8000 - ((1.75 * end + 150) * 1769) / 128, { records: 8000, timeout: 8000, onFailure })
  await checkAbort(t, 4000 - (1.75 * end * 1769) / 128, { records: 8000, timeout: 4000, onFailure })
  await checkAbort(t, 250, { records: 8000, timeout: 1000, onFailure })
})

t.test('on Managed Instances a function without time left starts nothing and reports everything', async (t) => {
  mockClock(t) // Middy would end the invocation immediately
  withEnvironment(t, { AWS_LAMBDA_MAX_CONCURRENCY: '4' })
  for (const left of [0, -5]) {
    const errors: unknown[] = []
    const handle = handlerOf(() => t.fail('started'), { logger: (error) => errors.push(error) })
    const context = { getRemainingTimeInMillis: () => left } as Context
    const warnings = await warned(async () => {
      t.strictSame(failed(await handle(standardEvent('a', 'b'), context)), ['a', 'b'])
    })
    t.match(errors, [{ name: 'RecordNotStartedError' }, { name: 'RecordNotStartedError' }])
    t.match(warnings, [
      {
        code: 'BOUNDED_SQS_BATCH_TIME_BUDGET',
        message:
          'No record starts: the function has 0 ms left, and timeBudget reserves 0 ms. ' +
          "Raise the function's timeout, or lower timeBudget",
      },
    ])
  }
})
