export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

export const mean = (values: readonly number[]) => sum(values) / values.length

/** Not the mean: another program that uses the machine during one round must not decide. 0 if there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return mean(sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1)) || 0
}
