export interface Range {
  least: number
  most: number
}

/** MB. */
export const MEMORIES = [128, 256, 512, 1024, 1769]
/** MB. They have 2 to 6 cores, which a handler can use if it works in several threads. 10,240 MB is the maximum. */
export const MORE_MEMORIES = [3538, 5307, 7076, 8845, 10_240]
export const CONCURRENCY: Range = { least: 10, most: 400 }
export const DEFAULT_BATCH_SIZE = 1000
/** Each environment is a process on this machine. */
export const MAX_ENVIRONMENTS = 100
