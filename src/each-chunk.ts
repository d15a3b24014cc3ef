import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Context, SQSRecord } from 'aws-lambda'
import { type BodyParser, bodyParserOf } from './body.ts'
import { kindOf } from './describe.ts'
import { RecordBlockedError } from './errors.ts'
import { type Chunk, invocationOf } from './registry.ts'
import { readChunkResponse } from './response.ts'
import type { BatchHandler, ChunkHandler, ParsedRecord, RecordOptions } from './types.ts'

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
export function eachChunk<TContext extends Context>(
  size: number,
  chunkHandler: ChunkHandler<SQSRecord, TContext>,
  options?: { readonly body?: undefined },
): BatchHandler<TContext>
export function eachChunk<TContext extends Context>(
  size: number,
  chunkHandler: ChunkHandler<ParsedRecord<unknown>, TContext>,
  options: { readonly body: 'json' },
): BatchHandler<TContext>
export function eachChunk<TSchema extends StandardSchemaV1, TContext extends Context>(
  size: number,
  chunkHandler: ChunkHandler<ParsedRecord<StandardSchemaV1.InferOutput<TSchema>>, TContext>,
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
    const run = invocationOf(event, 'eachChunk')
    const runChunk = (chunk: Chunk, chunkOptions: RecordOptions) =>
      handleChunk(chunk, handle, parse, context, chunkOptions)
    return run({ size, run: runChunk }, context, options?.signal)
  }
}

async function handleChunk(
  chunk: Chunk,
  handle: ChunkHandler<unknown>,
  parse: BodyParser | undefined,
  context: Context,
  options: RecordOptions,
): Promise<void> {
  const places = [...chunk.ids.keys()]
  const parsed = parse ? await parseBodies(chunk, parse) : new Map(chunk.records.entries())
  const kept = places.filter((place) => parsed.has(place))
  if (kept.length === 0) return
  if (parse) options.signal.throwIfAborted() // validating took until the chunk's time was up
  const given = kept.map((place) => parsed.get(place))
  const chunkOptions = {
    get signal() {
      return options.signal
    },
  }
  const answer: unknown = await handle(given, context, chunkOptions)
  const ids = kept.map((place) => chunk.ids[place] as string)
  for (const { index, reason } of readChunkResponse(answer, ids)) chunk.fail(kept[index] as number, reason)
}

/** The records with their bodies parsed, by their places in the chunk. One that is not valid fails alone (rule 13). */
async function parseBodies({ records, isFifo, fail }: Chunk, parse: BodyParser): Promise<Map<number, unknown>> {
  const parsed = new Map<number, unknown>()
  const results = await Promise.allSettled(records.map(async (record) => parse(record.body)))
  for (const [place, result] of results.entries()) {
    if (result.status === 'fulfilled') parsed.set(place, { ...records[place], body: result.value })
    else {
      fail(place, result.reason)
      if (!isFifo) continue
      const blocked = new RecordBlockedError({ cause: result.reason })
      for (let behind = place + 1; behind < records.length; behind++) fail(behind, blocked)
      break
    }
  }
  return parsed
}
