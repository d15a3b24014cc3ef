import { RecordBlockedError } from '../errors.ts'

/**
 * Adds the blocked records to `failed`. On a FIFO queue, the records that follow a failed one in its message group must
 * be redelivered after it.
 *
 * @param groups the message group of each record; `undefined` for a record without a group
 * @param failed why records failed, by their position in `groups`
 */
export function addBlocked(groups: readonly (string | undefined)[], failed: Map<number, unknown>): void {
  const causes = new Map<string, unknown>() // why the first failed record of each group failed
  for (const [index, group] of groups.entries()) {
    if (group === undefined) continue
    const isBlocked = causes.has(group)
    if (!failed.has(index)) {
      if (isBlocked) failed.set(index, new RecordBlockedError({ cause: causes.get(group) }))
    } else if (!isBlocked) causes.set(group, failed.get(index))
  }
}
