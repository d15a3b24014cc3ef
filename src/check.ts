import { isObject, isRecord, kindOf } from './describe.ts'

/** What an option accepts: a test, and its words. */
export type Check = readonly [accepts: (value: unknown) => boolean, expected: string]

/**
 * Checks a copy, so that what was checked is what is used.
 *
 * @param caller whose options they are
 * @param prefix the path to these options in them
 * @throws {TypeError} that names the option, what was expected and what came
 */
export function check<T extends object>(
  caller: string,
  given: T,
  checks: Record<keyof T & string, Check>,
  { prefix = '', required = [] }: { prefix?: string; required?: readonly (keyof T & string)[] } = {},
): T {
  if (!isRecord(given)) throw new TypeError(`${caller}(): expected an object of options, got ${kindOf(given)}`)
  const options = { ...given }
  for (const key of new Set([...Object.keys(options), ...required]) as Set<keyof T & string>) {
    if (!Object.hasOwn(checks, key)) {
      const known = Object.keys(checks).join(', ')
      throw new TypeError(`${caller}(): unknown option ${JSON.stringify(prefix + key)}, expected one of ${known}`)
    }
    const [accepts, expected] = checks[key]
    const value = options[key]
    if ((value === undefined && !required.includes(key)) || accepts(value)) continue
    throw new TypeError(`${caller}(): expected option ${prefix}${key} to be ${expected}, got ${show(value)}`)
  }
  return options
}

/** Not by `inspect`: importing node:util takes 3 ms of every start (Node 24). */
export function show(value: unknown): string {
  if (isObject(value) || value === null || value === undefined) return kindOf(value)
  const text = typeof value === 'string' ? `'${JSON.stringify(value.slice(0, 100)).slice(1, -1)}'` : String(value)
  return `${text}${typeof value === 'bigint' ? 'n' : ''} (${kindOf(value)})`
}
