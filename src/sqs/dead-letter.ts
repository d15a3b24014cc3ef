import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { kindOf } from '../describe.ts'
import { isPermanent } from '../permanent.ts'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { callInBatches, inBatches } from './batch-calls.ts'
import { type DeadLetterMessage, toDeadLetterMessage } from './dead-letter-message.ts'
import { checkDeadLetterOptions, type DeadLetterOptions } from './options.ts'
import { addReason, countReasons, listReasons, notice, type Reasons, reasonOf } from './reasons.ts'

/**
 * A failure handler that sends records to a dead-letter queue at once instead of after the last of their deliveries: by
 * default those that failed with a `PermanentError`. A record is taken off the failures, so that Lambda deletes it from
 * its own queue, once SQS has accepted it in the other, and not before. What SQS has not accepted stays failed, and one
 * line of the log says why. A message may get there twice, as everywhere with SQS.
 *
 * It goes with its body, its message attributes, its message group and its trace header, and with these attributes, in
 * this order, as far as SQS has room for them (ten attributes, 1 MiB). What is left out is logged.
 *
 * - `DeadLetter.ErrorName`
 * - `DeadLetter.ErrorMessage`, up to 1,000 characters
 * - `DeadLetter.OriginalMessageId`, its message id in the queue that it came from
 * - `DeadLetter.SourceQueue`, the ARN of that queue, or `sourceQueueUrl`
 * - `DeadLetter.ReceiveCount`, how often it was delivered, a number
 *
 * In a FIFO queue its deduplication id is its message id, so that it gets there once in SQS's five minutes, and a record
 * without a message group gets one of its own.
 *
 * @throws {TypeError} on an option that is missing, unknown or of the wrong kind
 * @example
 * boundedSqsBatch({
 *   onFailure: deadLetter({
 *     client: new SQSClient(),
 *     queueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dead',
 *     when: ({ error }) => error instanceof PermanentError || error instanceof InvalidBodyError,
 *   }),
 * })
 */
export function deadLetter(options: DeadLetterOptions) {
  const { client, queueUrl, when = isPermanentFailure, sourceQueueUrl } = checkDeadLetterOptions(options)
  const isFifo = queueUrl.endsWith('.fifo')

  return async function deadLetterFailures(
    failures: readonly RecordFailure[],
    request: FailureRequest,
  ): Promise<readonly RecordFailure[]> {
    const { signal } = request
    const refused: Reasons = new Map()
    const messages = failures.flatMap((failure): DeadLetterMessage | [] => {
      try {
        return isMatch(when(failure)) ? toDeadLetterMessage(failure, { isFifo, sourceQueueUrl }) : []
      } catch (error) {
        addReason(refused, reasonOf(error))
        return []
      }
    })
    const accepted = await callInBatches(
      inBatches(messages),
      (Entries) => client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }), { abortSignal: signal }),
      { refused, signal }, // of a FIFO queue's message group there is one failure at most: there is no order to keep
    )
    const queue = queueUrl.slice(queueUrl.lastIndexOf('/') + 1)
    if (refused.size > 0) {
      const count = countReasons(refused)
      const of = count + accepted.size
      request.log(notice(`deadLetter(): ${count} of ${of} records are not in ${queue}: ${listReasons(refused)}`))
    }
    const cut = messages.filter(({ failure, leftOut }) => leftOut.length > 0 && accepted.has(failure))
    if (cut.length > 0) {
      const names = [...new Set(cut.flatMap(({ leftOut }) => leftOut))].join(', ')
      request.log(notice(`deadLetter(): ${cut.length} messages had no room for ${names} in ${queue}`))
    }
    return failures.filter((failure) => !accepted.has(failure))
  }
}

const isPermanentFailure = ({ error }: RecordFailure) => isPermanent(error)

/** A promise would pass for true, and everything would be sent. */
function isMatch(answer: unknown): boolean {
  if (answer === undefined || typeof answer === 'boolean') return answer === true
  Promise.resolve(answer).catch(() => {}) // its rejection would end the process
  throw new TypeError(`expected when() to return true or false, got ${kindOf(answer)}`)
}
