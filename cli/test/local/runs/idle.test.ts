import { setImmediate } from 'node:timers/promises'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { test } from 'tap'
import { counts, notebook, runHandler } from '../../support/runs.ts'

test('a message sent while the queue is counted does not end the run', async (t) => {
  const app = buildApp({ logger: false })
  const counted = Promise.withResolvers<void>()
  const sent = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let reads = 0
  app.addHook('preSerialization', async ({ headers }, _reply, response) => {
    const action = String(headers['x-amz-target'])
    if (action.endsWith('.GetQueueAttributes')) reads += 1
    // The first call reads the settings of the queue.
    if (action.endsWith('.GetQueueAttributes') && reads > 1) {
      counted.resolve()
      await sent.promise
      for (let iteration = 0; iteration < 200; iteration++) await setImmediate() // the sender receives its response first
      released.resolve()
    }
    if (action.endsWith('.ReceiveMessage') && (response as { Messages?: unknown[] }).Messages) await released.promise
    return response
  })
  app.addHook('onResponse', async ({ headers }) => {
    if (String(headers['x-amz-target']).endsWith('.SendMessageBatch')) sent.resolve()
  })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  const client = new SQSClient({ endpoint, region: 'us-east-1', credentials })
  await client.send(new CreateQueueCommand({ QueueName: 'orders' }))

  const ledger = await runHandler('outcomes.mjs', {
    queue: { queueUrl: `${endpoint}/000000000000/orders` },
    function: { env: { RECORD_TO: notebook(t).file } },
    messages: (async function* () {
      await counted.promise
      yield { body: '{"number":3}' }
    })(),
  })
  t.match(counts(ledger), { sent: 1, processed: 1, remaining: 0, lost: 0 })
})
