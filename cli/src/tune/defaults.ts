export interface Range {
  least: number
  most: number
}

/** MB. */
export const MEMORIES = [128, 256, 512, 1024, 1769]
export const CONCURRENCY: Range = { least: 10, most: 400 }
export const DEFAULT_BATCH_SIZE = 1000
/** Each environment is a process on this machine. */
export const MAX_ENVIRONMENTS = 100
