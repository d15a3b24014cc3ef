/** Reads each resource once, even if several mappings refer to it. The key is its id or its ARN. */
export function memoize<T>(read: (key: string) => T) {
  const results = new Map<string, T>()
  return (key: string): T => {
    const result = results.get(key) ?? read(key)
    results.set(key, result)
    return result
  }
}
