// How to test a handler without AWS: `node examples/unit-test.ts`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Clock } from 'clock-mock'
import { invoke, sqsEvent } from 'middy-bounded-sqs-batch/testing'

// The handler reads the variable when it is loaded, so the import() must come after this line.
process.env.DOWNSTREAM_URL = 'http://downstream.test'
const { handler } = await import('./http-fanout.ts')

test('posts every body, and every record succeeds', async (t) => {
  const fetch = t.mock.method(globalThis, 'fetch', async () => new Response())
  const { succeeded, failed } = await invoke(handler, sqsEvent(['one', 'two']))
  assert.deepEqual([succeeded.length, failed.length], [2, 0])
  const posted = fetch.mock.calls.map((call) => (call.arguments as Parameters<typeof globalThis.fetch>)[1]?.body)
  assert.deepEqual(posted, ['one', 'two'])
})

test('only the record that the downstream refuses fails', async (t) => {
  t.mock.method(console, 'error', () => {}) // the log of the batch
  t.mock.method(globalThis, 'fetch', async (_url: string, init: RequestInit) => {
    return new Response(null, { status: init.body === 'two' ? 503 : 200 })
  })
  const event = sqsEvent(['one', 'two', 'three'])
  const { failed } = await invoke(handler, event)
  assert.deepEqual(failed, [event.Records[1]])
})

test('aborts the request that is still open when the time budget ends, and only its record fails', async (t) => {
  t.mock.method(console, 'error', () => {})
  let aborted = false
  t.mock.method(globalThis, 'fetch', async (_url: string, { body, signal }: RequestInit) => {
    if (body !== 'two') return new Response()
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        aborted = true
        reject(signal.reason)
      })
    })
  })
  // The five seconds of the function pass at once.
  const clock = new Clock()
  clock.enter()
  t.after(() => clock.exit())
  const event = sqsEvent(['one', 'two', 'three'])
  const invocation = invoke(handler, event, { timeout: 5000 })
  for (let elapsed = 0; elapsed < 5000; elapsed += 50) {
    await setImmediate()
    clock.advance(50)
  }
  const { failed } = await invocation
  assert.deepEqual(failed, [event.Records[1]])
  assert.ok(aborted)
})
