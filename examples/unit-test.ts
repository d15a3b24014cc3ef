// How to test a handler without AWS: `node examples/unit-test.ts`. It is an async function of an event and a context.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context, SQSEvent } from 'aws-lambda'

process.env.DOWNSTREAM_URL = 'http://downstream.test' // read when the handler is loaded, hence the import() below
const { handler } = await import('./http-fanout.ts')

/** Of a record, boundedSqsBatch() needs the messageId alone; give it what your handler reads. */
function sqsEvent(bodies: Record<string, string>): SQSEvent {
  return { Records: Object.entries(bodies).map(([messageId, body]) => ({ messageId, body })) } as SQSEvent
}

/** Without getRemainingTimeInMillis() there is no time budget: a test that is debugged does not run out of time. */
const context = {} as Context

test('posts every body and reports nothing', async (t) => {
  const fetch = t.mock.method(globalThis, 'fetch', async () => new Response())
  assert.deepEqual(await handler(sqsEvent({ m1: 'one', m2: 'two' }), context), { batchItemFailures: [] })
  const posted = fetch.mock.calls.map((call) => (call.arguments as Parameters<typeof globalThis.fetch>)[1]?.body)
  assert.deepEqual(posted, ['one', 'two'])
})

test('reports the record that the downstream refused, and no other', async (t) => {
  t.mock.method(console, 'error', () => {}) // the batch's log
  t.mock.method(globalThis, 'fetch', async (_url: string, init: RequestInit) => {
    return new Response(null, { status: init.body === 'two' ? 503 : 200 })
  })
  assert.deepEqual(await handler(sqsEvent({ m1: 'one', m2: 'two', m3: 'three' }), context), {
    batchItemFailures: [{ itemIdentifier: 'm2' }],
  })
})

test('calls off the request that is open when the time is up, and reports its record', async (t) => {
  t.mock.method(console, 'error', () => {})
  let calledOff = false
  t.mock.method(globalThis, 'fetch', async (_url: string, { body, signal }: RequestInit) => {
    if (body !== 'two') return new Response()
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        calledOff = true
        reject(signal.reason)
      })
    })
  })
  const shortOfTime = { getRemainingTimeInMillis: () => 200 } as Context
  assert.deepEqual(await handler(sqsEvent({ m1: 'one', m2: 'two', m3: 'three' }), shortOfTime), {
    batchItemFailures: [{ itemIdentifier: 'm2' }],
  })
  assert.ok(calledOff)
})
