import { isExact, kneeOf, NOISE } from './figures/climb.ts'
import type { Combination, Measurement, Optimize } from './figures/result.ts'

function time({ goodput }: Combination): number {
  return 1 / goodput
}

function cost({ costPerMillion }: Combination): number {
  return costPerMillion ?? Number.POSITIVE_INFINITY
}

/** The lowest score is chosen. With `balanced`, a combination that is twice as fast may cost twice as much. */
const SCORES: Readonly<Record<Optimize, (combination: Combination) => number>> = {
  speed: cost, // only the fastest combinations are compared
  cost,
  balanced: (combination) => cost(combination) * time(combination),
}

/**
 * Chooses the best concurrency for each memory size, then the best memory size. The best concurrency is the one that
 * was best without a CPU limit, or a confirmed one that is faster. Predictions are not exact enough to show that
 * another is faster: they depend on the CPU time of a record, which varies by 15 % from one measurement to the next.
 *
 * Differences up to `NOISE` do not count. Of equally good combinations, the one with the smallest memory size and the
 * lowest concurrency is chosen.
 *
 * @param measurements those without a CPU limit, from which the combinations were made
 */
export function choose(
  combinations: readonly Combination[],
  optimize: Optimize,
  measurements: readonly Measurement[],
): Combination | undefined {
  const knee = kneeOf(measurements)?.concurrency
  const usable = combinations.filter(
    (combination) =>
      combination.problem === undefined &&
      combination.costPerMillion !== null &&
      isExact(combination) &&
      (combination.origin === 'confirmed' || combination.concurrency === knee),
  )
  const bests = [...Map.groupBy(usable, ({ memory }) => memory).values()].map(bestOf)
  const candidates = optimize === 'speed' ? lowest(bests, time) : bests
  return lowest(candidates, SCORES[optimize]).toSorted((a, b) => a.memory - b.memory)[0]
}

/** The lowest concurrency with the highest goodput, apart from noise. */
function bestOf(ofMemory: readonly Combination[]): Combination {
  return lowest(ofMemory, time).toSorted((a, b) => a.concurrency - b.concurrency)[0] as Combination
}

/** Why none of these combinations can be chosen: their problem at the best concurrency, with the most memory. */
export function problemIn(
  combinations: readonly Combination[],
  measurements: readonly Measurement[],
): string | undefined {
  const knee = kneeOf(measurements)?.concurrency
  const unusable = combinations.filter(({ problem }) => problem !== undefined)
  const best = unusable.findLast(({ concurrency }) => concurrency === knee)
  return (best ?? unusable[0])?.problem
}

/** The combinations with the lowest score, apart from noise. */
function lowest(combinations: readonly Combination[], score: (combination: Combination) => number): Combination[] {
  const enough = Math.min(...combinations.map(score)) * (1 + NOISE)
  return combinations.filter((combination) => score(combination) <= enough)
}

/** The combination itself, and the next lower and higher memory size and concurrency. */
export function withNeighbours(combination: Combination, combinations: readonly Combination[]): Combination[] {
  const ofConcurrency = combinations.filter(({ concurrency }) => concurrency === combination.concurrency)
  const ofMemory = combinations.filter(({ memory }) => memory === combination.memory)
  return [
    combination,
    ...besideOf(combination, ofConcurrency, ({ memory }) => memory),
    ...besideOf(combination, ofMemory, ({ concurrency }) => concurrency),
  ]
}

function besideOf(
  combination: Combination,
  line: readonly Combination[],
  key: (combination: Combination) => number,
): Combination[] {
  const sorted = line.toSorted((a, b) => key(a) - key(b))
  const at = sorted.findIndex((other) => key(other) === key(combination))
  return [sorted[at - 1], sorted[at + 1]].filter((other) => other !== undefined)
}
