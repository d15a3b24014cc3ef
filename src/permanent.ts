/** The code of `PermanentError`. In a file without classes, so that `middy-bounded-sqs-batch/sqs` has no copy of those. */
export const PERMANENT = 'ERR_PERMANENT'

/** By `code`, not by class, so that two bundled copies of this package agree. */
export function isPermanent(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null | undefined)?.code === PERMANENT
  } catch {
    return false // an error that throws when it is read
  }
}
