/**
 * Calls `run`. Returns `undefined` if it throws. Use it for foreign values, which can throw when they are
 * read, and for what must not change the response.
 */
export function safely<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
