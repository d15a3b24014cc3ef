/** Bad usage or bad input: the command prints this one line and ends with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The function could not be made ready: its file, its export, or what it does while loading. */
export class InitError extends Error {
  override name = 'InitError'
}

/** One line of at most 300 characters out of anything, for messages that others wrote. */
export const oneLine = (text: unknown): string => {
  const line = String(text).replaceAll(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}
