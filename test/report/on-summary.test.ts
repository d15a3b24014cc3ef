import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import t from 'tap'
import { type BatchSummary, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing } from '../support/failures.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'

t.test(
  'onSummary is called once per batch, with the summary and the context, after the failure handlers',
  async (t) => {
    const calls: [BatchSummary, Context][] = []
    const handle = handlerOf(failing, {
      onFailure: (failures) => {
        t.strictSame(calls, [])
        return failures.filter(({ record }) => record.messageId !== 'x1')
      },
      onSummary: (...call) => calls.push(call),
    })
    const context = testContext()
    t.strictSame(failed(await handle(standardEvent('a', 'x1', 'x2', 'b'), context)), ['x2'])
    t.equal(calls.length, 1)
    t.match(calls[0]?.[0], { records: 4, succeeded: 2, failed: 2, handled: 1, reported: 1, notStarted: 0 })
    t.equal(calls[0]?.[1], context)
  },
)

t.test('onSummary is not called if the invocation fails before the response, and once if it fails later', async (t) => {
  const clock = mockClock(t)
  const calls: BatchSummary[] = []
  const bounded = () =>
    boundedSqsBatch({ logger: false, timeBudget: false, onSummary: (summary) => calls.push(summary) })
  const throws = {
    after() {
      throw new Error('after')
    },
  }
  const hangs = eachRecord(() => new Promise(() => {}))
  const throwing: typeof hangs = async (...parameters) => {
    await eachRecord(failing)(...parameters)
    throw new Error('flush')
  }
  for (const [what, handler, times] of [
    ['the inner handler throws', middy().use(bounded()).handler(throwing), 0],
    ['a later middleware throws', middy().use(bounded()).use(throws).handler(eachRecord(failing)), 0],
    ["Middy's early timeout", middy().use(bounded()).handler(hangs), 0],
    ['an earlier middleware throws', middy().use(throws).use(bounded()).handler(eachRecord(failing)), 1],
  ] as const) {
    const result = handler(standardEvent('a', 'x'), timedContext(1000))
    const isRejected = t.rejects(result, what)
    await settled()
    clock.advance(995)
    await isRejected
    await settled()
    t.equal(calls.splice(0).length, times, what)
  }
})

t.test('the promise of onSummary is awaited', async (t) => {
  let isDone = false
  const handle = handlerOf(failing, {
    onSummary: async () => {
      await settled()
      isDone = true
    },
  })
  await handle(standardEvent('a'))
  t.equal(isDone, true)
})

t.test('an error in onSummary is logged and changes nothing', async (t) => {
  for (const onSummary of [
    () => {
      throw new Error('no metrics')
    },
    () => Promise.reject(new Error('no metrics')),
  ]) {
    const handle = handlerOf(failing, { logger: undefined, onSummary })
    const lines = await logged(async () => {
      t.strictSame(failed(await handle(standardEvent('a', 'x'))), ['x'])
    })
    t.equal(lines.length, 2)
    t.match(lines[0], /1 of 2 records of orders failed/)
    t.match(lines[1], /^middy-bounded-sqs-batch: onSummary: Error: no metrics/)
  }
})

t.test('a promise of onSummary that never settles is awaited until 100 ms before the timeout', async (t) => {
  const clock = mockClock(t)
  const handle = handlerOf(failing, { logger: undefined, onSummary: () => new Promise(() => {}) })
  let response: unknown
  const lines = await logged(async () => {
    const result = handle(standardEvent('a', 'x'), timedContext(1000)).then((value) => {
      response = value
    })
    await settled()
    clock.advance(899)
    await settled()
    t.equal(response, undefined)
    clock.advance(1)
    await settled()
    clock.advance(25)
    await result
  })
  t.strictSame(response, { batchItemFailures: [{ itemIdentifier: 'x' }] })
  t.match(lines[1], /The time for onSummary is over: the response needs the last 100 ms before the timeout/)
})
