/** The Lambda functions of the proof that change visibility timeouts. They need the SQS client, which Lambda has. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { RecordHandler } from '../../src/index.ts'
import { isolateCrashes, retryBackoff } from '../../src/sqs/index.ts'
import { setVisibilityTimeouts } from '../../src/sqs/visibility.ts'
import { note, withLibrary } from './functions.ts'

const client = new SQSClient()

const bodiesAndReceives = ({ Records }: SQSEvent) => ({
  bodies: Records.map(({ body, attributes }) => ({
    ...JSON.parse(body),
    receive: Number(attributes.ApproximateReceiveCount),
  })),
})

/** On the first delivery, sets the visibility timeout of its message. It then ends as the body says. */
export async function visibility(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  note(context, bodiesAndReceives(event))
  const [record] = event.Records
  if (record?.attributes.ApproximateReceiveCount !== '1') return { batchItemFailures: [] }
  const { seconds, end } = JSON.parse(record.body)
  const calls = { client, signal: AbortSignal.timeout(4000), log: console.error }
  await setVisibilityTimeouts('visibility', [{ record, seconds }], calls)
  note(context, { set: { end, seconds } })
  if (end === 'an error') throw new Error('This message fails the invocation')
  if (end === 'a crash') process.exit(1)
  return { batchItemFailures: [{ itemIdentifier: record.messageId }] }
}

/** Reports the second message of each group, which it delays as the body says, and those behind it in the batch. */
export async function groups(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  note(context, bodiesAndReceives(event))
  const failed = event.Records.filter(
    ({ body, attributes }) => JSON.parse(body).number === 1 && attributes.ApproximateReceiveCount === '1',
  )
  const delays = failed.map((record) => ({ record, seconds: JSON.parse(record.body).delay as number | undefined }))
  const delayed = delays.filter((delay): delay is { record: SQSRecord; seconds: number } => delay.seconds !== undefined)
  const calls = { client, signal: AbortSignal.timeout(4000), log: console.error }
  await setVisibilityTimeouts('groups', delayed, calls)
  const failedGroups = failed.map(({ attributes }) => attributes.MessageGroupId)
  const isReported = ({ body, attributes }: SQSRecord) =>
    failedGroups.includes(attributes.MessageGroupId) && JSON.parse(body).number > 0
  return { batchItemFailures: event.Records.filter(isReported).map(({ messageId }) => ({ itemIdentifier: messageId })) }
}

/** Takes long, so another batch waits. */
export async function throttled(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  note(context, bodiesAndReceives(event))
  await sleep(Number(process.env.MILLISECONDS ?? 10_000))
  return { batchItemFailures: [] }
}

/** Each message succeeds at the delivery that its body names. */
export const polling = withLibrary(({ body }, _context, { receiveCount }) => {
  if (JSON.parse(body).succeedsAt > receiveCount) throw new Error('This delivery fails')
}, bodiesAndReceives)

/** One message ends the process. The others take a moment, so they are in flight then. */
const exits: RecordHandler = async ({ body }) => {
  if (JSON.parse(body).exits) process.exit(1)
  await sleep(20)
}

export const crashes = withLibrary(exits, bodiesAndReceives)

export const isolatedCrashes = withLibrary(exits, bodiesAndReceives, {}, [
  isolateCrashes({ client, spread: Number(process.env.SPREAD ?? 60) }),
])

export const backoff = withLibrary(
  () => {
    throw new Error('This message always fails')
  },
  bodiesAndReceives,
  { onFailure: retryBackoff({ client, base: Number(process.env.BASE ?? 10) }) },
)
