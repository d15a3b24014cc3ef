/** The Lambda functions of the proof that change visibility timeouts. They need the SQS client, which Lambda has. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
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
