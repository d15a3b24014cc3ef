import { kindOf, oneLine } from '../../shared/errors.ts'
import { isObject, parseJson } from '../../shared/json.ts'
import { NO_PROMISE } from '../in-function/tool-protocol.ts'

/** A list of failures in a place where Lambda does not read it, so that it deletes all messages. */
export interface IgnoredList {
  where: string
  ids: ReadonlySet<string>
}

export type Listed = { failed: ReadonlySet<string>; ignored?: IgnoredList }

/** How Lambda interprets a response: these messages failed, or the whole batch failed for this reason. */
export type BatchResult = Listed | { invalid: string }

/**
 * Follows the table "Reporting batch item failures" in the Lambda guide. Nothing, null, {} and an empty or
 * null list mean complete success. Cases that the table does not list, such as a number, count as complete
 * failure: an unnecessary redelivery is acceptable, a lost message is not.
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
  const ignored = 'batchItemFailures' in response ? undefined : ignoredIn(response)
  return ignored ? { failed, ignored } : { failed }
}

/** Similar names, such as batchItemsFailures or BatchItemFailures. */
const SIMILAR = /batch.?items?.?fail|items?.?failures?$/i

function ignoredIn(response: Record<string, unknown>): IgnoredList | undefined {
  for (const [name, value] of Object.entries(response)) {
    const inner = typeof value === 'string' ? parseJson(value) : value
    const wrapped = isObject(inner) ? inner.batchItemFailures : undefined
    const list = wrapped ?? (SIMILAR.test(name) || hasIds(inner) ? inner : undefined)
    if (!Array.isArray(list)) continue
    return { where: name === NO_PROMISE ? name : `\`${oneLine(name)}\``, ids: new Set(list.flatMap(idOf)) }
  }
  return undefined
}

const hasIds = (value: unknown) =>
  Array.isArray(value) && value.some((entry) => isObject(entry) && 'itemIdentifier' in entry)

/** The id in an entry of a list: its first text. */
const idOf = (entry: unknown): string | string[] =>
  typeof entry === 'string'
    ? entry
    : (Object.values(isObject(entry) ? entry : {}).find((one) => typeof one === 'string') ?? [])
