import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import middy from '@middy/core'
import type { SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOCUMENTS_URL
if (!url) throw new Error('DOCUMENTS_URL is not set: it is the service to which each document is posted')
const Bucket = process.env.BUCKET_NAME
if (!Bucket) throw new Error('BUCKET_NAME is not set: it is where the senders store large bodies')

const client = new S3Client()

/** The attributes that mark a body in S3: that of the current extended client libraries, and that of older ones. */
const MARKS = ['ExtendedPayloadSize', 'SQSLargePayloadSize']

/**
 * The body of a message, which AWS's extended client libraries store in S3 if it is large. The message then has a JSON
 * array: the name of a Java class, and the place of the body.
 */
async function loadBody({ body, messageAttributes }: SQSRecord, abortSignal: AbortSignal): Promise<string> {
  if (!MARKS.some((name) => name in messageAttributes)) return body
  const { s3BucketName, s3Key } = readPointer(body)
  // A sender must not be able to make this function read another bucket.
  if (s3BucketName !== Bucket) throw new Error('the body of the message is in another bucket than BUCKET_NAME')
  const object = await client.send(new GetObjectCommand({ Bucket, Key: s3Key }), { abortSignal })
  if (!object.Body) throw new Error('S3 returned no body')
  return await object.Body.transformToString()
}

function readPointer(body: string): { s3BucketName: string; s3Key: string } {
  try {
    const [, { s3BucketName, s3Key }] = JSON.parse(body)
    if (typeof s3BucketName === 'string' && typeof s3Key === 'string') return { s3BucketName, s3Key }
  } catch {} // the error of JSON.parse() quotes the body
  throw new Error('the message is marked as a body in S3, but does not say where it is')
}

/**
 * Posts documents to a service. Large ones are read from S3 first, within the same bound: 10 records in flight hold at most
 * 10 documents in memory.
 *
 * Lambda deletes the message, but not the object. Let a lifecycle rule of the bucket delete objects that are older than
 * the retention of the queue and of its dead-letter queue.
 */
export const handler = middy()
  .use(boundedSqsBatch({ concurrency: 10 }))
  .handler(
    eachRecord(async (record, _context, { signal }) => {
      const body = await loadBody(record, signal)
      const headers = { 'idempotency-key': record.messageId }
      const response = await fetch(url, { method: 'POST', headers, body, signal })
      await response.arrayBuffer() // an unread body keeps its socket open
      if (!response.ok) throw new Error(`the document service returned ${response.status}`)
    }),
  )
