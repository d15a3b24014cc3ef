import { spawnSync } from 'node:child_process'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { RecordTimeoutError } from '../../src/index.ts'
import { activeTimers, countTimers, mockClock, passingClock, passTime, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { collectReferences } from '../support/memory.ts'
import { warned } from '../support/output.ts'

t.test('a record is reported at its timeout, its signal aborts, and other records go on', async (t) => {
  const clock = mockClock(t)
  const errors: unknown[] = []
  const held = heldRecords()
  const handle = handlerOf(held.handle, { recordTimeout: 100, concurrency: 2, logger: (error) => errors.push(error) })
  const result = handle(standardEvent('a', 'b', 'c', 'd'))
  await settled()
  clock.advance(60)
  held.succeed('b')
  await settled()
  t.strictSame(held.running(), ['a', 'c'])
  clock.advance(39)
  t.equal(held.signalOf('a')?.aborted, false)
  clock.advance(1)
  t.equal(held.signalOf('a')?.aborted, true)
  t.ok(held.signalOf('a')?.reason instanceof RecordTimeoutError)
  t.equal(held.signalOf('c')?.aborted, false, 'c started 60 ms later')
  held.succeed('c')
  await settled()
  held.succeed('d')
  t.strictSame(failed(await result), ['a'])
  t.match(errors, [{ name: 'RecordTimeoutError', code: 'ERR_RECORD_TIMEOUT', timeout: 100 }])
})

t.test('if handlers that ignore their signal fill every slot for another recordTimeout, the batch ends', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { recordTimeout: 100, concurrency: 2 })
  let response: unknown
  const result = handle(standardEvent('a', 'b', 'c', 'd')).then((value) => {
    response = value
    return value
  })
  await settled()
  passTime(clock, 199)
  await settled()
  t.equal(response, undefined)
  const warnings = await warned(async () => {
    clock.advance(1)
    t.strictSame(failed(await result), ['a', 'b', 'c', 'd'])
  })
  t.strictSame(held.started, ['a', 'b'])
  t.strictSame(
    warnings.map(({ code, message }) => [code, message]),
    [
      [
        'BOUNDED_SQS_BATCH_SIGNAL_IGNORED',
        'Handlers that ignore their signal occupy all 2 slots, so their batches end now. ' +
          'Pass `signal` to every call that a handler awaits',
      ],
    ],
  )
})

t.test('a batch whose records wait for the slots of such handlers goes on after their batch has ended', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { recordTimeout: 100, concurrency: 2 })
  const first = handle(standardEvent('a', 'b', 'x'))
  await settled()
  const second = handle(standardEvent('c', 'd'))
  await settled()
  await warned(async () => {
    passTime(clock, 200)
    t.strictSame(failed(await first), ['a', 'b', 'x'])
  })
  await settled()
  held.fail('c')
  await settled()
  held.succeed('d')
  t.strictSame(failed(await second), ['c'])
})

t.test('handlers that respect their signal do not end the batch if the thread was blocked for long', async (t) => {
  const clock = mockClock(t)
  const handle = handlerOf(
    ({ messageId }, _context, { signal }) => {
      if (messageId > 'm1') return undefined
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    { concurrency: 2, recordTimeout: 100 },
  )
  const result = handle(standardEvent(...ids(6)))
  await settled()
  clock.advance(400)
  t.strictSame(failed(await result), ['m0', 'm1'])
})

for (const [deadline, options, context] of [
  ['its recordTimeout', { recordTimeout: 30 }, testContext],
  ['the abort', { timeBudget: { drain: 70, abort: 70 } }, () => timedContext(100)],
] as const) {
  t.test(
    `a handler that needs only microtasks succeeds if another invocation blocks the thread past ${deadline}`,
    async (t) => {
      const { compute, until } = passingClock(t)
      const handle = handlerOf(async ({ messageId }) => {
        if (messageId === 'blocks') return compute(60)
        for (let microtask = 0; microtask < 10; microtask++) await null
      }, options)
      const responses = [handle(standardEvent('quick'), context()), handle(standardEvent('blocks'))]
      t.strictSame((await until(Promise.all(responses))).map(failed), [[], []])
    },
  )
}

t.test('handlers that ignored their signal do not count against the next invocation', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handle = handlerOf(held.handle, { recordTimeout: 100, concurrency: 2 })
  const first = handle(standardEvent('a', 'b', 'c'))
  await settled()
  passTime(clock, 200)
  t.strictSame(failed(await first), ['a', 'b', 'c'])
  const second = handle(standardEvent('w', 'x', 'y', 'z'))
  await settled()
  clock.advance(90)
  held.succeed('x')
  await settled()
  clock.advance(90)
  held.succeed('y')
  await settled()
  clock.advance(90)
  t.strictSame(held.running(), ['a', 'b', 'w', 'z'], 'w ignores its signal, and z is in flight')
  held.succeed('z')
  t.strictSame(failed(await second), ['w'])
})

