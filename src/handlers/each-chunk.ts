import type { Context, SQSRecord } from 'aws-lambda'
import { rejected } from '../scheduler/job.ts'
import { isCount } from '../shared/check.ts'
import { isFunction, kindOf } from '../shared/describe.ts'
import type {
  BatchHandler,
  BodyOption,
  ChunkHandler,
  ChunkResult,
  NotEmptyResults,
  ParsedRecord,
  RecordOf,
  RecordOptions,
} from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { type Chunk, chunkJobs, type HandleChunk } from './jobs.ts'
import { addBlocked, readChunkResult } from './results.ts'
import { type CreateJobs, runBatchOf } from './run-batch.ts'

/**
 * Turns a chunk handler, which processes several records at once, into an inner handler: the function for
 * Middy's `.handler()`. The Middy handler must use `boundedSqsBatch()`. Use `eachChunk()` for batch APIs:
 * DynamoDB's `BatchWriteItem` accepts 25 items, SQS's `SendMessageBatch` 10 messages.
 *
 * At most `concurrency` chunks run at once. `recordTimeout` applies to a chunk. With `rateLimit`, a chunk has
 * at most `limit` records.
 *
 * On a FIFO queue, the records of a chunk belong to one message group. If one of them fails, the records
 * after it are reported, too, even if the handler reported them as successes.
 *
 * @param size the maximum number of records in a chunk: a positive integer
 * @param chunkHandler processes a chunk. If it throws or rejects, the whole chunk fails. If it returns
 * nothing, the whole chunk succeeded. If only some records failed, it returns a `PromiseSettledResult` for
 * each record, in order. Instead, it can return `{ batchItemFailures }` with the `messageId` of each failed
 * record. **Anything else fails the chunk**: an API response that is returned by mistake must not delete
 * messages.
 * @param options `body` parses the bodies, as in `eachRecord()`. The default does not parse them. A record
 * whose body is not valid fails alone, and the handler does not receive it. On a FIFO queue, the records
 * after it are blocked.
 * @returns the inner handler. It rejects with a TypeError if the Middy handler does not use
 * `boundedSqsBatch()`.
 * @throws {TypeError} if an argument is not valid
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: 10 }))
 *   .handler(eachChunk(25, async (records, context, { signal }) => {
 *     const failed = await putAll(records, signal)
 *     const ids = failed.map(({ messageId }) => ({ itemIdentifier: messageId }))
 *     return { batchItemFailures: ids }
 *   }))
 */
export function eachChunk<
  TContext extends Context,
  TResult extends ChunkResult,
  TBody extends BodyOption = undefined,
>(
  size: number,
  chunkHandler: ChunkHandler<RecordOf<TBody>, TContext, TResult> & NotEmptyResults<TResult>,
  options: { readonly body?: TBody } = {},
): BatchHandler<TContext> {
  if (!isCount(size)) {
    const received = typeof size === 'number' ? size : kindOf(size)
    throw new TypeError(`eachChunk(): expected size to be a positive integer, got ${received}`)
  }
  if (!isFunction(chunkHandler)) {
    throw new TypeError(`eachChunk(): expected chunkHandler to be a function, got ${kindOf(chunkHandler)}`)
  }
  const handle = chunkHandler as ChunkHandler<unknown>
  const parse = bodyParserOf('eachChunk', options)
  return async function eachChunkHandler(event, context, middyOptions) {
    const runBatch = runBatchOf(event, 'eachChunk')
    const handleOne: HandleChunk = (chunk, options) => handleChunk(chunk, handle, parse, context, options)
    const createJobs: CreateJobs = (batch, settings) => chunkJobs(batch, size, handleOne, settings)
    return runBatch(createJobs, context, middyOptions?.signal)
  }
}

async function handleChunk(
  chunk: Chunk,
  handle: ChunkHandler<unknown>,
  parse: BodyParser | undefined,
  context: Context,
  options: RecordOptions,
): Promise<void> {
  const { records, ids, failed } = chunk
  // The records that the handler receives, by their position in the chunk.
  let valid = new Map<number, unknown>(records.entries())
  if (parse) {
    const bodies = records.map((record) => parseBody(record, parse))
    // Awaits only if the schema is asynchronous. Otherwise, the handler must start in this synchronous call,
    // because the rate limit counts the records directly after it.
    const isAsync = bodies.some((body) => body instanceof Promise)
    valid = withBodies(chunk, isAsync ? await Promise.all(bodies) : (bodies as ParsedBody[]), options)
  }
  if (valid.size === 0) return
  const positions = [...valid.keys()]
  const validIds = positions.map((position) => ids[position] as string)
  const original = [...valid.values()] as readonly ParsedRecord<unknown>[]
  const received = original.slice() // the handler can change this array
  const { signal } = options
  // The log recognises the frames of this package by the name of this function.
  const called = {
    boundedSqsBatchJob: async () => await handle(received, context, { signal }),
  }
  const returned: unknown = await called.boundedSqsBatchJob()
  AbortSignal.prototype.throwIfAborted.call(signal) // if it has aborted, the whole chunk is already reported as failed
  // An entry may be replaced by a copy with the same messageId.
  const isChanged = (record: unknown, index: number) =>
    received[index] !== record && received[index]?.messageId !== validIds[index]
  if (Array.isArray(returned) && original.some(isChanged)) {
    throw new TypeError(
      'The handler returned one result for each record, but it has reordered or removed records in the array that it ' +
        'received. Sort or filter a copy of the array',
    )
  }
  for (const { index, reason } of readChunkResult(returned, validIds))
    failed.set(positions[index] as number, reason)
}

type ParsedBody = PromiseSettledResult<unknown>

function parseBody(record: SQSRecord, parse: BodyParser): ParsedBody | Promise<ParsedBody> {
  try {
    const parsed = parse(record.body) // reading it can throw, too
    return parsed instanceof Promise ? parsed.then(fulfilled, rejected) : fulfilled(parsed)
  } catch (error) {
    return rejected(error)
  }
}

function fulfilled(value: unknown): ParsedBody {
  return { status: 'fulfilled', value }
}

/** The records with valid bodies, by their position in the chunk. On a FIFO queue, an invalid body blocks the rest. */
function withBodies(
  { records, groups, failed }: Chunk,
  bodies: readonly ParsedBody[],
  { signal }: RecordOptions,
): Map<number, unknown> {
  signal.throwIfAborted() // the chunk may have timed out, or the batch may have ended, during the validation
  for (const [position, body] of bodies.entries()) {
    if (body.status === 'fulfilled') continue
    failed.set(position, body.reason)
    if (groups[position] !== undefined) break // the others are blocked, even if their bodies are not valid either
  }
  addBlocked(groups, failed)
  const parsed = new Map<number, unknown>()
  for (const [position, body] of bodies.entries()) {
    if (!failed.has(position))
      parsed.set(position, { ...records[position], body: (body as PromiseFulfilledResult<unknown>).value })
  }
  return parsed
}
