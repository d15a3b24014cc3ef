// One batch with one request per record: `node http.ts '{"peer":…}'` prints an Outcome.
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { SQSRecord } from 'aws-lambda'
import { HTTP_CLIENTS } from '../http-clients.ts'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

export interface HttpTask {
  readonly peer: string
  readonly concurrency: number
  readonly records: number
}

export interface Outcome {
  readonly ms: number
  readonly failed: number
  /** The number of failed records by error code. */
  readonly codes: Readonly<Record<string, number>>
  readonly cpuSeconds: number
  readonly peakRssMb: number
  readonly peakSockets: number
}

const { peer, concurrency, records, url } = JSON.parse(process.argv[2] as string)
const send = HTTP_CLIENTS['node:http']
const ran: string[] = []
const failed: string[] = []
const statuses = new Set<number | undefined>()
const codes: Record<string, number> = {}
let sockets = 0
let peakSockets = 0

async function handle({ body, messageId }: SQSRecord) {
  ran.push(messageId)
  try {
    statuses.add(await send(url, body))
  } catch (error) {
    failed.push(messageId)
    const { code = 'none' } = error as NodeJS.ErrnoException
    codes[code] = (codes[code] ?? 0) + 1
    throw error
  }
}

subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  socket.once('connect', () => {
    peakSockets = Math.max(peakSockets, ++sockets)
    socket.once('close', () => sockets--)
  })
})
console.error = () => {} // the peers log the failed records

const handler = await peers[peer as NodePeer](handle, concurrency)
const event = sqsEvent(records)
const cpuBefore = process.cpuUsage()
const start = performance.now()
const response = await handler(event, context)
const ms = performance.now() - start
const { user, system } = process.cpuUsage(cpuBefore)

assertExact(event, { ran, failed }, response)
assert.deepEqual([...statuses], [200])
const outcome: Outcome = {
  ms,
  failed: failed.length,
  codes,
  cpuSeconds: (user + system) / 1e6,
  peakRssMb: process.resourceUsage().maxRSS / 1024,
  peakSockets,
}
process.stdout.write(JSON.stringify(outcome), () => process.exit()) // does not wait for idle connections
