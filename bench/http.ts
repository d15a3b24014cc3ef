// 10,000 records with an HTTP request of 10 ms each, in a process that has 1,024 file descriptors, as on Lambda.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Table from 'cli-table3'
import type { Outcome } from './http-client.ts'
import { CONCURRENCY, type PeerName, peerNames } from './peers.ts'
import { median, rotated } from './rounds.ts'

const ROUNDS = 5

const server = fork(join(import.meta.dirname, 'http-server.ts'))
const [url] = (await once(server, 'message')) as [string]

/** Runs a peer in a fresh process. `ulimit -n` sets the hard limit too: Node raises the soft one to it. */
async function run(peer: PeerName): Promise<Outcome> {
  const client = [process.execPath, join(import.meta.dirname, 'http-client.ts'), peer, url]
  const limited = ['-c', 'ulimit -n 1024 && exec "$0" "$@"', ...client]
  const { stdout } = await promisify(execFile)('sh', limited, { timeout: 60_000 })
  return JSON.parse(stdout)
}

await run('bare loop') // warms the server up
const outcomes = Object.fromEntries(peerNames.map((name) => [name, [] as Outcome[]])) as Record<PeerName, Outcome[]>
for (let round = 0; round < ROUNDS; round++) {
  for (const name of rotated(round)) outcomes[name].push(await run(name))
}
server.disconnect()

const timesOf = (name: PeerName) => outcomes[name].map(({ ms }) => ms)
// Round by round: what else the machine does in a round slows down all peers of it.
const ratioOf = (name: PeerName) => {
  const floor = timesOf('bare loop')
  return median(timesOf(name).map((ms, round) => ms / (floor[round] as number)))
}
const table = new Table({
  head: ['peer', 'failed', 'by error code', 'seconds', '÷ bare loop'],
  colAligns: ['left', 'right', 'left', 'right', 'right'],
  style: { head: [], border: [] },
})
for (const name of peerNames) {
  // The round that failed least: what is shown of a peer is never worse than what it can do.
  const { failed, codes } = outcomes[name].toSorted((a, b) => a.failed - b.failed)[0] as Outcome
  const byCode = Object.entries(codes).map(([code, count]) => `${code} ${count.toLocaleString('en')}`)
  table.push([
    name,
    failed.toLocaleString('en'),
    byCode.join(', '),
    (median(timesOf(name)) / 1_000).toFixed(2),
    failed > 0 ? '' : ratioOf(name).toFixed(2), // no ratio to work that was not done
  ])
}
console.log(
  `10,000 records × 10 ms HTTP, 1,024 file descriptors, bounds of ${CONCURRENCY}, the others unbounded: ` +
    `medians of ${ROUNDS} rounds, Node ${process.versions.node}`,
)
console.log(table.toString())

const failures = outcomes['middy-bounded-sqs-batch'].filter(({ failed }) => failed > 0)
if (failures.length > 0) {
  console.error(`middy-bounded-sqs-batch failed records in ${failures.length} of ${ROUNDS} rounds`)
  process.exitCode = 1
}
