import middy from '@middy/core'
import doNotWaitForEmptyEventLoop from '@middy/do-not-wait-for-empty-event-loop'
import errorLogger from '@middy/error-logger'
import eventNormalizer from '@middy/event-normalizer'
import inputOutputLogger from '@middy/input-output-logger'
import warmup from '@middy/warmup'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { eachRecord } from '../../src/index.ts'
import { lambdaContext, ours } from '../support/compat.ts'
import { sqsRecord, standardEvent } from '../support/events.ts'
import { failed, timedContext } from '../support/handlers.ts'

const places = ['before', 'after'] as const
/** An argument for `.use()`: the other middleware before or after `boundedSqsBatch()`. */
function inPlace<T>(place: 'before' | 'after', other: T) {
  return place === 'before' ? [other, ours()] : [ours(), other]
}
const failB = eachRecord(({ messageId }) => {
  if (messageId === 'b') throw new Error('b failed')
})

t.comment(
  'omitted: version 7 of event-normalizer and do-not-wait-for-empty-event-loop, because the registry does not have it',
)

for (const place of places) {
  t.test(`event-normalizer 6 ${place} boundedSqsBatch(): handlers get parsed bodies`, async (t) => {
    const bodies: unknown[] = []
    const handler = middy()
      .use(inPlace(place, eventNormalizer()))
      .handler(
        eachRecord(({ messageId, body }) => {
          bodies.push(body)
          if (messageId === 'b') throw new Error('b failed')
        }),
      )
    const sns = '{"Type":"Notification","Message":"{\\"id\\":3}"}'
    const Records = ['{"id":1}', '{"id":2}', sns].map((body, index) => sqsRecord('abc'.charAt(index), { body }))
    t.strictSame(failed(await handler({ Records }, lambdaContext())), ['b'])
    t.strictSame(bodies, [{ id: 1 }, { id: 2 }, { Type: 'Notification', Message: { id: 3 } }])
  })

  t.test(`do-not-wait-for-empty-event-loop 6 ${place} boundedSqsBatch()`, async (t) => {
    const context = lambdaContext()
    const handler = middy().use(inPlace(place, doNotWaitForEmptyEventLoop())).handler(failB)
    t.strictSame(failed(await handler(standardEvent('a', 'b'), context)), ['b'])
    t.equal(context.callbackWaitsForEmptyEventLoop, false)
  })

  t.test(`input-output-logger ${place} boundedSqsBatch() logs event and report`, async (t) => {
    const logs: unknown[] = []
    const logger = (message: unknown) => logs.push(structuredClone(message))
    const handler = middy()
      .use(inPlace(place, inputOutputLogger({ logger, omitPaths: ['event.Records.[].body'] })))
      .handler(failB)
    const event = standardEvent('a', 'b')
    const response = await handler(event, lambdaContext())
    t.strictSame(failed(response), ['b'])
    const withoutBodies = event.Records.map(({ body: _, ...record }) => record)
    t.strictSame(logs, [{ event: { Records: withoutBodies } }, { response }])
    t.equal(event.Records[0]?.body, 'body of a')
  })

  t.test(`error-logger ${place} boundedSqsBatch() logs no failed records`, async (t) => {
    const logs: unknown[] = []
    const logger = ({ error }: { error: unknown }) => logs.push((error as Error).message)
    const handlerOf = (handle: typeof failB) =>
      middy()
        .use(inPlace(place, errorLogger({ logger })))
        .handler(handle)
    t.strictSame(failed(await handlerOf(failB)(standardEvent('a', 'b'), lambdaContext())), ['b'])
    t.strictSame(logs.splice(0), [])
    const throwing = handlerOf(async (...parameters) => {
      await failB(...parameters)
      throw new Error('the handler failed')
    })
    await t.rejects(throwing(standardEvent('a', 'b'), lambdaContext()), { message: 'the handler failed' })
    t.strictSame(logs.splice(0), ['the handler failed'])
    await t.rejects(handlerOf(failB)({} as SQSEvent, lambdaContext()), { code: 'ERR_INVALID_SQS_EVENT' })
    t.strictSame(logs, ['Expected an SQS event with a Records array, got Records: undefined'])
  })
}

t.test('warmup must be used before boundedSqsBatch(): a warm-up event is not an SQS event', async (t) => {
  const warmUp = { source: 'serverless-plugin-warmup' } as never
  const handlerOf = (place: 'before' | 'after') => middy().use(inPlace(place, warmup())).handler(failB)
  t.equal(await handlerOf('before')(warmUp, lambdaContext()), 'warmup')
  t.strictSame(failed(await handlerOf('before')(standardEvent('a', 'b'), lambdaContext())), ['b'])
  await t.rejects(handlerOf('after')(warmUp, lambdaContext()), { code: 'ERR_INVALID_SQS_EVENT' })
})

t.test('a transaction commits before the response, or rolls back and the invocation fails', async (t) => {
  const work = eachRecord(async ({ messageId }) => {
    await failIfB(messageId)
  })
  const throwing: typeof work = async (...parameters) => {
    await work(...parameters)
    throw new Error('flush')
  }
  const hanging: typeof work = async (...parameters) => {
    await work(...parameters)
    return new Promise(() => {})
  }
  for (const [what, handle, statements, error, commit] of [
    ['a record fails', work, ['BEGIN', 'COMMIT'], undefined, undefined],
    ['the handler throws', throwing, ['BEGIN', 'ROLLBACK'], { message: 'flush' }, undefined],
    ['COMMIT throws', work, ['BEGIN', 'COMMIT', 'ROLLBACK'], { message: 'deadlock' }, new Error('deadlock')],
    ['the handler hangs', hanging, ['BEGIN', 'ROLLBACK'], { name: 'TimeoutError' }, undefined],
  ] as const) {
    const sent: string[] = []
    async function send(statement: string): Promise<void> {
      await new Promise((resolve) => setImmediate(resolve))
      sent.push(statement)
      if (statement === 'COMMIT' && commit) throw commit
    }
    const transaction: middy.MiddlewareObj = {
      before: () => send('BEGIN'),
      after: () => send('COMMIT'),
      onError: () => send('ROLLBACK'),
    }
    const handler = middy<SQSEvent, SQSBatchResponse>().use(transaction).use(ours()).handler(handle)
    const result = handler(standardEvent('a', 'b', 'c'), handle === hanging ? timedContext(100) : lambdaContext())
    if (error) await t.rejects(result, error, what)
    else t.strictSame(failed(await result), ['b'], what)
    t.strictSame(sent, statements, what)
  }
})

async function failIfB(id: string): Promise<void> {
  if (id === 'b') throw new Error('b failed')
}
