import type { SQSRecord } from 'aws-lambda'
import type { Chunk, ChunkRun, RecordRun } from './registry.ts'
import type { Batch, Failure, RecordOptions } from './types.ts'

/**
 * What an invocation runs one by one: the records of its batch, or chunks of them. The queue and the lanes know units by
 * their index alone; only here is it known which records they are.
 */
export interface Units {
  readonly count: number
  /** The message group of each on a FIFO queue. */
  readonly groups: Batch['groups']
  recordsIn(unit: number): readonly number[]
  run(unit: number, options: RecordOptions): unknown
  /** Every record that failed, by what its unit came to, in no order. */
  failuresAmong(results: readonly PromiseSettledResult<unknown>[]): Failure[]
}

/** A record each. */
export function recordUnits(batch: Batch, records: readonly SQSRecord[], handle: RecordRun): Units {
  return {
    count: batch.ids.length,
    groups: batch.groups,
    recordsIn: (index) => [index],
    run: (index, options) => handle(records[index] as SQSRecord, options),
    failuresAmong(results) {
      const failures: Failure[] = []
      // Not by entries(), which makes an array for each record.
      for (let index = 0; index < results.length; index++) {
        const result = results[index]
        if (result?.status === 'rejected') failures.push({ index, reason: result.reason })
      }
      return failures
    },
  }
}

/** Chunks of up to `size` consecutive records; on a FIFO queue, consecutive ones of one message group. */
export function chunkUnits(batch: Batch, records: readonly SQSRecord[], { size, run }: ChunkRun): Units {
  const chunks = toChunks(batch, size)
  const started: StartedChunk[] = []
  return {
    count: chunks.length,
    groups: batch.groups && chunks.map((indices) => batch.groups?.[indices[0] as number]),
    recordsIn: (unit) => chunks[unit] as number[],
    run(unit, options) {
      const indices = chunks[unit] as number[]
      const chunk: StartedChunk = {
        records: indices.map((index) => records[index] as SQSRecord),
        ids: indices.map((index) => batch.ids[index] as string),
        isFifo: batch.groups?.[indices[0] as number] !== undefined,
        failed: new Map(),
        isDone: false,
      }
      started[unit] = chunk
      return runChunk(run, chunk, options)
    },
    failuresAmong(results) {
      const failures: Failure[] = []
      for (const [unit, result] of results.entries()) {
        if (result.status === 'fulfilled') continue
        for (const [place, index] of (chunks[unit] as number[]).entries()) {
          const failed = started[unit]?.failed
          if (failed?.has(place)) failures.push({ index, reason: failed.get(place) })
          else if (!started[unit]?.isDone) failures.push({ index, reason: result.reason })
        }
      }
      return failures
    },
  }
}

interface StartedChunk extends Chunk {
  /** Whether its handler has answered in time: what has not failed by itself has succeeded. */
  isDone: boolean
}

/** Out of the scope of `chunkUnits`, which a chunk that hangs would keep in memory, and with it the whole batch. */
async function runChunk(run: ChunkRun['run'], chunk: StartedChunk, options: RecordOptions): Promise<void> {
  await run(chunk, options)
  chunk.isDone = true
  // As a whole it has failed then, so that on a FIFO queue the rest of the group does not start.
  for (const place of chunk.records.keys()) if (chunk.failed.has(place)) throw chunk.failed.get(place)
}

function toChunks({ ids, groups }: Batch, size: number): number[][] {
  const chunks: number[][] = []
  const open = new Map<string | undefined, number[]>()
  for (const index of ids.keys()) {
    const group = groups?.[index]
    let chunk = open.get(group)
    if (!chunk || chunk.length === size) {
      chunk = []
      open.set(group, chunk)
      chunks.push(chunk)
    }
    chunk.push(index)
  }
  return chunks
}
