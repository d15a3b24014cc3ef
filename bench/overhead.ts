// What a batch costs beyond its handlers: records that do nothing, by each peer.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { buildGo, GO, goNoop } from './go.ts'
import { CONCURRENCY, RECORDS_A_SAMPLE, type Task } from './overhead-peer.ts'
import { FLOOR, nodePeers, OURS } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'

export interface OverheadCase extends Task {
  /** Microseconds a record. */
  readonly samples: Samples
}

const CASES: readonly Task[] = [
  { size: 10, failEvery: 0 },
  { size: 100, failEvery: 0 },
  { size: 1_000, failEvery: 0 },
  { size: 10_000, failEvery: 0 },
  { size: 10_000, failEvery: 100 },
]

export interface Overhead {
  readonly cases: readonly OverheadCase[]
  /** What became of the Go program. Older results lack it. */
  readonly go?: string
}

export async function measureOverhead(isShort: boolean): Promise<Overhead> {
  const names: string[] = isShort ? [OURS, 'Middy idiom', 'Powertools', FLOOR] : nodePeers
  const { program, go } = await buildGo(isShort)
  const withGo = program ? [...names, GO] : names
  const options = isShort ? { rounds: 15, warmUp: 5 } : { rounds: 25, warmUp: 5 }

  const cases: OverheadCase[] = []
  for (const task of isShort ? CASES.slice(0, 4) : CASES) {
    const { size, failEvery } = task
    const title = `${size} records that do nothing${failEvery > 0 ? `, one in ${failEvery} fails` : ''}`
    const started = new Map(names.map((name) => [name, startPeer(name)]))
    try {
      const samples = await inRounds(
        withGo,
        { ...options, title },
        async (name) =>
          (await started.get(name)?.sample(task)) ?? goNoop(CONCURRENCY, size, RECORDS_A_SAMPLE / size, failEvery),
      )
      cases.push({ ...task, samples })
    } finally {
      for (const peer of started.values()) peer.stop()
    }
  }
  return { cases, go }
}

function startPeer(name: string) {
  const child = fork(join(import.meta.dirname, 'overhead-peer.ts'), [name], { execArgv: ['--expose-gc'] })
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`the process of ${name} has ended`)))
  ended.catch(() => {}) // also where nobody waits for it any more
  return {
    async sample(task: Task): Promise<number> {
      child.send(task)
      const [value] = await Promise.race([once(child, 'message'), ended])
      return value
    },
    stop: () => child.disconnect(),
  }
}
