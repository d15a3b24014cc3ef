import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Test } from 'tap'
import { close, listen } from './services.ts'

const MAX_OF_A_GROUP = 4
const ARN = 'arn:aws:sqs:us-east-1:000000000000:orders.fifo'

interface StoredMessage {
  readonly id: string
  readonly body: string
  receiveCount: number
}

/** The messages of a group, in order. While some of them are in flight, the others cannot be received. */
interface Group {
  readonly id: string
  messages: StoredMessage[]
  readonly inFlight: Set<string>
}

interface Entry {
  readonly Id: string
  readonly ReceiptHandle: string
  readonly MessageBody: string
  readonly MessageGroupId: string
  readonly VisibilityTimeout: number
}

/**
 * A FIFO queue that speaks the wire protocol of SQS. Like SQS, it returns several messages of a group in one batch. The
 * maximum here is four. fauxqs returns only one message of a group at a time. A receipt handle is the message id.
 */
export async function startGroupedQueue(t: Test) {
  const groups = new Map<string, Group>()
  const changes = new EventTarget()
  const groupOf = new Map<string, Group>()

  function send({ MessageBody, MessageGroupId }: Entry) {
    const group = groups.get(MessageGroupId) ?? { id: MessageGroupId, messages: [], inFlight: new Set() }
    const message = { id: `message-${groupOf.size + 1}`, body: MessageBody, receiveCount: 0 }
    groups.set(MessageGroupId, group)
    groupOf.set(message.id, group)
    group.messages.push(message)
    return { MessageId: message.id, MD5OfMessageBody: md5(MessageBody) }
  }

  function take(max: number) {
    const taken: object[] = []
    for (const group of [...groups.values()]) {
      if (taken.length === max) break
      if (group.inFlight.size > 0 || group.messages.length === 0) continue
      for (const message of group.messages.slice(0, Math.min(MAX_OF_A_GROUP, max - taken.length))) {
        group.inFlight.add(message.id)
        taken.push(toMessage(message, group.id))
      }
      groups.delete(group.id) // the next call begins with the other groups
      groups.set(group.id, group)
    }
    return taken
  }

  async function receive(max: number, waitSeconds: number) {
    const taken = take(max)
    if (taken.length > 0 || waitSeconds === 0) return taken
    await once(changes, 'change', { signal: AbortSignal.timeout(waitSeconds * 1000) }).catch(() => {})
    return take(max)
  }

  function remove({ ReceiptHandle }: Entry) {
    const group = groupOf.get(ReceiptHandle) as Group
    group.messages = group.messages.filter(({ id }) => id !== ReceiptHandle)
    group.inFlight.delete(ReceiptHandle)
    changes.dispatchEvent(new Event('change'))
  }

  function setVisibility({ ReceiptHandle, VisibilityTimeout }: Entry) {
    if (VisibilityTimeout > 0) return // the message stays in flight
    groupOf.get(ReceiptHandle)?.inFlight.delete(ReceiptHandle)
    changes.dispatchEvent(new Event('change'))
  }

  function attributes() {
    const sum = (count: (group: Group) => number) =>
      String([...groups.values()].reduce((n, group) => n + count(group), 0))
    return {
      QueueArn: ARN,
      VisibilityTimeout: '60',
      ApproximateNumberOfMessages: sum(({ messages, inFlight }) => messages.length - inFlight.size),
      ApproximateNumberOfMessagesNotVisible: sum(({ inFlight }) => inFlight.size),
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: each operation has its own input
  async function respond(operation: string, input: any): Promise<object> {
    const each = (run: (entry: Entry) => unknown) => ({
      Successful: input.Entries.map((entry: Entry) => ({ Id: entry.Id, ...(run(entry) as object) })),
    })
    if (operation === 'GetQueueAttributes') return { Attributes: attributes() }
    if (operation === 'SendMessageBatch') return each(send)
    if (operation === 'ReceiveMessage')
      return { Messages: await receive(input.MaxNumberOfMessages, input.WaitTimeSeconds) }
    if (operation === 'DeleteMessageBatch') return each(remove)
    if (operation === 'ChangeMessageVisibilityBatch') return each(setVisibility)
    throw new Error(`Expected an operation that the grouped queue has, received ${operation}`)
  }

  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).replace('AmazonSQS.', '')
    const body = JSON.stringify(await respond(operation, await json(request)))
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(body)
  })
  const endpoint = await listen(server)
  t.teardown(() => close(server))
  return { endpoint, queueUrl: `${endpoint}/000000000000/orders.fifo` }
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}

function toMessage(message: StoredMessage, MessageGroupId: string) {
  message.receiveCount++
  return {
    MessageId: message.id,
    ReceiptHandle: message.id,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: { ApproximateReceiveCount: String(message.receiveCount), MessageGroupId },
  }
}
