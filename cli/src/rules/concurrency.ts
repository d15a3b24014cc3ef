import { type Mapping, provisionedOf } from '../model/model.ts'
import { valueIn } from '../model/setting.ts'
import { numberIn } from './rule.ts'

/** The maximum number of concurrent invocations of one poller, from the AWS page `services-sqs-scaling`. */
export const INVOCATIONS_PER_POLLER = 10
/** The limits of MaximumConcurrency, and of the number of pollers. */
const [LEAST, MOST] = [2, 1000]

export function isProvisioned(mapping: Mapping): boolean {
  return valueIn(provisionedOf(mapping)) === true
}

/** The maximum concurrency after the fix of a value that AWS rejects. NaN if it is not set or not known. */
export function allowedConcurrency({ maximumConcurrency }: Mapping): number {
  return Math.max(numberIn(maximumConcurrency), LEAST)
}

/** The most concurrent invocations of a mapping. NaN if nothing limits it, or if the limit is not known. */
function limitOf(mapping: Mapping): number {
  return isProvisioned(mapping)
    ? numberIn(mapping.maximumPollers) * INVOCATIONS_PER_POLLER
    : allowedConcurrency(mapping)
}

/** Whether nothing limits a mapping, but a setting can. */
export function isOpen(mapping: Mapping): boolean {
  if (isProvisioned(mapping)) return mapping.maximumPollers.state === 'absent'
  return valueIn(provisionedOf(mapping)) === false && mapping.maximumConcurrency.state === 'absent'
}

function leastLimitOf(mapping: Mapping): number {
  if (!isProvisioned(mapping)) return LEAST
  return Math.max(LEAST, numberIn(mapping.minimumPollers) || 0) * INVOCATIONS_PER_POLLER
}

/** The limits of the mappings of one function, together. */
export interface Concurrency {
  /** The mappings that are known to run and have a limit, and the sum of their limits. */
  counted: readonly Mapping[]
  lowerBound: number
  /** The same with the mappings of which it is not known whether they run. */
  notKnownToRun: readonly Mapping[]
  upperBound: number
  /** The reserved concurrency that is enough for all limits, also for those that mappings get. */
  needed: number
  /** The limit for a mapping that has none. */
  limitFor: (mapping: Mapping) => number
}

export function concurrencyOf(mappings: readonly Mapping[], reserved: number): Concurrency {
  const sum = (some: readonly Mapping[], of = limitOf) => some.reduce((total, mapping) => total + of(mapping), 0)
  const limited = mappings.filter((mapping) => !Number.isNaN(limitOf(mapping)))
  const counted = limited.filter(({ runs }) => valueIn(runs) === true)
  const notKnownToRun = limited.filter(({ runs }) => runs.state === 'unknown')
  const open = mappings.filter(isOpen)
  const lowerBound = sum(counted)
  const needed = Math.max(reserved, lowerBound + sum(open, leastLimitOf))
  const share = Math.floor((needed - lowerBound) / open.length)
  const isEnough = open.every((mapping) => leastLimitOf(mapping) <= share)
  return {
    counted,
    lowerBound,
    notKnownToRun,
    upperBound: lowerBound + sum(notKnownToRun),
    needed,
    limitFor: (mapping) => {
      if (!isEnough) return leastLimitOf(mapping)
      return isProvisioned(mapping) ? share : Math.min(share, MOST)
    },
  }
}
