// The heap in the middle of a batch of 10,000 records: after a collection, over what the event itself takes.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nodePeers, OURS } from './peers.ts'
import { inRounds, type Samples } from './rounds.ts'

/** Bytes. */
export async function measureHeap(isShort: boolean): Promise<{ samples: Samples }> {
  const names = isShort ? [OURS, 'Powertools'] : nodePeers
  const options = { rounds: isShort ? 1 : 3, title: 'heap in the middle of a batch' }
  const samples = await inRounds(names, options, async (name) => {
    const client = ['--expose-gc', join(import.meta.dirname, 'heap-client.ts'), name]
    const { stdout } = await promisify(execFile)(process.execPath, client)
    return Number(stdout)
  })
  return { samples }
}
