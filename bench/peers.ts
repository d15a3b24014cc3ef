import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'

export type RecordHandler = (record: SQSRecord) => Promise<void>
export type BatchHandler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
type Peer = (handle: RecordHandler, concurrency: number) => Promise<BatchHandler>

export const OURS = 'middy-bounded-sqs-batch'
export const MIDDY_IDIOM = 'Middy idiom'
export const POWERTOOLS = 'Powertools in Middy'
export const POWERTOOLS_FIFO = 'Powertools for FIFO queues in Middy'
export const POWERTOOLS_ALONE = 'Powertools alone'
export const P_MAP = 'p-map in Middy'
export const BARE_LOOP = 'bare loop'
/** Another build of this package: `BENCH_PACKAGE=/path/to/dist/index.js` compares two versions in one run. */
export const BASELINE = 'baseline'
export const { BENCH_PACKAGE } = process.env

/**
 * Each way to make a Lambda handler from a handler for one record, as its own documentation shows it. A library is
 * imported when its peer is called, so that a process loads only the peer that it measures.
 */
export const peers = {
  [OURS]: (handle, concurrency) => boundedBy(OURS, handle, concurrency),
  [BASELINE]: (handle, concurrency) => boundedBy(BASELINE, handle, concurrency),

  async [MIDDY_IDIOM](handle) {
    const { default: middy } = await import('@middy/core')
    const { default: sqsPartialBatchFailure } = await import('@middy/sqs-partial-batch-failure')
    return middy<SQSEvent>()
      .use(sqsPartialBatchFailure({ logger: () => {} })) // by default it logs every failed record with its body
      .handler((event) => Promise.allSettled(event.Records.map((record) => handle(record))))
  },

  /** For functions that use Middy, the documentation of Powertools wraps its handler in `middy()`. */
  async [POWERTOOLS](handle) {
    return inMiddy(await powertools(handle))
  },

  /** It processes one record after another, also if they are in different message groups. */
  async [POWERTOOLS_FIFO](handle) {
    const { processPartialResponse, SqsFifoPartialProcessorAsync } = await import('@aws-lambda-powertools/batch')
    const processor = new SqsFifoPartialProcessorAsync()
    return inMiddy((event, context) => processPartialResponse(event, handle, processor, { context }))
  },

  /** For functions without Middy. */
  async [POWERTOOLS_ALONE](handle) {
    return powertools(handle)
  },

  async [P_MAP](handle, concurrency) {
    const { default: pMap } = await import('p-map')
    return inMiddy(reporting(handle, (records, run) => pMap(records, run, { concurrency })))
  },

  /** No library, no check of the event and no time budget. */
  async [BARE_LOOP](handle, concurrency) {
    return reporting(handle, (records, run) => {
      const waiting = records.values()
      async function loop() {
        for (const record of waiting) await run(record)
      }
      return Promise.all(Array.from({ length: Math.min(concurrency, records.length) }, loop))
    })
  },
} satisfies Record<string, Peer>

export type NodePeer = keyof typeof peers
export const nodePeers = withBaseline(
  Object.keys(peers).filter((peer) => peer !== BASELINE && peer !== POWERTOOLS_FIFO),
)

/** Adds the other build of this package to these peers, if there is one. */
export function withBaseline(names: readonly string[]): readonly string[] {
  return BENCH_PACKAGE ? [...names, BASELINE] : names
}

/** This build of the package, or the baseline. */
export function ourPackage(peer: string): Promise<typeof import('middy-bounded-sqs-batch')> {
  return import(peer === BASELINE ? (BENCH_PACKAGE as string) : OURS)
}

async function boundedBy(peer: string, handle: RecordHandler, concurrency: number): Promise<BatchHandler> {
  const { default: middy } = await import('@middy/core')
  const { boundedSqsBatch, eachRecord } = await ourPackage(peer)
  return middy().use(boundedSqsBatch({ concurrency })).handler(eachRecord(handle))
}

async function powertools(handle: RecordHandler): Promise<BatchHandler> {
  const { BatchProcessor, EventType, processPartialResponse } = await import('@aws-lambda-powertools/batch')
  const processor = new BatchProcessor(EventType.SQS)
  return (event, context) =>
    processPartialResponse(event, handle, processor, { context, throwOnFullBatchFailure: false })
}

async function inMiddy(handler: BatchHandler): Promise<BatchHandler> {
  const { default: middy } = await import('@middy/core')
  return middy(handler)
}

/** Builds the partial batch response for libraries that know nothing about SQS. `runAll` runs every record once. */
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
