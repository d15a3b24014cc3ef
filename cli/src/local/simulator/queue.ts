import type { SendMessageBatchRequestEntry, SendMessageBatchResult } from '@aws-sdk/client-sqs'
import type { QueueCounts } from './ledger.ts'
import type { Received } from './sqs-record.ts'

/** A queue as the run sees it: its own (own-queue.ts), or one that is given (given-queue.ts). */
export interface Queue {
  readonly queueUrl: string
  readonly deadLetterUrl?: string | undefined
  readonly fifo: boolean
  /** Seconds. */
  readonly visibilityTimeout: number
  /** `Infinity` without a redrive policy. */
  readonly maxReceives: number
  /** Whether only the run and its function can send messages. */
  readonly isPrivate: boolean
  /** Environment variables of the function, with which its SQS clients use this queue. */
  readonly variables: NodeJS.Dict<string>
  send(entries: SendMessageBatchRequestEntry[]): Promise<SendMessageBatchResult>
  /** Waits for a first message, unless the signal aborts. */
  receive(most: number, waitSeconds: number, signal?: AbortSignal): Promise<Received[]>
  /** Returns the messages that were not deleted. */
  remove(messages: readonly Received[]): Promise<Received[]>
  /** Makes messages visible again after this many seconds. */
  setVisibility(messages: readonly Received[], seconds: number): Promise<unknown>
  /** Gives back messages that were not delivered. */
  release(messages: readonly Received[]): Promise<unknown>
  counts(): Promise<QueueCounts>
  close(): unknown
}
