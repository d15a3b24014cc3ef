// Runs in the process of the handler. Sees which records of an event the handler has read.
import { inspect } from 'node:util'

type Json = Record<string, unknown>

/** The same in all records of an event. A check of the event may read them. */
const SHARED = new Set(['eventSource', 'eventSourceARN', 'awsRegion'])

/** Printing a record is no reading. */
let isPrinting = false

/** Prints the record as if it had no accessors. */
function print(this: Json): Json {
  isPrinting = true
  try {
    return { ...this }
  } finally {
    isPrinting = false
  }
}

/**
 * A copy of a record with accessors. It looks the same to the handler: it can be changed, frozen, copied, compared, cloned,
 * printed and sent as JSON.
 */
function watched(record: Json, onRead: () => void): Json {
  const copy: Json = {}
  for (const [key, value] of Object.entries(record)) {
    if (SHARED.has(key)) copy[key] = value
    else
      Object.defineProperty(copy, key, {
        enumerable: true,
        configurable: true,
        get() {
          if (!isPrinting) onRead()
          return value
        },
        set(changed) {
          Object.defineProperty(this, key, { value: changed, enumerable: true, configurable: true, writable: true })
        },
      })
  }
  return Object.defineProperty(copy, inspect.custom, { value: print, configurable: true, writable: true })
}

/** Which records were read: all ids that were not, or `all` if there is no other. */
export type Unread = readonly string[] | 'all'

/**
 * Replaces the records of an event by copies that notice when they are read. Returns a function that says which were not.
 */
export function watchReads(event: { Records?: unknown }, ids: readonly string[]): () => Unread {
  const { Records } = event
  const unread = new Set(ids)
  if (Array.isArray(Records)) {
    for (const [index, record] of Records.entries())
      Records[index] = watched(record, () => unread.delete(ids[index] as string))
  }
  return () => (unread.size > 0 && unread.size === new Set(ids).size ? 'all' : [...unread])
}
