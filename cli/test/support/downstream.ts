import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A service that processes at most `capacity` calls at once, each in `ms` milliseconds. Further calls wait in a queue.
 */
export async function startDownstream(capacity: number, ms: number) {
  const waiting: (() => void)[] = []
  let running = 0
  let peak = 0
  let calls = 0

  function process(respond: () => void) {
    running += 1
    setTimeout(() => {
      running -= 1
      respond()
      const next = waiting.shift()
      if (next) process(next)
    }, ms)
  }
  const server = createServer((request, response) => {
    calls += 1
    request.resume().on('end', () => {
      const respond = () => response.end()
      if (running < capacity) process(respond)
      else waiting.push(respond)
      peak = Math.max(peak, running + waiting.length)
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Calls so far. */
    calls: () => calls,
    /** The most calls that were in progress or waiting at once. */
    peak: () => peak,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
