import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing, keep, noteFailures } from '../support/failures.ts'
import { failed, handlerOf, testContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

t.test('failure handlers run once for a batch that responds, and otherwise at most once', async (t) => {
  const { calls, onFailure } = noteFailures(keep('x2'))
  const handlerWith = (options: BoundedSqsBatchOptions = {}) =>
    middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch({ logger: false, onFailure, ...options }))
  const event = standardEvent('x1', 'a', 'x2')

  await t.test('an after hook of an earlier middleware throws: they have run', async (t) => {
    const handler = middy()
      .after(() => {
        throw new Error('metrics cannot be sent')
      })
      .use(boundedSqsBatch({ logger: false, onFailure }))
      .handler(eachRecord(failing))
    await t.rejects(handler(event, testContext()), { message: 'metrics cannot be sent' })
    t.strictSame(calls.splice(0), [['x1', 'x2']])
  })

  await t.test('an after hook of a later middleware throws: they do not run', async (t) => {
    const handler = handlerWith()
      .after(() => {
        throw new Error('inner')
      })
      .handler(eachRecord(failing))
    await t.rejects(handler(event, testContext()), { message: 'inner' })
    t.strictSame(calls.splice(0), [])
  })

  await t.test('the inner handler throws while records are in flight: they do not run', async (t) => {
    const held = heldRecords()
    const handler = handlerWith({ concurrency: 2 }).handler(async (event, context) => {
      void eachRecord(held.handle)(event, context)
      await settled()
      held.fail('x1')
      await settled()
      throw new Error('the other half failed')
    })
    const result = handler(standardEvent('x1', 'x2', 'a', 'b'), testContext())
    await t.rejects(result, { message: 'the other half failed' })
    await settled()
    t.strictSame(calls.splice(0), [])
    t.strictSame(held.started, ['x1', 'x2', 'a'], 'b has not started')
  })
})

t.test('throwOnFullBatchFailure counts the failures that the failure handlers returned', async (t) => {
  const handle = (onFailure: BoundedSqsBatchOptions['onFailure']) =>
    handlerOf(failing, { onFailure, throwOnFullBatchFailure: true })(standardEvent('x1', 'x2'))
  t.strictSame(failed(await handle(keep('x2'))), ['x2'])
  t.strictSame(failed(await handle(() => [])), [])
  const error = await handle((failures) => failures).catch((error) => error)
  t.match(error, { name: 'FullBatchFailureError', errors: [{ message: 'x1 failed' }, { message: 'x2 failed' }] })
})
