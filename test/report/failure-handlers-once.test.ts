import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord, FullBatchFailureError } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { cores } from '../support/cores.ts'
import { standardEvent } from '../support/events.ts'
import { failing, keep, noteFailures } from '../support/failures.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

for (const [version, core] of cores) {
  t.test(`once an invocation, whatever goes wrong beside it (${version})`, async (t) => {
    const { calls, onFailure } = noteFailures(keep('x2'))
    const handlerWith = (options: BoundedSqsBatchOptions = {}) =>
      core<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch({ logger: false, onFailure, ...options }))
    const event = standardEvent('x1', 'a', 'x2')

    await t.test('an outer hook fails afterwards', async (t) => {
      const handler = core()
        .after(() => {
          throw new Error('metrics cannot be sent')
        })
        .use(boundedSqsBatch({ logger: false, onFailure }))
        .handler(eachRecord(failing))
      t.strictSame(failed(await handler(event, testContext())), ['x2'])
      t.strictSame(calls.splice(0), [['x1', 'x2']])
    })

    await t.test('an inner hook fails before', async (t) => {
      const handler = handlerWith()
        .after(() => {
          throw new Error('inner')
        })
        .handler(eachRecord(failing))
      t.strictSame(failed(await handler(event, testContext())), ['x2'])
      t.strictSame(calls.splice(0), [['x1', 'x2']])
    })

    await t.test('an error in the middle of the records', async (t) => {
      const held = heldRecords()
      const handler = handlerWith({ concurrency: 2 }).handler(async (event, context) => {
        void eachRecord(held.handle)(event, context)
        await settled()
        held.fail('x1')
        await settled()
        throw new Error('the other half failed')
      })
      t.strictSame(failed(await handler(standardEvent('x1', 'x2', 'a', 'b'), testContext())), ['x2', 'b'])
      t.strictSame(calls.splice(0), [['x1', 'x2', 'a']], 'the last has not started')
    })

    await t.test('every record is still failed, and that is an error', async (t) => {
      const handler = handlerWith({ throwOnFullBatchFailure: true }).handler(eachRecord(failing))
      await t.rejects(handler(standardEvent('x2'), testContext()), FullBatchFailureError)
      t.strictSame(calls.splice(0), [['x2']])
    })

    await t.test('a refused answer, which fails the invocation, has no failures', async (t) => {
      const handler = handlerWith().handler(async (event, context) => {
        await eachRecord(failing)(event, context)
        return undefined as never
      })
      await t.rejects(handler(event, testContext()), { name: 'TypeError' })
      t.strictSame(calls.splice(0), [])
    })
  })
}

t.test("once also after Middy's early timeout, where that leaves it time", async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const { calls, onFailure } = noteFailures(keep('x2'))
  const handler = middy({ timeoutEarlyInMillis: 500 })
    .use(boundedSqsBatch({ logger: false, timeBudget: false, onFailure }))
    .handler(eachRecord(held.handle))
  const result = handler(standardEvent('x1', 'a', 'x2'), timedContext(550))
  await settled()
  held.succeed('a')
  held.fail('x1')
  await settled()
  clock.advance(50)
  t.strictSame(failed(await result), ['x2'])
  t.strictSame(calls, [['x1', 'x2']])
})

t.test('throwOnFullBatchFailure counts what the failure handlers have left', async (t) => {
  const handle = (onFailure: BoundedSqsBatchOptions['onFailure']) =>
    handlerOf(failing, { onFailure, throwOnFullBatchFailure: true })(standardEvent('x1', 'x2'))
  t.strictSame(failed(await handle(keep('x2'))), ['x2'])
  t.strictSame(failed(await handle(() => [])), [])
  const error = await handle((failures) => failures).catch((error) => error)
  t.match(error, { name: 'FullBatchFailureError', errors: [{ message: 'x1 failed' }, { message: 'x2 failed' }] })
})
