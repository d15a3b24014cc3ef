/** Two-sided 95 % quantiles of Student's t distribution, for 1, 2, 3, … degrees of freedom. The last one is used for more. */
const T_95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262] as const

/** How exactly a goodput is measured. */
export interface Precision {
  /** The confidence interval should be at most this share of the mean on each side. */
  readonly margin: number
  readonly minRounds: number
  /** If these rounds are not enough, the goodput is less exact. */
  readonly maxRounds: number
  /** The minimum duration of a round, in milliseconds. */
  readonly roundMs: number
}

export const PRECISION: Precision = { margin: 0.05, minRounds: 3, maxRounds: 10, roundMs: 500 }

/** For --quick. */
export const QUICK: Precision = { margin: 0.1, minRounds: 3, maxRounds: 6, roundMs: 250 }

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Half of the 95 % confidence interval of the mean, as a share of the mean. `null` if there are too few values, or if
 * the mean is 0.
 */
export function marginOf(values: readonly number[]): number | null {
  const middle = mean(values)
  if (values.length < 2 || !(middle > 0)) return null
  const quantile = T_95[Math.min(values.length - 2, T_95.length - 1)] as number
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
  return (quantile * Math.sqrt(squares / (values.length - 1) / values.length)) / middle
}

/** Whether the mean of the values is known exactly enough. */
export function isConfident(values: readonly number[], { margin, minRounds }: Precision): boolean {
  return values.length >= minRounds && (marginOf(values) ?? Number.POSITIVE_INFINITY) <= margin
}
