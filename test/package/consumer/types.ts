// Code of a TypeScript project. It is compiled against the package as it is published.
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSHandler } from 'aws-lambda'
import boundedSqsBatch, {
  type BoundedSqsBatchOptions,
  eachChunk,
  eachRecord,
  RecordTimeoutError,
} from 'middy-bounded-sqs-batch'
import { invoke, sqsContext, sqsEvent } from 'middy-bounded-sqs-batch/testing'
import { z } from 'zod'

const options: BoundedSqsBatchOptions = {
  concurrency: 50,
  recordTimeout: 5_000,
  logger(error, record) {
    console.error(record.messageId, error instanceof RecordTimeoutError ? error.timeout : error)
  },
}

const handleText = eachRecord(async (record, context, { signal }) => {
  const text: string = record.body
  await fetch(`https://${context.functionName}.example`, { method: 'POST', body: text, signal })
})

const handleNumber = eachRecord(({ body }) => body.toFixed(), { body: z.string().transform(Number) })

export const batch = boundedSqsBatch()
export const handleChunk = eachChunk(10, async (records) => void records.map(({ body }) => body.toFixed()), {
  body: z.number(),
})

export const handler = middy().use(boundedSqsBatch(options)).handler(handleText)
export const withTypeArguments = middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch()).handler(handleNumber)
export const ownHandler = middy()
  .use([{ before() {} }, boundedSqsBatch()])
  .handler(async (event, context, options) => handleText(event, context, options))
export const deployed: SQSHandler[] = [handler, withTypeArguments, ownHandler]

export async function unitTest(): Promise<boolean> {
  const event: SQSEvent = sqsEvent(['text', { orderId: 7 }], { groups: ['a', 'b'] })
  const { response, succeeded, failed } = await invoke(withTypeArguments, event, { timeout: 200 })
  const results: SQSBatchResponse[] = [response, await handleText(event, sqsContext())]
  return results.length === 2 && [...succeeded, ...failed].every(({ body }) => body !== '')
}

// @ts-expect-error there is no option of this name
boundedSqsBatch({ concurency: 10 })
// @ts-expect-error parsed JSON is unknown until it is checked
eachRecord((record) => record.body.id, { body: 'json' })
