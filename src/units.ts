import type { SQSRecord } from 'aws-lambda'
import type { ChunkRun, RecordRun } from './registry.ts'
import type { Batch, Failure, RecordOptions } from './types.ts'

/**
 * What an invocation runs one by one: the records of its batch, or chunks of them. The queue and the lanes know units by
 * their index alone; only here is it known which records they are.
 */
export interface Units {
  readonly count: number
  /** The message group of each on a FIFO queue. */
  readonly groups: Batch['groups']
  /** The most records in one. */
  readonly most: number
  recordsIn(unit: number): readonly number[]
  run(unit: number, options: RecordOptions): unknown
  /** Every record that failed, by what its unit came to. */
  failuresAmong(results: readonly PromiseSettledResult<unknown>[]): Failure[]
}

/** A record each. */
export function recordUnits(batch: Batch, records: readonly SQSRecord[], handle: RecordRun): Units {
  return {
    count: batch.ids.length,
    groups: batch.groups,
    most: 1,
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
  /** Why a record failed that did not fail with its whole chunk. */
  const own = new Map<number, unknown>()
  /** The failure that a chunk ended with of which not all records failed. */
  const partial = new Map<number, unknown>()
  return {
    count: chunks.length,
    groups: batch.groups && chunks.map((indices) => batch.groups?.[indices[0] as number]),
    most: size,
    recordsIn: (unit) => chunks[unit] as number[],
    async run(unit, options) {
      const indices = chunks[unit] as number[]
      const chunk = {
        records: indices.map((index) => records[index] as SQSRecord),
        ids: indices.map((index) => batch.ids[index] as string),
        isFifo: batch.groups?.[indices[0] as number] !== undefined,
        fail: (position: number, reason: unknown) => own.set(indices[position] as number, reason),
      }
      await run(chunk, options)
      const first = indices.find((index) => own.has(index))
      if (first === undefined) return
      partial.set(unit, own.get(first))
      throw own.get(first) // so that on a FIFO queue the rest of the group does not start
    },
    failuresAmong(results) {
      const failures: Failure[] = []
      for (const [unit, result] of results.entries()) {
        if (result.status === 'fulfilled') continue
        const { reason } = result
        // Not where it was reported before its handler was done, at its timeout.
        const isPartial = partial.has(unit) && partial.get(unit) === reason
        for (const index of chunks[unit] as number[]) {
          if (own.has(index)) failures.push({ index, reason: own.get(index) })
          else if (!isPartial) failures.push({ index, reason })
        }
      }
      return failures.sort((a, b) => a.index - b.index)
    },
  }
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
