// What a feature costs a record: batches of 10,000 records that do nothing, with it and without.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import middy from '@middy/core'
import type { SQSEvent } from 'aws-lambda'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachChunk, eachRecord } from 'middy-bounded-sqs-batch'
import * as z from 'zod'
import type { BatchHandler } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'
import { context, sqsEvent } from './sqs-event.ts'

export interface Features {
  /** Microseconds a record, by variant. */
  readonly samples: Samples
}

/** What each feature is compared with. */
export const PRICES = [
  { feature: 'recordTimeout', with: 'recordTimeout', without: 'plain' },
  { feature: 'time budget (on by default)', with: 'plain', without: 'timeBudget: false' },
  { feature: 'FIFO, 1,000 message groups', with: 'FIFO', without: 'plain' },
  { feature: 'reading signal', with: 'signal', without: 'plain' },
  { feature: 'eachChunk(25)', with: 'chunks', without: 'plain' },
  { feature: 'rateLimit, never reached', with: 'rateLimit', without: 'plain' },
  { feature: 'onFailure, nothing fails', with: 'onFailure', without: 'plain' },
  { feature: 'a subscriber to batches', with: 'batches heard', without: 'plain' },
  { feature: 'a subscriber to records', with: 'records heard', without: 'plain' },
  { feature: "body: 'json'", with: 'json', without: 'json by hand' },
  { feature: 'body: a Zod schema', with: 'schema', without: 'schema by hand' },
] as const

const SIZE = 10_000
const Order = z.object({
  orderId: z.number(),
  customer: z.string(),
  items: z.array(z.object({ sku: z.string(), quantity: z.number() })),
  total: z.number(),
})

/** The same with somebody who listens. */
function heard<T>(channel: 'batch' | 'record', run: () => Promise<T>): () => Promise<T> {
  const name = `tracing:middy-bounded-sqs-batch:${channel}:asyncEnd`
  const listener = () => {}
  return async () => {
    subscribe(name, listener)
    try {
      return await run()
    } finally {
      unsubscribe(name, listener)
    }
  }
}

export async function measureFeatures(isShort: boolean): Promise<Features> {
  let ran = 0
  const handle = async (_: unknown) => {
    ran++
  }
  const standard = sqsEvent(SIZE)
  const fifo = sqsEvent(SIZE, 1_000)
  const plain = eachRecord(handle)
  const use = (options: BoundedSqsBatchOptions, inner: BatchHandler, event: SQSEvent = standard) => {
    const handler = middy().use(boundedSqsBatch(options)).handler(inner)
    return () => handler(event, context)
  }
  const variants: Record<string, () => Promise<{ batchItemFailures: unknown[] }>> = {
    plain: use({}, plain),
    recordTimeout: use({ recordTimeout: 30_000 }, plain),
    'timeBudget: false': use({ timeBudget: false }, plain),
    FIFO: use({}, plain, fifo),
    signal: use(
      {},
      eachRecord(async (_record, _context, { signal }) => handle(signal)),
    ),
    chunks: use(
      {},
      eachChunk(25, async (records) => {
        ran += records.length
      }),
    ),
    rateLimit: use({ rateLimit: { limit: 100 * SIZE, interval: 1 } }, plain),
    onFailure: use({ onFailure: (failures) => failures }, plain),
    'batches heard': heard('batch', use({}, plain)),
    'records heard': heard('record', use({}, plain)),
    json: use({}, eachRecord(handle, { body: 'json' })),
    'json by hand': use(
      {},
      eachRecord(async ({ body }) => handle(JSON.parse(body))),
    ),
    schema: use({}, eachRecord(handle, { body: Order })),
    'schema by hand': use(
      {},
      eachRecord(async ({ body }) => handle(Order.parse(JSON.parse(body)))),
    ),
  }

  const options = { rounds: isShort ? 7 : 31, warmUp: 5, title: 'features' }
  const samples = await inRounds(Object.keys(variants), options, async (name) => {
    ran = 0
    gc?.({ type: 'minor' })
    const start = performance.now()
    const response = await variants[name]?.()
    const elapsed = performance.now() - start
    if (ran !== SIZE || response?.batchItemFailures.length !== 0) throw new Error(`${name}: ${ran} of ${SIZE} ran`)
    return (1_000 * elapsed) / SIZE
  })
  return { samples }
}
