// 10,000 records with an HTTP request of 10 ms each, in a process that has 1,024 file descriptors, as on Lambda.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildGo, GO } from './go.ts'
import type { Outcome, Task } from './http-client.ts'
import { FLOOR, nodePeers, OURS } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'

export const DESCRIPTORS = 1_024

export type HttpTask = Omit<Task, 'url'>
export interface HttpCase extends HttpTask {
  readonly outcomes: readonly Outcome[]
}

export interface Http {
  readonly cases: readonly HttpCase[]
  /** What became of the Go program. Older results lack it. */
  readonly go?: string
}

const CLIENTS = ['node:http', 'fetch'] as const
export const records = 10_000

export async function measureHttp(isShort: boolean): Promise<Http> {
  const server = fork(join(import.meta.dirname, 'http-server.ts'))
  const [url] = (await once(server, 'message')) as [string]
  const { program, go } = await buildGo(isShort)

  /** Runs a peer in a fresh process. `ulimit -n` sets the hard limit too: Node raises the soft one to it. */
  const run = async (task: HttpTask): Promise<Outcome> => {
    const { peer, concurrency, records } = task
    const command =
      peer === GO && program
        ? [program, 'http', String(concurrency), String(records), url]
        : [process.execPath, join(import.meta.dirname, 'http-client.ts'), JSON.stringify({ ...task, url })]
    const limited = ['-c', `ulimit -n ${DESCRIPTORS} && exec "$0" "$@"`, ...command]
    const { stdout } = await promisify(execFile)('sh', limited, { timeout: 120_000 })
    return JSON.parse(stdout)
  }

  const measure = async (title: string, rounds: number, tasks: readonly HttpTask[]): Promise<HttpCase[]> => {
    const byKey = new Map(tasks.map((task) => [JSON.stringify(task), task]))
    const samples: Samples<Outcome> = await inRounds([...byKey.keys()], { rounds, title }, (key) =>
      run(byKey.get(key) as HttpTask),
    )
    return Array.from(byKey, ([key, task]) => ({ ...task, outcomes: samples[key] ?? [] }))
  }

  try {
    await run({ peer: FLOOR, client: 'node:http', concurrency: 100, records }) // warms the server up
    const peers = isShort ? [OURS, FLOOR] : [...nodePeers, ...(program ? [GO] : [])]
    const atOneBound = peers.flatMap((peer): HttpTask[] =>
      CLIENTS.filter((client) => client === 'node:http' || !(isShort || peer === GO)).map((client) => ({
        peer,
        client,
        concurrency: 100,
        records,
      })),
    )
    const cases = await measure('HTTP, concurrency 100', isShort ? 5 : 7, atOneBound)
    if (isShort) return { cases, go }

    const sweep = CLIENTS.flatMap((client): HttpTask[] => [
      { peer: OURS, client, concurrency: 1, records: 500 },
      ...[10, 50, 200, 500, 1_000, records].map((concurrency) => ({ peer: OURS, client, concurrency, records })),
    ])
    return { cases: [...cases, ...(await measure('HTTP, other concurrencies', 3, sweep))], go }
  } finally {
    server.disconnect()
  }
}
