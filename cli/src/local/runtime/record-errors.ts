import { subscribe } from 'node:diagnostics_channel'
import { oneLine } from '../../errors.ts'

/** What the runtime process sends about the records of one invocation. */
export interface RecordErrors {
  /** Name, message and code of a record's error, by message id. Records that did not start have no entry. */
  errors: Record<string, string>
  /** The ids of the records that the library reported in its response. */
  reported?: string[]
}

/** The fields of the library's message that are used here. */
interface RecordTrace {
  records: { messageId: string }[]
  error: unknown
  /** 1.0.0-rc.1 does not have it: then all records of a chunk count as failed. */
  failures?: { record: { messageId: string }; error: unknown }[]
}

const errors = new Map<string, string>()
const reported = new Set<string>()
let isLibraryUsed = false

/**
 * Subscribes to middy-bounded-sqs-batch, which publishes the error of each record. Channels are found by name, so the
 * library is not imported here and may be bundled with the handler.
 */
export function watchRecordErrors(): void {
  subscribe('tracing:middy-bounded-sqs-batch:batch:start', () => {
    isLibraryUsed = true
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:error', (message) => {
    const { records, error, failures = records.map((record) => ({ record, error })) } = message as RecordTrace
    for (const failure of failures) errors.set(failure.record.messageId, describeError(failure.error))
  })
  // The response of the library. The handler may return something else, for example if a `return` is missing.
  subscribe('tracing:middy-bounded-sqs-batch:batch:asyncEnd', (message) => {
    const { result } = message as { result?: { batchItemFailures: { itemIdentifier: string }[] } }
    for (const { itemIdentifier } of result?.batchItemFailures ?? []) reported.add(itemIdentifier)
  })
}

/** The ids of an event's records. They are read before the handler, which may change the event. */
export function recordIdsOf(event: { Records?: { messageId: string }[] }): string[] {
  return (event.Records ?? []).map(({ messageId }) => messageId)
}

/** Removes and returns the errors of these records. Undefined if the handler does not use the library. */
export function takeRecordErrors(ids: readonly string[]): RecordErrors | undefined {
  if (!isLibraryUsed) return undefined
  const taken: Record<string, string> = {}
  for (const id of ids) {
    const text = errors.get(id)
    if (text === undefined) continue
    taken[id] = text
    errors.delete(id)
  }
  return { errors: taken, reported: ids.filter((id) => reported.delete(id)) }
}

/** Name, message and code of any thrown value, in one line. Reading its properties may throw. */
function describeError(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return oneLine(`thrown ${typeof error}: ${String(error)}`)
    const { name, message } = error as { name?: unknown; message?: unknown }
    const title = typeof name === 'string' && name !== '' ? name : 'an object'
    const text = typeof message === 'string' && message !== '' ? `${title}: ${message}` : title
    const code = codeOf(error)
    return oneLine(code === undefined || text.includes(code) ? text : `${text} (${code})`)
  } catch {
    return 'an error whose properties cannot be read'
  }
}

/**
 * The code of the error, of its cause, or of its first inner error. It explains messages such as `fetch failed`. Codes
 * that begin with ERR_ only repeat the name, so they are skipped.
 */
function codeOf(error: object): string | undefined {
  const { cause, errors: inner } = error as { cause?: unknown; errors?: unknown }
  const sources = [error, cause, Array.isArray(inner) ? inner[0] : undefined]
  const codes = sources.map((source) => (source as { code?: unknown } | null | undefined)?.code)
  return codes.find((code): code is string => typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9_]{1,40}$/.test(code))
}
