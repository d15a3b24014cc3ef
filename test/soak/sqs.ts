import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'

/** The settings of a queue. */
export interface QueueSettings {
  /** Seconds. */
  visibilityTimeout: number
  maxReceives: number
}

/** Starts the SQS of sqs-server.ts. Every SQS client of this process repeats refused calls, as Lambda's pollers do. */
export async function startSqs(seed: number) {
  const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  Object.assign(process.env, { ...credentials, AWS_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '10' })
  const server = fork(join(import.meta.dirname, 'sqs-server.ts'), [String(seed)], { detached: true })
  const [endpoint]: string[] = await once(server, 'message')
  const client = new SQSClient({ endpoint: `${endpoint}` })
  return {
    endpoint: `${endpoint}`,
    /** Creates a queue with its dead-letter queue, and a queue for the failures that the function calls permanent. */
    async create({ name, groups, settings }: { name: string; groups?: number; settings: QueueSettings }) {
      const [suffix, fifo] = groups ? ['.fifo', { FifoQueue: 'true' }] : ['', {}]
      async function create(queue: string, attributes = {}) {
        const Attributes = { ...fifo, ...attributes }
        await client.send(new CreateQueueCommand({ QueueName: `${queue}${suffix}`, Attributes }))
        return `${endpoint}/000000000000/${queue}${suffix}`
      }
      const dead = await create(`${name}-dead`)
      const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${name}-dead${suffix}`
      const queue = await create(name, {
        VisibilityTimeout: String(settings.visibilityTimeout),
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: settings.maxReceives }),
      })
      return { queue, dead, permanent: await create(`${name}-permanent`) }
    },
    takeAll: (queueUrl: string) => takeAll(client, queueUrl),
    /** How many calls of each operation were refused. */
    async refused() {
      return (await (await fetch(`${endpoint}/refused`)).json()) as Record<string, number>
    },
    close() {
      client.destroy()
      server.disconnect()
    },
  }
}

/** Receives and deletes every message of a queue. Returns their numbers. */
export async function takeAll(client: SQSClient, QueueUrl: string): Promise<number[]> {
  const numbers: number[] = []
  const count = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] })
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 })
  while (Number((await client.send(count)).Attributes?.ApproximateNumberOfMessages) > 0) {
    const { Messages = [] } = await client.send(receive)
    numbers.push(...Messages.map(({ Body }): number => JSON.parse(`${Body}`).number))
    if (Messages.length === 0) continue
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
  }
  return numbers
}

export type Sqs = Awaited<ReturnType<typeof startSqs>>
