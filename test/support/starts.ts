import type { ChunkHandler, RecordHandler } from '../../src/index.ts'

/** Handlers that note the start times of records or chunks. */
export function noteStarts(now: () => number) {
  const starts: string[] = []
  const record: RecordHandler = ({ messageId }) => void starts.push(`${messageId} at ${now()}`)
  const chunk: ChunkHandler = (records) => {
    starts.push(`${records.map(({ messageId }) => messageId).join(' ')} at ${now()}`)
  }
  return { starts, record, chunk }
}

/** The largest number of these times in any period of this length, including both ends. */
export function maxWithin(interval: number, times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at <= from + interval).length))
}
