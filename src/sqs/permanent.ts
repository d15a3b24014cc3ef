import type { PermanentError } from '../errors.ts'

// Not imported, because the bundle of this entry would then contain a second copy of the error classes.
const PERMANENT: PermanentError['code'] = 'ERR_PERMANENT'

/** Reads `code` and not the class, so that it recognises an error of another copy of this package. */
export function isPermanent(error: unknown): boolean {
  try {
    return (error as { code?: unknown } | null | undefined)?.code === PERMANENT
  } catch {
    return false // `error` may be a proxy that throws when it is read
  }
}
