import { availableParallelism, cpus } from 'node:os'
import { formatNumber } from '../shared/format.ts'
import { problemIn } from './choose.ts'
import type { Plan } from './explore.ts'
import { isExact, isOverloaded, kneeOf, MAX_MARGIN, MAX_MORE_FAILURES, NOISE, overlapping } from './figures/climb.ts'
import { formatCost, formatFigure, formatMargin, formatShare } from './figures/format.ts'
import type { Combination, EqualConcurrencies, Measurement, Optimize } from './figures/result.ts'
import { PRICES_OF, type Workload } from './prices.ts'

const EQUAL = `${NOISE * 100} %`
/**
 * If all records take the same time, a batch takes ⌈batch size ÷ concurrency⌉ times as long as one record. So the
 * goodput stays equal until this number drops. The last drop, from 2 to 1, needs twice the concurrency.
 */
const MAX_PLATEAU_FACTOR = 2

/** The part of a plan that the recommendation needs. */
type RecommendationPlan = Pick<Plan, 'most' | 'optimize'> & {
  workload: Pick<Workload, 'environments' | 'batchSize'>
}

/** The recommendation and its reason, or why there is none. */
export function recommendationFor(
  best: Combination | undefined,
  combinations: readonly Combination[],
  plan: RecommendationPlan,
  measurements: readonly Measurement[],
): string {
  if (!best) return whyNone(combinations, measurements)
  const { memory, concurrency, goodput, costPerMillion } = best
  const { environments } = plan.workload
  const where = environments === 1 ? 'in one environment' : `in each of ${formatNumber(environments)} environments`
  return [
    `${formatNumber(memory)} MB, and a concurrency of ${formatNumber(concurrency)} ${where}: ${formatFigure(goodput)} records/s ` +
      `for ${formatCost(costPerMillion)} per million messages (${originOf(best)}).`,
    ...reasonsFor(best, combinations, plan),
  ].join(' ')
}

function originOf({ origin, margin }: Combination): string {
  return origin === 'predicted'
    ? `predicted from a measurement with ${formatMargin(margin)}`
    : `${origin}, ${formatMargin(margin)}`
}

function whyNone(combinations: readonly Combination[], measurements: readonly Measurement[]): string {
  const knee = kneeOf(measurements)?.concurrency
  const candidates = combinations.filter(({ concurrency }) => knee === undefined || concurrency === knee)
  if (candidates.some((candidate) => candidate.problem === undefined && !isExact(candidate))) {
    return `There is no recommendation, because no goodput is known to ${formatMargin(MAX_MARGIN)}. Run tune again on a quiet machine.`
  }
  return `No combination can be used: ${problemIn(combinations, measurements) ?? 'nothing was measured'}.`
}

/** The concurrencies that are equal to the recommended one, as far as was measured, and how exactly. */
function equalTo(best: Combination, combinations: readonly Combination[], measurements: readonly Measurement[]) {
  const compared =
    best.origin === 'confirmed'
      ? combinations.filter(({ memory, origin }) => memory === best.memory && origin === 'confirmed')
      : measurements
  const own = compared.find(({ concurrency }) => concurrency === best.concurrency) as Combination | Measurement
  const equal = overlapping(own, compared)
  const concurrencies = equal.map(({ concurrency }) => concurrency)
  return {
    least: Math.min(best.concurrency, ...concurrencies),
    most: Math.max(best.concurrency, ...concurrencies),
    margin: Math.max(...[own, ...equal].map(({ margin }) => margin ?? 0)),
  }
}

/** The lowest and the highest concurrency that are equal to the recommended one. `null` if no other is equal. */
export function equalRange(...args: Parameters<typeof equalTo>): EqualConcurrencies | null {
  const { least, most } = equalTo(...args)
  return least === most ? null : { least, most }
}

/** One line about a recommendation that overlapping intervals leave open, or whose figures are not exact. */
export function uncertaintyOf(
  best: Combination,
  combinations: readonly Combination[],
  measurements: readonly Measurement[],
  endedEarly: boolean,
): string | null {
  const { least, most, margin } = equalTo(best, combinations, measurements)
  const isInexact = margin > NOISE
  const range = `${formatNumber(least)} to ${formatNumber(most)}`
  const texts = [
    ...(least === most && isInexact ? [`The records per second are exact only to ${formatMargin(margin)}.`] : []),
    ...(least === most
      ? []
      : [
          `The concurrencies ${range} are equal: their records per second (up to ${formatMargin(margin)}) do not differ clearly.`,
        ]),
    ...(endedEarly ? ['The estimated time was over before all nearby concurrencies were compared.'] : []),
    ...(isInexact || endedEarly ? ['For a more exact result, run tune again on a quiet machine.'] : []),
  ]
  return texts.length === 0 ? null : texts.join(' ')
}

