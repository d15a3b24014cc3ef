import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { type ChunkResult, eachChunk, RecordNotStartedError, RecordTimeoutError } from '../../src/index.ts'
import { mockClock, passTime, settled } from '../support/clock.ts'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, timedContext } from '../support/handlers.ts'
import { heldChunks } from '../support/held.ts'
import { collectReferences } from '../support/memory.ts'
import { unhandledRejections, warned } from '../support/output.ts'

t.test(
  'recordTimeout applies to a chunk: all its records are reported, its signal aborts, other chunks go on',
  async (t) => {
    const clock = mockClock(t)
    const errors = new Map<string, unknown>()
    const held = heldChunks()
    const handle = chunkHandlerOf(2, held.handle, {
      recordTimeout: 100,
      concurrency: 2,
      logger: (error, { messageId }) => errors.set(messageId, error),
    })
    const result = handle(standardEvent(...ids(7)))
    await settled()
    clock.advance(60)
    held.succeed('m2 m3')
    await settled()
    clock.advance(39)
    t.equal(held.signalOf('m0 m1')?.aborted, false)
    clock.advance(1)
    t.equal(held.signalOf('m0 m1')?.aborted, true)
    t.ok(held.signalOf('m0 m1')?.reason instanceof RecordTimeoutError)
    t.equal(held.signalOf('m4 m5')?.aborted, false, 'm4 m5 started 60 ms later')
    held.succeed('m4 m5')
    await settled()
    t.strictSame(held.running(), ['m0 m1', 'm6'], 'the slot of m0 m1 stays occupied until its handler settles')
    held.succeed('m6')
    t.strictSame(failed(await result), ['m0', 'm1'])
    t.match(
      [...errors],
      [
        ['m0', { name: 'RecordTimeoutError', timeout: 100 }],
        ['m1', { name: 'RecordTimeoutError', timeout: 100 }],
      ],
    )
  },
)

/** Results of handlers that respect or ignore their signal. All of them come too late. */
const lateResults: [what: string, settle: (reason: unknown) => ChunkResult][] = [
  ['a list', () => ({ batchItemFailures: [{ itemIdentifier: 'b' }] })],
  [
    'the reason of its signal',
    (reason) => {
      throw reason
    },
  ],
]

for (const [what, settle] of lateResults) {
  t.test(`a chunk whose handler settles after its timeout fails as a whole: ${what}`, async (t) => {
    const clock = mockClock(t)
    const errors = new Map<string, unknown>()
    const held = heldChunks()
    const handle = chunkHandlerOf(
      2,
      async (records, context, options) => {
        const value = await held.handle(records, context, options)
        return options.signal.aborted ? settle(options.signal.reason) : value
      },
      { recordTimeout: 100, concurrency: 2, logger: (error, { messageId }) => errors.set(messageId, error) },
    )
    const result = handle(standardEvent('a', 'b', 'c', 'd', 'e', 'f'))
    await settled()
    clock.advance(50)
    held.succeed('c d')
    await settled()
    clock.advance(50)
    held.succeed('a b')
    await settled()
    held.succeed('e f')
    t.strictSame(failed(await result), ['a', 'b'])
    t.match(
      [...errors],
      [
        ['a', { name: 'RecordTimeoutError' }],
        ['b', { name: 'RecordTimeoutError' }],
      ],
    )
  })

  t.test(`a chunk whose handler settles when the batch is aborted fails as a whole: ${what}`, async (t) => {
    const clock = mockClock(t)
    const errors = new Map<string, unknown>()
    const handle = chunkHandlerOf(
      2,
      async (_records, _context, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return settle(signal.reason)
      },
      { logger: (error, { messageId }) => errors.set(messageId, error) },
    )
    const result = handle(standardEvent('a', 'b'), timedContext(1000))
    await settled()
    clock.advance(950)
    t.strictSame(failed(await result), ['a', 'b'])
    t.match(
      [...errors],
      [
        ['a', { name: 'RecordAbortedError' }],
        ['b', { name: 'RecordAbortedError' }],
      ],
    )
  })
}

