// A unit test of an application. It loads the entry for tests by import and by require().
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import * as library from 'middy-bounded-sqs-batch/testing'

const { invoke, sqsContext, sqsEvent } = library
assert.deepEqual(Object.keys(library).sort(), ['invoke', 'sqsContext', 'sqsEvent'])
assert.equal(typeof createRequire(import.meta.url)('middy-bounded-sqs-batch/testing').invoke, 'function')

const handler = middy()
  .use(boundedSqsBatch({ logger: false }))
  .handler(
    eachRecord(({ body, attributes }, context, { receiveCount }) => {
      assert.deepEqual([receiveCount, attributes.MessageGroupId], [2, 'ada'])
      assert.ok(context.getRemainingTimeInMillis() <= 5_000)
      if (body === 'bad') throw new Error('bad')
    }),
  )
const event = sqsEvent(['good', 'bad', 'blocked'], { fifo: true, groups: ['ada', 'ada', 'ada'], receiveCount: 2 })
const { response, succeeded, failed } = await invoke(handler, event, { timeout: 5_000 })
const [good, bad, blocked] = event.Records
assert.deepEqual([succeeded, failed], [[good], [bad, blocked]])
assert.deepEqual(
  response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
  [bad.messageId, blocked.messageId],
)
assert.ok(sqsContext({ timeout: 200 }).getRemainingTimeInMillis() <= 200)
console.log('done')
