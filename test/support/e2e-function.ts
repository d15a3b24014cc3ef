import { join } from 'node:path'
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { numberedMessages, type RunOptions, run } from 'bounded-sqs-batch/engine'
import { startFauxqs } from 'fauxqs'
import type { Test } from 'tap'
import { startMoto } from './moto.ts'

const AWS_CLIENT = join(import.meta.dirname, '../../cli/test/aws-client/node_modules/aws-lambda-ric/index.mjs')

export interface Trial {
  messages: number
  groups?: number
  maxReceives?: number
  function: RunOptions['function']
  mapping?: RunOptions['mapping']
  onProgress?: RunOptions['onProgress']
}

/** A function in e2e/handlers/ that AWS's runtime client runs with Lambda's descriptor limit. */
export function awsFunction(
  file: string,
  { env = {}, ...options }: Partial<RunOptions['function']> = {},
): RunOptions['function'] {
  return {
    file: join(import.meta.dirname, '../e2e/handlers', file),
    runtimeClient: `'${process.execPath}' '${AWS_CLIENT}'`,
    fdLimit: 1024,
    timeout: 30_000,
    initTimeout: 120_000, // for a busy machine
    ...options,
    env,
  }
}

/** Whether the scenarios run on moto instead of fauxqs. */
export const onMoto = process.env.E2E_SQS === 'moto'

async function startSqs(t: Test): Promise<string> {
  if (onMoto) return startMoto(t)
  const sqs = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false })
  t.teardown(() => sqs.stop())
  return `http://127.0.0.1:${sqs.port}`
}

/** The numbers of all messages of a queue, in ascending order. */
async function numbersIn(client: SQSClient, QueueUrl: string): Promise<number[]> {
  const numbers: number[] = []
  for (;;) {
    const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
    if (Messages.length === 0) return numbers.sort((a, b) => a - b)
    numbers.push(...Messages.map(({ Body }): number => JSON.parse(`${Body}`).number))
  }
}

/** Sends numbered messages to this queue and runs the function until the queue is empty. */
export async function runOn(queue: RunOptions['queue'], trial: Trial) {
  return run({
    queue,
    function: trial.function,
    mapping: { batchSize: 10_000, windowMs: 1000, retryAfter: 0, ...trial.mapping },
    messages: numberedMessages(trial.messages, trial.groups),
    ...(trial.onProgress && { onProgress: trial.onProgress }),
    idle: 0,
  })
}

/** Does the same with a new queue and a dead-letter queue. Also returns the numbers of the dead-lettered messages. */
export async function runTrial(t: Test, trial: Trial) {
  const { groups = 0, maxReceives = 5 } = trial
  const endpoint = await startSqs(t)
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const client = new SQSClient({ endpoint, region: 'us-east-1', credentials })
  t.teardown(() => client.destroy())
  async function create(name: string, attributes = {}) {
    const fifo = groups > 0 ? { FifoQueue: 'true' } : {}
    const QueueName = groups > 0 ? `${name}.fifo` : name
    await client.send(new CreateQueueCommand({ QueueName, Attributes: { ...fifo, ...attributes } }))
    return `${endpoint}/000000000000/${QueueName}`
  }
  const deadLetters = await create('dead-letters')
  const read = new GetQueueAttributesCommand({ QueueUrl: deadLetters, AttributeNames: ['QueueArn'] })
  const deadLetterTargetArn = (await client.send(read)).Attributes?.QueueArn
  const queueUrl = await create('orders', {
    VisibilityTimeout: '60',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: maxReceives }),
  })
  const env = { ...trial.function.env, AWS_ENDPOINT_URL_SQS: endpoint }
  const ledger = await runOn({ queueUrl }, { ...trial, function: { ...trial.function, env } })
  return { ledger, deadLetters: await numbersIn(client, deadLetters) }
}
