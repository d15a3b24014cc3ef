import { PRECISION, type Precision } from './confidence.ts'

interface Failures {
  readonly failedShare: number
  /** The number of records from which the share was calculated. */
  readonly records: number
}

/** The part of a measurement or a combination that is compared. */
interface Figures extends Failures {
  readonly concurrency: number
  readonly goodput: number
  /** The ± of the goodput, as a share. `null` if it is not known. */
  readonly margin: number | null
  readonly problem?: string | undefined
}

/** The part of a measurement that the search needs. */
export interface Step extends Figures {
  readonly isConfident: boolean
  readonly rounds: number
}

/** Each concurrency of the scan is the previous one × this. */
const SCAN_FACTOR = 1.6
/** Two figures count as equal if they differ by less than this share, because they are not measured more exactly. */
export const NOISE = PRECISION.margin
/** The same for the scan, which measures only once. */
const SCAN_NOISE = 0.1
/** The ± that is assumed for a goodput that was measured only once. */
const ASSUMED_MARGIN = 0.15
/** A figure that is less exact than ± this share is not recommended. */
export const MAX_MARGIN = 0.25
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
/** Ends a search whose figures change all the time. A usual one has about ten passes. */
const MAX_PASSES = 40

/** The concurrencies from `least` to `most` that are tried first. */
export function scanOf(least: number, most: number): number[] {
  const concurrencies = [least]
  for (let at = least; at < most; concurrencies.push(at)) {
    at = Math.min(most, Math.round(at * SCAN_FACTOR))
  }
  return concurrencies
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

/** Whether records succeed with these figures, and nothing is wrong with them. */
function isUsable(figures: Figures, all: readonly Figures[]): boolean {
  return figures.goodput > 0 && figures.problem === undefined && !isOverloaded(figures, all)
}

/** Whether the goodput is exact enough for a recommendation. */
export function isExact({ margin }: Pick<Figures, 'margin'>): boolean {
  return margin !== null && margin <= MAX_MARGIN
}

/** Whether the first goodput is clearly below the second: their intervals do not overlap. */
function isBelow(a: Figures, b: Figures): boolean {
  return a.goodput * (1 + (a.margin ?? ASSUMED_MARGIN)) < b.goodput * (1 - (b.margin ?? ASSUMED_MARGIN))
}

/** The lowest concurrency whose goodput is the highest, apart from noise. */
function lowestBest<F extends Figures>(usable: readonly F[], noise: number): F | undefined {
  const enough = Math.max(...usable.map(({ goodput }) => goodput)) / (1 + noise)
  return usable.toSorted((a, b) => a.concurrency - b.concurrency).find(({ goodput }) => goodput >= enough)
}

/** The best of the concurrencies that can be used and whose goodput is exact enough. */
export function kneeOf<F extends Figures>(all: readonly F[]): F | undefined {
  return lowestBest(
    all.filter((figures) => isUsable(figures, all) && isExact(figures)),
    NOISE,
  )
}

/** The usable figures whose interval overlaps with the interval of these, including themselves. */
export function overlapping(figures: Figures, all: readonly Figures[]): Figures[] {
  return all.filter(
    (each) => isUsable(each, all) && isExact(each) && !isBelow(each, figures) && !isBelow(figures, each),
  )
}

/**
 * Searches for the concurrency with the highest goodput.
 *
 * 1. The scan measures concurrencies in ascending order, once each.
 * 2. The best one then races with its neighbours. In each pass, one is measured after the other. So if the machine or
 *    the downstream becomes slower, this concerns all of them. Those that are clearly slower than the best one drop out.
 * 3. When the race is decided, new neighbours of the winner join it: first those of the scan, then values between them
 *    and the winner. The winner is measured again with them.
 *
 * @param measure measures these concurrencies once more, and returns the results of all their rounds
 * @param isLate whether the search ends as soon as the goodput of the best one is exact enough for a recommendation
 * @returns whether it ended for this reason
 */
export async function search<S extends Step>(
  least: number,
  most: number,
  { maxRounds }: Precision,
  measure: (concurrencies: readonly number[]) => Promise<readonly S[]>,
  isLate?: () => boolean,
): Promise<boolean> {
  const steps = new Map<number, S>()
  const racing = new Set<number>()
  async function pass(concurrencies: readonly number[]) {
    for (const step of await measure(concurrencies)) steps.set(step.concurrency, step)
  }

  await scan(scanOf(least, most), async (concurrency) => {
    await pass([concurrency])
    return (steps.get(concurrency) as S).goodput
  })
  for (let passes = 0; passes < MAX_PASSES; passes += 1) {
    const all = [...steps.values()]
    const usable = all.filter((step) => isUsable(step, all))
    const leader =
      lowestBest(
        usable.filter(({ concurrency }) => racing.has(concurrency)),
        NOISE,
      ) ?? lowestBest(usable, SCAN_NOISE)
    if (!leader) return false
    const isOpen = (step: S) => !isBelow(step, leader) && step.rounds < maxRounds && !step.isConfident
    const open = usable.filter((step) => racing.has(step.concurrency) && isOpen(step))
    const next = open.length > 0 ? open.map(({ concurrency }) => concurrency) : newcomers(leader, all, racing)
    if (next.length === 0 && racing.has(leader.concurrency)) return false
    if (isLate?.() && isExact(leader)) return true
    const inTurn = [...new Set([leader.concurrency, ...next])].sort((a, b) => a - b)
    for (const concurrency of inTurn) racing.add(concurrency)
    await pass(inTurn)
  }
  return false
}

/** Ends when the goodput has been less than half of the highest twice in a row: the optimum is lower. */
async function scan(concurrencies: readonly number[], measure: (concurrency: number) => Promise<number>) {
  let highest = 0
  let halved = 0
  for (const concurrency of concurrencies) {
    const goodput = await measure(concurrency)
    halved = goodput <= highest / 2 ? halved + 1 : 0
    if (halved === 2) return
    highest = Math.max(highest, goodput)
  }
}

/** The next neighbours of the leader that have not raced and are not clearly worse. */
function newcomers(leader: Step, steps: readonly Step[], racing: ReadonlySet<number>): number[] {
  const sorted = steps.toSorted((a, b) => a.concurrency - b.concurrency)
  const at = sorted.indexOf(leader)
  return [sorted[at - 1], sorted[at + 1]].flatMap((neighbour) => {
    if (!neighbour) return []
    const hasLost = racing.has(neighbour.concurrency) || isBelow(neighbour, leader) || !isUsable(neighbour, steps)
    return hasLost ? middleOf(leader.concurrency, neighbour.concurrency) : [neighbour.concurrency]
  })
}

/** A value between these two. Empty if they are close. */
function middleOf(a: number, b: number): number[] {
  const isClose = Math.max(a / b, b / a) <= CLOSE_FACTOR || Math.abs(a - b) === 1
  return isClose ? [] : [Math.round(Math.sqrt(a * b))]
}
