import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { Context as LambdaContext, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import {
  boundedSqsBatch,
  type eachRecord,
  eachRecord as eachRecordOf,
  type FailureHandler,
  PermanentError,
} from '../../src/index.ts'
import { toRecord } from './sqs.ts'

type Context = Parameters<ReturnType<typeof eachRecord>>[1]
type Handler = (event: SQSEvent, context: LambdaContext) => Promise<SQSBatchResponse>

/** A message group, of which one message fails: for ever, or at its first delivery. */
export interface Group {
  readonly name: string
  readonly size: number
  /** The number of the message that fails, from 1. */
  readonly failing: number
  readonly isPermanent: boolean
}

/** Groups of 2 to `largest` messages, with a failure at each place, of both kinds. */
export function groupsUpTo(largest: number): Group[] {
  const groups: Group[] = []
  for (let size = 2; size <= largest; size++) {
    for (let failing = 1; failing <= size; failing++) {
      for (const isPermanent of [true, false]) {
        groups.push({ name: `${isPermanent ? 'permanent' : 'once'}-${size}-${failing}`, size, failing, isPermanent })
      }
    }
  }
  return groups
}

/** The numbers of the messages that a handler must process, in this order. */
export function expectedOf({ size, failing, isPermanent }: Group): number[] {
  return Array.from({ length: size }, (_, index) => index + 1).filter((number) => !isPermanent || number !== failing)
}

export interface Scenario {
  readonly groups: readonly Group[]
  readonly queue: { readonly url: string; readonly arn: string }
  readonly client: SQSClient
  readonly onFailure: FailureHandler[]
  /** Milliseconds that a function has. */
  readonly timeout?: number
  /** Runs after the failure handlers of a batch with these bodies. */
  readonly beforeResponse?: (bodies: readonly string[]) => unknown
  /** How many environments receive batches at the same time. */
  readonly environments?: number
  /** Milliseconds after which the run ends, done or not. */
  readonly limit: number
}

/** The group and the number of a message, from its body. */
export function messageOf(body: string): [group: string, number: number] {
  const [group, number] = body.split(' ')
  return [group as string, Number(number)]
}

/**
 * Sends the groups to a queue, and delivers them until all messages are done.
 *
 * @returns for each group, the numbers of the messages in the order in which they were processed first, and a text for
 * each message that started although an earlier one of its group was not done
 */
export async function runGroups(scenario: Scenario) {
  const { groups, queue, client, onFailure, timeout, beforeResponse, environments = 1, limit } = scenario
  await sendAll(client, queue.url, groups)
  const byName = new Map(groups.map((group) => [group.name, group]))
  const processed = new Map<string, number[]>(groups.map(({ name }) => [name, []]))
  const taken = new Set<string>() // the bodies of dead letters
  const disorders: string[] = []
  const noting = (handle: FailureHandler): FailureHandler =>
    async function noteTaken(failures, request) {
      const remaining = await handle(failures, request)
      for (const failure of failures) if (!remaining.includes(failure)) taken.add(failure.record.body)
      return remaining
    }
  const handler = middy()
    .use({ after: (request) => beforeResponse?.(request.event.Records.map(({ body }: { body: string }) => body)) })
    .use(boundedSqsBatch({ onFailure: onFailure.map(noting), logger: false }))
    .handler(
      eachRecordOf(({ body }, _context: Context, { receiveCount }) => {
        const [name, number] = messageOf(body)
        const { failing, isPermanent } = byName.get(name) as Group
        const done = processed.get(name) as number[]
        for (let earlier = 1; earlier < number; earlier++) {
          if (!done.includes(earlier) && !taken.has(`${name} ${earlier}`)) disorders.push(`${body} before ${earlier}`)
        }
        if (number === failing && isPermanent) throw new PermanentError('not valid')
        if (number === failing && receiveCount === 1) throw new Error('downstream returned 503')
        if (!done.includes(number)) done.push(number)
      }),
    )
  const messages = groups.reduce((sum, group) => sum + expectedOf(group).length, 0)
  const end = performance.now() + limit
  const isDone = () =>
    performance.now() > end || [...processed.values()].reduce((sum, { length }) => sum + length, 0) === messages
  const environment = () => deliver(client, queue, handler, { batchSize: 10, isDone, timeout })
  await Promise.all(Array.from({ length: environments }, environment))
  return { processed: Object.fromEntries(processed), disorders }
}

async function sendAll(client: SQSClient, QueueUrl: string, groups: readonly Group[]): Promise<void> {
  for (const { name, size } of groups) {
    const Entries = Array.from({ length: size }, (_, index) => ({
      Id: String(index),
      MessageBody: `${name} ${index + 1}`,
      MessageGroupId: name,
      MessageDeduplicationId: `${name}-${index + 1}`,
    }))
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
  }
}

/**
 * Imitates Lambda's event source mapping until `isDone` returns true. It gathers messages into batches, invokes the
 * handler, and deletes the messages that the response does not report. The others return after their visibility
 * timeout.
 */
async function deliver(
  client: SQSClient,
  queue: { readonly url: string; readonly arn: string },
  handler: Handler,
  { batchSize, isDone, timeout = 30_000 }: { batchSize: number; isDone: () => boolean; timeout?: number | undefined },
): Promise<void> {
  while (!isDone()) {
    const Records = await gather(client, queue, batchSize)
    if (Records.length === 0) {
      await sleep(50)
      continue
    }
    const end = Date.now() + timeout
    const context = { getRemainingTimeInMillis: () => end - Date.now() } as LambdaContext
    const response = await handler({ Records }, context).catch(() => undefined)
    if (!response) continue // the invocation has failed: all messages return
    const { batchItemFailures } = response
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
    await remove(
      client,
      queue.url,
      Records.filter(({ messageId }) => !failed.has(messageId)),
    )
  }
}

async function gather(
  client: SQSClient,
  { url, arn }: { readonly url: string; readonly arn: string },
  batchSize: number,
): Promise<SQSRecord[]> {
  const messages: Message[] = []
  while (messages.length < batchSize) {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
      AttributeNames: ['All'], // moto reads only this
    })
    const { Messages = [] } = await client.send(command)
    if (Messages.length === 0) break
    messages.push(...Messages)
  }
  return messages.map((message) => toRecord(message, arn))
}

async function remove(client: SQSClient, url: string, records: readonly SQSRecord[]): Promise<void> {
  for (let start = 0; start < records.length; start += 10) {
    const Entries = records
      .slice(start, start + 10)
      .map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }))
    await client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }))
  }
}