t.test('the recordTimeout begins before a handler that first uses the CPU', async (t) => {
  const clock = mockClock(t)
  let isDone = false
  const handle = handlerOf(
    () => {
      clock.advance(60)
      return new Promise(() => {})
    },
    { recordTimeout: 100 },
  )
  const result = handle(standardEvent('a')).finally(() => {
    isDone = true
  })
  await settled()
  passTime(clock, 39)
  await settled()
  t.equal(isDone, false)
  passTime(clock, 1)
  t.strictSame(failed(await result), ['a'])
})

t.test('no timer is left after the response', async (t) => {
  const before = activeTimers()
  const handle = handlerOf(() => settled(), { recordTimeout: 60_000 })
  const result = handle(standardEvent('a', 'b'), timedContext(60_000))
  t.equal(activeTimers() > before, true)
  t.strictSame(failed(await result), [])
  t.equal(activeTimers(), before)
})

t.test('a handler that hangs for ever does not keep the other records in memory', async (t) => {
  const clock = mockClock(t)
  const forever: (() => void)[] = []
  const handle = handlerOf(() => new Promise<void>((resolve) => forever.push(resolve)), { concurrency: 1 })
  let event: SQSEvent | undefined = standardEvent('a', 'b')
  const last = new WeakRef(event.Records[1] as SQSRecord)
  const result = handle(event, timedContext(1000))
  event = undefined
  await settled()
  clock.advance(950)
  t.strictSame(failed(await result), ['a', 'b'])
  await settled()
  await collectReferences(last)
  t.equal(last.deref(), undefined)
  t.equal(forever.length, 1)
})

t.test('a recordTimeout that is too long for a timer causes no warning of Node', async (t) => {
  const held = heldRecords()
  const warnings = await warned(async () => {
    const result = handlerOf(held.handle, { recordTimeout: 1e12 })(standardEvent('a'))
    await settled()
    held.succeed('a')
    t.strictSame(failed(await result), [])
  })
  t.strictSame(warnings, [], 'Node would warn of a delay that is too long for a timer')
})

t.test('an Error.prepareStackTrace that throws does not prevent the response', async (t) => {
  // The test needs its own process, because tap also sets Error.prepareStackTrace.
  const program = `
    import middy from '@middy/core'
    import { boundedSqsBatch, eachRecord } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
    Error.prepareStackTrace = () => { throw new Error('of prepareStackTrace') }
    const Records = ['done', 'failed', 'hangs'].map((messageId) => ({ messageId, body: '' }))
    const { promise: allStarted, resolve } = Promise.withResolvers()
    const handleRecords = eachRecord(({ messageId }) => {
      if (messageId === 'failed') throw 'a text'
      if (messageId !== 'hangs') return
      resolve()
      return new Promise(() => {})
    })
    const handler = middy().use(boundedSqsBatch()).handler(async (event, context) => {
      void handleRecords(event, context)
      await allStarted
      return { batchItemFailures: [] } // ends the batch
    })
    console.log(JSON.stringify(await handler({ Records }, {})))
  `
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  t.equal(stdout, '{"batchItemFailures":[{"itemIdentifier":"failed"},{"itemIdentifier":"hangs"}]}\n')
  t.match(stderr, /2 of 3 records failed/)
})

for (const [what, recordTimeout, from, to] of [
  ['while a handler ignores its signal', 1000, 1000, 1990],
  ['between the drain and the abort', 9900, 9000, 9740],
] as const) {
  t.test(`a batch starts few timers ${what}`, async (t) => {
    const { pass, until } = passingClock(t)
    const held = heldRecords()
    const options = { recordTimeout, concurrency: 2, timeBudget: { drain: 1000, abort: 250 } }
    const result = handlerOf(held.handle, options)(standardEvent('a', 'b', 'c'), timedContext(10_000))
    await pass(from - 1)
    held.succeed('b')
    await settled()
    t.strictSame(held.running(), ['a', 'c'])
    const timers = countTimers(t)
    await pass(to - from)
    t.ok(timers() <= 3, `${timers()} timers`)
    await until(result)
  })
}
