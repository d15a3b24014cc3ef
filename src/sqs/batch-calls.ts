import { addReason, type Reasons, readError, reasonOf, toReason } from './reasons.ts'

/**
 * How many calls run at once. An SDK client opens at most 50 sockets by default, and others may use it, too
 * (https://docs.aws.amazon.com/sdk-for-javascript/v3/developer-guide/node-configuring-maxsockets.html)
 */
const MAX_CALLS = 10
/** SQS's limit of entries in a batch call. */
const MAX_ENTRIES = 10
/**
 * SQS's limit for a message and for a whole batch call: 1 MiB. The body and the names, types and values of
 * the attributes count.
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)
 */
export const MAX_BYTES = 1_048_576

export interface Item<TEntry extends object = object> {
  readonly entry: TEntry
  /** How much of `MAX_BYTES` the entry uses. */
  readonly bytes: number
}

/** SQS's response to a batch call. */
interface BatchResponse {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | undefined
  readonly Failed?: readonly FailedEntry[] | undefined
}

interface FailedEntry {
  readonly Id?: string | undefined
  readonly Code?: string | undefined
  readonly Message?: string | undefined
}

/** Divides entries into batches that SQS's limits allow in one call. The order stays the same. */
export function* inBatches<TItem extends Item>(items: Iterable<TItem>): Generator<TItem[]> {
  let batch: TItem[] = []
  let bytes = 0
  for (const item of items) {
    if (batch.length === MAX_ENTRIES || (batch.length > 0 && bytes + item.bytes > MAX_BYTES)) {
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
 * Makes a call for each batch, several at once, until the signal aborts. Never rejects. For each entry that
 * SQS did not accept, the reason is added to `reasons`.
 *
 * @returns the items whose entries SQS accepted
 */
export async function callInBatches<TItem extends Item>(
  batches: Generator<TItem[]>,
  send: (entries: (TItem['entry'] & { Id: string })[]) => Promise<BatchResponse>,
  { reasons, signal }: { reasons: Reasons; signal: AbortSignal },
): Promise<Set<TItem>> {
  const accepted = new Set<TItem>()
  const aborted = abortOf(signal)

  async function call(batch: TItem[]): Promise<void> {
    try {
      signal.throwIfAborted()
      const response = send(batch.map(({ entry }, index) => ({ ...entry, Id: String(index) })))
      // Some parts of a client ignore the signal, for example the provider of its credentials.
      addOutcomes(await Promise.race([response, aborted]), batch)
    } catch (error) {
      const [name] = readError(error)
      if (name === 'BatchRequestTooLong' && batch.length > 1) {
        // Local imitations of SQS may still have its earlier limit, 256 KiB.
        const half = Math.ceil(batch.length / 2)
        await call(batch.slice(0, half))
        await call(batch.slice(half))
      } else {
        addReason(reasons, signal.aborted ? 'no time was left' : reasonOf(error), batch.length)
      }
    }
  }

  /** An entry that the response does not mention counts as not accepted. */
  function addOutcomes({ Successful, Failed }: BatchResponse, batch: TItem[]): void {
    const acceptedIds = new Set(Successful?.map(({ Id }) => Id))
    const failedEntries = new Map(Failed?.map((entry) => [entry.Id, entry]))
    for (const [index, item] of batch.entries()) {
      const failedEntry = failedEntries.get(String(index))
      if (failedEntry) addReason(reasons, toReason(failedEntry.Code, failedEntry.Message))
      else if (acceptedIds.has(String(index))) accepted.add(item)
      else addReason(reasons, 'the response of SQS does not mention this entry')
    }
  }

  /** All workers take batches from the same generator, so each batch is sent by one of them. */
  async function worker(): Promise<void> {
    for (const batch of batches) await call(batch)
  }
  await Promise.all(Array.from({ length: MAX_CALLS }, worker))
  return accepted
}

/** Rejects when the signal aborts. */
function abortOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason))
  promise.catch(() => {}) // its rejection must not end the process if no call waits for it
  return promise
}
