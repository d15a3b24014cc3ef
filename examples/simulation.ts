// A test with the simulation of `local`: npm install -D bounded-sqs-batch. The handler is in src/handler.ts.
import assert from 'node:assert/strict'
import { numberedMessages, run } from 'bounded-sqs-batch/engine'

const ledger = await run({
  queue: { visibilityTimeout: 31, maxReceives: 5 }, // seconds
  function: { file: 'src/handler.ts', timeout: 30_000, env: { TABLE: 'orders' } }, // ms
  mapping: { batchSize: 1000, windowMs: 500, retryAfter: 0 }, // retryAfter: seconds
  messages: numberedMessages(5000), // any iterable or async iterable
  idle: 0, // seconds
})
assert.equal(ledger.processed, 5000)
assert.equal(ledger.lost, 0)
