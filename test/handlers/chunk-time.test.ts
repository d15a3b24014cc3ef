import type { SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { eachChunk, RecordTimeoutError } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { batchHandlerOf, chunkHandlerOf, failed, timedContext } from '../support/handlers.ts'
import { heldChunks } from '../support/held.ts'
import { collectReferences } from '../support/memory.ts'

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
