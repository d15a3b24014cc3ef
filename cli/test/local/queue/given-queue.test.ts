import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { type Test, test } from 'tap'
import { announceGivenQueue } from '../../../src/local/command/local.ts'
import { openGivenQueue, regionFor } from '../../../src/local/queue/given-queue.ts'
import { inProcess } from '../../support/in-process.ts'
import { command, environment, folder, handlerFile, isAlive, limitsOf, notebook, until } from '../../support/runs.ts'

/** An SQS outside of the run, with a queue, its dead-letter queue, and ten messages. */
async function startSqs(t: Test) {
  const app = buildApp({ logger: false })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const client = new SQSClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  })
  const url = (name: string) => `${endpoint}/000000000000/${name}`
  await client.send(new CreateQueueCommand({ QueueName: 'dead' }))
  const deadLetterTargetArn = 'arn:aws:sqs:us-east-1:000000000000:dead'
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 })
  await client.send(
    new CreateQueueCommand({
      QueueName: 'orders',
      Attributes: {
        // Enough to process and delete a batch on a busy machine. A failed message waits this long.
        VisibilityTimeout: '4',
        RedrivePolicy,
      },
    }),
  )
  const send = async (QueueUrl: string, number: number) =>
    client.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify({ number }) }))
  for (let number = 1; number <= 10; number++) await send(url('orders'), number)
  await send(url('dead'), 0) // was there before
  async function count(name: string) {
    const read = new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ['ApproximateNumberOfMessages'] })
    return Number((await client.send(read)).Attributes?.ApproximateNumberOfMessages)
  }
  const remove = (name: string) => client.send(new DeleteQueueCommand({ QueueUrl: url(name) }))
  async function createFifo() {
    await client.send(new CreateQueueCommand({ QueueName: 'orders.fifo', Attributes: { FifoQueue: 'true' } }))
    return url('orders.fifo')
  }
  return { endpoint, queueUrl: url('orders'), count, remove, createFifo, close: () => app.close() }
}

const handler = handlerFile('outcomes.mjs')
const flags = ['--timeout', '4', '--batch-size', '10', '--json', '--max-dead-lettered', '2']

test('an existing queue: its messages and its redrive policy are used, and nothing is created or purged', async (t) => {
  const sqs = await startSqs(t)
  const notes = notebook(t)
  const args = ['local', handler, '--queue-url', sqs.queueUrl, ...flags]
  const { code, stdout, stderr } = await command(args, { env: { RECORD_TO: notes.file } })
  t.match(stderr, /^this run receives AND DELETES the messages of http:\S+\/000000000000\/orders$/m)
  t.match(JSON.parse(stdout), {
    sent: 0,
    delivered: 12,
    processed: 9,
    redelivered: 2,
    deadLettered: 1,
    remaining: 0,
    lost: 0,
  })
  t.equal(code, 0)
  t.equal(await sqs.count('dead'), 2, 'what was there before, and the one that always fails')
  t.strictSame(
    notes.read().sort((a, b) => a - b),
    [1, 3, 4, 5, 6, 7, 8, 9, 10],
  )
})

test('a file of FIFO messages can be sent twice: SQS gets other deduplication ids than those in the file', async (t) => {
  const sqs = await startSqs(t)
  const queueUrl = await sqs.createFifo()
  const file = join(folder(t), 'm.jsonl')
  const message = (number: number, id: string) =>
    JSON.stringify({ body: JSON.stringify({ number }), messageGroupId: 'g', messageDeduplicationId: id })
  writeFileSync(file, [message(1, 'one'), message(2, 'one')].join('\n'))
  const args = ['local', handlerFile('fifo.mjs'), '--queue-url', queueUrl]
  for (const run of ['first', 'second']) {
    const { stdout } = await inProcess([...args, '--messages-file', file, '--timeout', '4', '--idle', '1', '--json'], {
      env: { RECORD_TO: notebook(t).file },
    })
    t.match(JSON.parse(stdout), { verdict: 'passed', sent: 2, processed: 2, lost: 0 }, run)
  }
})

test('on a terminal, the run asks whether it may start', async (t) => {
  const queueUrl = 'http://127.0.0.1:1/0/orders'
  async function answered(answer: string, isTTY = true) {
    const input = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.ReadStream
    const output = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.WriteStream
    input.push(answer || null) // the end of the input
    const error = await announceGivenQueue({ queueUrl }, output, input).catch(({ message }) => message)
    return { error, text: String((output as unknown as PassThrough).read()) }
  }
  const what = `this run receives AND DELETES the messages of ${queueUrl}`
  const asked = `${what}.\nStart it? (y/N) `
  for (const answer of ['y\n', 'Yes\n']) t.match(await answered(answer), { error: undefined, text: asked })
  for (const answer of ['', '\n', 'n\n'])
    t.match(await answered(answer), { error: 'the run was not started', text: asked })
  t.strictSame(await answered('n\n', false), { error: undefined, text: `${what}\n` }, 'elsewhere, it only says so')
})

