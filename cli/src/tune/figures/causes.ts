import type { Measurement } from './result.ts'

/** A text that several measurements have. */
interface Cause {
  readonly text: string
  /** How many records failed because of it. */
  readonly count: number
  /** The concurrencies of these measurements, separated by commas. */
  readonly concurrencies: string
}

/** Why records failed: each error once. */
export function causesOf(measurements: readonly Measurement[]): Cause[] {
  return together(
    measurements.flatMap(({ concurrency, causes }) =>
      Object.entries(causes).map(([text, count]) => ({ text, count, concurrency })),
    ),
  )
}

/** Why a concurrency cannot be used with any memory size: each reason once. */
export function problemsOf(measurements: readonly Measurement[]): Cause[] {
  return together(
    measurements.flatMap(({ concurrency, problem }) =>
      problem === undefined ? [] : { text: problem, count: 0, concurrency },
    ),
  )
}

function together(all: readonly { text: string; count: number; concurrency: number }[]): Cause[] {
  return [...Map.groupBy(all, ({ text }) => text)].map(([text, each]) => ({
    text,
    count: each.reduce((sum, { count }) => sum + count, 0),
    concurrencies: each.map(({ concurrency }) => concurrency).join(', '),
  }))
}
