// `npm run demo`: 10,000 real messages through the handler of http-fanout.ts, and a ledger that accounts for each.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { numberedMessages, openDisplay, renderTable, run } from 'bounded-sqs-batch/engine'

const MESSAGES = 10_000
const BOUND = 100 // the concurrency of http-fanout.ts
const LATENCY_MS = 10
function refusedAlways(number: number) {
  return number % 200 === 0 // 0.5 %
}

function refusedOnce(number: number) {
  return number % 50 === 1 // 2 %
}

/** A service that takes 10 ms, refuses some messages, and keeps its own account of what reached it. */
async function startDownstream() {
  const receipts = new Map<number, number>()
  const accepted = new Map<number, number>()
  const count = (counts: Map<number, number>, number: number) => {
    const next = (counts.get(number) ?? 0) + 1
    counts.set(number, next)
    return next
  }
  const seen = { inFlight: 0, peakInFlight: 0 }
  const server = createServer(async (request, response) => {
    seen.inFlight += 1
    seen.peakInFlight = Math.max(seen.peakInFlight, seen.inFlight)
    let body = ''
    for await (const chunk of request) body += chunk
    const { number } = JSON.parse(body)
    await sleep(LATENCY_MS)
    const receipt = count(receipts, number)
    const refused = refusedAlways(number) || (refusedOnce(number) && receipt === 1)
    if (!refused) count(accepted, number)
    seen.inFlight -= 1
    response.writeHead(refused ? 503 : 204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    acceptedOnce: () => [...accepted.values()].filter((times) => times === 1).length,
    acceptedAgain: () => [...accepted.values()].filter((times) => times > 1).length,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const downstream = await startDownstream()
const display = openDisplay(process.stdout)
const interrupted = new AbortController()
process.on('SIGINT', () => interrupted.abort())
display.log(`${MESSAGES.toLocaleString('en-US')} messages through examples/http-fanout.ts, at most ${BOUND} at once`)

const ledger = await run({
  queue: { visibilityTimeout: 33, maxReceives: 3 },
  function: {
    file: fileURLToPath(new URL('http-fanout.ts', import.meta.url)),
    env: { DOWNSTREAM_URL: downstream.url },
    onLog: (line) => display.log(`function | ${line}`),
  },
  mapping: { batchSize: 10_000, windowMs: 1000, retryAfter: 1 },
  messages: numberedMessages(MESSAGES),
  idle: 1,
  onProgress: display.progress,
  stop: interrupted.signal,
})
display.end()
downstream.close()

const { seen, acceptedOnce, acceptedAgain } = downstream
function number(value: number) {
  return value.toLocaleString('en-US')
}
console.log(
  renderTable([
    ['sent', number(ledger.sent)],
    ['batches', number(ledger.invocations)],
    ['processed once', number(acceptedOnce())],
    ['processed more than once', number(acceptedAgain())],
    ['redelivered', number(ledger.redelivered)],
    ['dead-lettered', number(ledger.deadLettered)],
    ['lost', number(ledger.lost)],
    ['most in flight at the downstream', number(seen.peakInFlight)],
    ['wall time', `${(ledger.wallMs / 1000).toFixed(1)} s`],
    ['records a second', number(ledger.perSecond)],
  ]),
)

const accounted = acceptedOnce() + acceptedAgain() + ledger.deadLettered
const problems = [
  ledger.lost > 0 && `${ledger.lost} messages were lost`,
  ledger.remaining > 0 && `${ledger.remaining} messages were left in the queue`,
  ledger.remaining === 0 && accounted !== MESSAGES && `${MESSAGES - accounted} messages are not accounted for`,
  seen.peakInFlight > BOUND && `${seen.peakInFlight} requests were in flight, the bound is ${BOUND}`,
].filter((problem) => problem !== false)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0
