import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSRecord } from 'aws-lambda'
import { kindOf } from '../describe.ts'
import { RecordBlockedError } from '../errors.ts'
import { readChunkResponse } from '../report/response.ts'
import { rejected } from '../scheduler/job-states.ts'
import type { BatchHandler, ChunkHandler, ChunkResult, NotEmptyResults, ParsedRecord, RecordOptions } from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { type Chunk, runBatchOf } from './run-batch.ts'

/**
 * Makes the inner handler of a Middy handler from a handler that processes several records at once. The Middy handler must
 * use `boundedSqsBatch()`. It is for batch APIs: DynamoDB's `BatchWriteItem` accepts 25 items, SQS's `SendMessageBatch`
 * 10 messages.
 *
 * At most `concurrency` chunks run at once. `recordTimeout` applies to a chunk. With `rateLimit`, a chunk has at most
 * `limit` records.
 *
 * On a FIFO queue, a chunk consists of consecutive records of one message group. If one of them fails, the records after
 * it are reported, too, even if the handler reported them as successes.
 *
 * @param size the most records in a chunk: an integer from 1
 * @param chunkHandler processes a chunk. If it throws or rejects, the whole chunk fails. If it returns nothing, the whole
 * chunk succeeded. If only some records failed, it returns a `PromiseSettledResult` for each record, in order, or
 * `{ batchItemFailures }` with ids of the chunk. **Anything else fails the chunk**, so that an API's response, returned by
 * mistake, does not delete messages.
 * @param options `body` parses the bodies, as in `eachRecord()`. The default does not parse them. A record whose body is
 * not valid fails alone, and the handler does not receive it. On a FIFO queue, the records after it are blocked.
 * @returns the inner handler. It rejects with a TypeError if the Middy handler does not use `boundedSqsBatch()`.
 * @throws {TypeError} if an argument is not valid
 *
 * @example
 * export const handler = middy()
 *   .use(boundedSqsBatch({ concurrency: 10 }))
 *   .handler(eachChunk(25, async (records, context, { signal }) => {
 *     const failed = await putAll(records, signal)
 *     return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
 *   }))
 */
export function eachChunk<TContext extends Context, TResult extends ChunkResult>(
  size: number,
  chunkHandler: ChunkHandler<SQSRecord, TContext, TResult> & NotEmptyResults<TResult>,
  options?: { readonly body?: undefined },
): BatchHandler<TContext>
export function eachChunk<TContext extends Context, TResult extends ChunkResult>(
  size: number,
  chunkHandler: ChunkHandler<ParsedRecord<unknown>, TContext, TResult> & NotEmptyResults<TResult>,
  options: { readonly body: 'json' },
): BatchHandler<TContext>
export function eachChunk<TSchema extends StandardSchemaV1, TContext extends Context, TResult extends ChunkResult>(
  size: number,
  chunkHandler: ChunkHandler<ParsedRecord<StandardSchemaV1.InferOutput<TSchema>>, TContext, TResult> &
    NotEmptyResults<TResult>,
  options: { readonly body: TSchema },
): BatchHandler<TContext>
export function eachChunk(size: number, chunkHandler: unknown, options: unknown = {}): BatchHandler {
  if (!(Number.isSafeInteger(size) && size >= 1)) {
    const received = typeof size === 'number' ? size : kindOf(size)
    throw new TypeError(`eachChunk(): expected the most records in a chunk, an integer from 1, got ${received}`)
  }
  if (typeof chunkHandler !== 'function') {
    throw new TypeError(`eachChunk(): expected a handler of some records, a function, got ${kindOf(chunkHandler)}`)
  }
  const handle = chunkHandler as ChunkHandler<unknown>
  const parse = bodyParserOf('eachChunk', options)
  return async function eachChunkHandler(event, context, options) {
    const run = runBatchOf(event, 'eachChunk')
    const runChunk = (chunk: Chunk, chunkOptions: RecordOptions) =>
      handleChunk(chunk, handle, parse, context, chunkOptions)
    return run({ size, run: runChunk }, event, context, options?.signal)
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
  let parsed = new Map<number, unknown>(records.entries())
  if (parse) {
    const bodies = records.map(({ body }) => parseBody(body, parse))
    // Does not await unless the schema is asynchronous, so that the handler starts when the rate limit has counted it.
    const isSlow = bodies.some((body) => body instanceof Promise)
    parsed = withBodies(chunk, isSlow ? await Promise.all(bodies) : (bodies as ParsedBody[]), options)
  }
  const kept = [...parsed.keys()]
  if (kept.length === 0) return
  const keptIds = kept.map((place) => ids[place] as string)
  const order = [...parsed.values()] as readonly ParsedRecord<unknown>[]
  const given = order.slice() // the handler can change this array
  const chunkOptions = {
    get signal() {
      return options.signal
    },
  }
  const returned: unknown = await handle(given, context, chunkOptions)
  options.signal.throwIfAborted() // the whole chunk has already been reported as failed
  const isChanged = (record: unknown, place: number) =>
    given[place] !== record && given[place]?.messageId !== keptIds[place]
  if (Array.isArray(returned) && order.some(isChanged)) {
    throw new TypeError(
      'The handler returned results by record, but has moved its records or taken some out: sort a copy of them',
    )
  }
  for (const { index, reason } of readChunkResponse(returned, keptIds)) failed.set(kept[index] as number, reason)
}

type ParsedBody = PromiseSettledResult<unknown>

function parseBody(body: string, parse: BodyParser): ParsedBody | Promise<ParsedBody> {
  try {
    const parsed = parse(body)
    return parsed instanceof Promise ? parsed.then(fulfilled, rejected) : fulfilled(parsed)
  } catch (error) {
    return rejected(error)
  }
}

function fulfilled(value: unknown): ParsedBody {
  return { status: 'fulfilled', value }
}

/** The records with valid bodies, by their place in the chunk. A record with a bad body fails and is not among them. */
function withBodies(
  { records, isFifo, failed }: Chunk,
  bodies: readonly ParsedBody[],
  { signal }: RecordOptions,
): Map<number, unknown> {
  signal.throwIfAborted() // validating the bodies took until the chunk timed out or the batch ended
  const parsed = new Map<number, unknown>()
  for (const [place, body] of bodies.entries()) {
    if (body.status === 'fulfilled') parsed.set(place, { ...records[place], body: body.value })
    else {
      failed.set(place, body.reason)
      if (!isFifo) continue
      const blocked = new RecordBlockedError({ cause: body.reason })
      for (let later = place + 1; later < records.length; later++) failed.set(later, blocked)
      break
    }
  }
  return parsed
}
