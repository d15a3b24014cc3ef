// Uses adaptiveConcurrency(), whose entry is a bundle of its own, with the errors of the main entry.
import assert from 'node:assert/strict'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import * as library from 'middy-bounded-sqs-batch/adaptive'
import { invoke, sqsEvent } from 'middy-bounded-sqs-batch/testing'

assert.deepEqual(Object.keys(library), ['adaptiveConcurrency'])

const classified = []
const limits = []

/** Every failure lowers the limit, except those that do not count. */
function classify(error) {
  classified.push(error.name)
  return 'throttle'
}

async function run(inner, bodies) {
  const options = { logger: false, onSummary: ({ concurrency }) => limits.push(concurrency) }
  const concurrency = library.adaptiveConcurrency({ classify })
  const handler = middy()
    .use(boundedSqsBatch({ concurrency, ...options }))
    .handler(inner)
  const { failed } = await invoke(handler, sqsEvent(bodies))
  assert.equal(failed.length, bodies.length)
}

await run(
  eachRecord(() => {}, { body: 'json' }),
  Array(100).fill('{'),
)
await run(
  eachRecord(() => Promise.reject(new RangeError('no'))),
  Array(100).fill('a'),
)
assert.deepEqual(classified, Array(100).fill('RangeError'))
assert.deepEqual(limits, [
  { limit: 50, reason: 'initial' },
  { limit: 10, reason: 'throttle' },
])
console.log('done')
