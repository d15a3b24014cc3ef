import { kindOf } from '../../shared/errors.ts'
import { isObject, parseJson } from '../../shared/json.ts'

/** How Lambda interprets a response: these messages failed, or the whole batch failed for this reason. */
export type BatchResult = { failed: ReadonlySet<string> } | { invalid: string }

/**
 * Follows the table "Reporting batch item failures" in the Lambda guide. Nothing, null, {} and an empty or null list
 * mean complete success. Cases that the table does not list, such as a number, count as complete failure: an
 * unnecessary redelivery is acceptable, a lost message is not.
 */
export function readBatchResponse(payload: string, batch: ReadonlySet<string>): BatchResult {
  const response = payload === '' ? null : parseJson(payload)
  if (response === undefined) return { invalid: 'the response is not valid JSON' }
  if (response === null || response === '') return { failed: new Set() }
  if (!isObject(response)) {
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
