import type { Context, SQSRecord } from 'aws-lambda'
import type { Settings } from '../options.ts'
import type { JobFailure, JobNumber } from '../scheduler/job.ts'
import { createReadyQueue } from '../scheduler/ready-queue.ts'
import type { Jobs } from '../scheduler/run.ts'
import type { Batch } from '../sqs-event.ts'
import type { RecordHandler, RecordOptions } from '../types.ts'

/** Calls the handler of a chunk and reads its result. */
export type HandleChunk = (chunk: Chunk, options: RecordOptions) => Promise<void>

/** Records that one call of a chunk handler processes. */
export interface Chunk {
  readonly records: readonly SQSRecord[]
  readonly ids: readonly string[]
  /** The message group of each record. A chunk of a FIFO queue has records of one group. */
  readonly groups: readonly (string | undefined)[]
  /** Why single records of the chunk failed, by their position in it. */
  readonly failed: Map<number, unknown>
  /** Whether the handler returned a valid result in time. If it did, every record that is not in `failed` succeeded. */
  isDone: boolean
}

declare const RECORD: unique symbol

/** The position of a record in its batch, from 0. It is not the number of a job: a mix-up does not compile. */
export type RecordPosition = number & { readonly [RECORD]: true }

/** A record that did not succeed. */
export interface Failure {
  readonly index: RecordPosition
  readonly reason: unknown
}

/** The jobs of a batch: its records, or chunks of them. */
export interface RecordJobs extends Jobs {
  recordsIn(job: JobNumber): readonly RecordPosition[]
  /** The failed records of the failed jobs. In record order, except for chunks of a FIFO queue. */
  failedRecords(failures: readonly JobFailure[]): Failure[]
}

/** One job for each record. */
export function recordJobs(
  batch: Batch,
  handle: RecordHandler,
  context: Context,
  { fifoFailure }: Settings,
): RecordJobs {
  const { records } = batch
  return {
    count: records.length,
    ready: batch.groups && createReadyQueue(batch.groups, fifoFailure),
    boundedSqsBatchJob: (job, options) => handle(records[recordOf(job)] as SQSRecord, context, options),
    receiveCounts: batch.receiveCounts,
    sizeOf: () => 1,
    recordsIn: (job) => [recordOf(job)],
    failedRecords: (failures) => failures.map(({ job, reason }) => ({ index: recordOf(job), reason })),
  }
}

/** The first job is the first record, and so on. */
function recordOf(job: JobNumber): RecordPosition {
  return job as number as RecordPosition
}

/**
 * One job for each chunk of up to `size` records. On a FIFO queue, the records of a chunk belong to one
 * message group; records of other groups may lie between them.
 */
export function chunkJobs(
  batch: Batch,
  size: number,
  handle: HandleChunk,
  { rateLimit, fifoFailure }: Settings,
): RecordJobs {
  const chunks = toChunks(batch, Math.min(size, rateLimit?.limit ?? Infinity))
  const started: Chunk[] = []
  const groupOf = (chunk: readonly RecordPosition[]) => batch.groups?.[chunk[0] as number]
  return {
    count: chunks.length,
    ready: batch.groups && createReadyQueue(chunks.map(groupOf), fifoFailure),
    boundedSqsBatchJob(job, options) {
      const indices = chunks[job] as RecordPosition[]
      const chunk: Chunk = {
        records: indices.map((index) => batch.records[index] as SQSRecord),
        ids: indices.map((index) => batch.ids[index] as string),
        groups: indices.map(() => groupOf(indices)),
        failed: new Map(),
        isDone: false,
      }
      started[job] = chunk
      return finish(handle, chunk, options)
    },
    sizeOf: (job) => (chunks[job] as RecordPosition[]).length,
    recordsIn: (job) => chunks[job] as RecordPosition[],
    failedRecords: (failures) =>
      failures.flatMap(({ job, reason }) => {
        const chunk = started[job]
        return (chunks[job] as RecordPosition[]).flatMap((index, position) => {
          if (chunk?.failed.has(position)) return { index, reason: chunk.failed.get(position) }
          return chunk?.isDone ? [] : { index, reason } // without a valid result, all records failed
        })
      }),
  }
}

/** If this were a closure of `chunkJobs`, a chunk that hangs would keep the whole batch in memory. */
async function finish(handle: HandleChunk, chunk: Chunk, options: RecordOptions): Promise<void> {
  await handle(chunk, options)
  chunk.isDone = true
  // If one record failed, the job fails, so that the rest of its message group does not start.
  for (const position of chunk.records.keys())
    if (chunk.failed.has(position)) throw chunk.failed.get(position)
}

function toChunks({ ids, groups }: Batch, size: number): RecordPosition[][] {
  const chunks: RecordPosition[][] = []
  for (const group of Map.groupBy(
    ids.keys() as Iterable<RecordPosition>,
    (index) => groups?.[index],
  ).values()) {
    for (let start = 0; start < group.length; start += size) chunks.push(group.slice(start, start + size))
  }
  return chunks.sort(([one], [other]) => (one as number) - (other as number))
}
