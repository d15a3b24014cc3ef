// `node --expose-gc heap.ts '{"peer":…}'` prints how many bytes of heap a peer uses in the middle of a batch, without
// the event.
import { setTimeout as pause } from 'node:timers/promises'
import type { SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

const { peer } = JSON.parse(process.argv[2] as string)
const event = sqsEvent(10_000)
let ran: string[] = []
let heapInTheMiddle = Number.NaN

async function handle({ messageId }: SQSRecord) {
  await pause(1)
  ran.push(messageId)
  if (ran.length === event.Records.length / 2) heapInTheMiddle = heapUsed()
}

function heapUsed(): number {
  gc?.()
  return process.memoryUsage().heapUsed
}

const handler = await peers[peer as NodePeer](handle, 100)
await handler(sqsEvent(100), context) // compiles the code, which is not part of a batch's heap
ran = []
const heapBefore = heapUsed()
const response = await handler(event, context)
assertExact(event, { ran, failed: [] }, response)
console.log(JSON.stringify(heapInTheMiddle - heapBefore))
