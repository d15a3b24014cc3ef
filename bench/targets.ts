// What fast means: ratios of one run, and the most that each may be.
import type { Outcome } from './http-client.ts'
import { FLOOR, OURS } from './peers.ts'
import type { Results } from './results.ts'
import { least, type Ratio, ratio, type Samples } from './rounds.ts'

interface Target {
  readonly title: string
  readonly limit: number
  /** For a short run on a noisy machine: twice of what is measured on a quiet one is still a miss. */
  readonly shortLimit: number
  /** What is divided by what; `undefined` where it has not been measured. */
  readonly values: (results: Results) => Values | undefined
}
type Values = readonly [values: readonly number[], others: readonly number[]]

const TARGETS: readonly Target[] = [
  {
    title: '10,000 records that do nothing ÷ Powertools',
    limit: 0.35,
    shortLimit: 0.65, // from 0.29 on AMD to 0.5 on Intel; the next one is the narrower
    values: ({ overhead }) => overhead && oursTo('Powertools', ofSize(overhead, 10_000)),
  },
  {
    title: '10,000 records that do nothing ÷ the unbounded Middy idiom',
    limit: 1.25,
    shortLimit: 2,
    values: ({ overhead }) => overhead && oursTo('Middy idiom', ofSize(overhead, 10_000)),
  },
  {
    title: '10 records that do nothing ÷ Powertools',
    limit: 2.5,
    shortLimit: 3,
    values: ({ overhead }) => overhead && oursTo('Powertools', ofSize(overhead, 10)),
  },
  {
    title: '100 records that do nothing ÷ Powertools',
    limit: 2.5,
    shortLimit: 1.3,
    values: ({ overhead }) => overhead && oursTo('Powertools', ofSize(overhead, 100)),
  },
  {
    title: 'Cost of a record in batches of 10,000 ÷ of 1,000',
    limit: 1.3,
    shortLimit: 1.4,
    values: ({ overhead }) => overhead && [oursOf(ofSize(overhead, 10_000)), oursOf(ofSize(overhead, 1_000))],
  },
  {
    title: '10,000 records × 10 ms HTTP, 1,024 descriptors, concurrency 100: records failed',
    limit: 0,
    shortLimit: 0,
    values: (results) => {
      const outcomes = httpAt100(results)?.[OURS]
      return outcomes && [[Math.max(...outcomes.map(({ failed }) => failed))], [1]]
    },
  },
  {
    title: 'The same: its time ÷ a bare loop of 100',
    limit: 1.05,
    shortLimit: 1.5,
    values: (results) => {
      const at100 = httpAt100(results)
      const times = (peer: string) => at100?.[peer]?.map(({ ms }) => ms) ?? []
      return at100 && [times(OURS), times(FLOOR)]
    },
  },
  {
    title: 'FIFO, 10 records of 10 ms over 10 groups ÷ Powertools',
    limit: 0.15,
    shortLimit: 0.19,
    values: ({ fifo }) => fifo && oursTo('Powertools', fifo.samples),
  },
  {
    title: 'Heap in the middle of 10,000 records, over the event ÷ Powertools',
    limit: 1,
    shortLimit: 0.25,
    values: ({ heap }) => heap && oursTo('Powertools', heap.samples),
  },
  {
    title: 'Import from node_modules, beyond @middy/core ÷ Powertools',
    limit: 1,
    shortLimit: 1.3,
    values: ({ start }) => start?.imported && oursTo('Powertools', start.imported),
  },
]

export interface Verdict {
  readonly title: string
  readonly ratio: Ratio
  /** Of the fastest round of each. */
  readonly ratioOfLeast: number
  readonly limit: number
  readonly isMet: boolean
}

/** A short run is on a machine that may be busy, so either ratio will do: a slip of the code moves both. */
export function verdicts(results: Results, isShort = false): Verdict[] {
  return TARGETS.flatMap(({ title, values, ...limits }) => {
    const [ours, others] = values(results) ?? []
    if (!ours || !others) return []
    const limit = isShort ? limits.shortLimit : limits.limit
    const found = ratio(ours, others)
    const ratioOfLeast = least(ours) / least(others)
    const isMet = found.value <= limit || (isShort && ratioOfLeast <= limit)
    return [{ title, ratio: found, ratioOfLeast, limit, isMet }]
  })
}

const oursOf = (samples: Samples): readonly number[] => samples[OURS] ?? []

function oursTo(peer: string, samples: Samples): Values {
  return [oursOf(samples), samples[peer] ?? []]
}

function ofSize({ cases }: NonNullable<Results['overhead']>, size: number): Samples {
  return cases.find((found) => found.size === size && found.failEvery === 0)?.samples ?? {}
}

function httpAt100({ http }: Results): Record<string, readonly Outcome[]> | undefined {
  const cases = http?.cases.filter(({ client, concurrency }) => client === 'node:http' && concurrency === 100)
  return cases && Object.fromEntries(cases.map(({ peer, outcomes }) => [peer, outcomes]))
}
