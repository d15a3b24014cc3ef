// One FIFO batch of 10 records of 10 ms in 10 message groups: `node fifo.ts '{"peer":…}'` prints milliseconds.
import { setTimeout as pause } from 'node:timers/promises'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { type BatchHandler, type NodePeer, POWERTOOLS, peers } from '../peers.ts'
import { median } from '../rounds.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

const WARM_UP = 2
const BATCHES = 7
const { peer } = JSON.parse(process.argv[2] as string)
const event = sqsEvent(10, 10)
const times: number[] = []
let ran: string[] = []

async function handle({ messageId }: SQSRecord) {
  await pause(10)
  ran.push(messageId)
}

const handler = await (peer === POWERTOOLS ? powertoolsFifo() : peers[peer as NodePeer](handle, 100))
for (let batch = 0; batch < WARM_UP + BATCHES; batch++) {
  ran = []
  const start = performance.now()
  const response = await handler(event, context)
  times.push(performance.now() - start)
  assertExact(event, { ran, failed: [] }, response)
}
console.log(JSON.stringify(median(times.slice(WARM_UP))))

/** Powertools processes one record after another, also if they are in different message groups. */
async function powertoolsFifo(): Promise<BatchHandler> {
  const { default: middy } = await import('@middy/core')
  const { processPartialResponse, SqsFifoPartialProcessorAsync } = await import('@aws-lambda-powertools/batch')
  const processor = new SqsFifoPartialProcessorAsync()
  return middy((event: SQSEvent, context: Context) => processPartialResponse(event, handle, processor, { context }))
}
