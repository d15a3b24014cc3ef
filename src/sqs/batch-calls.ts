import type { RecordFailure } from '../types.ts'
import { addReason, type Reasons, readError, reasonOf, toReason } from './reasons.ts'

/** A client has 50 sockets unless it is told otherwise, and the record handlers may use it, too. */
const MOST_CALLS = 10
const MOST_ENTRIES = 10
/** SQS's limit for a message and for a call: bodies, and names, types and values of attributes. */
export const MOST_BYTES = 1_048_576

/** An entry of a batch call, and the failure that it is about. */
export interface Item<TEntry> {
  readonly failure: RecordFailure
  readonly entry: TEntry
  /** What it takes of SQS's limit for a call. */
  readonly bytes: number
}

/** What SQS answers to a batch call. */
interface Answer {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | undefined
  readonly Failed?: readonly RefusedEntry[] | undefined
}

interface RefusedEntry {
  readonly Id?: string | undefined
  readonly Code?: string | undefined
  readonly Message?: string | undefined
}

/** Cuts entries into calls of ten, within SQS's limit of size. The order stays. */
export function* inBatches<TItem extends Item<unknown>>(items: Iterable<TItem>): Generator<TItem[]> {
  let batch: TItem[] = []
  let bytes = 0
  for (const item of items) {
    if (batch.length === MOST_ENTRIES || (batch.length > 0 && bytes + item.bytes > MOST_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(item)
    bytes += item.bytes
  }
  if (batch.length > 0) yield batch
}

/**
 * Makes the calls, some at once, until the signal aborts. Never rejects: an entry that SQS has not accepted, for whatever
 * reason, is counted in `refused`.
 *
 * @returns the failures whose entries SQS has accepted
 */
export async function callInBatches<TEntry extends object>(
  batches: Generator<Item<TEntry>[]>,
  send: (entries: (TEntry & { Id: string })[]) => Promise<Answer>,
  { refused, signal }: { refused: Reasons; signal: AbortSignal },
): Promise<Set<RecordFailure>> {
  const accepted = new Set<RecordFailure>()
  const aborted = abortOf(signal)

  const call = async (batch: Item<TEntry>[]): Promise<void> => {
    try {
      signal.throwIfAborted()
      const answer = send(batch.map(({ entry }, index) => ({ ...entry, Id: String(index) })))
      // Not everything in a client heeds a signal: what fetches its credentials, for one, does not.
      readAnswer(await Promise.race([answer, aborted]), batch)
    } catch (error) {
      const [name] = readError(error)
      if (name === 'BatchRequestTooLong' && batch.length > 1) {
        // Stand-ins of SQS may have its older limit, a quarter of today's.
        const half = Math.ceil(batch.length / 2)
        await call(batch.slice(0, half))
        await call(batch.slice(half))
      } else {
        addReason(refused, signal.aborted ? 'no time was left' : reasonOf(error), batch.length)
      }
    }
  }

  /** What an answer does not name has not been accepted. */
  const readAnswer = ({ Successful, Failed }: Answer, batch: Item<TEntry>[]) => {
    const acceptedIds = new Set(Successful?.map(({ Id }) => Id))
    const refusedEntries = new Map(Failed?.map((entry) => [entry.Id, entry]))
    for (const [index, { failure }] of batch.entries()) {
      const refusedEntry = refusedEntries.get(String(index))
      if (refusedEntry) addReason(refused, toReason(refusedEntry.Code, refusedEntry.Message))
      else if (acceptedIds.has(String(index))) accepted.add(failure)
      else addReason(refused, 'SQS did not say what became of it')
    }
  }

  // All of them take from one generator, so that each batch is taken once.
  const work = async () => {
    for (const batch of batches) await call(batch)
  }
  await Promise.all(Array.from({ length: MOST_CALLS }, work))
  return accepted
}

function abortOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  promise.catch(() => {}) // nothing may be under way
  return promise
}
