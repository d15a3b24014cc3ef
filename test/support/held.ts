import type { ChunkHandler, ChunkResult, RecordHandler } from '../../src/index.ts'
import { settled } from './clock.ts'

/** A record handler whose records stay pending until the test settles them. */
export function heldRecords() {
  const { hold, ...held } = heldCalls<void>()
  const handle: RecordHandler = ({ messageId }, _context, { signal }) => hold(messageId, signal)
  return { handle, ...held }
}

/** A chunk handler whose chunks stay pending until the test settles them. A chunk is named by its ids: `m0 m1 m2`. */
export function heldChunks() {
  const { hold, ...held } = heldCalls<ChunkResult | undefined>()
  const handle: ChunkHandler = (records, _context, { signal }) =>
    hold(records.map(({ messageId }) => messageId).join(' '), signal) as Promise<ChunkResult>
  return { handle, ...held }
}

function heldCalls<Result>() {
  const open = new Map<string, PromiseWithResolvers<Result>>()
  const signals = new Map<string, AbortSignal>()
  const started: string[] = []
  function take(id: string) {
    const held = open.get(id)
    if (!held) throw new Error(`Expected the id of a running call (${[...open.keys()].join(', ')}), received ${id}`)
    open.delete(id)
    return held
  }
  return {
    hold(id: string, signal: AbortSignal): Promise<Result> {
      const held = Promise.withResolvers<Result>()
      started.push(id)
      open.set(id, held)
      signals.set(id, signal)
      return held.promise
    },
    /** The ids of what has been started, in this order. */
    started,
    running: () => [...open.keys()],
    signalOf: (id: string) => signals.get(id),
    succeed: (id: string, result?: Result) => take(id).resolve(result as Result),
    fail: (id: string, error: unknown = new Error(`${id} failed`)) => take(id).reject(error),
    /** Settles records until none is in flight. */
    async settleAll(fails: (id: string) => boolean = () => false): Promise<void> {
      for (; open.size > 0; await settled()) {
        for (const id of [...open.keys()]) {
          if (fails(id)) take(id).reject(new Error(`${id} failed`))
          else take(id).resolve(undefined as Result)
        }
      }
    },
  }
}
