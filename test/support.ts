import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { Clock } from 'clock-mock'
import type { Test } from 'tap'
import {
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  type ChunkHandler,
  type ChunkResult,
  eachChunk,
  eachRecord,
  type RecordHandler,
} from '../src/index.ts'

const STANDARD = 'arn:aws:sqs:eu-west-1:123456789012:orders'

/** A record as SQS sends it to Lambda. */
export function sqsRecord(messageId: string, fields: Partial<SQSRecord> = {}): SQSRecord {
  return {
    messageId,
    receiptHandle: `receipt-of-${messageId}`,
    body: `body of ${messageId}`,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1764000000000',
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: '1764000000001',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: STANDARD,
    awsRegion: 'eu-west-1',
    ...fields,
  }
}

/** The event of a standard queue with a record for each id, in this order. */
export function standardEvent(...ids: string[]): SQSEvent {
  return { Records: ids.map((id) => sqsRecord(id)) }
}

/** The event of a FIFO queue. The group of a record is the first letter of its id: `a1`, `a2`, `b1`. */
export function fifoEvent(...ids: string[]): SQSEvent {
  const Records = ids.map((id) => {
    const { attributes } = sqsRecord(id)
    return sqsRecord(id, {
      eventSourceARN: `${STANDARD}.fifo`,
      attributes: { ...attributes, MessageGroupId: id.charAt(0) },
    })
  })
  return { Records }
}

/** Ids `m0`, `m1`, … */
export function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m${index}`)
}

/** A context as of a unit test: it does not know how much time is left. */
export function testContext(): Context {
  return {} as Context
}

/** A context whose function has `timeout` milliseconds from now, on the clock of `performance.now()`. */
export function timedContext(timeout: number): Context {
  const end = performance.now() + timeout
  return { getRemainingTimeInMillis: () => end - performance.now() } as Context
}

/** A Lambda handler of this record handler, without a log unless the options have one. */
export function handlerOf(
  recordHandler: RecordHandler,
  options: BoundedSqsBatchOptions = {},
): (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse> {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(eachRecord(recordHandler))
  return (event, context = testContext()) => handler(event, context)
}

/** The same of this chunk handler. */
export function chunkHandlerOf(
  size: number,
  chunkHandler: ChunkHandler,
  options: BoundedSqsBatchOptions = {},
): (event: SQSEvent, context?: Context) => Promise<SQSBatchResponse> {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, ...options }))
    .handler(eachChunk(size, chunkHandler))
  return (event, context = testContext()) => handler(event, context)
}

export function failed(response: SQSBatchResponse): string[] {
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
}

/** A record handler whose records stay open until the test settles them. */
export function heldRecords() {
  const open = new Map<string, { resolve(): void; reject(error: unknown): void; signal: AbortSignal }>()
  const started: string[] = []
  const handle: RecordHandler = (record, _context, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    started.push(record.messageId)
    open.set(record.messageId, { resolve, reject, signal })
    return promise
  }
  const take = (id: string) => {
    const held = open.get(id)
    if (!held) throw new Error(`${id} does not run; these do: ${[...open.keys()]}`)
    open.delete(id)
    return held
  }
  return {
    handle,
    /** The ids of the records that have been started, in this order. */
    started,
    running: () => [...open.keys()],
    signalOf: (id: string) => open.get(id)?.signal,
    succeed: (id: string) => take(id).resolve(),
    fail: (id: string, error: unknown = new Error(`${id} failed`)) => take(id).reject(error),
  }
}

/** A chunk handler whose chunks stay open until the test settles them. A chunk is named by its ids: `m0 m1 m2`. */
export function heldChunks() {
  const open = new Map<string, { resolve(answer?: ChunkResult): void; reject(error: unknown): void }>()
  const signals = new Map<string, AbortSignal>()
  const started: string[] = []
  const handle: ChunkHandler = (records, _context, { signal }) => {
    const chunk = records.map(({ messageId }) => messageId).join(' ')
    const { promise, resolve, reject } = Promise.withResolvers<ChunkResult>()
    started.push(chunk)
    open.set(chunk, { resolve, reject })
    signals.set(chunk, signal)
    return promise
  }
  const take = (chunk: string) => {
    const held = open.get(chunk)
    if (!held) throw new Error(`${chunk} does not run; these do: ${[...open.keys()].join(', ')}`)
    open.delete(chunk)
    return held
  }
  return {
    handle,
    /** The chunks that have been started, in this order. */
    started,
    running: () => [...open.keys()],
    signalOf: (chunk: string) => signals.get(chunk),
    succeed: (chunk: string, answer?: ChunkResult) => take(chunk).resolve(answer),
    fail: (chunk: string, error: unknown = new Error(`${chunk} failed`)) => take(chunk).reject(error),
  }
}

const trueImmediate = setImmediate
let mock: Clock | undefined

/** Puts a test's time into its own hands: it passes by `advance()` alone. */
export function mockClock(t: Test): Clock {
  const clock = new Clock()
  clock.enter()
  mock = clock
  t.teardown(() => {
    clock.exit()
    mock = undefined
  })
  return clock
}

/** Lets everything happen that needs no time to pass, also while the clock is a mock. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => trueImmediate(resolve))
    mock?.advance(0)
  }
}

/** A mocked clock that passes by milliseconds, so that everything happens when it is due. */
export function passingClock(t: Test) {
  const clock = mockClock(t)
  const begin = performance.now()
  const pass = async (ms: number) => {
    await settled()
    for (let passed = 0; passed < ms; passed++) {
      clock.advance(1)
      await settled()
    }
  }
  return {
    /** Milliseconds since the beginning. */
    now: () => performance.now() - begin,
    pass,
    /** Lets time pass until this has come to something, for so many milliseconds at the most. */
    async until<T>(result: Promise<T>, most = 15_000): Promise<T> {
      let isOpen = true
      const done = () => {
        isOpen = false
      }
      result.then(done, done)
      await settled()
      for (let passed = 0; isOpen; passed++) {
        if (passed === most) throw new Error(`Not done after ${most} ms`)
        await pass(1)
      }
      return result
    },
    /** For a handler that waits. */
    delay: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    /** For a handler that computes: nothing else happens meanwhile. */
    compute: (ms: number) => clock.advance(ms),
  }
}

/** Handlers that note when records, and chunks, start. */
export function noting(now: () => number) {
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

/** Calls `run` with `console.error` recorded. */
export async function logged(run: () => unknown): Promise<string[]> {
  const lines: string[] = []
  const { error } = console
  console.error = (...parts) => {
    lines.push(parts.join(' '))
  }
  try {
    await run()
  } finally {
    console.error = error
  }
  return lines
}

/** Calls `run` with the process's warnings recorded instead of printed. */
export async function warned(run: () => unknown): Promise<(Error & { code?: string })[]> {
  const warnings: (Error & { code?: string })[] = []
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => warnings.push(warning))
  try {
    await run()
    await settled()
  } finally {
    process.removeAllListeners('warning')
    for (const listener of listeners) process.on('warning', listener)
  }
  return warnings
}
