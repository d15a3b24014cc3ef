/** The median of the values without NaN, and NaN if there are none. */
export function median(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  return known[Math.floor(known.length / 2)] ?? Number.NaN
}