t.test('a signal that is first read after the timeout is already aborted, also in a copy of the options', async (t) => {
  const clock = mockClock(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  const aborted: boolean[] = []
  const handle = chunkHandlerOf(
    1,
    async ([record], _context, options) => {
      const copy = record?.messageId === 'b' ? { ...options } : options
      await promise
      aborted.push(copy.signal.aborted)
    },
    { recordTimeout: 100 },
  )
  const result = handle(standardEvent('a', 'b'))
  await settled()
  clock.advance(100)
  t.strictSame(failed(await result), ['a', 'b'])
  resolve()
  await settled()
  t.strictSame(aborted, [true, true])
})

t.test(
  'if chunks that ignore their signal fill every slot for another recordTimeout, their batch ends and the next has all slots',
  async (t) => {
    const clock = mockClock(t)
    const unhandled = unhandledRejections(t)
    const held = heldChunks()
    const handle = chunkHandlerOf(2, held.handle, { recordTimeout: 100, concurrency: 2 })
    const first = handle(standardEvent(...ids(6)))
    await settled()
    passTime(clock, 200)
    t.strictSame(failed(await first), ids(6))
    t.strictSame(held.started, ['m0 m1', 'm2 m3'])
    const second = handle(standardEvent('x', 'y', 'z'))
    await settled()
    t.strictSame(held.running(), ['m0 m1', 'm2 m3', 'x y', 'z'])
    held.fail('m0 m1', undefined)
    held.succeed('m2 m3', { UnprocessedItems: {} } as never)
    held.succeed('x y')
    held.fail('z')
    t.strictSame(failed(await second), ['z'])
    await settled()
    t.strictSame(unhandled, [])
  },
)

for (const body of [undefined, 'json'] as const) {
  t.test(`a chunk that hangs for ever does not keep its batch in memory, body ${body}`, async (t) => {
    const clock = mockClock(t)
    const forever: (() => void)[] = []
    const hang = () => new Promise<void>((resolve) => forever.push(resolve))
    const handler = batchHandlerOf(eachChunk(1, hang, { body: body as 'json' }), { concurrency: 1 })
    let event: SQSEvent | undefined = { Records: ['a', 'b'].map((id) => sqsRecord(id, { body: '{}' })) }
    const last = new WeakRef(event.Records[1] as SQSRecord)
    const list = new WeakRef(event.Records)
    const result = handler(event, timedContext(1000))
    event = undefined
    await settled()
    clock.advance(950)
    t.strictSame(failed(await result), ['a', 'b'])
    await settled()
    await collectReferences(last, list)
    t.equal(last.deref(), undefined)
    t.equal(list.deref(), undefined)
    t.equal(forever.length, 1)
  })
}

t.test('if the time budget leaves no time, no chunk starts and all records are reported', async (t) => {
  const errors: unknown[] = []
  const handle = chunkHandlerOf(2, () => t.fail('started') as never, {
    timeBudget: { drain: 5000 },
    logger: (error) => errors.push(error),
  })
  const context = { getRemainingTimeInMillis: () => 3000 } as Context
  await warned(async () => {
    t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'), context)), ['a', 'b', 'c'])
  })
  t.equal(errors.length, 3)
  t.ok(errors.every((error) => error instanceof RecordNotStartedError))
})

t.test('a chunk that timed out stays failed if its handler replaces a method of the signal', async (t) => {
  const clock = mockClock(t)
  const held = heldChunks()
  const handle = chunkHandlerOf(
    2,
    (records, context, options) => {
      options.signal.throwIfAborted = () => {}
      return held.handle(records, context, options)
    },
    { recordTimeout: 100, concurrency: 2 },
  )
  const result = handle(standardEvent(...ids(6)))
  await settled()
  clock.advance(60)
  held.succeed('m2 m3')
  await settled()
  clock.advance(40)
  held.succeed('m0 m1')
  await settled()
  held.succeed('m4 m5')
  t.strictSame(failed(await result), ['m0', 'm1'])
})
