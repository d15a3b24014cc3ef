// One execution environment of Lambda: `node lambda.ts '{"peer":…}'` prints milliseconds.
import { setTimeout as pause } from 'node:timers/promises'
import type { SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, measured, sqsEvent } from '../sqs-event.ts'

export interface Environment {
  /** Import and construction, with the import of @middy/core if the peer uses it. */
  readonly setup: number
  readonly batches: readonly number[]
  /** CPU time of the first batch. */
  readonly firstCpu: number
}

/** `work`: 'nothing', 'I/O' (one turn of the event loop), or milliseconds. */
const { peer, work, size, groups, batches } = JSON.parse(process.argv[2] as string)
const text = JSON.stringify(sqsEvent(size, groups))
let ran: string[] = []

async function handle({ messageId }: SQSRecord) {
  if (work === 'I/O') await new Promise(setImmediate)
  else if (work > 0) await pause(work)
  ran.push(messageId)
}

const setupStart = performance.now()
const handler = await peers[peer as NodePeer](handle, 100)
await new Promise(setImmediate) // the time includes work that the construction postponed
const environment = { setup: performance.now() - setupStart, batches: [] as number[], firstCpu: 0 }

for (let batch = 0; batch < batches; batch++) {
  const event = JSON.parse(text)
  ran = []
  await pause(4)
  const { response, time, cpu } = await measured(() => handler(event, context))
  environment.batches.push(time)
  if (batch === 0) environment.firstCpu = cpu
  assertExact(event, { ran, failed: [] }, response)
}
console.log(JSON.stringify(environment satisfies Environment))
