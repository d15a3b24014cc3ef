import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A request as the downstream got it. */
export interface Posted {
  readonly path: string
  readonly idempotencyKey: string | undefined
  readonly body: string
}

/** A service on loopback that answers each request with the status that `answer` comes to. */
export async function startDownstream(answer: (posted: Posted) => number | Promise<number>) {
  const server = createServer(async (request, response) => {
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined
    const posted = { path: request.url as string, idempotencyKey, body: await text(request) }
    response.writeHead(await answer(posted)).end('what became of it')
  })
  return { url: await listen(server), close: () => close(server) }
}

/** Lets a server listen on a free port of loopback. Returns its URL. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function close(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

/** Holds whoever comes until `count` have come. */
export function barrier(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let came = 0
  return () => {
    if (++came >= count) resolve()
    return promise
  }
}
