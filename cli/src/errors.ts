/** Bad usage or bad input: the command prints this one line and ends with exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The function could not be made ready: its file, its export, or what it does while loading. */
export class InitError extends Error {
  override name = 'InitError'
}

/** What a value is, as a sentence says it: a number, an object, null. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  const type = Array.isArray(value) ? 'array' : typeof value
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
}

/** One line of at most 300 characters out of anything, for messages that others wrote. */
export function oneLine(text: unknown): string {
  const line = String(text).replaceAll(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}
