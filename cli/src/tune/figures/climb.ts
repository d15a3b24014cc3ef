import { MARGIN } from './confidence.ts'

/** The part of a measurement that the search needs. */
export interface Step {
  readonly concurrency: number
  readonly goodput: number
  readonly failedShare: number
  /** The number of records from which the share was calculated. */
  readonly records: number
  readonly death?: string | undefined
}

type Failures = Pick<Step, 'failedShare' | 'records'>

/** Each step of the climb multiplies the concurrency by this. */
const STEP_FACTOR = 1.6
/** Two figures count as equal if they differ by less than this share, because they are not measured more exactly. */
export const NOISE = MARGIN
/** A drop by more than this share ends the climb immediately. */
const MAX_DROP = 0.1
/**
 * If the share of failures is above the lowest share by more than this, and not by chance, the concurrency causes the
 * failures.
 */
export const MAX_MORE_FAILURES = 0.01
/**
 * If records fail at random, shares differ by chance. Up to this number of standard errors counts as chance. It is more
 * than the usual two, because each share is compared with the lowest of about ten.
 */
const CHANCE_STANDARD_ERRORS = 3
/** If two neighbours differ by at most this factor, no value between them is tried. */
const CLOSE_FACTOR = 1.2
const MAX_REFINEMENTS = 5

function nextAfter(concurrency: number, most: number): number {
  return Math.min(most, Math.max(concurrency + 1, Math.round(concurrency * STEP_FACTOR)))
}

/** The maximum number of steps that `climb` takes. */
export function maxSteps(least: number, most: number): number {
  let steps = 1
  for (let at = least; at < most; at = nextAfter(at, most)) steps += 1
  return Math.min(most - least + 1, steps + MAX_REFINEMENTS)
}

/**
 * Whether more records fail than at the concurrency with the fewest failures, apart from chance. This is not compared
 * with 0, because some records may fail at every concurrency.
 */
export function isOverloaded(step: Failures, steps: readonly Failures[]): boolean {
  const [fewest = step] = steps.toSorted((a, b) => a.failedShare - b.failedShare)
  const variance = fewest.failedShare * (1 - fewest.failedShare) * (1 / fewest.records + 1 / step.records)
  const allowed = Math.max(MAX_MORE_FAILURES, CHANCE_STANDARD_ERRORS * Math.sqrt(variance))
  return step.failedShare > fewest.failedShare + allowed
}

/**
 * The lowest concurrency whose goodput equals the highest, apart from noise. Steps do not count if they are overloaded,
 * or if their process ended.
 */
export function kneeOf<S extends Step>(steps: readonly S[]): S | undefined {
  const usable = steps.filter((step) => step.goodput > 0 && step.death === undefined && !isOverloaded(step, steps))
  const enough = Math.max(...usable.map(({ goodput }) => goodput)) / (1 + NOISE)
  return usable.toSorted((a, b) => a.concurrency - b.concurrency).find(({ goodput }) => goodput >= enough)
}

/** A value between the knee and the neighbour that is further away. Undefined if both neighbours are close. */
function middleOfGap(steps: readonly Step[]): number | undefined {
  const knee = kneeOf(steps)?.concurrency
  if (knee === undefined) return undefined
  const tried = steps.map(({ concurrency }) => concurrency)
  const below = Math.max(...tried.filter((each) => each < knee))
  const above = Math.min(...tried.filter((each) => each > knee))
  const gaps = [
    [below, knee],
    [knee, above],
  ] as const
  const wide = gaps.filter(
    ([low, high]) => Number.isFinite(high / low) && low > 0 && high / low > CLOSE_FACTOR && high - low > 1,
  )
  const [widest] = wide.toSorted(([a, b], [c, d]) => d / c - b / a)
  return widest && Math.round(Math.sqrt(widest[0] * widest[1]))
}

/**
 * Searches for the concurrency with the highest goodput. Raises the concurrency until the goodput drops, or has not
 * grown for two steps. Then tries values between the best one and its neighbours. Returns the steps in the order in
 * which they were measured.
 */
export async function climb<S extends Step>(
  least: number,
  most: number,
  measure: (concurrency: number) => Promise<S>,
): Promise<S[]> {
  const steps: S[] = []
  let highest = 0
  let withoutGrowth = 0
  for (let at = least; ; at = nextAfter(at, most)) {
    const step = await measure(at)
    steps.push(step)
    withoutGrowth = step.goodput > highest * (1 + NOISE) ? 0 : withoutGrowth + 1
    if (at === most || withoutGrowth === 2 || step.goodput < highest * (1 - MAX_DROP)) break
    highest = Math.max(highest, step.goodput)
  }
  for (let count = 0; count < MAX_REFINEMENTS; count += 1) {
    const at = middleOfGap(steps)
    if (at === undefined) break
    steps.push(await measure(at))
  }
  return steps
}
