import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Declaration, Inventory } from '../model/declaration.ts'
import { textTree } from '../model/partial-text.ts'
import { absent } from '../model/setting.ts'
import { toTree } from '../model/tree.ts'
import { parseObject } from '../shared/json.ts'
import { reasonOf } from './errors.ts'

/** The queues that were read, by their ARNs, with other declarations. */
export interface QueueReading {
  sqs: SQSClient
  declarations: Map<string, Declaration>
  sources: Set<string>
  deadLetterTargets: Inventory['deadLetterTargets'][number][]
}

export async function addQueue(reading: QueueReading, arn: string): Promise<void> {
  const { sources, sqs, deadLetterTargets } = reading
  if (sources.has(arn)) return
  sources.add(arn)
  const found = await addSettings(reading, arn)
  if (found?.policy) await addSettings(reading, String(found.policy.deadLetterTargetArn))
  if (!found || found.policy) return
  // If SQS does not return the list, it counts as an ordinary queue, and gets the warning on its redrive policy.
  const list = new ListDeadLetterSourceQueuesCommand({ QueueUrl: found.QueueUrl, MaxResults: 1 })
  const response = await sqs.send(list).catch(() => undefined)
  if (response?.queueUrls?.length) deadLetterTargets.push({ owner: 'another queue', text: arn })
}

/** Adds a queue with its attributes. If access is denied, it is listed as not checked. */
async function addSettings({ sqs, declarations }: QueueReading, arn: string) {
  const [, , , , account, name = arn] = arn.split(':')
  const own = { kind: 'queue', type: 'queue', id: name, names: { arn, name } } as const
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }))
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))
    const properties = toTree({ ...Attributes, FifoQueue: name.endsWith('.fifo') }, textTree)
    declarations.set(arn, { ...own, properties })
    return { QueueUrl, policy: parseObject(String(Attributes?.RedrivePolicy)) }
  } catch (error) {
    declarations.set(arn, { ...own, properties: absent, unreadReason: reasonOf(error) })
    return undefined
  }
}
