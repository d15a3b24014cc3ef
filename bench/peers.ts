import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch'
import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import fastq from 'fastq'
import { boundedSqsBatch, eachRecord } from 'middy-bounded-sqs-batch'
import pLimit from 'p-limit'
import pMap from 'p-map'
import PQueue from 'p-queue'

export type RecordHandler = (record: SQSRecord) => Promise<void>
export type BatchHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
type Peer = (handle: RecordHandler, concurrency: number) => BatchHandler

/** What a library that knows nothing of SQS needs around it: a report of what failed. `runAll` runs every record once. */
function reporting(
  handle: RecordHandler,
  runAll: (records: readonly SQSRecord[], run: RecordHandler) => Promise<unknown>,
): BatchHandler {
  return async ({ Records }) => {
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = []
    await runAll(Records, async (record) => {
      try {
        await handle(record)
      } catch {
        batchItemFailures.push({ itemIdentifier: record.messageId })
      }
    })
    return { batchItemFailures }
  }
}

export const OURS = 'middy-bounded-sqs-batch'
export const FLOOR = 'bare loop'

/** Ways to make a Lambda function's handler out of a handler of one record, each as its own documentation has it. */
export const peers = {
  [OURS]: (handle, concurrency) => middy().use(boundedSqsBatch({ concurrency })).handler(eachRecord(handle)),

  'Middy idiom': (handle) =>
    middy<SQSEvent>()
      .use(sqsPartialBatchFailure({ logger: () => {} })) // its default, console.error, is taken when it is loaded
      .handler((event) => Promise.allSettled(event.Records.map((record) => handle(record)))),

  Powertools: (handle) => {
    const processor = new BatchProcessor(EventType.SQS)
    return (event, context) =>
      processPartialResponse(event, handle, processor, { context, throwOnFullBatchFailure: false })
  },

  'p-queue, one add() a record': (handle, concurrency) => {
    const queue = new PQueue({ concurrency })
    return reporting(handle, (records, run) => Promise.all(records.map((record) => queue.add(() => run(record)))))
  },

  'p-limit': (handle, concurrency) => {
    const limit = pLimit(concurrency)
    return reporting(handle, (records, run) => Promise.all(records.map((record) => limit(run, record))))
  },

  'p-map': (handle, concurrency) => reporting(handle, (records, run) => pMap(records, run, { concurrency })),

  fastq: (handle, concurrency) =>
    reporting(handle, (records, run) => {
      const queue = fastq.promise(run, concurrency)
      return Promise.all(records.map((record) => queue.push(record)))
    }),

  /** What is left when there is no library, no check of the event and no time budget. */
  [FLOOR]: (handle, concurrency) =>
    reporting(handle, (records, run) => {
      const waiting = records.values()
      const loop = async () => {
        for (const record of waiting) await run(record)
      }
      return Promise.all(Array.from({ length: Math.min(concurrency, records.length) }, loop))
    }),
} satisfies Record<string, Peer>

export type NodePeer = keyof typeof peers
export const nodePeers = Object.keys(peers) as NodePeer[]
/** The peers that start all records of a batch at once. */
export const UNBOUNDED: readonly string[] = ['Middy idiom', 'Powertools'] satisfies NodePeer[]
