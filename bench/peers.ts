import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'

export type RecordHandler = (record: SQSRecord) => Promise<void>
export type BatchHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>

export const CONCURRENCY = 100

/** Ways to make a Lambda function's handler out of a handler of one record, each as its own documentation has it. */
export const peers = {
  'middy-bounded-sqs-batch': (handle) =>
    middy()
      .use(boundedSqsBatch({ concurrency: CONCURRENCY }))
      .handler(eachRecord(handle)),

  'Middy idiom': (handle) =>
    middy<SQSEvent>()
      .use(sqsPartialBatchFailure({ logger: () => {} }))
      .handler((event) => Promise.allSettled(event.Records.map((record) => handle(record)))),

  Powertools: (handle) => {
    const processor = new BatchProcessor(EventType.SQS)
    return (event, context) =>
      processPartialResponse(event, handle, processor, { context, throwOnFullBatchFailure: false })
  },

  /** The floor: what is left when there is no library, no time budget, no check of the event. */
  'bare loop': (handle) => async (event) => {
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = []
    const records = event.Records.values()
    const loop = async () => {
      for (const record of records) {
        try {
          await handle(record)
        } catch {
          batchItemFailures.push({ itemIdentifier: record.messageId })
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, event.Records.length) }, loop))
    return { batchItemFailures }
  },
} satisfies Record<string, (handle: RecordHandler) => BatchHandler>

export type PeerName = keyof typeof peers
export const peerNames = Object.keys(peers) as PeerName[]
