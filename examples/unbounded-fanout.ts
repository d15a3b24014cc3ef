import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSEvent, SQSRecord } from 'aws-lambda'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

async function post({ body }: SQSRecord) {
  const response = await fetch(url as string, { method: 'POST', body })
  await response.arrayBuffer() // an unread body keeps its descriptor
  if (!response.ok) throw new Error(`downstream returned ${response.status}`)
}

/** Logs one line per failed record. `fetch failed` says nothing without the code of its cause. */
function logger(error: Error & { cause?: { code?: string } }) {
  console.error(`record failed: ${error.cause?.code ?? error.message}`)
}

/** For comparison only: http-fanout.ts without a bound. All records of a batch start at once. */
export const handler = middy<SQSEvent>()
  .use(sqsPartialBatchFailure({ logger }))
  .handler((event) => Promise.allSettled(event.Records.map(post)))
