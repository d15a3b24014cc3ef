import { type Mapping, provisionedOf } from '../model/model.ts'
import { known, valueIn } from '../model/setting.ts'
import { formatNumber, joinNames } from '../shared/format.ts'
import { LAMBDA_API, LAMBDA_GUIDE, numberIn, ownerOf, type Problem, problem, rulesOf } from './rule.ts'

const SCALING = `${LAMBDA_GUIDE}/services-sqs-scaling.html`
/** The most invocations at once of a poller, and of a mapping without a limit, from the page at `SCALING`. */
const PER_POLLER = 10
const WITHOUT_LIMIT = 1250
/** The default of MaximumPollers, from the page on ProvisionedPollerConfig. */
const DEFAULT_POLLERS = 200
/** The lowest value of both limits, and the default quota of the maximum concurrency. */
const LEAST = 2
export const MAX_CONCURRENCY = 1000

function isProvisioned(mapping: Mapping): boolean {
  return valueIn(provisionedOf(mapping)) === true
}

/** The setting that limits the invocations of a mapping at once, and how many of them one of it allows. */
function limitOf(mapping: Mapping) {
  const least = Math.max(LEAST, numberIn(mapping.minimumPollers) || 0)
  return isProvisioned(mapping)
    ? ({ key: 'maximumPollers', name: 'MaximumPollers', least, each: PER_POLLER, standard: DEFAULT_POLLERS } as const)
    : ({
        key: 'maximumConcurrency',
        name: 'MaximumConcurrency',
        least: LEAST,
        each: 1,
        standard: WITHOUT_LIMIT,
      } as const)
}

/** The most invocations of a mapping at once. NaN if nothing limits it, or if the limit is not known. */
function mostOf(mapping: Mapping): number {
  const { key, each } = limitOf(mapping)
  return numberIn(mapping[key]) * each
}

function isOpen(mapping: Mapping): boolean {
  return provisionedOf(mapping).state === 'known' && mapping[limitOf(mapping).key].state === 'absent'
}

export function limitsOf(mappings: readonly Mapping[]) {
  const sum = (some: readonly Mapping[], of: (mapping: Mapping) => number) =>
    some.reduce((total, mapping) => total + of(mapping), 0)
  const limited = mappings.filter((mapping) => !Number.isNaN(mostOf(mapping)))
  /** Those that are known to run. */
  const counted = limited.filter(({ runs }) => valueIn(runs) === true)
  const open = mappings.filter(isOpen)
  const most = sum(counted, mostOf)
  const least = sum(open, (mapping) => limitOf(mapping).least * limitOf(mapping).each)
  /** `needed` is the reserved concurrency that is enough for all limits, also for those that mappings get. */
  return { counted, open, most, needed: most + least }
}

/** A mapping of which it is not known whether it is enabled counts as enabled. */
function asIfItRan(mapping: Mapping): Mapping {
  return mapping.runs.state === 'unknown' ? { ...mapping, runs: known(true) } : mapping
}

const THROTTLED =
  'Lambda throttles invocations above the reserved concurrency, and retries a throttled batch until its visibility ' +
  'timeout ends. Each such delivery counts as a receive, so valid messages can be dead-lettered.'

function raiseReserved({ function: lambdaFunction }: Mapping, what: string, needed: number): Problem {
  const owner = ownerOf(lambdaFunction)
  const fix = `Set ReservedConcurrentExecutions to ${formatNumber(needed)} or more.`
  return { ...problem(owner, 'reservedConcurrency', what, fix, needed), strictness: needed }
}

/** Limits a mapping, so that all mappings of its function fit into the reserved concurrency. */
function limit(mapping: Mapping, reserved: number, ofFunction: readonly Mapping[]): Problem {
  const { key, name, each, least, standard } = limitOf(mapping)
  const { needed, most, open } = limitsOf(ofFunction)
  const share = Math.floor((reserved - most) / open.length / each)
  const value = Math.min(Math.max(least, share), MAX_CONCURRENCY)
  const none = isProvisioned(mapping)
    ? `uses the default of ${standard} pollers, which make up to ${formatNumber(standard * each)} invocations at once`
    : 'has no maximum concurrency'
  const what = `The reserved concurrency is ${formatNumber(reserved)}, but the mapping ${none}`
  // If it is below the sum of the other limits, another rule raises it.
  const isEnough = reserved >= needed || reserved < most
  const also = isEnough ? '' : `, and ReservedConcurrentExecutions to ${formatNumber(needed)} or more`
  const fix = `Set ${name} to at most ${formatNumber(value)}${also}.`
  return problem(mapping, key, what, fix, value)
}

