// One execution environment of Lambda: `node lambda.ts '{"peer":…}'` prints milliseconds.
import { setTimeout as pause } from 'node:timers/promises'
import type { SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

export interface Environment {
  /** Import and construction, with the import of @middy/core if the peer uses it. */
  readonly setup: number
  readonly batches: readonly number[]
  /** CPU time of the first batch. */
  readonly firstCpu: number
}

const { peer, waits, size, concurrency, batches } = JSON.parse(process.argv[2] as string)
const text = JSON.stringify(sqsEvent(size))
let ran: string[] = []

async function handle({ messageId }: SQSRecord) {
  if (waits) await new Promise(setImmediate)
  ran.push(messageId)
}

const setupStart = performance.now()
const handler = await peers[peer as NodePeer](handle, concurrency)
await new Promise(setImmediate) // the time includes work that the construction postponed
const environment = { setup: performance.now() - setupStart, batches: [] as number[], firstCpu: 0 }

for (let batch = 0; batch < batches; batch++) {
  const event = JSON.parse(text)
  ran = []
  await pause(4)
  const cpuStart = process.cpuUsage()
  const start = performance.now()
  const response = await handler(event, context)
  environment.batches.push(performance.now() - start)
  const { user, system } = process.cpuUsage(cpuStart)
  if (batch === 0) environment.firstCpu = (user + system) / 1_000
  assertExact(event, { ran, failed: [] }, response)
}
console.log(JSON.stringify(environment satisfies Environment))
