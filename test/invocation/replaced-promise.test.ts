import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { batchHandlerOf, testContext } from '../support/handlers.ts'

const NativePromise = Promise
const REFUSED = {
  name: 'TypeError',
  message: 'Something has replaced the global Promise, so Middy does not await hooks. Remove it (Bluebird, zone.js)',
}

/** Replaces the global Promise by a subclass, as tracing libraries do, until the test ends. */
function replacePromise(): void {
  globalThis.Promise = class TracedPromise<T> extends NativePromise<T> {}
}

function restoring(t: Test): void {
  t.teardown(() => {
    globalThis.Promise = NativePromise
  })
}

t.test('boundedSqsBatch() refuses a replaced global Promise', async (t) => {
  restoring(t)
  replacePromise()
  t.throws(() => boundedSqsBatch(), REFUSED)
})

t.test('if the global Promise is replaced later, the invocation fails before any record starts', async (t) => {
  restoring(t)
  const handler = batchHandlerOf(eachRecord(() => t.fail('started')))
  replacePromise()
  await t.rejects(handler(standardEvent('a'), testContext()), REFUSED)
})

t.test('if the inner handler replaces the global Promise, the invocation fails, and ROLLBACK runs', async (t) => {
  restoring(t)
  const steps: string[] = []
  const inner = eachRecord(({ messageId }) => {
    if (messageId === 'x') throw new Error('x failed')
  })
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .onError(() => void steps.push('ROLLBACK')) // Middy takes the promise of an async hook for an early response
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event, context) => {
      const report = await inner(event, context)
      replacePromise()
      return report
    })
  await t.rejects(handler(standardEvent('a', 'x'), testContext()), REFUSED)
  t.strictSame(steps, ['ROLLBACK'])
})
