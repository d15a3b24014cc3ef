import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSRecord } from 'aws-lambda'
import { kindOf } from '../describe.ts'
import { RecordBlockedError } from '../errors.ts'
import { readChunkResponse } from '../report/response.ts'
import type { BatchHandler, ChunkHandler, ChunkResult, NotEmptyResults, ParsedRecord, RecordOptions } from '../types.ts'
import { type BodyParser, bodyParserOf } from './body.ts'
import { type Chunk, runBatchOf } from './run-batch.ts'

/**
 * Makes the inner handler of a Middy handler that uses `boundedSqsBatch()` out of a handler of some records at once, for
 * APIs that take so many: 25 of DynamoDB's `BatchWriteItem`, 10 of SQS's `SendMessageBatch`.
 *
 * At most `concurrency` chunks run at once, and `recordTimeout` holds for a chunk. On a FIFO queue a chunk holds
 * consecutive records of one message group, and what comes after a failed record in it is redelivered with it, whatever
 * its handler says.
 *
 * @param size the most records in a chunk: an integer from 1
 * @param chunkHandler throwing fails the chunk; returning nothing is success of all of it. A `PromiseSettledResult` for
 * each of its records, in their order, or `{ batchItemFailures }` with ids of the chunk tell them apart. **Anything else
 * fails the chunk**: what the API answered, returned by mistake, must not delete messages.
 * @param options `body` as with `eachRecord()`. A record whose body is not valid fails alone, and its chunk goes without.
 * @returns a handler that rejects with a TypeError where `boundedSqsBatch()` is not used on the same Middy handler
 * @throws {TypeError} where an argument is not one of these
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
    const came = typeof size === 'number' ? size : kindOf(size)
    throw new TypeError(`eachChunk(): expected the most records in a chunk, an integer from 1, got ${came}`)
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
    // Without waiting where nothing is asynchronous: the handler is to begin when the rate limit lets its chunk begin.
    const isSlow = bodies.some((body) => body instanceof Promise)
    parsed = withBodies(chunk, isSlow ? await Promise.all(bodies) : (bodies as ParsedBody[]), options)
  }
  const kept = [...parsed.keys()]
  if (kept.length === 0) return
  const keptIds = kept.map((place) => ids[place] as string)
  const order = [...parsed.values()] as readonly ParsedRecord<unknown>[]
  const given = order.slice()
  const chunkOptions = {
    get signal() {
      return options.signal
    },
  }
  const answer: unknown = await handle(given, context, chunkOptions)
  options.signal.throwIfAborted() // all of it has been reported by then
  const isChanged = (record: unknown, place: number) =>
    given[place] !== record && given[place]?.messageId !== keptIds[place]
  if (Array.isArray(answer) && order.some(isChanged)) {
    throw new TypeError(
      'The handler returned results by record, but has moved its records or taken some out: sort a copy of them',
    )
  }
  for (const { index, reason } of readChunkResponse(answer, keptIds)) failed.set(kept[index] as number, reason)
}

type ParsedBody = PromiseSettledResult<unknown>

function parseBody(body: string, parse: BodyParser): ParsedBody | Promise<ParsedBody> {
  const good = (value: unknown): ParsedBody => ({ status: 'fulfilled', value })
  const bad = (reason: unknown): ParsedBody => ({ status: 'rejected', reason })
  try {
    const parsed = parse(body)
    return parsed instanceof Promise ? parsed.then(good, bad) : good(parsed)
  } catch (error) {
    return bad(error)
  }
}

/** The records that are valid, by their places in the chunk. One that is not fails alone (rule 13). */
function withBodies(
  { records, isFifo, failed }: Chunk,
  bodies: readonly ParsedBody[],
  { signal }: RecordOptions,
): Map<number, unknown> {
  signal.throwIfAborted() // validating took until the chunk's time was up
  const parsed = new Map<number, unknown>()
  for (const [place, body] of bodies.entries()) {
    if (body.status === 'fulfilled') parsed.set(place, { ...records[place], body: body.value })
    else {
      failed.set(place, body.reason)
      if (!isFifo) continue
      const blocked = new RecordBlockedError({ cause: body.reason })
      for (let behind = place + 1; behind < records.length; behind++) failed.set(behind, blocked)
      break
    }
  }
  return parsed
}
