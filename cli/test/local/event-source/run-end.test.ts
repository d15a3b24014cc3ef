import { once } from 'node:events'
import { test } from 'tap'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import { RunEnd, type RunEndOptions } from '../../../src/local/event-source/run-end.ts'
import { received } from '../../support/runs.ts'

/** The end of a run whose queue has these counts, one for each question. The last one is repeated. */
function open(sizes: readonly number[], changes: Partial<RunEndOptions> = {}, isPrivate = true) {
  const ledger = new OpenLedger()
  const left = [...sizes]
  const counts = async () => ({ visible: 0, queue: Number(left.length > 1 ? left.shift() : left[0]), deadLetter: 0 })
  const remaining: number[] = []
  const end = new RunEnd({
    queue: { counts, isPrivate },
    ledger,
    idle: 0,
    awaitFirst: false,
    onProgress: (progress) => remaining.push(progress.remaining),
    signals: [],
    ...changes,
  })
  const over = new Promise<void>((resolve) => end.draining.addEventListener('abort', () => resolve(), { once: true }))
  return { end, ledger, over, remaining }
}

test('a run ends once its input was sent and the queue is empty', async (t) => {
  const { end, over, remaining } = open([0, 2, 0], {
    onProgress: ({ remaining: count }) => {
      remaining.push(count)
      if (remaining.length === 2) end.isInputSent = true
    },
  })
  await end.watch(over)
  t.strictSame(remaining, [0, 2, 0], 'the first 0 was before the input')
  t.ok(end.draining.aborted)
})

test('a message in flight, or a first message that is awaited, keeps the run from ending', async (t) => {
  let count = 0
  const { end, ledger, over } = open([0], {
    awaitFirst: true,
    onProgress: () => {
      count += 1
      if (count === 2) ledger.delivered([received('a')])
      if (count === 3) ledger.invocationEnded({ type: 'response', payload: '' }, [received('a')])
    },
  })
  end.isInputSent = true
  await end.watch(over)
  t.equal(count, 4)
})

test('a queue with as many messages as are in flight is not empty', async (t) => {
  let count = 0
  const { end, ledger, over } = open([1, 1, 0], {
    onProgress: () => {
      count += 1
      if (count === 2) ledger.invocationEnded({ type: 'response', payload: '' }, [received('a')])
    },
  })
  ledger.delivered([received('a')])
  end.isInputSent = true
  await end.watch(over)
  t.equal(count, 3)
})

test('the time without messages begins when the queue is empty, and the last look comes at its end', async (t) => {
  const clock = { now: 1000 }
  t.intercept(performance, 'now', { value: () => clock.now })
  const waits: number[] = []
  const { end, over } = open([1, 0], {
    idle: 0.6,
    sleep: (async (ms: number, _value: unknown, { signal }: { signal: AbortSignal }) => {
      waits.push(signal instanceof AbortSignal ? ms : Number.NaN)
      clock.now += ms
      if (end.draining.aborted) await once(signal, 'abort')
    }) as never,
  })
  end.isInputSent = true
  await end.watch(over)
  t.strictSame(waits, [250, 250, 250, 100, 250])
})

test('watching ends with the work, also if the run does not end by itself', async (t) => {
  for (const idle of [undefined, 3600]) {
    const { end } = open([0], { idle })
    end.isInputSent = true
    await end.watch(Promise.resolve())
    t.notOk(end.draining.aborted)
  }
})

test('no other message can arrive if all that are in the queue were received, and nobody else knows the queue', async (t) => {
  const own = open([3]).end
  t.notOk(await own.isLast(3), 'the input is not complete')
  own.isInputSent = true
  t.strictSame([await own.isLast(3), await own.isLast(2)], [true, false])
  const shared = open([3], {}, false).end
  shared.isInputSent = true
  t.notOk(await shared.isLast(3))
})

test('the first error ends the run, which rejects with it, and a signal of the caller drains it', async (t) => {
  const { end } = open([0])
  const second = once(end.draining, 'abort').then(() => Promise.reject(new Error('second')))
  await t.rejects(end.watch(Promise.reject(new Error('first')), second), { message: 'first' })
  const drain = new AbortController()
  const drained = open([0], { signals: [drain.signal] }).end
  drain.abort()
  t.ok(drained.draining.aborted)
})

test('the last counts of the queue are kept, for a run whose queue does not respond any more', async (t) => {
  const { end } = open([3])
  t.strictSame(end.counts, { visible: 0, queue: 0, deadLetter: 0 })
  await end.watch(Promise.resolve())
  t.equal(end.counts.queue, 3)
})

test('if a part of the run fails, the others are waited for', async (t) => {
  const { end } = open([1])
  let isOver = false
  const other = once(end.draining, 'abort').then(() => {
    isOver = true
  })
  await t.rejects(end.watch(other, Promise.reject(new Error('gone'))), { message: 'gone' })
  t.ok(isOver)
})
