import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb'
import { makeHandlerIdempotent } from '@aws-lambda-powertools/idempotency/middleware'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { boundedSqsBatch, eachRecord, type RecordHandler } from '../../src/index.ts'
import { lambdaContext } from '../support/compat.ts'
import { sqsRecord } from '../support/events.ts'
import { failed } from '../support/handlers.ts'
import { startDynamoDb } from '../support/services.ts'

await startDynamoDb(t, 'idempotency', 'id')

/** A store keeps the `eventKeyJmesPath` of the first function that uses it, so each test uses its own store. */
function newStore() {
  return new DynamoDBPersistenceLayer({ tableName: 'idempotency' })
}

/** An event that delivers orders, by message id. Each delivery has its own receipt handle and receive count. */
function delivery(count: number, orders: Record<string, string>): SQSEvent {
  const Records = Object.entries(orders).map(([messageId, orderId]) => {
    const { attributes } = sqsRecord(messageId)
    return sqsRecord(messageId, {
      body: JSON.stringify({ orderId }),
      receiptHandle: `${messageId} ${count}`,
      attributes: { ...attributes, ApproximateReceiveCount: String(count) },
    })
  })
  return { Records }
}

/** A record handler that notes the ids of its records and fails those in `refused`. */
function orders(...refused: string[]) {
  const charged: string[] = []
  const charge: RecordHandler = async ({ messageId }) => {
    charged.push(messageId)
    if (refused.includes(messageId)) throw new Error(`${messageId} refused`)
    return messageId
  }
  return { charge, taken: () => charged.splice(0).sort() }
}

function handlerOf(handle: RecordHandler, errors: unknown[] = []) {
  const handler = middy()
    .use(boundedSqsBatch({ logger: (error) => errors.push(error) }))
    .handler(eachRecord(handle))
  return async (event: SQSEvent) => failed(await handler(event, lambdaContext()))
}

t.test('with makeIdempotent(), a redelivery processes only the messages that failed', async (t) => {
  const { charge, taken } = orders('b')
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'messageId', throwOnNoIdempotencyKey: true })
  const handler = handlerOf(makeIdempotent(charge, { persistenceStore: newStore(), config }))
  t.strictSame(await handler(delivery(1, { a: '1', b: '2', c: '3' })), ['b'])
  t.strictSame(taken(), ['a', 'b', 'c'])
  t.strictSame(
    await handler(delivery(2, { a: '1', b: '2', c: '3' })),
    ['b'],
    'all records are delivered again, as after a lost response',
  )
  t.strictSame(taken(), ['b'])
})

t.test('a record whose order is in progress is reported, and its redelivery charges nothing', async (t) => {
  const { promise: isRefused, resolve: refuse } = Promise.withResolvers<void>()
  const charged: unknown[] = []
  const charge: RecordHandler = async ({ messageId }) => {
    charged.push(messageId)
    await isRefused // until the other message of the order has been refused
  }
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'powertools_json(body).orderId' })
  const once = makeIdempotent(charge, { persistenceStore: newStore(), config, keyPrefix: 'order' })
  const errors: unknown[] = []
  const handler = handlerOf(async (...parameters) => {
    try {
      await once(...parameters)
    } catch (error) {
      refuse()
      throw error
    }
  }, errors)
  const reported = await handler(delivery(1, { first: 'order-1', second: 'order-1' }))
  t.strictSame([...reported, ...charged].sort(), ['first', 'second'])
  t.match(errors, [{ name: 'IdempotencyAlreadyInProgressError' }])
  t.strictSame(await handler(delivery(2, { [String(reported[0])]: 'order-1' })), [])
  t.equal(charged.length, 1)
})

t.test('a store ignores the eventKeyJmesPath of all functions but the first that uses it', async (t) => {
  const persistenceStore = newStore()
  for (const [eventKeyJmesPath, expected] of [
    ['messageId', ['a']],
    ['receiptHandle', []],
  ] as const) {
    const { charge, taken } = orders()
    const config = new IdempotencyConfig({ eventKeyJmesPath })
    const handler = handlerOf(makeIdempotent(charge, { persistenceStore, config, keyPrefix: 'store' }))
    t.strictSame(await handler(delivery(expected.length, { a: '1' })), [])
    t.strictSame(taken(), expected, eventKeyJmesPath)
  }
})

t.test('without eventKeyJmesPath, a redelivered record is processed again', async (t) => {
  const { charge, taken } = orders()
  const handler = handlerOf(makeIdempotent(charge, { persistenceStore: newStore(), keyPrefix: 'record' }))
  for (const count of [1, 2]) {
    t.strictSame(await handler(delivery(count, { a: '1' })), [])
    t.strictSame(taken(), ['a'], `delivery ${count}`)
  }
})

t.test(
  'makeHandlerIdempotent(), used before: an event that comes again is not processed, unless its invocation failed',
  async (t) => {
    const { charge, taken } = orders('b')
    let fails = true
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(makeHandlerIdempotent({ persistenceStore: newStore(), keyPrefix: 'batch' }))
      .use(boundedSqsBatch({ logger: false }))
      .handler(async (event, context, options) => {
        const report = await eachRecord(charge)(event, context, options)
        if (fails) throw new Error('flush')
        return report
      })
    const event = delivery(1, { a: '1', b: '2' })
    await t.rejects(handler(event, lambdaContext()), { message: 'flush' })
    t.strictSame(taken(), ['a', 'b'])
    fails = false
    t.strictSame(failed(await handler(event, lambdaContext())), ['b'], 'the failed invocation left no lock')
    t.strictSame(taken(), ['a', 'b'])
    t.strictSame(failed(await handler(event, lambdaContext())), ['b'], 'the stored response')
    t.strictSame(taken(), [])
  },
)
