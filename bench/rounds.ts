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
 * always runs on what the same other has left behind.
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

/**
 * What something takes where the machine does little else, which can only add to it: the tenth percentile. For processes
 * of which a few milliseconds are looked for among many.
 */
export function undisturbed(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN
}

/** How many times as much as another: round by round, since what slows a round down slows down all of it. */
export function ratio(values: readonly number[] = [], others: readonly number[] = []): Spread {
  return spread(values.map((value, round) => value / (others[round] as number)))
}
