/**
 * Calls `run`, and ignores an error. For values of others, which can throw when they are read, and for what must not
 * change the response.
 *
 * @returns `undefined` if `run` throws
 */
export function safely<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
