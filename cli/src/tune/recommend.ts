import { availableParallelism, cpus } from 'node:os'
import { formatNumber } from '../local/display.ts'
import { NOISE } from './climb.ts'
import { PRICES_OF } from './prices.ts'
import { dollars, goodputText } from './render.ts'
import type { Cell, Measurement, Optimize } from './result.ts'

const EQUAL = `${NOISE * 100} %`
const NOT_HIGHER = `No higher concurrency that can be used is more than ${EQUAL} faster.`
const REASONS: Readonly<Record<Optimize, string>> = {
  speed: `No combination that can be used is more than ${EQUAL} faster. Of the memory sizes that are as fast, this one is the cheapest.`,
  cost: `This memory size is the cheapest. ${NOT_HIGHER}`,
  balanced: `This memory size has the lowest product of cost and time. ${NOT_HIGHER}`,
}

/** The recommendation and its reason. */
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
  const where = environments === 1 ? 'in one environment' : `in each of ${formatNumber(environments)} environments`
  return (
    `${formatNumber(memory)} MB, and a concurrency of ${formatNumber(concurrency)} ${where}: ${goodputText(goodput)} records/s ` +
    `for ${dollars(costPerMillion)} per million messages (${measuredBy}). ${REASONS[optimize]}`
  )
}

/** If the environments use more than this share of the machine's cores, the machine may limit the goodput. */
const BUSY = 0.85

/** What this machine cannot know: a text for each. */
export function unknownsOf(
  environments: number,
  measurements: readonly Measurement[],
  isTypeScript: boolean,
): string[] {
  const [processor] = cpus()
  const cores = availableParallelism()
  const isBusy = measurements.some((each) => each.cores > cores * BUSY)
  return [
    `The processor: Lambda's can be faster or slower than that of this machine (${processor?.model.trim() ?? 'unknown'}).`,
    'The network: a call from Lambda to the downstream can take more or less time.',
    'The real downstream: if the environment variables point to a substitute, tune found the limits of the substitute.',
    'The memory of extensions: Lambda counts it, and tune measured only the process.',
    `The prices: tune used those of ${PRICES_OF}, unless --price is given. The cost does not include cold starts, empty receives, and the sending of messages.`,
    ...(isTypeScript
      ? ['The bundled handler: the measured one is TypeScript, for which Node needs about 15 MB more.']
      : []),
    ...(environments === 1
      ? ['Other environments: without MaximumConcurrency, Lambda starts more of them, and they share the downstream.']
      : []),
    ...(isBusy
      ? [
          `The goodput with more CPU: it may be higher, because the environments used nearly all ${cores} cores of this machine.`,
        ]
      : []),
  ]
}
