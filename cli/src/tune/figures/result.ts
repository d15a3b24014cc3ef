/** How a figure was obtained. */
export type Origin = 'measured' | 'confirmed' | 'predicted'

/** A memory size and a concurrency, with their figures. */
export interface Combination {
  /** MB. */
  readonly memory: number
  /** Of one environment. */
  readonly concurrency: number
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  /**
   * The ± of the goodput, as a share: that of the measurement from which this combination was made. The cost has the
   * same ±. `null` if it is not known.
   */
  readonly margin: number | null
  /** The share of the records that failed, from 0 to 1. */
  readonly failedShare: number
  /** The number of records that were measured. */
  readonly records: number
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
  readonly origin: Origin
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
  /**
   * Half of the 95 % confidence interval of the goodput, divided by the goodput. `null` if there were too few rounds,
   * if no record succeeded, or if there is a problem.
   */
  readonly margin: number | null
  /** Whether the margin is small enough. */
  readonly isConfident: boolean
  /** How often this concurrency was measured. A clearly worse one is measured only once. */
  readonly rounds: number
  /** The number of batches that were measured, of all environments together. The warm-up does not count. */
  readonly batches: number
  /** The number of records in these batches. */
  readonly records: number
  readonly failedShare: number
  /** Each error and the number of records that failed because of it. The most frequent error is first. */
  readonly causes: Readonly<Record<string, number>>
  readonly p50: number | null
  readonly p95: number | null
  readonly cpuPerRecord: number | null
  readonly peakMemory: number | null
  readonly peakDescriptors: number | null
  /**
   * Why this concurrency cannot be used with any memory size: how a process ended, how a batch timed out, or that the
   * time budget ended a batch. `undefined` if it can.
   */
  readonly problem?: string | undefined
  /** How many cores of this machine the environments used on average. */
  readonly cores: number
}

/** What was predicted for a combination, and what was measured under a CPU quota, in successful records per second. */
interface Confirmation {
  readonly memory: number
  readonly concurrency: number
  readonly predicted: number
  readonly confirmed: number
}

/** Concurrencies of one environment whose goodputs do not differ clearly: their confidence intervals overlap. */
export interface EqualConcurrencies {
  readonly least: number
  readonly most: number
}

/** What `--json` prints, and what the report shows. */
export interface TuneResult {
  readonly handler: string
  readonly environments: number
  readonly batchSize: number
  /** The measurements without a CPU limit, in ascending order of the concurrency. */
  readonly measurements: readonly Measurement[]
  readonly combinations: readonly Combination[]
  /** Empty without `--confirm`. */
  readonly confirmations: readonly Confirmation[]
  /** The recommendation. `null` if no combination can be used, or if no figure is exact enough. */
  readonly best: Combination | null
  /** The concurrencies that are equal to the recommended one. `null` if there is no other, or no recommendation. */
  readonly equal: EqualConcurrencies | null
  /** How uncertain the recommendation is, in one line. `null` if it is certain, or if there is none. */
  readonly uncertainty: string | null
  readonly optimize: Optimize
  /** The recommendation and its reason, or why there is none. */
  readonly recommendation: string
  /** Why the run is incomplete. `null` if it is complete. */
  readonly incomplete: string | null
  /** YAML of the settings for SAM or CloudFormation. `null` without a recommendation. */
  readonly patch: string | null
  /** What a run on this machine cannot measure, in one or two sentences each. */
  readonly unknowns: readonly string[]
}
