// Sees which records of an event the handler has read.
import { inspect } from 'node:util'

type Json = Record<string, unknown>
type Watched = Json & { [VALUES]: Json }

/** The same in all records of an event. A check of the event may read them. */
const SHARED = new Set(['eventSource', 'eventSourceARN', 'awsRegion'])

/** The property with the values of a watched record. */
const VALUES = Symbol('values')
/** The values of records that were not read. */
let unread = new Map<Json, string>()
/** Printing a record is no reading. */
let isPrinting = false

/** The accessors of properties. All records share them: those of each record would take ten times as long. */
const accessors = new Map<string, PropertyDescriptor & ThisType<Watched>>()

function accessorOf(key: string) {
  const known = accessors.get(key)
  if (known) return known
  const accessor: PropertyDescriptor & ThisType<Watched> = {
    enumerable: true,
    configurable: true,
    get() {
      const values = this[VALUES]
      if (!isPrinting) unread.delete(values)
      return values[key]
    },
    set(value) {
      Object.defineProperty(this, key, { value, enumerable: true, configurable: true, writable: true })
    },
  }
  accessors.set(key, accessor)
  return accessor
}

/** Prints a record as if it had no accessors. */
function print(this: Watched): Json {
  isPrinting = true
  try {
    return { ...this }
  } finally {
    isPrinting = false
  }
}

/**
 * A copy of a record with accessors. It looks the same to the handler: it can be changed, frozen, copied,
 * compared, cloned, printed and sent as JSON.
 */
function watched(values: Json): Json {
  const copy: Json = {}
  for (const key of Object.keys(values)) {
    if (SHARED.has(key)) copy[key] = values[key]
    else Object.defineProperty(copy, key, accessorOf(key))
  }
  Object.defineProperty(copy, VALUES, { value: values })
  return Object.defineProperty(copy, inspect.custom, PRINT)
}
const PRINT = { value: print }

/** The ids of the records that were not read, or `all` if none was read. */
export type Unread = readonly string[] | 'all'

/** A handler that reads all records of the first events mostly always does so. */
const MAX_WATCHED = 1000
let watchedRecords = 0
let hasUnread = false

/**
 * Replaces the records of an event by copies that notice reading, also of later events if some were not read.
 * Returns what says which were not read.
 */
export function watchReads(event: { Records?: Json[] }, ids: readonly string[]): (() => Unread) | undefined {
  if (watchedRecords >= MAX_WATCHED && !hasUnread) return undefined
  watchedRecords += ids.length
  const { Records: records = [] } = event
  const all = new Map(records.map((record, index) => [record, ids[index] as string]))
  unread = all
  for (const [index, record] of records.entries()) records[index] = watched(record)
  return () => {
    if (records.length > 0 && all.size === records.length) return 'all'
    hasUnread ||= all.size > 0
    return [...all.values()]
  }
}
