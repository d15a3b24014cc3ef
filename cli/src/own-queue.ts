import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { UsageError } from './errors.ts'

export interface OwnQueueOptions {
  /** Default 0: any free port. */
  port?: number
  fifo?: boolean
  /** Seconds. */
  visibilityTimeout: number
  /** Deliveries before a message goes to the dead-letter queue. */
  maxReceives: number
}

const ACCOUNT = '000000000000'

/** SQS in this process, on loopback only, with a queue `local` and its dead-letter queue. */
export const startOwnQueue = async ({ port = 0, fifo = false, visibilityTimeout, maxReceives }: OwnQueueOptions) => {
  const { buildApp } = await import('fauxqs') // a third of a second that a given queue need not wait for
  const app = buildApp({ logger: false })
  const endpoint = await app.listen({ port, host: '127.0.0.1' }).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${error.code})`
    throw new UsageError(`port ${port} ${why}: choose another with --port, or leave it out for any free one`)
  })

  const client = new SQSClient({
    region: 'us-east-1',
    endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const suffix = fifo ? '.fifo' : ''
  // Not the URL that SQS answers: it has a host name under .localhost, which not every machine resolves.
  const url = (name: string) => `${endpoint}/${ACCOUNT}/${name}${suffix}`
  const create = async (name: string, attributes: Record<string, string>) => {
    const all = { ...attributes, ...(fifo ? { FifoQueue: 'true' } : {}) }
    await client.send(new CreateQueueCommand({ QueueName: `${name}${suffix}`, Attributes: all }))
    const read = new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ['QueueArn'] })
    return (await client.send(read)).Attributes?.QueueArn
  }
  const deadLetterTargetArn = await create('local-dead-letters', { MessageRetentionPeriod: '1209600' })
  await create('local', {
    VisibilityTimeout: String(visibilityTimeout),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: maxReceives }),
  })
  client.destroy()
  return { endpoint, queueUrl: url('local'), close: () => app.close() }
}
