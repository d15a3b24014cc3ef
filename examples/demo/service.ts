import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

export const LATENCY_MS = 10

/** 0.5 % of the messages are refused at each delivery. */
export function isRefusedAlways(number: number) {
  return number % 200 === 0
}

/** 2 % of the messages are refused at their first request. */
export function isRefusedOnce(number: number) {
  return number % 50 === 1
}

/** An HTTP service that refuses some messages, and counts what it received. */
export async function startService() {
  const received = new Map<number, number>()
  /** How often each message was accepted. */
  const accepted = new Map<number, number>()
  const seen = { refused: 0, requests: 0, peakRequests: 0, connections: 0, peakConnections: 0 }

  const server = createServer(async (request, response) => {
    seen.requests += 1
    seen.peakRequests = Math.max(seen.peakRequests, seen.requests)
    const body = await text(request).catch(() => '') // the client may close the connection before the body has arrived
    await sleep(LATENCY_MS)
    seen.requests -= 1
    if (body === '' || response.destroyed) return // the client has gone, so it does not see the response
    const { number } = JSON.parse(body)
    const before = received.get(number) ?? 0
    received.set(number, before + 1)
    const isRefused = isRefusedAlways(number) || (isRefusedOnce(number) && before === 0)
    if (isRefused) seen.refused += 1
    else accepted.set(number, (accepted.get(number) ?? 0) + 1)
    response.writeHead(isRefused ? 503 : 204).end()
  })
  server.on('connection', (socket) => {
    seen.connections += 1
    seen.peakConnections = Math.max(seen.peakConnections, seen.connections)
    socket.on('close', () => {
      seen.connections -= 1
    })
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted,
    seen,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
