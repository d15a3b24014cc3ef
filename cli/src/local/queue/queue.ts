import type { SendMessageBatchRequestEntry, SendMessageBatchResult } from '@aws-sdk/client-sqs'
import type { Received } from './sqs-record.ts'

export interface QueueCounts {
  /** The messages that can be received. */
  visible: number
  /** All messages, also those in flight. */
  queue: number
  deadLetter: number
  /** How many of them clients sent. The queue moved the others. Undefined if not known. */
  sentDeadLetters?: number | undefined
  sentByFunction?: number | undefined
  stoppedLoops?: number
  replacedTimeouts?: number
}

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
