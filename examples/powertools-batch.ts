import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'

const url = process.env.DOWNSTREAM_URL
if (!url) throw new Error('DOWNSTREAM_URL is not set: it is the URL to which each record is posted')

const processor = new BatchProcessor(EventType.SQS)

async function post({ body }: SQSRecord) {
  const response = await fetch(url as string, { method: 'POST', body })
  await response.arrayBuffer() // an unread body keeps its socket open
  if (!response.ok) throw new Error(`downstream returned ${response.status}`)
}

/** A handler without this library and without Middy: `local` and `doctor` work for it, too. */
export const handler = (event: SQSEvent, context: Context) =>
  processPartialResponse(event, post, processor, { context })
