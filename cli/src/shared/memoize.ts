/** Reads each key once. Several mappings can refer to the same resource, by its id, its ARN or its instance in a plan. */
export function memoize<Key, Result>(read: (key: Key) => Result) {
  const results = new Map<Key, Result>()
  return (key: Key): Result => {
    const result = results.get(key) ?? read(key)
    results.set(key, result)
    return result
  }
}
