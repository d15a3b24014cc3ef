import { availableParallelism, cpus } from 'node:os'
import { formatNumber } from '../local/display.ts'
import { NOISE } from './climb.ts'
import { PRICES_OF } from './prices.ts'
import { dollars, goodputText } from './render.ts'
import type { Cell, Measurement, Optimize } from './result.ts'

const EQUAL = `${NOISE * 100} %`
const REASONS: Readonly<Record<Optimize, string>> = {
  speed: `no other combination is more than ${EQUAL} faster, and of the memory sizes that are as fast, this is the cheapest`,
  cost: 'no other memory is cheaper, and a higher concurrency gains next to nothing',
  balanced: 'no other memory has a lower product of cost and time, and a higher concurrency gains next to nothing',
}

/** The recommendation in one sentence with its reason. */
export function recommendationFor(
  best: Cell | undefined,
  cells: readonly Cell[],
  environments: number,
  optimize: Optimize,
) {
  if (!best) {
    const problem = cells.find((cell) => cell.problem !== undefined)?.problem ?? 'nothing was measured'
    return `No combination can be used: ${problem}.`
  }
  const { memory, concurrency, goodput, costPerMillion, measuredBy } = best
  const each = environments === 1 ? '1 environment' : `${formatNumber(environments)} environments`
  return (
    `${each} × concurrency ${formatNumber(concurrency)} with ${formatNumber(memory)} MB: ${goodputText(goodput)} records/s ` +
    `for ${dollars(costPerMillion)} per million messages (${measuredBy}), because ${REASONS[optimize]}.`
  )
}

/** An environment that uses more than this share of its part of the machine is slowed down by the others. */
const BUSY = 0.85

/** What this machine cannot know, one sentence each. */
export function unknownsOf(
  environments: number,
  measurements: readonly Measurement[],
  isTypeScript: boolean,
): string[] {
  const [processor] = cpus()
  const cores = availableParallelism()
  const isBusy = measurements.some((each) => each.cores > cores * BUSY)
  return [
    `The processor: these figures are from ${processor?.model.trim() ?? 'this machine'}, and Lambda's can be faster or slower.`,
    'The network: on Lambda, the time to reach the downstream differs.',
    'The real downstream: if the environment variables point to a substitute, only its limits were found.',
    'Memory: Lambda counts the memory of the whole environment, such as extensions; here it is the process alone.',
    `Prices: ${PRICES_OF}, unless --price is given; cold starts, empty receives and sending are not counted.`,
    ...(isTypeScript
      ? ['The bundle: Node loaded TypeScript, which needs about 15 MB more than the bundled handler.']
      : []),
    ...(environments === 1
      ? ['Other environments: without MaximumConcurrency, Lambda starts more of them, and all share the downstream.']
      : []),
    ...(isBusy
      ? [
          `The goodput with more CPU: the environments used nearly all ${cores} cores of this machine, so it may be higher.`,
        ]
      : []),
  ]
}
