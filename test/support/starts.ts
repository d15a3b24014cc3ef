import type { ChunkHandler, RecordHandler } from '../../src/index.ts'

/** Handlers that note when records, and chunks, start. */
export function noteStarts(now: () => number) {
  const starts: string[] = []
  const record: RecordHandler = ({ messageId }) => void starts.push(`${messageId} at ${now()}`)
  const chunk: ChunkHandler = (records) => {
    starts.push(`${records.map(({ messageId }) => messageId).join(' ')} at ${now()}`)
  }
  return { starts, record, chunk }
}

/** The most of these times in any stretch of this length, both ends counted. */
export function mostWithin(interval: number, times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at <= from + interval).length))
}
