// One peer, once: `node http-client.ts '{"peer":…}'` prints what became of the records with a request each.
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { Agent, request } from 'node:http'
import type { Socket } from 'node:net'
import { type NodePeer, peers } from './peers.ts'
import { assertReported } from './reported.ts'
import { context, sqsEvent } from './sqs-event.ts'

export interface Task {
  readonly peer: string
  readonly client: 'node:http' | 'fetch'
  readonly concurrency: number
  readonly records: number
  readonly url: string
}

export interface Outcome {
  readonly ms: number
  readonly failed: number
  /** How often a handler failed by this error code. */
  readonly codes: Readonly<Record<string, number>>
  readonly cpuSeconds: number
  readonly peakRssMb: number
  /** Most connections open at once. */
  readonly peakSockets: number
}

const { peer, client, concurrency, records, url } = JSON.parse(process.argv[2] as string) as Task
const agent = new Agent({ keepAlive: true }) // as many sockets as are asked for

const send = {
  'node:http': (body: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      request(url, { method: 'POST', agent }, (response) =>
        response
          .resume()
          .on('end', () => resolve(response.statusCode))
          .on('error', reject),
      )
        .on('error', reject)
        .end(body)
    }),
  fetch: async (body: string) => {
    const response = await fetch(url, { method: 'POST', body })
    await response.arrayBuffer()
    return response.status
  },
}[client]

let sockets = 0
let peakSockets = 0
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  socket.once('connect', () => {
    peakSockets = Math.max(peakSockets, ++sockets)
    socket.once('close', () => sockets--)
  })
})

let succeeded = 0
const failed: string[] = []
const statuses = new Set<number | undefined>()
const codes: Record<string, number> = {}
const handler = peers[peer as NodePeer](async ({ body, messageId }) => {
  try {
    statuses.add(await send(body))
    succeeded++
  } catch (error) {
    failed.push(messageId)
    const { code, cause } = error as NodeJS.ErrnoException // fetch has the code in the cause
    const name = code ?? (cause as NodeJS.ErrnoException | undefined)?.code ?? 'none'
    codes[name] = (codes[name] ?? 0) + 1
    throw error
  }
}, concurrency)
console.error = () => {} // the peers' logs of what failed

const event = sqsEvent(records)
const cpuBefore = process.cpuUsage()
const start = performance.now()
const response = await handler(event, context)
const ms = performance.now() - start
const { user, system } = process.cpuUsage(cpuBefore)

assert.equal(succeeded + failed.length, records, 'every record ran once')
assertReported(response, failed)
assert.deepEqual([...statuses], [200], 'every answer was the one that was asked for')
const outcome: Outcome = {
  ms,
  failed: failed.length,
  codes,
  cpuSeconds: (user + system) / 1e6,
  peakRssMb: process.resourceUsage().maxRSS / 1024,
  peakSockets,
}
process.stdout.write(JSON.stringify(outcome), () => process.exit()) // without waiting for idle connections
