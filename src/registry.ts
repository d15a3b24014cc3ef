import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { isObject } from './describe.ts'
import type { RecordOptions } from './types.ts'

/** What an inner handler asks of the middleware: to run this on every record of the batch, and to report. */
export type RunBatch = (
  handle: RecordRun | ChunkRun,
  event: SQSEvent,
  context: unknown,
  signal: AbortSignal | undefined,
) => Promise<SQSBatchResponse>

export type RecordRun = (record: SQSRecord, options: RecordOptions) => unknown

export interface ChunkRun {
  readonly size: number
  run(chunk: Chunk, options: RecordOptions): Promise<void>
}

/** Some records that are handled as one. */
export interface Chunk {
  readonly records: readonly SQSRecord[]
  readonly ids: readonly string[]
  /** Whether they are of one message group of a FIFO queue: what is behind a failed record must not be done before it. */
  readonly isFifo: boolean
  /** Why records of it have failed by themselves, whatever becomes of the others, by their places in it. */
  readonly failed: Map<number, unknown>
}

const RUN = Symbol('run')

/**
 * Where the two halves meet: Middy hands an inner handler nothing but the event, the context and a signal. The event is
 * a copy that the middleware made for this invocation alone, so that it tells invocations apart that share everything.
 * A property of it rather than a WeakMap: what an old WeakMap holds outlives minor collections, which took as long again
 * as the rest of a batch of ten (Node 24).
 */
export function announceInvocation(event: object, run: RunBatch): void {
  Object.defineProperty(event, RUN, { value: run })
}

/** @throws {TypeError} where the middleware has not seen this event */
export function invocationOf(event: unknown, caller: string): RunBatch {
  const run = isObject(event) ? (event as { [RUN]?: RunBatch })[RUN] : undefined
  if (run) return run
  throw new TypeError(
    `The handler of ${caller}() got an event that boundedSqsBatch() has not prepared: ` +
      'add .use(boundedSqsBatch()) to the same Middy handler, and pass its event on as it is',
  )
}
