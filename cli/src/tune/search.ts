import type { Measurement } from './result.ts'

export interface Range {
  readonly least: number
  readonly most: number
}

/** Goodputs that differ by at most this share count as equal. */
export const NOISE = 0.05
/** If the share of failures is above the lowest share by more than this, and not by chance, the concurrency causes them. */
export const MAX_MORE_FAILURES = 0.01
/** Up to this number of standard errors counts as chance: each share is compared with the lowest of about ten. */
const CHANCE_STANDARD_ERRORS = 3

/** The parts of the time after which the scan and the refinement end. */
const SCAN_END = 1 / 3
const REFINEMENT_END = 2 / 3

/** Each concurrency of the scan is the previous one × this, or more if the time is short. */
const SCAN_FACTOR = 1.6
/** If two neighbours differ by at most this factor, no value between them is tried. */
const CLOSE_FACTOR = 1.2
/** The scan is repeated for those whose goodput is at least this share of the highest: a round can be much too slow. */
const NEAR_IN_SCAN = 0.5
/** Those whose goodput is at least this share of the highest are compared. */
const NEAR = 0.8
/** So that each of them is measured often. */
const MAX_CANDIDATES = 6
/** If one candidate is left, it is measured this often. */
const LAST_ROUNDS = 5

/** The concurrencies from `least` to `most` that are tried first, with at most this factor between neighbours. */
export function scanOf({ least, most }: Range, factor = SCAN_FACTOR): number[] {
  const steps = Math.max(1, Math.ceil(Math.log(most / least) / Math.log(factor)))
  const concurrencies = Array.from({ length: steps + 1 }, (_, step) => least * (most / least) ** (step / steps))
  return [...new Set(concurrencies.map(Math.round))]
}

/** Whether more records fail than at the best concurrency, apart from chance. Some may fail at every concurrency. */
export function isOverloaded(step: Measurement, steps: readonly Measurement[]): boolean {
  const [fewest = step] = steps.toSorted((a, b) => a.failedShare - b.failedShare)
  const variance = fewest.failedShare * (1 - fewest.failedShare) * (1 / fewest.records + 1 / step.records)
  const allowed = Math.max(MAX_MORE_FAILURES, CHANCE_STANDARD_ERRORS * Math.sqrt(variance))
  return step.failedShare > fewest.failedShare + allowed
}

/** Those at which records succeed, and nothing is wrong. They are in ascending order of the concurrency. */
export function usableOf(all: readonly Measurement[]): Measurement[] {
  const succeeding = all.filter(({ goodput, problem }) => goodput > 0 && problem === undefined)
  return succeeding.filter((each) => !isOverloaded(each, succeeding)).sort((a, b) => a.concurrency - b.concurrency)
}

/** Those that can be used and whose goodput is at least this share of the highest. */
function near(all: readonly Measurement[], share: number): Measurement[] {
  const usable = usableOf(all)
  const highest = Math.max(...usable.map(({ goodput }) => goodput))
  return usable.filter(({ goodput }) => goodput >= share * highest)
}

/** The lowest concurrency whose goodput is the highest, apart from noise. `undefined` if none can be used. */
export function kneeOf(all: readonly Measurement[]): Measurement | undefined {
  return near(all, 1 / (1 + NOISE))[0]
}

/** The measured concurrencies around this one that are as good, up to the first one that is worse or cannot be used. */
export function equalTo(knee: Measurement, all: readonly Measurement[]): Measurement[] {
  const usable = usableOf(all)
  const sorted = all.toSorted((a, b) => a.concurrency - b.concurrency)
  const isEqual = (each: Measurement) =>
    usable.includes(each) && Math.abs(each.goodput - knee.goodput) <= NOISE * knee.goodput
  const at = sorted.indexOf(knee)
  return sorted.filter((_, index) => sorted.slice(Math.min(index, at), Math.max(index, at) + 1).every(isEqual))
}

