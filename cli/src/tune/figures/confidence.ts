/** Two-sided 95 % quantiles of Student's t distribution, for 1, 2, 3, … degrees of freedom. */
const T_95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]

/** Rounds are repeated until the confidence interval is narrow enough, within these limits. */
export const MIN_ROUNDS = 3
export const MAX_ROUNDS = T_95.length + 1
/** The confidence interval must be at most this share of the mean on each side. */
export const MARGIN = 0.05

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Half of the 95 % confidence interval of the mean, as a share of the mean. `undefined` if there are too few values, or
 * if the mean is 0.
 */
export function marginOf(values: readonly number[]): number | undefined {
  const quantile = T_95[values.length - 2]
  const middle = mean(values)
  if (quantile === undefined || !(middle > 0)) return undefined
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
  return (quantile * Math.sqrt(squares / (values.length - 1) / values.length)) / middle
}

/** Whether the mean of the values is known exactly enough. */
export function isConfident(values: readonly number[]): boolean {
  return values.length >= MIN_ROUNDS && (marginOf(values) ?? Number.POSITIVE_INFINITY) <= MARGIN
}

/**
 * Takes samples until their mean is known exactly enough, but at most `MAX_ROUNDS`. If the first `MIN_ROUNDS` samples
 * are 0, no other sample is taken.
 *
 * @param isUseless says after each sample whether more samples are useless
 */
export async function sampleUntilConfident(
  sample: (round: number) => Promise<number>,
  isUseless: () => boolean,
): Promise<number[]> {
  const values: number[] = []
  const isZero = () => values.length >= MIN_ROUNDS && values.every((value) => value === 0)
  do values.push(await sample(values.length + 1))
  while (values.length < MAX_ROUNDS && !isConfident(values) && !isZero() && !isUseless())
  return values
}
