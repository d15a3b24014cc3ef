import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

interface Call {
  /** The number of the message. */
  number: number
  /** How often it has arrived, this time included. */
  attempt: number
  headers: IncomingHttpHeaders
}

type Status = number | 'reset'

/** A service on loopback that notes the messages that arrived and the messages that it accepted. */
export async function startCountingDownstream(t: Test, statusOf: (call: Call) => Status | Promise<Status> = () => 200) {
  /** The numbers of messages in the order in which they arrived and were accepted. */
  const attempts: number[] = []
  const accepted: number[] = []
  const times = new Map<number, number>()
  const seen = { open: 0, peakOpen: 0 }
  let begin = async () => {}

  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      await begin()
      return response.end()
    }
    seen.peakOpen = Math.max(seen.peakOpen, ++seen.open)
    const { number } = JSON.parse(await text(request))
    const attempt = (times.get(number) ?? 0) + 1
    times.set(number, attempt)
    attempts.push(number)
    const status = await statusOf({ number, attempt, headers: request.headers })
    seen.open-- // before the response, after which the next request can arrive
    if (status === 'reset') return request.socket.resetAndDestroy()
    if (response.destroyed) return // the caller has closed the connection, so the message does not count
    if (status === 200) accepted.push(number)
    response.writeHead(status).end()
  })
  async function listen(port: number) {
    server.listen({ port, host: '127.0.0.1', backlog: 4096 })
    await once(server, 'listening')
  }
  function close() {
    server.closeAllConnections()
    server.close()
  }
  await listen(0)
  t.teardown(close)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    attempts,
    accepted,
    seen,
    /** Sets what a GET request waits for. */
    onBegin: (wait: () => Promise<void>) => {
      begin = wait
    },
    /** Refuses connections until it is opened again. */
    close,
    open: () => listen(port),
  }
}
