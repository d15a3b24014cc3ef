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

/** A run starts without a question up to this time and this number of messages. */
export const MAX_MS = 10 * 60_000
export const MAX_MESSAGES = 1_000_000
