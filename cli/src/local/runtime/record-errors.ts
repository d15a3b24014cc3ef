import { subscribe } from 'node:diagnostics_channel'
import { oneLine } from '../../errors.ts'

/** What the runtime process tells about the records of one invocation. */
export interface RecordErrors {
  /** Name, message and code of a record's error, by message id. Records that did not start have none. */
  errors: Record<string, string>
}

const errors = new Map<string, string>()
let isLibraryUsed = false

/**
 * Listens to middy-bounded-sqs-batch, which publishes the error of each record. Channels are found by their name, so the
 * library need not be imported here, and it may be part of the handler's bundle.
 */
export function watchRecordErrors(): void {
  subscribe('tracing:middy-bounded-sqs-batch:batch:start', () => {
    isLibraryUsed = true
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:error', (message) => {
    const { records, error } = message as { records: { messageId: string }[]; error: unknown }
    const text = describeError(error)
    for (const { messageId } of records) errors.set(messageId, text)
  })
}

/** The ids of an event's records, read before the handler can change the event. */
export function recordIdsOf(event: { Records?: { messageId: string }[] }): string[] {
  return (event.Records ?? []).map(({ messageId }) => messageId)
}

/** The errors of these records, once their invocation has ended; undefined if the handler does not use the library. */
export function takeRecordErrors(ids: readonly string[]): RecordErrors | undefined {
  if (!isLibraryUsed) return undefined
  const taken: Record<string, string> = {}
  for (const id of ids) {
    const text = errors.get(id)
    if (text === undefined) continue
    taken[id] = text
    errors.delete(id)
  }
  return { errors: taken }
}

/** Name, message and code of whatever was thrown, in one line. Reading its properties may throw. */
function describeError(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return oneLine(`thrown ${typeof error}: ${String(error)}`)
    const { name, message } = error as { name?: unknown; message?: unknown }
    const title = typeof name === 'string' && name !== '' ? name : 'an object'
    const text = typeof message === 'string' && message !== '' ? `${title}: ${message}` : title
    const code = codeOf(error)
    return oneLine(code === undefined || text.includes(code) ? text : `${text} (${code})`)
  } catch {
    return 'an error that throws when it is read'
  }
}

/** The code of the error, or of its cause: `fetch failed` says nothing without it. Codes that begin with ERR_ repeat the name. */
function codeOf(error: object): string | undefined {
  const { cause, errors: inner } = error as { cause?: unknown; errors?: unknown }
  const sources = [error, cause, Array.isArray(inner) ? inner[0] : undefined]
  const codes = sources.map((source) => (source as { code?: unknown } | null | undefined)?.code)
  return codes.find((code): code is string => typeof code === 'string' && /^(?!ERR_)[A-Z][A-Z0-9_]{1,40}$/.test(code))
}