/** Says only what was measured: the goodput above the highest concurrency that was tried is not known. */
function reasonsFor(
  best: Combination,
  combinations: readonly Combination[],
  { most, optimize, workload }: RecommendationPlan,
): string[] {
  const ofMemory = combinations.filter(({ memory }) => memory === best.memory)
  const highest = Math.max(...ofMemory.map(({ concurrency }) => concurrency))
  const upTo = formatNumber(highest)
  function aboutSpeed(): string {
    const others = optimize === 'speed' ? combinations : ofMemory
    const usable = others.filter((each) => each.problem === undefined && isExact(each))
    const fastest = Math.max(...usable.map(({ goodput }) => goodput))
    if (fastest > best.goodput * (1 + NOISE)) {
      const percent = Math.round(100 * (fastest / best.goodput - 1))
      return `Other concurrencies may be up to ${percent} % faster, but this depends on predictions, which are not that exact.`
    }
    const noneFaster = 'no usable one is clearly faster.'
    if (optimize === 'speed') return `Of the combinations that were tried (concurrency up to ${upTo}), ${noneFaster}`
    if (highest > best.concurrency) {
      return `Of the higher concurrencies that were tried (up to ${upTo}), ${noneFaster}`
    }
    return `No higher concurrency was tried${highest < workload.batchSize ? '' : `, because a batch has ${upTo} records`}.`
  }
  const aboutMemory: Readonly<Record<Optimize, string>> = {
    speed: `No other memory size of about the same speed is more than ${EQUAL} cheaper.`,
    cost: `No other memory size is more than ${EQUAL} cheaper.`,
    balanced: `No other memory size lowers cost × time by more than ${EQUAL}.`,
  }
  const cutOff = `A concurrency above ${upTo}, the end of the range, may be faster: raise --concurrency.`
  return [
    aboutMemory[optimize],
    aboutSpeed(),
    ...(isCutOff(best, ofMemory, most, workload.batchSize) ? [cutOff] : []),
    ...(best.failedShare > MAX_MORE_FAILURES ? [failuresOf(best, combinations)] : []),
  ]
}

/**
 * Equal shares of failures show that the concurrency is not the cause. For this, the highest usable concurrency must be
 * at least this multiple of the lowest.
 */
const MIN_RATIO_TO_EXCLUDE_CAUSE = 2

/**
 * Many records can fail at every concurrency. If the concurrency does not cause the failures, the combination can be
 * used. This is known only if about as many records fail at a much lower or higher concurrency. If a downstream serves
 * 40 records at once and refuses the others, about 90 % fail at 380 and at 400.
 */
function failuresOf(best: Combination, combinations: readonly Combination[]): string {
  const usable = combinations.filter(({ problem }) => problem === undefined)
  const concurrencies = usable.map(({ concurrency }) => concurrency)
  const isWide = Math.max(...concurrencies) >= MIN_RATIO_TO_EXCLUDE_CAUSE * Math.min(...concurrencies)
  // Overloaded combinations are not usable. Only a confirmation with fewer failures can make this false.
  const isEqual = !usable.some((each) => isOverloaded(each, usable))
  const reason =
    isWide && isEqual
      ? ', and about as many failed at every other concurrency that can be used. So the concurrency does not cause these failures'
      : '. The concurrency may cause these failures, so try a wider range with --concurrency'
  return (
    `But ${formatShare(best.failedShare)} of the records failed${reason}. The records per second include only successful ` +
    'records. Find the cause first: failed records can take less time than others, so the figures can be wrong.'
  )
}

/**
 * Whether a concurrency above the range may be faster. This is impossible if the range reaches the batch size: no more
 * records can run at once.
 */
function isCutOff(best: Combination, ofMemory: readonly Combination[], most: number, batchSize: number): boolean {
  const end = ofMemory.find(({ concurrency }) => concurrency === most)
  if (!end || end.problem !== undefined || most >= batchSize) return false
  return end.goodput >= best.goodput / (1 + NOISE) && best.concurrency * MAX_PLATEAU_FACTOR > most
}

/** If the environments use more than this share of the machine's cores, the machine may limit the goodput. */
const BUSY_SHARE = 0.85

/** What a run on this machine cannot measure, in one or two sentences each. */
export function unknownsOf(
  environments: number,
  measurements: readonly Measurement[],
  isTypeScript: boolean,
): string[] {
  const [processor] = cpus()
  const cores = availableParallelism()
  const isBusy = measurements.some((each) => each.cores > cores * BUSY_SHARE)
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
