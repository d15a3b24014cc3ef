/**
 * The code of `PermanentError`. It has a file of its own, so that the bundle of `middy-bounded-sqs-batch/sqs` does not
 * contain a second copy of the error classes.
 */
export const PERMANENT = 'ERR_PERMANENT'

/** Reads `code` and not the class, so that it recognises an error of another copy of this package. */
export function isPermanent(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null | undefined)?.code === PERMANENT
  } catch {
    return false // `error` may be a proxy that throws when it is read
  }
}
