import { kindOf } from '../errors.ts'

/** What Lambda takes a response as: these identifiers failed, or the whole batch did, for this reason. */
export type Verdict = { failed: ReadonlySet<string> } | { invalid: string }

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/**
 * The table of "Reporting batch item failures" in Lambda's guide. Nothing, null, {} and an empty or null list are a
 * complete success. What the table does not name (a number, a list that is no list) is a complete failure here: a
 * message that comes twice is found out, one that is deleted is not.
 */
export function readBatchResponse(payload: string, batch: ReadonlySet<string>): Verdict {
  let response: unknown = null
  try {
    if (payload !== '') response = JSON.parse(payload)
  } catch {
    return { invalid: 'the response is not valid JSON' }
  }
  if (response === null || response === '') return { failed: new Set() }
  if (!isObject(response) || Array.isArray(response)) {
    return { invalid: `the response is ${kindOf(response)}, not an object` }
  }
  const list = response.batchItemFailures ?? []
  if (!Array.isArray(list)) return { invalid: `batchItemFailures is ${kindOf(list)}, not a list` }

  const failed = new Set<string>()
  for (const [index, entry] of list.entries()) {
    const id: unknown = isObject(entry) ? entry.itemIdentifier : undefined
    if (typeof id !== 'string' || id === '') return { invalid: `batchItemFailures[${index}] has no itemIdentifier` }
    if (!batch.has(id)) return { invalid: `batchItemFailures[${index}] names a message that is not in the batch` }
    failed.add(id)
  }
  return { failed }
}
