import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { buildApp } from 'fauxqs'
import { hash } from './messages.ts'

/** One of so many calls is refused. */
const REFUSE_EVERY = 50
/**
 * Far above what failing twice, hanging once and several kills need. So a message of another kind than `poison` in the
 * dead-letter queue is a defect.
 */
const MAX_RECEIVES = 12

/** SQS with its wire protocol in this process. It refuses some calls, before they change anything. */
export async function startThrottledSqs() {
  // The engine repeats refused calls until SQS accepts them, as Lambda's pollers do. The function has its own setting.
  const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  Object.assign(process.env, { ...credentials, AWS_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '10' })
  const refused = { SendMessageBatch: 0, ReceiveMessage: 0, DeleteMessageBatch: 0, ChangeMessageVisibilityBatch: 0 }
  let calls = 0
  const app = buildApp({ logger: false })
  app.addHook('preHandler', async ({ headers }, reply) => {
    const operation = String(headers['x-amz-target']).replace('AmazonSQS.', '')
    if (!Object.hasOwn(refused, operation) || hash(++calls) % REFUSE_EVERY !== 0) return
    refused[operation as keyof typeof refused] += 1
    const [status, code] = calls % 2 === 0 ? [400, 'ThrottlingException'] : [503, 'ServiceUnavailable']
    return reply.code(status).send({ __type: `com.amazonaws.sqs#${code}`, message: 'try again' })
  })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new SQSClient({ endpoint })
  return {
    endpoint,
    client,
    refused,
    /** Creates a queue with its dead-letter queue, and a queue for the failures that the function calls permanent. */
    async create({ name, groups }: { name: string; groups?: number }, visibilityTimeout: number) {
      const [suffix, fifo] = groups ? ['.fifo', { FifoQueue: 'true' }] : ['', {}]
      const create = async (queue: string, attributes = {}) => {
        const Attributes = { ...fifo, ...attributes }
        await client.send(new CreateQueueCommand({ QueueName: `${queue}${suffix}`, Attributes }))
        return `${endpoint}/000000000000/${queue}${suffix}`
      }
      const dead = await create(`${name}-dead`)
      const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${name}-dead${suffix}`
      const queue = await create(name, {
        VisibilityTimeout: String(visibilityTimeout),
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: MAX_RECEIVES }),
      })
      return { queue, dead, permanent: await create(`${name}-permanent`) }
    },
    close() {
      client.destroy()
      return app.close()
    },
  }
}

export type Sqs = Awaited<ReturnType<typeof startThrottledSqs>>

/** Receives and deletes every message of a queue. */
export async function takeNumbers(client: SQSClient, QueueUrl: string): Promise<number[]> {
  const numbers: number[] = []
  const count = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] })
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 })
  while (Number((await client.send(count)).Attributes?.ApproximateNumberOfMessages) > 0) {
    const { Messages = [] } = await client.send(receive)
    numbers.push(...Messages.map(({ Body }): number => JSON.parse(`${Body}`).number))
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
  }
  return numbers
}
