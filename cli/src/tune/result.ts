/** The measurement of one concurrency, without a CPU limit. */
export interface Measurement {
  /** Of one environment. */
  readonly concurrency: number
  /** Successful records per second, of all environments together: the median of the rounds. */
  readonly goodput: number
  /** The same in the slowest and in the fastest round. */
  readonly lowest: number
  readonly highest: number
  /** How often this concurrency was measured. */
  readonly rounds: number
  /** The number of records in all rounds. Those of the warm-up do not count. */
  readonly records: number
  /** From 0 to 1. */
  readonly failedShare: number
  /** Each error and the number of records that failed because of it. The most frequent error is first. */
  readonly causes: Readonly<Record<string, number>>
  /** CPU milliseconds of the process, divided by the successful records. `null` if no record succeeded. */
  readonly cpuPerRecord: number | null
  /** MB. `null` if the process ended before it could be read. */
  readonly peakMemory: number | null
  /** Why no memory size can use this concurrency: how a process, or a batch that was not complete, ended. */
  readonly problem?: string | undefined
}

/** A memory size and a concurrency, with their figures. */
export interface Combination {
  /** MB. */
  readonly memory: number
  /** Of one environment. */
  readonly concurrency: number
  /** Successful records per second, of all environments together. */
  readonly goodput: number
  /** Dollars per million messages. `null` if no record succeeded. */
  readonly costPerMillion: number | null
  /** Predicted from the measurement of the concurrency, if the CPU share of the memory size is smaller. */
  readonly origin: 'measured' | 'predicted'
  /** MB that this concurrency, or a lower one, needs. */
  readonly peakMemory: number | null
  /** Why this combination cannot be used. `undefined` if it can. */
  readonly problem?: string | undefined
}

export type Optimize = 'speed' | 'cost' | 'balanced'

/** What `--json` prints, and what the terminal and the page show. */
export interface TuneResult {
  readonly handler: string
  readonly environments: number
  /** The maximum number of records in a batch. */
  readonly batchSize: number
  readonly optimize: Optimize
  /** What failed at which concurrency, and why: one sentence for each. */
  readonly failures: readonly string[]
  /** What makes the figures or the recommendation doubtful: one paragraph for each. */
  readonly warnings: readonly string[]
  /** How many records the handler received in the whole run, with the warm-up. */
  readonly delivered: number
  /** In ascending order of the concurrency. */
  readonly measurements: readonly Measurement[]
  readonly combinations: readonly Combination[]
  /** Bytes that a record leaves in the memory of the process. `null` if it does not grow, or if this was not measured. */
  readonly growth: number | null
  /** `null` if no combination can be used. */
  readonly best: Combination | null
  /** The measured concurrencies that are as good as the recommended one, which is one of them. None of them failed. */
  readonly equal: readonly number[]
  /** What a template must set, or `null`. BatchSize is only there if full batches do not end in time. */
  readonly settings: Readonly<Record<string, number>> | null
  /** The recommendation and its reason, or why there is none. */
  readonly recommendation: string
  /** Whether the run was interrupted. */
  readonly isIncomplete: boolean
}
