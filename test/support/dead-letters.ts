import type { SQSMessageAttribute } from 'aws-lambda'
import type { Test } from 'tap'
import { type FailureRequest, PermanentError, type RecordFailure } from '../../src/index.ts'
import { type DeadLetterOptions, deadLetter } from '../../src/sqs/index.ts'
import { type Faults, failureRequest, startSqs } from './sqs.ts'

export const SOURCE = 'arn:aws:sqs:eu-west-1:123456789012:orders'
export const permanent = new PermanentError('the order is not valid')

/** A message attribute in the format of SQS. */
export function text(StringValue: string) {
  return { DataType: 'String', StringValue }
}

/** A message attribute in the format of a record. */
export function plain(stringValue: string): SQSMessageAttribute {
  return { dataType: 'String', stringValue }
}

/** The attributes that `deadLetter()` adds to a message. */
export function reasons(id: string, { name = 'PermanentError', message = permanent.message, receiveCount = '1' } = {}) {
  return {
    'DeadLetter.ErrorName': text(name),
    'DeadLetter.ErrorMessage': text(message),
    'DeadLetter.OriginalMessageId': text(id),
    'DeadLetter.SourceQueue': text(SOURCE),
    'DeadLetter.ReceiveCount': { DataType: 'Number', StringValue: receiveCount },
  }
}

interface SetUp {
  readonly faults?: Faults
  readonly name?: string
  readonly attributes?: Record<string, string>
  readonly options?: Partial<DeadLetterOptions>
}

/** Starts SQS with these faults and a `deadLetter()` handler for the queue `dead`. */
export async function setUp(t: Test, { faults, name = 'dead', attributes, options }: SetUp = {}) {
  const sqs = await startSqs(t, faults)
  const { url } = sqs.queue(name, attributes)
  const handle = deadLetter({ client: sqs.client(), queueUrl: url, ...options })
  return {
    ...sqs,
    async handle(failures: readonly RecordFailure[], blocked?: FailureRequest['blocked'], signal?: AbortSignal) {
      const { request, lines } = failureRequest(signal, blocked)
      return { remaining: await handle(failures, request), lines }
    },
    /** The messages in the queue, by their bodies. */
    async received() {
      const messages = await sqs.receiveAll(url)
      return new Map(messages.map((message) => [message.Body as string, message]))
    },
    sizes: () => sqs.calls.map(({ input }) => input.Entries.length),
  }
}
