import { subscribe } from 'node:diagnostics_channel'
import { oneLine } from '../../shared/errors.ts'

/** What the runtime process sends about the records of one invocation. */
export interface RecordErrors {
  /** Name, message and code of a record's error, by message id. Records that did not start have no entry. */
  errors: Record<string, string>
  /** The ids of the records that the library reported in its response. */
  reported?: string[]
  /** The records that had not succeeded when the handler ended, if the library had made no response for their batch. */
  unfinished?: Record<string, true>
  /** The records that were in no batch of the library, although the handler uses it. */
  unlisted?: Record<string, true>
}

/** The fields of the library's messages that are used here. The object is the same in all messages of a batch. */
interface BatchTrace {
  event: { Records: { messageId: string }[] }
  /** Missing if the invocation failed. */
  result?: { batchItemFailures: { itemIdentifier: string }[] }
}

interface RecordTrace {
  batch: object
  records: { messageId: string }[]
  error?: unknown
  /** 1.0.0-rc.1 does not have it: then all records of a chunk count as failed. */
  failures?: { record: { messageId: string }; error: unknown }[]
}

/** What is known about a record, and the last batch that it was in. */
interface RecordState {
  batch: object
  /** Its last error, also in an earlier batch of the invocation, until it succeeds. */
  error?: string | undefined
  hasSucceeded?: boolean
  isReported?: boolean
}

/** How often progress is reported, in milliseconds. */
const PROGRESS_MS = 250

/**
 * Subscribes to middy-bounded-sqs-batch, which publishes the error of each record. Channels are found by name, so the
 * library is not imported here and may be bundled with the handler. `onFinished` receives the number of records that
 * have a result since its last call.
 *
 * Returns a function that removes and returns what is known about records. It returns undefined if the handler does not
 * use the library.
 */
export function watchRecordErrors(
  onFinished: (records: number) => void = () => {},
): (ids: readonly string[]) => RecordErrors | undefined {
  const states = new Map<string, RecordState>()
  /** The batches for which the library made a response. */
  const responded = new WeakSet<object>()
  let isLibraryUsed = false
  let finished = 0
  let reportedAt = 0

  /** Ignores an earlier batch that is still running: it says nothing about a later delivery of its messages. */
  function change(id: string, batch: object, news: Partial<RecordState>) {
    const state = states.get(id)
    if (state?.batch === batch) Object.assign(state, news)
  }

  subscribe('tracing:middy-bounded-sqs-batch:batch:start', (message) => {
    isLibraryUsed = true
    finished = 0
    reportedAt = performance.now()
    const batch = message as BatchTrace
    for (const { messageId } of batch.event.Records) {
      states.set(messageId, { batch, error: states.get(messageId)?.error })
    }
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:error', (message) => {
    const { batch, records, error, failures = records.map((record) => ({ record, error })) } = message as RecordTrace
    for (const failure of failures) change(failure.record.messageId, batch, { error: describeError(failure.error) })
  })
  subscribe('tracing:middy-bounded-sqs-batch:record:asyncEnd', (message) => {
    const { batch, records, error, failures = records.map((record) => ({ record, error })) } = message as RecordTrace
    finished += records.length
    if (performance.now() - reportedAt >= PROGRESS_MS) {
      onFinished(finished)
      finished = 0
      reportedAt = performance.now()
    }
    const failed = new Set(failures.map(({ record }) => record.messageId))
    for (const { messageId } of records) {
      if (!('error' in (message as RecordTrace) && failed.has(messageId)))
        change(messageId, batch, { hasSucceeded: true, error: undefined })
    }
  })
  // The response of the library. The handler may return something else, for example if a `return` is missing.
  subscribe('tracing:middy-bounded-sqs-batch:batch:asyncEnd', (message) => {
    const { result } = message as BatchTrace
    if (!result) return
    responded.add(message as BatchTrace)
    for (const { itemIdentifier } of result.batchItemFailures)
      change(itemIdentifier, message as BatchTrace, { isReported: true })
  })

  return (ids) => {
    if (!isLibraryUsed) return undefined
    const errors: Record<string, string> = {}
    const reported: string[] = []
    const unfinished: Record<string, true> = {}
    const unlisted: Record<string, true> = {}
    // SQS can deliver a message twice in one batch.
    for (const id of new Set(ids)) {
      const state = states.get(id)
      if (!state) {
        unlisted[id] = true
        continue
      }
      states.delete(id)
      if (state.error !== undefined) errors[id] = state.error
      if (state.isReported) reported.push(id)
      if (!state.hasSucceeded && !responded.has(state.batch)) unfinished[id] = true
    }
    return { errors, reported, unfinished, unlisted }
  }
}

/** The ids of an event's records. They are read before the handler, which may change the event. */
export function recordIdsOf(event: { Records?: { messageId: string }[] }): string[] {
  return (event.Records ?? []).map(({ messageId }) => messageId)
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
