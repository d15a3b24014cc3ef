// One batch with one request per record: `node http.ts '{"peer":…}'` prints an Outcome.
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import type { SQSRecord } from 'aws-lambda'
import { type NodePeer, peers } from '../peers.ts'
import { assertExact, context, sqsEvent } from '../sqs-event.ts'

export interface HttpTask {
  readonly peer: string
  readonly client: 'node:http' | 'fetch'
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

const { peer, client, concurrency, records, url } = JSON.parse(process.argv[2] as string)
const send = client === 'fetch' ? sendByFetch : sendByNodeHttp
const agent = new Agent({ keepAlive: true }) // without a limit of sockets
const ran: string[] = []
const failed: string[] = []
const statuses = new Set<number | undefined>()
const codes: Record<string, number> = {}
let sockets = 0
let peakSockets = 0

function sendByNodeHttp(body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent }, (response) => {
      response.on('end', () => resolve(response.statusCode))
      response.on('error', reject)
      response.resume()
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function sendByFetch(body: string): Promise<number> {
  const response = await fetch(url, { method: 'POST', body })
  await response.arrayBuffer()
  return response.status
}

async function handle({ body, messageId }: SQSRecord) {
  ran.push(messageId)
  try {
    statuses.add(await send(body))
  } catch (error) {
    failed.push(messageId)
    const { code, cause } = error as NodeJS.ErrnoException // an error of fetch has the code in its cause
    const name = code ?? (cause as NodeJS.ErrnoException | undefined)?.code ?? 'none'
    codes[name] = (codes[name] ?? 0) + 1
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
