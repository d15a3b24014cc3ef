// One peer, once: `node http-client.ts <peer> <url>` prints what became of 10,000 records with a request each.
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { type PeerName, peers } from './peers.ts'
import { context, sqsEvent } from './sqs-event.ts'

export interface Outcome {
  readonly ms: number
  readonly failed: number
  /** How often a handler failed by this error code. */
  readonly codes: Readonly<Record<string, number>>
}

const RECORDS = 10_000
const [peer, url] = process.argv.slice(2) as [PeerName, string]
const agent = new Agent({ keepAlive: true }) // as many sockets as are asked for

function post(body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', agent }, (response) => response.resume().on('end', resolve).on('error', reject))
      .on('error', reject)
      .end(body)
  })
}

let succeeded = 0
let failed = 0
const codes: Record<string, number> = {}
const handler = peers[peer](async ({ body }) => {
  try {
    await post(body)
    succeeded++
  } catch (error) {
    failed++
    const { code = 'none' } = error as NodeJS.ErrnoException
    codes[code] = (codes[code] ?? 0) + 1
    throw error
  }
})

const event = sqsEvent(RECORDS)
const start = performance.now()
const { batchItemFailures } = await handler(event, context)
const ms = performance.now() - start

assert.equal(succeeded + failed, RECORDS, 'every record ran once')
assert.equal(batchItemFailures.length, failed, 'what failed is what is reported')
console.log(JSON.stringify({ ms, failed, codes } satisfies Outcome))
agent.destroy()
