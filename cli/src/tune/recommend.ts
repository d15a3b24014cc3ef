import { availableParallelism, cpus } from 'node:os'
import { formatNumber } from '../local/display.ts'
import { MAX_MORE_FAILURES, NOISE } from './climb.ts'
import type { Plan } from './explore.ts'
import type { Setting } from './predict.ts'
import { PRICES_OF } from './prices.ts'
import { dollars, goodputText, percent } from './render.ts'
import type { Cell, Measurement, Optimize } from './result.ts'

const EQUAL = `${NOISE * 100} %`
/** The goodput can grow in steps. The longest step, from half of a batch to a whole one, doubles the concurrency. */
const LONGEST_STEP = 2

/** The part of a plan that the recommendation needs. */
export type Tried = Pick<Plan, 'most' | 'optimize'> & { setting: Pick<Setting, 'environments' | 'batchSize'> }

/** The recommendation and its reason. */
export function recommendationFor(best: Cell | undefined, cells: readonly Cell[], plan: Tried): string {
  if (!best) {
    const problem = cells.find((cell) => cell.problem !== undefined)?.problem ?? 'nothing was measured'
    return `No combination can be used: ${problem}.`
  }
  const { memory, concurrency, goodput, costPerMillion, measuredBy } = best
  const { environments } = plan.setting
  const where = environments === 1 ? 'in one environment' : `in each of ${formatNumber(environments)} environments`
  return [
    `${formatNumber(memory)} MB, and a concurrency of ${formatNumber(concurrency)} ${where}: ${goodputText(goodput)} records/s ` +
      `for ${dollars(costPerMillion)} per million messages (${measuredBy}).`,
    ...reasonsFor(best, cells, plan),
  ].join(' ')
}

/** Says only what was measured: the goodput above the highest concurrency that was tried is not known. */
function reasonsFor(best: Cell, cells: readonly Cell[], { most, optimize, setting }: Tried): string[] {
  const row = cells.filter(({ memory }) => memory === best.memory)
  const highest = Math.max(...row.map(({ concurrency }) => concurrency))
  const upTo = formatNumber(highest)
  const higherThanBest =
    highest > best.concurrency
      ? `No higher concurrency that was tried (up to ${upTo}) and can be used is more than ${EQUAL} faster.`
      : `No higher concurrency was tried${highest < setting.batchSize ? '' : `, because a batch has ${upTo} records`}.`
  const noneFaster =
    optimize === 'speed'
      ? `No combination that was tried (concurrency up to ${upTo}) and can be used is more than ${EQUAL} faster.`
      : higherThanBest
  const others = optimize === 'speed' ? cells : row
  const fastest = Math.max(...others.map(({ goodput, problem }) => (problem === undefined ? goodput : 0)))
  const faster = fastest / best.goodput - 1
  const aboutSpeed =
    faster > NOISE
      ? `Predictions for other concurrencies are up to ${Math.round(faster * 100)} % faster, but they are not that exact.`
      : noneFaster
  const aboutMemory: Readonly<Record<Optimize, string>> = {
    speed: `Of the memory sizes that are as fast, no other is more than ${EQUAL} cheaper.`,
    cost: `No other memory size is more than ${EQUAL} cheaper.`,
    balanced: `No other memory size has a product of cost and time that is more than ${EQUAL} lower.`,
  }
  const cutOff = `A concurrency above ${upTo}, the end of the range, may be faster: raise --concurrency.`
  return [
    aboutMemory[optimize],
    aboutSpeed,
    ...(isCutOff(best, row, most, setting.batchSize) ? [cutOff] : []),
    ...(best.failedShare > MAX_MORE_FAILURES ? [failuresOf(best)] : []),
  ]
}

/** A combination can be used even if many records fail, because the concurrency does not cause the failures. */
function failuresOf({ failedShare }: Cell): string {
  return (
    `But ${percent(failedShare)} of the records failed, and hardly fewer at any other concurrency. ` +
    'Find the cause first: failed records can take less time than others, so the figures can be wrong.'
  )
}

/** Whether a concurrency above the range may be faster. It cannot be if the range contains a whole batch. */
function isCutOff(best: Cell, row: readonly Cell[], most: number, batchSize: number): boolean {
  const end = row.find(({ concurrency }) => concurrency === most)
  if (!end || end.problem !== undefined || most >= batchSize) return false
  return end.goodput >= best.goodput / (1 + NOISE) && best.concurrency * LONGEST_STEP > most
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
