/** How a figure was obtained. */
export type MeasuredBy = 'measured' | 'confirmed' | 'predicted'

/** One combination of memory and concurrency. */
export interface Cell {
  /** MB. */
  readonly memory: number
  readonly concurrency: number
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  /** The share of the records that failed, from 0 to 1. */
  readonly failedShare: number
  /** Milliseconds of one record. */
  readonly p50: number
  readonly p95: number
  /** CPU milliseconds. */
  readonly cpuPerRecord: number
  /** MB. */
  readonly peakMemory: number
  /** Dollars per million messages. `null` if no record succeeded. */
  readonly costPerMillion: number | null
  readonly measuredBy: MeasuredBy
  /** Why this combination cannot be used, for example because it needs more memory. `undefined` if it can. */
  readonly problem?: string | undefined
}

export type Optimize = 'speed' | 'cost' | 'balanced'

/** What `--json` prints, and what the report shows. */
export interface TuneResult {
  readonly handler: string
  readonly environments: number
  readonly cells: readonly Cell[]
  /** `null` if no combination can be used. */
  readonly best: Cell | null
  readonly optimize: Optimize
  /** The recommendation in one sentence with its reason. */
  readonly recommendation: string
  /** YAML of the settings for SAM or CloudFormation. `null` without a recommendation. */
  readonly patch: string | null
  /** What this machine cannot know, one sentence each. */
  readonly unknowns: readonly string[]
}
