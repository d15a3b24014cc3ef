/** How a figure was obtained. */
export type MeasuredBy = 'measured' | 'confirmed' | 'predicted'

/** One combination of memory and concurrency. */
export interface Cell {
  /** MB. */
  readonly memory: number
  /** Of one environment. */
  readonly concurrency: number
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  /** The share of the records that failed, from 0 to 1. */
  readonly failedShare: number
  /** Milliseconds of one record. `null` if no record ran. */
  readonly p50: number | null
  readonly p95: number | null
  /** CPU milliseconds of the process, divided by the successful records. `null` if no record succeeded. */
  readonly cpuPerRecord: number | null
  /** MB. `null` if the process ended before it could be read. */
  readonly peakMemory: number | null
  /** Open files and sockets. `null` if the process ended before it could be read. */
  readonly peakDescriptors: number | null
  /** Dollars per million messages. `null` if no record succeeded. */
  readonly costPerMillion: number | null
  readonly measuredBy: MeasuredBy
  /** Why this combination cannot be used, for example because it needs more memory. `undefined` if it can. */
  readonly problem?: string | undefined
}

export type Optimize = 'speed' | 'cost' | 'balanced'

/** The measurement of one concurrency. */
export interface Measurement {
  /** Of one environment. */
  readonly concurrency: number
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  /** Half of the 95 % confidence interval of the goodput, as a share of it. `null` if it is not known. */
  readonly margin: number | null
  /** Whether the margin is small enough. If not, the maximum number of batches was reached. */
  readonly isConfident: boolean
  /** Batches that were measured, of all environments together, without the warm-up. */
  readonly batches: number
  readonly failedShare: number
  /** Why records failed, and how often, the most frequent first. */
  readonly causes: Readonly<Record<string, number>>
  readonly p50: number | null
  readonly p95: number | null
  readonly cpuPerRecord: number | null
  readonly peakMemory: number | null
  readonly peakDescriptors: number | null
  /** How many cores of this machine the environments used on average. */
  readonly cores: number
}

/** What `--json` prints, and what the report shows. */
export interface TuneResult {
  readonly handler: string
  readonly environments: number
  readonly batchSize: number
  /** The measurements at full CPU, ordered by concurrency. */
  readonly measurements: readonly Measurement[]
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