export const CONCURRENCY_RULES = rulesOf({
  'concurrency-and-provisioned': {
    severity: 'error',
    why: 'Lambda rejects the mapping: in provisioned mode, the number of pollers limits the concurrency.',
    source: SCALING,
    check: (mapping) => {
      if (!isProvisioned(mapping) || mapping.maximumConcurrency.state !== 'known') return undefined
      const what = 'The mapping has both a maximum concurrency and provisioned mode'
      return problem(mapping, 'maximumConcurrency', what, 'Remove ScalingConfig.')
    },
  },
  'poller-range': {
    severity: 'error',
    why: 'Lambda rejects the mapping.',
    source: `${LAMBDA_API}/API_ProvisionedPollerConfig.html`,
    check: (mapping) => {
      const [least, most] = [numberIn(mapping.minimumPollers), numberIn(mapping.maximumPollers)]
      if (!(least > most)) return undefined
      const what = `MinimumPollers (${formatNumber(least)}) is above MaximumPollers (${formatNumber(most)})`
      const fix = `Set MinimumPollers to at most ${formatNumber(most)}.`
      return problem(mapping, 'minimumPollers', what, fix, most)
    },
  },
  'concurrency-above-reserved': {
    severity: 'error',
    why: THROTTLED,
    source: SCALING,
    check: (mapping, { ofFunction }) => {
      const reserved = numberIn(mapping.function.reservedConcurrency)
      const running = limitsOf(ofFunction)
      const isCertain = running.most > reserved
      const { counted, most, needed } = isCertain ? running : limitsOf(ofFunction.map(asIfItRan))
      if (!(most > reserved && reserved > 0)) return undefined
      const of = counted.length > 1 ? ` of its ${counted.length} mappings together` : ''
      const pollers = counted.some(isProvisioned) ? ', with 10 invocations for each poller,' : ''
      const above = `is ${formatNumber(most)}, above the reserved concurrency of ${formatNumber(reserved)}`
      const ifAllRun = isCertain ? '' : ', if all of them are enabled at the same time'
      const what = `The maximum concurrency${of}${pollers} ${above}${ifAllRun}`
      const severity = isCertain ? 'error' : 'info'
      const raise: Problem = { ...raiseReserved(mapping, what, needed), severity }
      // Lower limits protect what the reserved concurrency protects, so they come first.
      const also = `or ReservedConcurrentExecutions to ${formatNumber(needed)} or more.`
      if (counted.length > 1) {
        const names = joinNames(counted.map(({ id }) => id))
        const fix = `Set the limits of ${names} to ${formatNumber(reserved)} together, ${also}`
        return { ...raise, fix, set: undefined }
      }
      const [only = mapping] = counted
      const { key, name, each } = limitOf(only)
      const value = Math.floor(reserved / each)
      if (value < LEAST) return raise
      const fix = `Set ${name} of ${only.id} to at most ${formatNumber(value)}, ${also}`
      return { ...raise, fix, set: problem(only, key, what, fix, value).set }
    },
  },
  'reserved-concurrency': {
    severity: 'warning',
    why: THROTTLED,
    source: SCALING,
    check: (mapping, { ofFunction }) => {
      const reserved = numberIn(mapping.function.reservedConcurrency)
      const { standard, each } = limitOf(mapping)
      const isTooLow = isOpen(mapping) && reserved < ofFunction.length * standard * each
      const limited = isTooLow ? [limit(mapping, reserved, ofFunction)] : []
      if (reserved !== 0) return limited
      const what = 'The reserved concurrency is 0, so the function never runs'
      const why = 'The messages wait in the queue until they are dead-lettered or expire.'
      const needed = Math.max(limitsOf(ofFunction).needed, LEAST)
      return [{ ...raiseReserved(mapping, what, needed), severity: 'error', why }, ...limited]
    },
  },
})
