/** What was measured of each name, a sample a round: the samples of one round belong together. */
export type Samples<T = number> = Record<string, T[]>

export interface RoundsOptions {
  readonly rounds: number
  /** Rounds before those, whose samples are dropped. */
  readonly warmUp?: number
  /** What is measured, for the line of progress. */
  readonly title: string
}

/**
 * Measures each name once a round, in an order of chance: what else the machine does hits all names alike, and none
 * always runs on what the same other has left behind. Medians over all rounds are compared.
 */
export async function inRounds<T>(
  names: readonly string[],
  { rounds, warmUp = 0, title }: RoundsOptions,
  sample: (name: string) => Promise<T>,
): Promise<Samples<T>> {
  const samples: Samples<T> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 1 - warmUp; round <= rounds; round++) {
    progress(title, round < 1 ? 'warm-up' : `round ${round} of ${rounds}`)
    for (const name of shuffled(names)) {
      const value = await sample(name)
      if (round >= 1) samples[name]?.push(value)
    }
  }
  progress(title, 'done')
  return samples
}

function shuffled(names: readonly string[]): string[] {
  const keyed = names.map((name) => ({ name, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ name }) => name)
}

/** One line that is written over on a terminal; in a pipe or a file, a line for each title. */
function progress(title: string, state: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${title}: ${state}${state === 'done' ? '\n' : ''}`)
  else if (state === 'done') process.stderr.write(`${title}: done\n`)
}

export interface Spread {
  readonly low: number
  readonly median: number
  readonly high: number
}

/** The median and the quartiles around it, between two samples where none is just there. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => {
    const place = share * (sorted.length - 1)
    const below = sorted[Math.floor(place)] ?? Number.NaN
    const above = sorted[Math.ceil(place)] ?? Number.NaN
    return below + (place % 1) * (above - below)
  }
  return { low: at(0.25), median: at(0.5), high: at(0.75) }
}

/** `NaN` where nothing was measured. */
export const median = (values: readonly number[] = []): number => spread(values).median
/** What something takes where the machine does little else, which can only add to it. */
export const least = (values: readonly number[]): number => (values.length > 0 ? Math.min(...values) : Number.NaN)

export interface Ratio {
  /** Of the medians: what a reader gets who divides what the tables show. */
  readonly value: number
  /** The quartiles of the ratios that the single rounds gave: `value` is mostly, but need not be, between them. */
  readonly low: number
  readonly high: number
}

/** How many times as much as another. */
export function ratio(values: readonly number[] = [], others: readonly number[] = []): Ratio {
  const { low, high } = spread(values.map((value, round) => value / (others[round] as number)))
  return { value: median(values) / median(others), low, high }
}
