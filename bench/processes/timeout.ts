// One batch with an asynchronous schema, whose records together use the CPU for longer than the timeout:
// `node timeout.ts '{"peer":…,"timeout":…}'` prints after how many milliseconds the handler returned the response.
import assert from 'node:assert/strict'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import { z } from 'zod'
import { type BatchHandler, ourPackage } from '../peers.ts'
import { sqsEvent } from '../sqs-event.ts'

const CPU_PER_RECORD = 200
const { peer, timeout } = JSON.parse(process.argv[2] as string)
const { boundedSqsBatch, eachRecord } = await ourPackage(peer)
const event = sqsEvent(100)
const ran = new Set<string>()

const isValid = async () => true // without I/O, as from a cache
// Each level of the schema delays the handler by some microtasks.
const item = z.object({ sku: z.string().refine(isValid), quantity: z.number() })
const order = z.object({ orderId: z.number(), items: z.array(item).refine(isValid) }).refine(isValid)

function compute({ messageId }: { readonly messageId: string }): void {
  const end = performance.now() + CPU_PER_RECORD
  while (performance.now() < end);
  ran.add(messageId)
}

console.error = () => {} // the log of the records that did not start
const handler: BatchHandler = middy()
  .use(boundedSqsBatch({ concurrency: 100 }))
  .handler(eachRecord(compute, { body: order }))
const start = performance.now()
const context = { getRemainingTimeInMillis: () => start + timeout - performance.now() } as Context
const { batchItemFailures } = await handler(event, context)
const time = performance.now() - start
const reported = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
for (const { messageId } of event.Records) assert(ran.has(messageId) || reported.has(messageId), 'no record is lost')
process.stdout.write(JSON.stringify(time), () => process.exit()) // does not wait for the other handlers
