import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import middy from '@middy/core'
import type { SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

const url = process.env.DOCUMENTS_URL
if (!url) throw new Error('DOCUMENTS_URL is not set: it is the URL of the service to which each document is posted')
const Bucket = process.env.BUCKET_NAME
if (!Bucket) throw new Error('BUCKET_NAME is not set: it is the S3 bucket in which the senders store large bodies')

const client = new S3Client()

/** The attributes that mark a body in S3. Current extended client libraries set the first one, older versions the second. */
const MARKS = ['ExtendedPayloadSize', 'SQSLargePayloadSize']

/**
 * Returns the body of a message. If it is large, AWS's extended client libraries store it in S3. The message then
 * contains a JSON array with the name of a Java class and the location of the body.
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
  throw new Error('the message is marked as a body in S3, but has no bucket and key')
}

/**
 * Posts documents to a service. Large documents are read from S3 first. At most 10 records are in flight, so at most 10
 * documents are in memory.
 *
 * Lambda deletes the message, but not the object. Add a lifecycle rule to the bucket that deletes old objects. It must
 * keep them longer than the queue and its dead-letter queue keep messages.
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
