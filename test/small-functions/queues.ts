import { randomUUID } from 'node:crypto'
import {
  CreateQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'

const REGION = 'eu-west-1'

export interface Queues {
  readonly deadLetterQueueUrl: string
  /** Returns the ids of the records that deadLetter() has sent. */
  deadLettered(): Promise<string[]>
}

/**
 * Creates a dead-letter queue and a source queue in SQS. The first `count` records become messages of the source queue,
 * because SQS changes the visibility only of messages that it has delivered.
 */
export async function createQueues(endpoint: string, records: SQSRecord[], count: number): Promise<Queues> {
  const client = new SQSClient({
    endpoint,
    region: REGION,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const name = `orders-${randomUUID()}`
  const create = (QueueName: string) => client.send(new CreateQueueCommand({ QueueName }))
  const [{ QueueUrl }, { QueueUrl: deadLetterQueueUrl }] = await Promise.all([create(name), create(`${name}-dead`)])
  for (let sent = 0; sent < count; sent += 10) {
    const Entries = records
      .slice(sent, Math.min(sent + 10, count))
      .map(({ body }, Id) => ({ Id: `${Id}`, MessageBody: body }))
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  }
  const messages = await receiveAll(client, QueueUrl)
  for (const [index, record] of records.entries()) {
    const { MessageId, ReceiptHandle } = messages[index] ?? {}
    record.eventSourceARN = `arn:aws:sqs:${REGION}:000000000000:${name}`
    if (MessageId && ReceiptHandle) Object.assign(record, { messageId: MessageId, receiptHandle: ReceiptHandle })
  }
  return {
    deadLetterQueueUrl: deadLetterQueueUrl as string,
    async deadLettered() {
      const dead = await receiveAll(client, deadLetterQueueUrl)
      client.destroy()
      return dead.map(
        ({ MessageAttributes }) => MessageAttributes?.['DeadLetter.OriginalMessageId']?.StringValue as string,
      )
    },
  }
}

async function receiveAll(client: SQSClient, QueueUrl: string | undefined): Promise<Message[]> {
  const input = { QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 600, MessageAttributeNames: ['All'] }
  const messages: Message[] = []
  for (;;) {
    const { Messages = [] } = await client.send(new ReceiveMessageCommand(input))
    if (Messages.length === 0) return messages
    messages.push(...Messages)
  }
}
