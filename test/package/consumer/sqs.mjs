// Sends a dead letter and sets a delay, as an application with @aws-sdk/client-sqs does. fauxqs speaks the protocol of SQS.
// Runs with the flags of Lambda, so require() does not load the package.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { startFauxqs } from 'fauxqs'
import { boundedSqsBatch, eachRecord, PermanentError } from 'middy-bounded-sqs-batch'
import * as library from 'middy-bounded-sqs-batch/sqs'

const { deadLetter, retryBackoff } = library
const functions = ['deadLetter', 'isolateCrashes', 'releaseBlocked', 'retryBackoff']
assert.deepEqual(Object.keys(library).sort(), functions)
assert.throws(() => createRequire(import.meta.url)('middy-bounded-sqs-batch/sqs'), { code: 'ERR_REQUIRE_ESM' })

const region = 'eu-west-1'
const server = await startFauxqs({ port: 0, logger: false })
process.env.AWS_ENDPOINT_URL_SQS = server.address
for (const name of ['jobs', 'dead']) server.createQueue(name, { region })
for (const body of ['bad', 'good', 'busy']) server.sendMessage('jobs', body, { region })
const client = new SQSClient({ region, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })
function urlOf(name) {
  return `${server.address}/000000000000/${name}`
}

async function receive(name) {
  const command = new ReceiveMessageCommand({ QueueUrl: urlOf(name), MaxNumberOfMessages: 10 })
  return (await client.send(command)).Messages
}

const Records = (await receive('jobs')).map(({ MessageId, ReceiptHandle, Body }) => ({
  messageId: MessageId,
  receiptHandle: ReceiptHandle,
  body: Body,
  attributes: { ApproximateReceiveCount: '1' },
  messageAttributes: {},
  eventSource: 'aws:sqs',
  eventSourceARN: `arn:aws:sqs:${region}:000000000000:jobs`,
}))
const handler = middy()
  .use(
    boundedSqsBatch({
      logger: false,
      onFailure: [deadLetter({ client, queueUrl: urlOf('dead') }), retryBackoff({ client, base: 500, jitter: 'none' })],
    }),
  )
  .handler(
    eachRecord(({ body }) => {
      if (body === 'bad') throw new PermanentError('bad')
      if (body === 'busy') throw new Error('busy')
    }),
  )
const before = Date.now()
const { batchItemFailures } = await handler({ Records }, { getRemainingTimeInMillis: () => 10_000 })
const busy = Records.find(({ body }) => body === 'busy')
assert.deepEqual(batchItemFailures, [{ itemIdentifier: busy.messageId }])
assert.deepEqual(
  (await receive('dead')).map(({ Body }) => Body),
  ['bad'],
)
const inflight = server.inspectQueue('jobs').messages.inflight
const { visibilityDeadline } = inflight.find(({ receiptHandle }) => receiptHandle === busy.receiptHandle)
assert.ok(visibilityDeadline >= before + 500_000)

client.destroy()
await server.stop()
console.log('done')
