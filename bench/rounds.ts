import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** One sample per round for each name. Samples at the same index come from the same round. */
export type Samples<T = number> = Record<string, T[]>

/**
 * Measures each name once per round, in random order. So other work of the machine affects all names alike, and no name
 * always runs after the same one.
 */
export async function inRounds<T>(
  title: string,
  rounds: number,
  names: readonly string[],
  sample: (name: string) => Promise<T>,
): Promise<Samples<T>> {
  const samples: Samples<T> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    showProgress(`${title}: round ${round} of ${rounds}`)
    for (const name of shuffled(names)) samples[name]?.push(await sample(name))
  }
  showProgress(`${title}: done`, '\n')
  return samples
}

function shuffled(names: readonly string[]): string[] {
  const keyed = names.map((name) => ({ name, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ name }) => name)
}

/** On a terminal, overwrites one line. In a pipe or a file, writes only the last state of each title. */
function showProgress(text: string, end = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}${end}`)
  else if (end) process.stderr.write(`${text}${end}`)
}

/** Runs a program and returns the JSON that it prints. */
export async function runProgram(command: string, args: readonly string[]) {
  const { stdout } = await promisify(execFile)(command, args, { timeout: 120_000 })
  return JSON.parse(stdout)
}

/** The command that runs a file of `processes/` in a fresh Node process. */
export function nodeCommand(file: string, task: object, ...flags: string[]): [string, ...string[]] {
  return [process.execPath, ...flags, join(import.meta.dirname, 'processes', file), JSON.stringify(task)]
}

export function runProcess(file: string, task: object, ...flags: string[]) {
  const [command, ...args] = nodeCommand(file, task, ...flags)
  return runProgram(command, args)
}

/** A quantile, interpolated between two samples if necessary. `NaN` without samples. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (place % 1) * (above - below)
}

export function median(values: readonly number[] = []): number {
  return quantile(values, 0.5)
}