test('regionFor() returns the region of an AWS host name, and AWS_REGION for other hosts', (t) => {
  t.equal(regionFor('sqs.eu-central-1.amazonaws.com', 'us-east-1'), 'eu-central-1')
  t.equal(regionFor('localhost', 'eu-west-1'), 'eu-west-1')
  t.equal(regionFor('localhost', undefined), 'us-east-1')
  t.end()
})

test('the endpoint can come from the variable of the SDK, and input is sent to it', async (t) => {
  const sqs = await startSqs(t)
  const env = { RECORD_TO: notebook(t).file, AWS_ENDPOINT_URL_SQS: sqs.endpoint }
  const queueUrl = 'https://sqs.us-east-1.amazonaws.com/000000000000/orders'
  const { code, stdout } = await inProcess(['local', handler, '--queue-url', queueUrl, '--messages', '10', ...flags], {
    env,
  })
  t.match(JSON.parse(stdout), { sent: 10, processed: 18, deadLettered: 2, remaining: 0, lost: 0 })
  t.equal(code, 0)
})

test('dead letters that the handler itself sends are not known', async (t) => {
  const sqs = await startSqs(t)
  const args = ['local', `${handlerFile('dead-letters.ts')}#sendsTo`, '--queue-url', sqs.queueUrl, '--messages', '10']
  const env = {
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    QUEUE: sqs.queueUrl.replace('orders', 'dead'),
  }
  const { code, stdout } = await inProcess([...args, '--timeout', '4', '--batch-size', '10', '--json'], { env })
  t.match(JSON.parse(stdout), { processed: 20, deadLettered: 0, sentDeadLetters: 0, lost: 0, verdict: 'passed' })
  t.equal(code, 0)
})

test('a queue that does not exist, or its dead-letter queue: one line that names it, and exit code 2', async (t) => {
  const { queueUrl, remove } = await startSqs(t)
  await remove('dead')
  for (const [url, name] of [
    [queueUrl.replace('orders', 'nope'), 'nope'],
    [queueUrl, 'dead'],
  ] as const) {
    const { code, stderr } = await inProcess(['local', handler, '--queue-url', url, ...flags])
    t.equal(code, 2)
    const line = `SQS at http:\\S+ refused a call for http:\\S+/${name}, or did not respond \\(QueueDoesNotExist.*\\)\\. .*`
    t.match(stderr, new RegExp(`^bounded-sqs-batch: ${line}\n$`, 'm'))
  }
})

test("a visibility timeout below the function's timeout: exit code 2, and the messages stay in the queue", async (t) => {
  const sqs = await startSqs(t)
  const { code, stderr } = await inProcess(['local', handler, '--queue-url', sqs.queueUrl])
  t.equal(code, 2)
  t.match(
    stderr,
    /visibility timeout of the queue \(4 s\) is below the timeout of the function \(30 s\)\. Lambda rejects such a mapping: /,
  )
  t.equal(await sqs.count('orders'), 10)
})

test('an SQS that accepts a call, but never responds, is an error', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.intercept(process, 'env', { value: { ...environment(), AWS_MAX_ATTEMPTS: '1' } })
  await t.rejects(openGivenQueue(`${endpoint}/000000000000/orders`, 1), {
    message: new RegExp(`^SQS at ${endpoint} refused a call .*, or did not respond \\(TimeoutError: `),
  })
})

test('SQS may take 30 s for a response', async (t) => {
  const { queueUrl } = await startSqs(t)
  const limits = limitsOf(t, SQSClient)
  await (await openGivenQueue(queueUrl)).close()
  t.match(limits(), { connectionTimeout: 5000, socketTimeout: 30_000 })
})

test('SQS that disappears during a run: one line, exit code 2, no process left', async (t) => {
  const sqs = await startSqs(t)
  const notes = notebook(t)
  const args = ['local', handlerFile('slow.mjs'), '--queue-url', sqs.queueUrl, '--timeout', '4', '--batch-size', '1']
  const { code, stderr } = await command(args, {
    env: { RECORD_TO: notes.file },
    during: async () => {
      await until(() => notes.read().length > 0)
      await sqs.close()
    },
  })
  t.equal(code, 2)
  t.match(
    stderr,
    /^bounded-sqs-batch: SQS at http:\/\/127\.0\.0\.1:\d+ refused a call for .*, or did not respond \(.*ECONN[A-Z]+/m,
  )
  t.notMatch(stderr, /\n {4}at /)
  await until(() => !isAlive(notes.read()[0].pid))
})
