import type { SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import type { FailureHandler, RecordFailure } from '../../src/index.ts'
import { busyClock, mockClock, openTimers, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing, failureHandlerLines, noteFailures } from '../support/failures.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { collectReferences } from '../support/memory.ts'
import { logged, unhandledRejections } from '../support/output.ts'

/** A failure handler that stays pending until the test settles it. */
function heldFailures() {
  const { promise, resolve, reject } = Promise.withResolvers<readonly RecordFailure[]>()
  const given: RecordFailure[] = []
  let signal: AbortSignal | undefined
  const onFailure: FailureHandler = (failures, request) => {
    given.push(...failures)
    signal = request.signal
    return promise
  }
  return { onFailure, given, resolve, reject, signal: () => signal }
}

t.test(
  'the signal of a hanging failure handler aborts 100 ms before the timeout, and the response is sent 25 ms later',
  async (t) => {
    const clock = mockClock(t)
    const unhandled = unhandledRejections(t)
    const start = performance.now()
    const held = heldFailures()
    const { calls, onFailure } = noteFailures()
    const lines = await logged(async () => {
      const handle = handlerOf(failing, { onFailure: [held.onFailure, onFailure], logger: undefined })
      let isOver = false
      const result = handle(standardEvent('x1', 'a', 'x2'), timedContext(10_000)).finally(() => {
        isOver = true
      })
      await settled()
      clock.advance(9_899)
      await settled()
      t.equal(held.signal()?.aborted, false)
      clock.advance(1)
      await settled()
      t.equal(held.signal()?.aborted, true)
      clock.advance(24)
      await settled()
      t.equal(isOver, false)
      clock.advance(1)
      t.strictSame(failed(await result), ['x1', 'x2'])
      t.equal(performance.now() - start, 9_925)
    })
    t.strictSame(failureHandlerLines(lines), [
      'Error: The time for the failure handlers is over: the response needs the last 100 ms before the timeout',
    ])
    t.match(held.signal()?.reason, { message: /the response needs the last 100 ms before/ })
    t.equal(lines.length, 2)
    t.strictSame(calls, [], 'the next failure handler is not called')
    t.equal(openTimers(clock), 0)
    held.reject(new Error('late'))
    await settled()
    t.strictSame(unhandled, [])
  },
)

t.test('a failure handler that hangs and does not use its request does not keep the batch in memory', async (t) => {
  const clock = mockClock(t)
  const forever: (() => void)[] = []
  const onFailure = () => new Promise<RecordFailure[]>((resolve) => forever.push(() => resolve([])))
  const handle = handlerOf(failing, { onFailure })
  let event: SQSEvent | undefined = standardEvent('x', 'a')
  const good = new WeakRef(event.Records[1] as SQSRecord)
  const result = handle(event, timedContext(1000))
  event = undefined
  await settled()
  clock.advance(900)
  await settled()
  clock.advance(25)
  t.strictSame(failed(await result), ['x'])
  await settled()
  await collectReferences(good)
  t.equal(good.deref(), undefined)
  t.equal(forever.length, 1)
})

t.test('the time of a failure handler may be over before it returns its promise', async (t) => {
  const clock = mockClock(t)
  function onFailure() {
    clock.advance(950)
    return new Promise<RecordFailure[]>(() => {})
  }
  const result = handlerOf(failing, { onFailure })(standardEvent('x', 'a'), timedContext(1000))
  await settled()
  clock.advance(25)
  t.strictSame(failed(await result), ['x'])
})

t.test('a failure handler that settles in time is not aborted and leaves no timer', async (t) => {
  const clock = mockClock(t)
  const [first, second] = [heldFailures(), heldFailures()]
  const handle = handlerOf(failing, { onFailure: [first.onFailure, second.onFailure] })
  const result = handle(standardEvent('x1', 'x2', 'x3'), timedContext(10_000))
  await settled()
  clock.advance(9_000)
  first.resolve(first.given.slice(1))
  await settled()
  t.equal(first.signal()?.aborted, false)
  clock.advance(900)
  t.equal(second.signal()?.aborted, true)
  second.resolve(second.given.slice(1))
  t.strictSame(failed(await result), ['x3'])
  t.equal(openTimers(clock), 0)

  const third = heldFailures()
  const inTime = handlerOf(failing, { onFailure: third.onFailure })(standardEvent('x1'), timedContext(10_000))
  await settled()
  third.resolve([])
  t.strictSame(failed(await inTime), [])
  t.equal(openTimers(clock), 0)
  clock.advance(10_000)
  t.equal(third.signal()?.aborted, false)
})

t.test('with 0 ms left or less no failure handler is called', async (t) => {
  for (const left of [0, -3]) {
    const keepBusy = busyClock(t)
    const { calls, onFailure } = noteFailures()
    function fails() {
      keepBusy(1000 - left)
      throw new Error('failed after blocking the thread')
    }
    const lines = await logged(async () => {
      const handle = handlerOf(fails, { onFailure, logger: undefined })
      t.strictSame(failed(await handle(standardEvent('x1', 'x2'), timedContext(1000))), ['x1', 'x2'])
    })
    t.strictSame(calls, [], `${left} ms`)
    t.match(failureHandlerLines(lines), [/the response needs the last 100 ms before/])
  }
})

t.test('the result of a failure handler that blocks the thread past its time is used', async (t) => {
  const keepBusy = busyClock(t)
  const { calls, onFailure } = noteFailures()
  const busy: FailureHandler = (failures) => {
    keepBusy(950)
    return failures.slice(1)
  }
  const lines = await logged(async () => {
    const handle = handlerOf(failing, { onFailure: [busy, onFailure], logger: undefined })
    t.strictSame(failed(await handle(standardEvent('x1', 'x2'), timedContext(1000))), ['x2'])
  })
  t.strictSame(calls, [])
  t.match(failureHandlerLines(lines), [/the response needs the last 100 ms before/])
})
