import { RecordNotStartedError } from './errors.ts'

/** What each record of an invocation came to, in record order. Where it runs chunks, a chunk stands for a record. */
export type Results = PromiseSettledResult<undefined>[]

export const FULFILLED: PromiseFulfilledResult<undefined> = Object.freeze({ status: 'fulfilled', value: undefined })
/** Stands in a record's slot while its handler runs; an empty slot is a record that has not started. Both are failures. */
export const RUNNING = rejected(undefined)

export function rejected(reason: unknown): PromiseRejectedResult {
  return { status: 'rejected', reason }
}

/** Rule 3: a slot without a result of its own is a failure. */
export function complete(
  results: readonly (PromiseSettledResult<undefined> | undefined)[],
  aborted: Error | undefined,
): Results {
  const neverRan = rejected(new RecordNotStartedError('The batch ended before the turn of the record came'))
  const wasRunning = rejected(aborted)
  return Array.from(results, (result) => (result === RUNNING ? wasRunning : (result ?? neverRan)))
}
