/** Wrong usage or wrong input. The command prints the message in one line and exits with code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The function could not be loaded: its file or export is missing, or it failed while loading. */
export class InitError extends Error {
  override name = 'InitError'
}

/** The type of a value with an article: a number, an object. `null` and `undefined` have none. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  const type = Array.isArray(value) ? 'array' : typeof value
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`
}

/** Shortens text, such as an error message of another package, to one line of at most 300 characters. */
export function oneLine(text: unknown): string {
  const line = String(text).replaceAll(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

export function refuseIf(condition: unknown, message: string) {
  if (condition) throw new UsageError(message)
}
