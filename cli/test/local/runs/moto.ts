// `npm run test:moto` runs `local --queue-url`, deadLetter() and retryBackoff() on moto, an SQS that is independent of
// fauxqs.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { type Test, test } from 'tap'
import { spawnMoto } from '../../../../test/support/moto.ts'
import { command, folder, handlerFile, notebook } from '../../support/runs.ts'
import { compare } from '../../support/sqs-steps.ts'

function base64Of(bytes: Uint8Array) {
  return Buffer.from(bytes).toString('base64')
}

async function startMoto(t: Test) {
  const endpoint = await spawnMoto(t)
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' }
  const client = new SQSClient({ endpoint, region: 'us-east-1', credentials })
  async function create(name: string, attributes = {}) {
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }))
    return `${QueueUrl}`
  }
  const deadLetters = await create('dead')
  const queueUrl = await create('orders', {
    VisibilityTimeout: '5',
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:123456789012:dead',
      maxReceiveCount: 2,
    }),
  })
  const env = {
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    DEAD_LETTERS: deadLetters,
  }
  const blob = { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) }
  const send = (number: number) =>
    client.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify({ number }),
        MessageAttributes: { blob },
      }),
    )
  async function left() {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
    const read = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...names] })
    const { Attributes } = await client.send(read)
    return names.map((name) => Number(Attributes?.[name]))
  }
  /** The dead letters, and what `aws sqs receive-message --max-number-of-messages 10 --output json` prints of them. */
  async function receiveDeadLetters() {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: deadLetters,
        MaxNumberOfMessages: 10,
        AttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    )
    const asCli = (_: string, value: unknown) => (value instanceof Uint8Array ? base64Of(value) : value)
    return {
      numbers: Messages.map(({ Body }): number => JSON.parse(`${Body}`).number),
      printed: `${JSON.stringify({ Messages }, asCli, 4)}\n`,
    }
  }
  return { queueUrl, create, env, send, left, receiveDeadLetters }
}

test('local on a queue of moto: receive counts, dead letters and the backoff are right, and the dead letters run again', async (t) => {
  const moto = await startMoto(t)
  const notes = notebook(t)
  for (const number of [1, 2, 3, 4]) await moto.send(number)
  const args = ['local', handlerFile('orders.ts'), '--queue-url', moto.queueUrl, '--timeout', '2', '--json']
  const flags = ['--batch-size', '10', '--max-dead-lettered', '2', '--idle', '1']
  const { code, stdout, stderr } = await command([...args, ...flags], { env: { ...moto.env, RECORD_TO: notes.file } })
  t.notMatch(stderr, 'ApproximateReceiveCount')
  t.match(JSON.parse(stdout), { processed: 3, redelivered: 2, remaining: 0, lost: 0, failedInvocations: 0 })
  t.equal(code, 0)
  const deliveries = notes.read().map(({ number, receiveCount }) => `${number}: ${receiveCount}`)
  t.strictSame(deliveries.sort(), ['1: 1', '2: 1', '2: 2', '3: 1', '3: 2', '4: 1'])
  const { numbers, printed } = await moto.receiveDeadLetters()
  t.strictSame(numbers.sort(), [1, 3])
  t.strictSame(await moto.left(), [0, 0])

  const again = notebook(t)
  const [file, messages] = ['h.mjs', 'dead.json'].map((name) => join(folder(t), name)) as [string, string]
  writeFileSync(messages, printed)
  writeFileSync(
    file,
    `import { appendFileSync } from 'node:fs'
    export async function handler({ Records }) {
      for (const { body, messageAttributes } of Records) {
        appendFileSync(process.env.RECORD_TO, JSON.stringify({ ...JSON.parse(body), messageAttributes }) + '\\n')
      }
    }`,
  )
  const replay = ['local', file, '--messages-file', messages, '--max-receives', '1', '--json']
  const replayed = await command(replay, { env: { RECORD_TO: again.file } })
  t.match(JSON.parse(replayed.stdout), { sent: 2, processed: 2, lost: 0 })
  const lists = { stringListValues: [], binaryListValues: [] }
  const ownBlob = { blob: { dataType: 'Binary', binaryValue: 'AP8=', ...lists } }
  const text = (stringValue: string | RegExp) => ({ dataType: 'String', stringValue, ...lists })
  const [one, three] = again.read().sort((a, b) => a.number - b.number)
  t.strictSame(three, { number: 3, messageAttributes: ownBlob }, 'the dead letter of SQS has no attributes of its own')
  t.match(one.messageAttributes, {
    ...ownBlob,
    'DeadLetter.ErrorName': text('PermanentError'),
    'DeadLetter.ErrorMessage': text('invalid'),
    'DeadLetter.OriginalMessageId': text(/^[0-9a-f-]{36}$/),
    'DeadLetter.SourceQueue': text('arn:aws:sqs:us-east-1:123456789012:orders'),
    'DeadLetter.ReceiveCount': { dataType: 'Number', stringValue: '1' },
  })
})

test('on a FIFO queue of moto, a batch has several messages of a group, and a failed one blocks the rest', async (t) => {
  const moto = await startMoto(t)
  const queueUrl = await moto.create('orders.fifo', { FifoQueue: 'true', VisibilityTimeout: '5' })
  const notes = notebook(t)
  const args = ['local', handlerFile('fifo.mjs'), '--queue-url', queueUrl, '--messages', '9', '--groups', '1']
  const flags = ['--timeout', '2', '--idle', '1', '--json']
  const { stdout } = await command([...args, ...flags], { env: { ...moto.env, RECORD_TO: notes.file } })
  t.match(JSON.parse(stdout), { sent: 9, processed: 9, delivered: 12, redelivered: 3, lost: 0 }, '7 blocks 8 and 9')
  const numbers = notes.read().map(({ number }) => number)
  // moto does not keep the order of redelivered messages.
  t.strictSame([...numbers.slice(0, 6), ...numbers.slice(6).sort()], [1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('the own SQS responds as moto does, except where moto differs from the documentation', async (t) => {
  await compare(t, 'moto', await spawnMoto(t), '123456789012')
})
