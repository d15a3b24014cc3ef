import t from 'tap'
import { boundedSqsBatch, DurableContextError } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { failed, handlerOf } from '../support/handlers.ts'

t.test('the context of a durable execution is refused with DurableContextError', async (t) => {
  for (const context of [
    { lambdaContext: {}, executionContext: {}, step() {} },
    { lambdaContext: {}, step() {} },
    { lambdaContext: {}, executionContext: {} },
  ]) {
    const result = handlerOf(() => t.fail('started'))(standardEvent('a'), context as never)
    const message =
      'boundedSqsBatch() cannot be used in a durable function, because a redelivery has no checkpoints. ' +
      'Use a regular function that starts an execution named after each message id'
    await t.rejects(result, { name: 'DurableContextError', code: 'ERR_DURABLE_CONTEXT', message })
    t.ok((await result.catch((error) => error)) instanceof DurableContextError)
  }
})

t.test('a context with only some of these properties, or an unreadable one, is accepted', async (t) => {
  const unreadable = {
    get lambdaContext() {
      throw new Error('unreadable')
    },
  }
  for (const context of [{ lambdaContext: {} }, { step() {} }, { executionContext: {} }]) {
    t.strictSame(failed(await handlerOf(() => {})(standardEvent('a'), context as never)), [])
  }
  // Only the hook is called, because Middy 7 reads the property too.
  t.doesNotThrow(() => boundedSqsBatch().before({ event: standardEvent('a'), context: unreadable } as never))
})
