import type { Mapping } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { formatNumber, joinNames } from '../shared/format.ts'
import { LAMBDA_API, LAMBDA_GUIDE, numberIn, ownerOf, type Problem, problem, rulesOf } from './rule.ts'

const SCALING = `${LAMBDA_GUIDE}/services-sqs-scaling.html`
/** The lowest value of both limits, and the default quota of the maximum concurrency. */
const LEAST = 2
export const MAX_CONCURRENCY = 1000
/**
 * The settings that limit the invocations of a mapping at once. `each` is how many of them one of it allows, and
 * `standard` how much of it a mapping without a limit has. From the page at `SCALING`, and from that on
 * ProvisionedPollerConfig.
 */
const POLLERS = { key: 'maximumPollers', name: 'MaximumPollers', each: 10, standard: 200 } as const
const CONCURRENCY = { key: 'maximumConcurrency', name: 'MaximumConcurrency', each: 1, standard: 1250 } as const

/** Whether a mapping is in provisioned mode: it has a number of pollers, even one that AWS rejects. */
function isProvisioned({ minimumPollers, maximumPollers }: Mapping): boolean {
  return [minimumPollers, maximumPollers].some(({ state, fix }) => state === 'known' || fix !== undefined)
}

function limitOf(mapping: Mapping) {
  return isProvisioned(mapping) ? POLLERS : CONCURRENCY
}

/** The most invocations of mappings at once. NaN if nothing limits one of them, or if its limit is not known. */
function mostOf(mappings: readonly Mapping[]): number {
  let most = 0
  for (const mapping of mappings) most += numberIn(mapping[limitOf(mapping).key]) * limitOf(mapping).each
  return most
}

/** The mappings with a limit that is known. */
function limitedIn(mappings: readonly Mapping[]): readonly Mapping[] {
  return mappings.filter((mapping) => !Number.isNaN(mostOf([mapping])))
}

/** Whether nothing limits a mapping. */
function isOpen(mapping: Mapping): boolean {
  const { minimumPollers, maximumPollers } = mapping
  const mayBeProvisioned = [minimumPollers, maximumPollers].some(({ state }) => state === 'unknown')
  return (isProvisioned(mapping) || !mayBeProvisioned) && mapping[limitOf(mapping).key].state === 'absent'
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
  const { key, name, each, standard } = limitOf(mapping)
  const others = mostOf(limitedIn(ofFunction).filter(({ runs }) => valueIn(runs) === true))
  const open = ofFunction.filter(isOpen).length
  const share = Math.floor((reserved - others) / open / each)
  const value = Math.min(Math.max(LEAST, share), MAX_CONCURRENCY)
  const none = isProvisioned(mapping)
    ? `uses the default of ${standard} pollers, which make up to ${formatNumber(standard * each)} invocations at once`
    : 'has no maximum concurrency'
  const what = `The reserved concurrency is ${formatNumber(reserved)}, but the mapping ${none}`
  const needed = formatNumber(others + open * LEAST * each)
  // If it is below the sum of the other limits, another rule raises it.
  const isEnough = share >= LEAST || reserved < others
  const also = isEnough ? '' : `, and ReservedConcurrentExecutions to ${needed} or more`
  return problem(mapping, key, what, `Set ${name} to at most ${formatNumber(value)}${also}.`, value)
}

/** Lower limits protect what the reserved concurrency protects, so they come first. */
function fixOfLimits(raise: Problem, counted: readonly Mapping[], reserved: number, needed: number): Problem {
  const also = `or ReservedConcurrentExecutions to ${formatNumber(needed)} or more.`
  const [only, ...more] = counted
  const names = joinNames(counted.map(({ id }) => id))
  const together = `Set the limits of ${names} to ${formatNumber(reserved)} together, ${also}`
  if (!only || more.length > 0) return { ...raise, fix: together, set: undefined }
  const { key, name, each } = limitOf(only)
  const value = Math.floor(reserved / each)
  if (value < LEAST) return raise
  const fix = `Set ${name} of ${only.id} to at most ${formatNumber(value)}, ${also}`
  return { ...raise, fix, set: problem(only, key, '', fix, value).set }
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
      const possible = limitedIn(ofFunction).filter(({ runs }) => valueIn(runs) !== false)
      const certain = possible.filter(({ runs }) => runs.state !== 'unknown')
      const isCertain = mostOf(certain) > reserved
      const counted = isCertain ? certain : possible
      const most = mostOf(counted)
      if (!(most > reserved && reserved > 0)) return undefined
      const of = counted.length > 1 ? ` of its ${counted.length} mappings together` : ''
      const pollers = counted.some(isProvisioned) ? ', with 10 invocations for each poller,' : ''
      const above = `is ${formatNumber(most)}, above the reserved concurrency of ${formatNumber(reserved)}`
      const ifAllRun = isCertain ? '' : ', if all of them are enabled at the same time'
      const what = `The maximum concurrency${of}${pollers} ${above}${ifAllRun}`
      const raise: Problem = { ...raiseReserved(mapping, what, most), severity: isCertain ? 'error' : 'info' }
      return fixOfLimits(raise, counted, reserved, most)
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
      const needed = Math.max(mostOf(limitedIn(ofFunction)), LEAST)
      return [{ ...raiseReserved(mapping, what, needed), severity: 'error', why }, ...limited]
    },
  },
})
