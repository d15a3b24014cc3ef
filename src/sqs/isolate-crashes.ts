import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { check } from '../shared/check.ts'
import { safely } from '../shared/safely.ts'
import { startTimer } from '../shared/timers.ts'
import { ISOLATE_CRASHES_CHECKS, type IsolateCrashesOptions } from './options.ts'
import { errorWithoutStack, reasonOf } from './reasons.ts'
import { randomSeconds, setVisibilityTimeouts } from './visibility.ts'

/** Milliseconds for all calls. */
const MAX_TIME = 10_000
/** How many records the log names. */
const MAX_SUSPECTS = 10

/**
 * Makes a Middy middleware for functions whose process can crash: use it before `boundedSqsBatch()`.
 * Experimental: its behaviour and its options can change in any version.
 *
 * If a message ends the process, SQS redelivers the whole batch at one time. The same messages then meet
 * again until all of them are dead-lettered. So this sets the visibility timeout of each redelivered record
 * before the handlers start. This is the time that the invocation has left, plus a random time from half of
 * `spread` to all of it. After another crash, the records return in many small batches. The log names records
 * that were delivered three times or more, if they are at most ten.
 *
 * There is no call for a batch without redelivered records, for a FIFO queue, or if the context does not give
 * the time that is left. The calls take at most a fifth of this time, and at most 10 s. If they fail, the log
 * says why, and the batch runs. Failed and not started records keep the delay, unless `retryBackoff()` sets
 * another.
 *
 * @throws {TypeError} if an option is missing, unknown or not valid
 * @example
 * middy()
 *   .use(isolateCrashes({ client }))
 *   .use(boundedSqsBatch({ onFailure: retryBackoff({ client }) }))
 */
export function isolateCrashes(options: IsolateCrashesOptions) {
  const { spread = 900, ...queue } = check('isolateCrashes', options, ISOLATE_CRASHES_CHECKS, ['client'])

  async function spreadOut(records: readonly SQSRecord[], left: number): Promise<void> {
    // Not shorter than the invocation: SQS would redeliver the record while its handler runs. At least half
    // of `spread`, so that a deployment that always crashes does not dead-letter the queue faster than
    // without this middleware.
    const delayOf = () => Math.ceil(left / 1000) + randomSeconds(Math.ceil(spread / 2), spread)
    const delays = records.map((record) => ({ record, seconds: delayOf() }))
    const controller = new AbortController()
    const timer = startTimer(() => controller.abort(), Math.min(MAX_TIME, left / 5))
    try {
      const calls = { ...queue, signal: controller.signal, log: console.error }
      await setVisibilityTimeouts('isolateCrashes', delays, calls)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Never rejects: that would fail the invocation, and SQS would redeliver the batch. */
  async function isolateCrashesBefore(input: { event: SQSEvent; context: Context }): Promise<void> {
    const { event, context } = input
    try {
      // Events from other sources have no such records: what handles the batch refuses them.
      if (!Array.isArray(event?.Records)) return
      const records = event.Records.filter(isFromSqs)
      // On a FIFO queue, a delayed record would block its group.
      const redelivered = records.filter((record) => receiveCountOf(record) > 1 && !isFromFifo(record))
      // A context made by hand may have no time. On Managed Instances, it can be 0 or less.
      const left = safely(() => context.getRemainingTimeInMillis()) ?? 0
      if (left > 0 && left < Infinity) await spreadOut(redelivered, left)
      const suspects = records.filter((record) => receiveCountOf(record) >= 3)
      if (suspects.length === 0 || suspects.length > MAX_SUSPECTS) return
      const ids = suspects.map(({ messageId }) => messageId).join(', ')
      console.info(
        `isolateCrashes(): if the process ends now, suspect these records, delivered three times or more: ${ids}`,
      )
    } catch (error) {
      safely(() =>
        console.error(errorWithoutStack(`isolateCrashes(): the event is not readable: ${reasonOf(error)}`)),
      )
    }
  }

  return { before: isolateCrashesBefore }
}

/** Events that tests make by hand often omit `eventSource`. */
function isFromSqs(record: SQSRecord): boolean {
  return (record?.eventSource ?? 'aws:sqs') === 'aws:sqs'
}

function receiveCountOf(record: SQSRecord): number {
  return Number(record?.attributes?.ApproximateReceiveCount)
}

function isFromFifo({ eventSourceARN }: SQSRecord): boolean {
  return String(eventSourceARN).endsWith('.fifo')
}
