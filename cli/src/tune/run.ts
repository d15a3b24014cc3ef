import { MEMORY_OF_ONE_CPU } from '../shared/cpu.ts'
import { InitError } from '../shared/errors.ts'
import { openRounds, type Round, type RoundOptions, toMeasurement } from './measure.ts'
import { fitsInto, memoriesOf, type Plan, peakUpTo } from './predict.ts'
import type { Growth, Run } from './recommend.ts'
import type { Measurement } from './result.ts'
import { kneeOf, type Range, search } from './search.ts'
import { median, sum } from './statistics.ts'

/** The memory is measured at the end, usually in this number of rounds, and at most in this share of the time. */
const MEMORY_ROUNDS = 5
const MAX_MEMORY_SHARE_OF_TIME = 0.15
/** Rounds in one process from which it is seen whether its memory grows. */
const GROWTH_ROUNDS = 4
const MIN_GROWTH_ROUNDS = 3
/** MB. Up to 0.4 MB from one round to the next were measured of a handler that keeps nothing, while Node compiles its code. */
const MIN_GROWTH = 0.5

export interface RunOptions extends RoundOptions {
  plan: Plan
  range: Range
  /** Called before each round. */
  onRound?: (activity: string, measurements: readonly Measurement[]) => void
}

/** What a run has found so far. */
export type Found = Pick<Run, 'measurements' | 'checks' | 'growth' | 'usedBatchSize'>

/** Runs the handler until the time is over, and returns what is known then, also if the signal aborts. */
export async function findBest(options: RunOptions): Promise<Found> {
  const { plan, range, time, onRound = () => {}, now = () => performance.now() } = options
  const startedAt = now()
  const rounds = openRounds(options, plan.workload)
  /** The search runs the handler with the heap of this memory size. */
  const full = Math.max(MEMORY_OF_ONE_CPU, ...plan.memories)
  const measured = new Map<number, Round[]>()
  const checks = new Map<number, Measurement>()
  /** The duration of the last round of each concurrency, with its start and warm-up. */
  const durations = new Map<number, number>()
  let growth: Growth = 'not measured'
  const all = () => Array.from(measured, ([concurrency, each]) => toMeasurement(concurrency, each))
  const longest = () => Math.max(0, ...durations.values())
  const left = (share: number) => startedAt + share * time - now()
  const fits = (concurrency: number, share: number) => (durations.get(concurrency) ?? longest()) <= left(share)

  async function measure(concurrency: number, memory: number, collects = false): Promise<Round> {
    const activity = memory === full ? `concurrency ${concurrency}` : `concurrency ${concurrency} with ${memory} MB`
    onRound(activity, all())
    const roundAt = now()
    const measuring = rounds.measure({ concurrency, memory, collects })
    const round = await measuring.catch((error) => toProblem(error, measured.size === 0 || options.signal.aborted))
    if (!collects) durations.set(concurrency, now() - roundAt)
    return round
  }
  /** With a smaller heap, Node needs less memory. So sizes that seem to be too small are measured with their own heap. */
  async function checkMemory({ concurrency }: Measurement) {
    const peakMemory = peakUpTo(concurrency, all())
    const tooSmall = memoriesOf(plan, all()).filter((memory) => !fitsInto(memory, { peakMemory }))
    for (const memory of tooSmall.toReversed()) {
      if (!fits(concurrency, 1)) return
      const check = toMeasurement(concurrency, [await measure(concurrency, memory)])
      checks.set(memory, check)
      if (check.problem !== undefined || !fitsInto(memory, check)) return // nor does a smaller one
    }
  }

  try {
    await search(range, {
      async measure(concurrency) {
        measured.set(concurrency, [...(measured.get(concurrency) ?? []), await measure(concurrency, full)])
        return toMeasurement(concurrency, measured.get(concurrency) ?? [])
      },
      fits,
      roundsUntil: (share) => Math.floor(left(share) / longest()),
      comparisonEnd: () => 1 - Math.min(MAX_MEMORY_SHARE_OF_TIME, (MEMORY_ROUNDS * longest()) / time),
    })
    const knee = kneeOf(all())
    if (knee) await checkMemory(knee)
    const hasTime = () => left(1) > 0
    if (knee && fits(knee.concurrency, 1))
      growth = await measureGrowth(() => measure(knee.concurrency, full, true), hasTime, plan.workload.environments)
  } catch (error) {
    if (!options.signal.aborted) throw error
  } finally {
    await rounds.close()
  }
  const usedBatchSize = rounds.batchSizeOf(kneeOf(all())?.concurrency ?? 0)
  return { measurements: all(), checks, growth, usedBatchSize }
}

/** A later process can fail to load, for example because its memory size is too small. */
function toProblem(error: unknown, isFatal: boolean): Round {
  if (isFatal || !(error instanceof InitError)) throw error
  return { goodput: 0, batches: [], problem: error.message }
}

async function measureGrowth(
  measure: () => Promise<Round>,
  hasTime: () => boolean,
  environments: number,
): Promise<Growth> {
  const inUse: { records: number; megabytes: number }[] = []
  while (inUse.length < GROWTH_ROUNDS && hasTime()) {
    const { batches } = await measure()
    const records = sum(batches.map(({ succeeded, failed }) => succeeded + failed)) / environments
    const megabytes = batches.at(-1)?.usage?.memoryInUse
    if (megabytes === undefined) return 'not measured'
    inUse.push({ records, megabytes })
  }
  return inUse.length < MIN_GROWTH_ROUNDS ? 'not measured' : growthIn(inUse)
}

/** Bytes by which each record makes the memory grow. `null` if it does not grow from each round to the next. */
export function growthIn(rounds: readonly { records: number; megabytes: number }[]): number | null {
  const steps = rounds.slice(1).map(({ records, megabytes }, index) => {
    const grown = megabytes - (rounds[index]?.megabytes ?? 0)
    return { isClear: grown >= MIN_GROWTH, bytes: (grown * 1024 ** 2) / records }
  })
  return steps.every(({ isClear }) => isClear) ? median(steps.map(({ bytes }) => bytes)) : null
}
