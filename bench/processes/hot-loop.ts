// One peer handles the same event many times: `node --expose-gc hot-loop.ts '{"peer":…}'` prints microseconds per
// record.
import type { SQSBatchResponse, SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { median } from '../rounds.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

export interface HotLoop {
  readonly size: number
  /** 100 means that every 100th record fails. 0 means that none fails. */
  readonly failEvery: number
}

const WARM_UP = 5 // the first samples take up to ten times as long
const SAMPLES = 5
const { peer, size, failEvery, records } = JSON.parse(process.argv[2] as string)
const batches = records / size
let count = 0
let ran: string[] = []
let failed: string[] = []

async function handle({ messageId }: SQSRecord) {
  ran.push(messageId)
  if (failEvery > 0 && ++count % failEvery === 0) {
    failed.push(messageId)
    throw new Error('no such article')
  }
}

console.error = () => {} // writing log entries takes longer than the work that is measured
const handler = await peers[peer as NodePeer](handle, 100)
const event = sqsEvent(size)
const samples: number[] = []

for (let sample = 0; sample < WARM_UP + SAMPLES; sample++) {
  const outcomes: { ran: string[]; failed: string[]; response: SQSBatchResponse }[] = []
  gc?.({ type: 'minor' })
  const start = performance.now()
  for (let batch = 0; batch < batches; batch++) {
    ran = []
    failed = []
    const response = await handler(event, context)
    outcomes.push({ ran, failed, response })
  }
  samples.push((1_000 * (performance.now() - start)) / records)
  for (const { ran, failed, response } of outcomes) assertExact(event, { ran, failed }, response)
}
console.log(JSON.stringify(median(samples.slice(WARM_UP))))
