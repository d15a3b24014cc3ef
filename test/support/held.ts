import type { ChunkHandler, ChunkResult, RecordHandler } from '../../src/index.ts'
import { settled } from './clock.ts'

/** A record handler whose records stay pending until the test settles them. */
export function heldRecords() {
  const open = new Map<string, { resolve(): void; reject(error: unknown): void; signal: AbortSignal }>()
  const started: string[] = []
  const handle: RecordHandler = (record, _context, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    started.push(record.messageId)
    open.set(record.messageId, { resolve, reject, signal })
    return promise
  }
  function take(id: string) {
    const held = open.get(id)
    if (!held) throw new Error(`Expected the id of a running record (${[...open.keys()]}), received ${id}`)
    open.delete(id)
    return held
  }
  return {
    handle,
    /** The ids of the records that have been started, in this order. */
    started,
    running: () => [...open.keys()],
    signalOf: (id: string) => open.get(id)?.signal,
    succeed: (id: string) => take(id).resolve(),
    /** Settles records until none is in flight. */
    async settleAll(fails: (id: string) => boolean = () => false): Promise<void> {
      for (; open.size > 0; await settled()) {
        for (const id of [...open.keys()]) {
          if (fails(id)) take(id).reject(new Error(`${id} failed`))
          else take(id).resolve()
        }
      }
    },
    fail: (id: string, error: unknown = new Error(`${id} failed`)) => take(id).reject(error),
  }
}

/** A chunk handler whose chunks stay pending until the test settles them. A chunk is named by its ids: `m0 m1 m2`. */
export function heldChunks() {
  const open = new Map<string, { resolve(result?: ChunkResult): void; reject(error: unknown): void }>()
  const signals = new Map<string, AbortSignal>()
  const started: string[] = []
  const handle: ChunkHandler = (records, _context, { signal }) => {
    const chunk = records.map(({ messageId }) => messageId).join(' ')
    const { promise, resolve, reject } = Promise.withResolvers<ChunkResult>()
    started.push(chunk)
    open.set(chunk, { resolve, reject })
    signals.set(chunk, signal)
    return promise
  }
  function take(chunk: string) {
    const held = open.get(chunk)
    if (!held) throw new Error(`Expected a running chunk (${[...open.keys()].join(', ')}), received ${chunk}`)
    open.delete(chunk)
    return held
  }
  return {
    handle,
    /** The chunks that have been started, in this order. */
    started,
    running: () => [...open.keys()],
    signalOf: (chunk: string) => signals.get(chunk),
    succeed: (chunk: string, result?: ChunkResult) => take(chunk).resolve(result),
    fail: (chunk: string, error: unknown = new Error(`${chunk} failed`)) => take(chunk).reject(error),
  }
}
