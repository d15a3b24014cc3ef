import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { deadLetterQueueOf, type Queue, type RedrivePolicy, unreadQueue } from '../model/model.ts'
import { absent, known, type Setting } from '../model/setting.ts'
import { QUEUE_SETTINGS, REDRIVE_SETTINGS } from '../model/settings.ts'
import { parseObject } from '../shared/json.ts'
import { reasonOf } from './errors.ts'
import { returned } from './returned.ts'

async function attributesOf(sqs: SQSClient, arn: string): Promise<Record<string, string | undefined>> {
  const [, , , , account, name] = arn.split(':')
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }))
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
  return { ...Attributes, QueueUrl }
}

/**
 * Whether queues use a queue as dead-letter queue. If SQS does not return the list, it counts as an ordinary queue, and
 * gets the warning that it has no redrive policy.
 */
async function isDeadLetterQueue(sqs: SQSClient, QueueUrl: string | undefined): Promise<boolean> {
  const list = new ListDeadLetterSourceQueuesCommand({ QueueUrl, MaxResults: 1 })
  const response = await sqs.send(list).catch(() => undefined)
  return (response?.queueUrls ?? []).length > 0
}

async function redriveOf(sqs: SQSClient, id: string, text: string | undefined): Promise<Setting<RedrivePolicy>> {
  const policy = parseObject(String(text))
  if (!policy) return absent
  const deadLetterQueue = deadLetterQueueOf(await readSettings(sqs, String(policy.deadLetterTargetArn)))
  return known({ ...returned(REDRIVE_SETTINGS, id, policy, 'SQS'), deadLetterQueue })
}

/** A queue without its redrive policy, and its other attributes. If access is denied, it is listed as not checked. */
async function readSettings(sqs: SQSClient, arn: string): Promise<Queue & { attributes?: Record<string, unknown> }> {
  const id = arn.split(':').at(-1) ?? arn
  const fifo = known(arn.endsWith('.fifo'))
  try {
    const attributes = await attributesOf(sqs, arn)
    return { id, ...returned(QUEUE_SETTINGS, id, attributes, 'SQS'), fifo, redrive: absent, attributes }
  } catch (error) {
    return { ...unreadQueue(id, reasonOf(error)), fifo }
  }
}

/** Reads a queue by its ARN. */
export async function readQueue(sqs: SQSClient, arn: string): Promise<Queue> {
  const { attributes, ...queue } = await readSettings(sqs, arn)
  if (!attributes) return queue
  const redrive = await redriveOf(sqs, queue.id, attributes.RedrivePolicy as string | undefined)
  const isTarget = redrive.state === 'absent' && (await isDeadLetterQueue(sqs, attributes.QueueUrl as string))
  return { ...queue, redrive, isDeadLetterQueue: isTarget }
}