export interface Rounds {
  /** Measures this concurrency once more, and returns the figures of all its rounds. */
  measure: (concurrency: number) => Promise<Measurement>
  /** Whether a round of this concurrency ends before this share of the time is over. */
  fits: (concurrency: number, share: number) => boolean
  /** How many rounds fit into the time until this share of it is over. */
  roundsUntil: (share: number) => number
  /** The share of the time after which the comparison ends. */
  comparisonEnd: () => number
}

/**
 * Searches for the concurrency with the highest goodput.
 *
 * 1. The scan measures concurrencies in ascending order, several times if there is time.
 * 2. The refinement tries values between the best one and its neighbours, until they are close.
 * 3. The comparison measures the best ones in turn, again and again. So if the machine or the downstream becomes slower,
 *    this concerns all of them. Those that are clearly slower drop out.
 */
export async function search(range: Range, { measure, fits, roundsUntil, comparisonEnd }: Rounds): Promise<void> {
  const measured = new Map<number, Measurement>()
  async function add(concurrency: number): Promise<Measurement> {
    const figures = await measure(concurrency)
    measured.set(concurrency, figures)
    return figures
  }
  /** Measures the next concurrencies, again and again, until there are none or no time for any. */
  async function repeat(next: (all: readonly Measurement[]) => number[], end: number) {
    const inTime = () => next([...measured.values()]).filter((concurrency) => fits(concurrency, end))
    for (let some = inTime(); some.length > 0; some = inTime()) {
      for (const concurrency of some) if (fits(concurrency, end)) await add(concurrency)
    }
  }

  /** Ends when the goodput has been at most half of the highest twice in a row: the optimum is lower. */
  async function scan() {
    let { goodput: highest } = await add(range.least)
    let halved = highest === 0 ? 1 : 0
    const steps = Math.max(1, roundsUntil(SCAN_END))
    const factor = Math.max(SCAN_FACTOR, (range.most / range.least) ** (1 / steps))
    for (const concurrency of scanOf(range, factor).slice(1)) {
      if (!fits(concurrency, REFINEMENT_END)) return
      const { goodput } = await add(concurrency)
      halved = goodput <= highest / 2 ? halved + 1 : 0
      if (halved === 2) return
      highest = Math.max(highest, goodput)
    }
  }

  await scan()
  await repeat((all) => toCompare(near(all, NEAR_IN_SCAN)), SCAN_END)
  await repeat(middlesAroundKnee, REFINEMENT_END)
  await repeat(candidatesOf, comparisonEnd())
}

/** A value between the best one and each of its neighbours, unless they are close. */
function middlesAroundKnee(all: readonly Measurement[]): number[] {
  const knee = kneeOf(all)?.concurrency
  if (knee === undefined) return []
  const sorted = all.map(({ concurrency }) => concurrency).sort((a, b) => a - b)
  const at = sorted.indexOf(knee)
  return [sorted[at - 1], sorted[at + 1]].flatMap((neighbour = knee) => {
    const isClose = Math.max(neighbour / knee, knee / neighbour) <= CLOSE_FACTOR || Math.abs(neighbour - knee) === 1
    return isClose ? [] : Math.round(Math.sqrt(neighbour * knee))
  })
}

function candidatesOf(all: readonly Measurement[]): number[] {
  // The lowest one that is as good as the others is chosen. The fastest one shows what is as good.
  const [fastest] = near(all, 1)
  return toCompare(near(all, NEAR).filter((each, index) => index < MAX_CANDIDATES || each === fastest))
}

/** Those that were measured least come first. Empty if one is left and was measured often. */
function toCompare(candidates: readonly Measurement[]): number[] {
  const [first, second] = candidates
  if (first && !second && first.rounds >= LAST_ROUNDS) return []
  return candidates.toSorted((a, b) => a.rounds - b.rounds).map(({ concurrency }) => concurrency)
}
