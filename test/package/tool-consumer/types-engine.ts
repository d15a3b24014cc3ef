// What a test of a project in TypeScript writes.
import { type Ledger, numberedMessages, type RunOptions, run } from 'bounded-sqs-batch/engine'

const options: RunOptions = {
  queue: { visibilityTimeout: 31, maxReceives: 3 },
  function: { file: 'orders.mjs', timeout: 30_000, env: { TABLE: 'orders' } },
  mapping: { batchSize: 10, windowMs: 0 },
  messages: numberedMessages(20),
  idle: 0,
}
export const ledger: Ledger = await run(options)

// @ts-expect-error a queue and a function are needed
run({ mapping: {} })
