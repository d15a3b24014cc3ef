// Batches with one HTTP request per record, over kept-alive connections: `node calls.ts '{"peer":…}'` prints
// milliseconds.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { SQSRecord } from 'aws-lambda'
import { HTTP_CLIENTS, type HttpClient } from '../http-clients.ts'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, measured, sqsEvent } from '../sqs-event.ts'

/** A figure for each batch. */
export interface Costs {
  /** CPU time of all threads of the process. */
  readonly cpu: readonly number[]
  readonly time: readonly number[]
}

const { peer, client, size, batches, url } = JSON.parse(process.argv[2] as string)
const send = HTTP_CLIENTS[client as HttpClient]
const text = JSON.stringify(sqsEvent(size))
const costs = { cpu: [] as number[], time: [] as number[] }
let ran: string[] = []
let statuses = new Set<number | undefined>()

async function handle({ body, messageId }: SQSRecord) {
  statuses.add(await send(url, body))
  ran.push(messageId)
}

const handler = await peers[peer as NodePeer](handle, 100)
for (let batch = 0; batch < batches; batch++) {
  const event = JSON.parse(text)
  ran = []
  statuses = new Set()
  await pause(4)
  const { response, time, cpu } = await measured(() => handler(event, context))
  costs.time.push(time)
  costs.cpu.push(cpu)
  assertExact(event, { ran, failed: [] }, response)
  assert.deepEqual([...statuses], [200])
}
process.stdout.write(JSON.stringify(costs satisfies Costs), () => process.exit()) // does not wait for idle connections
