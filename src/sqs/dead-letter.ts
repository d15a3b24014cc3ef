import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { PermanentError } from '../errors.ts'
import { safely } from '../shared/safely.ts'
import type { FailureRequest, RecordFailure } from '../types.ts'
import { callInBatches, inBatches } from './batch-calls.ts'
import { type DeadLetterMessage, toDeadLetterMessage } from './dead-letter-message.ts'
import { checkDeadLetterOptions, type DeadLetterOptions } from './options.ts'
import { addReason, errorWithoutStack, logReasons, type Reasons, reasonOf, wrongResult } from './reasons.ts'
import { canBeSame, queueOfArn, queueOfUrl } from './source-queue.ts'
import { delaysBehind, RELEASE_DELAY, setVisibilityTimeouts } from './visibility.ts'

/**
 * Makes a failure handler that sends records to a dead-letter queue immediately, before they reach the
 * queue's `maxReceiveCount`. By default, it sends records that failed with a `PermanentError`.
 *
 * A record is removed from the failures only after SQS has accepted its message in the dead-letter queue.
 * Lambda then deletes the message from the source queue. If SQS does not accept it, the record stays failed,
 * and a line in the log gives the reason. A message can arrive twice, for example if the response of SQS is
 * lost.
 *
 * On a FIFO queue, the records behind a record that was sent become visible after 1 s, see
 * `releaseBlocked()`.
 *
 * A record is never sent to the queue that it came from, because SQS would deliver it as a new message,
 * without end. It stays failed, and the log says why. What `queueUrl` shows of region, account and name is
 * compared with the ARN.
 *
 * The message keeps its body, message attributes, message group and trace header. If your handler has changed
 * the record itself, the changed values are sent: change a copy. The message also gets the attributes below,
 * in this order. SQS allows ten attributes and 1 MiB for a message: attributes that do not fit are omitted,
 * and the log says so.
 *
 * - `DeadLetter.ErrorName`
 * - `DeadLetter.ErrorMessage`, up to 1,000 characters
 * - `DeadLetter.OriginalMessageId`, the message id in the source queue
 * - `DeadLetter.SourceQueue`, the ARN of the source queue, or `sourceQueueUrl`
 * - `DeadLetter.ReceiveCount`, a number: how often the message was delivered
 *
 * If the dead-letter queue is a FIFO queue, the deduplication id is the message id. If the same message is
 * sent again within five minutes, SQS drops it. A record without a message group gets its message id as its
 * group.
 *
 * @throws {TypeError} if an option is missing, unknown or not valid, or if both URLs can name the same queue
 * @example
 * boundedSqsBatch({
 *   onFailure: deadLetter({
 *     client: new SQSClient(),
 *     queueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dead',
 *     when: ({ error }) =>
 *       error instanceof PermanentError || error instanceof InvalidBodyError,
 *   }),
 * })
 */
export function deadLetter(options: DeadLetterOptions) {
  const { client, queueUrl, when = isPermanentFailure, sourceQueueUrl } = checkDeadLetterOptions(options)
  const isFifo = queueUrl.endsWith('.fifo')
  const queue = queueOfUrl(queueUrl)

  return async function deadLetterFailures(
    failures: readonly RecordFailure[],
    request: FailureRequest,
  ): Promise<readonly RecordFailure[]> {
    const { signal, log, blocked } = request
    const reasons: Reasons = new Map()
    const messages = failures.flatMap((failure): DeadLetterMessage | [] => {
      try {
        if (!isMatch(when(failure))) return []
        if (!canBeSame(queue, queueOfArn(failure.record.eventSourceARN))) {
          return toDeadLetterMessage(failure, { isFifo, sourceQueueUrl })
        }
        addReason(reasons, 'queueUrl may be the queue that the record came from: set it to another queue')
      } catch (error) {
        addReason(reasons, reasonOf(error))
      }
      return []
    })
    // The order of the calls does not matter: on a FIFO queue, there is only one failure of each group.
    const accepted = await callInBatches(
      inBatches(messages),
      (Entries) =>
        client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }), { abortSignal: signal }),
      { reasons, signal },
    )
    logReasons(log, reasons, (count) => {
      const of = count + accepted.size
      return `deadLetter(): ${count} of ${of} records could not be sent to ${queue.name} and stay failed`
    })
    const incomplete = messages.filter((message) => message.omitted.length > 0 && accepted.has(message))
    if (incomplete.length > 0) {
      const names = [...new Set(incomplete.flatMap(({ omitted }) => omitted))].join(', ')
      const text = `${incomplete.length} messages were sent to ${queue.name} without ${names}`
      log(errorWithoutStack(`deadLetter(): ${text}: the limits of SQS leave no room for these attributes`))
    }
    const sent = new Set(Array.from(accepted, ({ failure }) => failure))
    const delays = delaysBehind(blocked, [...sent], RELEASE_DELAY)
    await setVisibilityTimeouts('deadLetter', delays, { client, sourceQueueUrl, signal, log })
    return failures.filter((failure) => !sent.has(failure))
  }
}

// The class is not imported, because the bundle of this entry would then contain a second copy of it.
const PERMANENT: PermanentError['code'] = 'ERR_PERMANENT'

/** Reads `code` and not the class, so that it recognises an error of another copy of this package. */
export function isPermanentFailure({ error }: RecordFailure): boolean {
  return safely(() => (error as { code?: unknown }).code) === PERMANENT
}

/**
 * Reads what `when()` returned. Only `true` sends the record. If any truthy value did, an async `when()`
 * would send every record, because a promise is truthy.
 */
function isMatch(returned: unknown): boolean {
  if (returned === undefined || typeof returned === 'boolean') return returned === true
  throw wrongResult('when() to return true or false', returned)
}
