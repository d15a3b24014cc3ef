// A downstream over HTTP, in its own process. The argument is the name of a case.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HTTP_CASES } from './http-cases.ts'
import { type Clock, seededRandom } from './simulator.ts'

const begin = performance.now()
const clock: Clock = {
  get now() {
    return performance.now() - begin
  },
  after: (delay, run) => void setTimeout(run, delay),
  runAll() {},
}
const STATUS = { ok: 200, throttle: 429, overload: 503, failure: 500 }

const { downstream } = HTTP_CASES[process.argv[2] as string] as (typeof HTTP_CASES)[string]
const call = downstream(clock, seededRandom(1))
const server = createServer((request, response) => {
  request.resume()
  call((outcome) => response.writeHead(STATUS[outcome]).end())
})
server.keepAliveTimeout = 60_000
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  process.send?.((server.address() as AddressInfo).port),
)
process.on('disconnect', () => process.exit())
