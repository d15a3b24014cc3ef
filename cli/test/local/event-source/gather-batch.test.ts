import { test } from 'tap'
import { type GatherOptions, gatherBatch as gatherWith } from '../../../src/local/event-source/gather-batch.ts'
import type { Received } from '../../../src/local/queue/sqs-record.ts'
import { received } from '../../support/runs.ts'

const signal = new AbortController().signal
const isLast = async () => false
/** More than any test needs. */
const MAX_CALLS = 3000

/** A clock that stands still, apart from the sleeps of `gather()`, which end at once. */
function createClock() {
  const sleeps: number[] = []
  let time = 5000
  function pass(ms: number) {
    time += ms
  }
  async function sleep(ms: number) {
    sleeps.push(ms)
    pass(ms)
  }
  return { sleeps, pass, now: () => time, sleep }
}

const gather = (options: GatherOptions) => gatherWith({ ...createClock(), ...options })

/** A queue with this many messages of one size. When it is empty, it returns no messages at once. */
function queueOf(count: number, bytes = 100) {
  const messages = Array.from({ length: count }, (_, index) => received(String(index), bytes))
  const calls: number[] = []
  async function receive(max: number): Promise<Received[]> {
    if (calls.length === MAX_CALLS) throw new Error('too many calls')
    calls.push(max)
    await new Promise(setImmediate)
    return messages.splice(0, max)
  }
  return { receive, calls, left: () => messages.length }
}

function ids(messages: readonly Received[]) {
  return messages.map(({ messageId }) => Number(messageId))
}

function range(from: number, to: number) {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('a batch is filled to its size with ten messages per call, and no more are received', async (t) => {
  const queue = queueOf(3000)
  const { batch, rest } = await gather({ receive: queue.receive, batchSize: 1234, windowMs: 5000, isLast, signal })
  t.strictSame(
    ids(batch).sort((a, b) => a - b),
    range(0, 1234),
  )
  t.strictSame(rest, [])
  t.equal(queue.left(), 3000 - 1234)
  t.ok(queue.calls.every((max) => max >= 1 && max <= 10))
})

test('the window ends a batch that is not full', async (t) => {
  const queue = queueOf(25)
  const clock = createClock()
  const { batch } = await gather({ receive: queue.receive, batchSize: 100, windowMs: 200, isLast, signal, ...clock })
  t.equal(batch.length, 25)
  t.strictSame(clock.sleeps, [50, 50, 50, 50])
})

test('without a clock of a test, the window ends, too', async (t) => {
  const { receive } = queueOf(1)
  t.equal((await gatherWith({ receive, batchSize: 2, windowMs: 1, isLast, signal })).batch.length, 1)
})

test('an empty queue gives an empty batch', async (t) => {
  const queue = queueOf(0)
  const { batch } = await gather({ receive: queue.receive, batchSize: 100, windowMs: 200, isLast, signal })
  t.strictSame(batch, [])
  t.strictSame(queue.calls, [10])
})

test('messages larger than estimated do not fit, and are the rest, in order', async (t) => {
  const small = range(0, 10).map((id) => received(String(id), 100))
  const large = range(10, 40).map((id) => received(String(id), 1024 * 1024))
  const messages = [...small, ...large]
  const receive = async (max: number) => messages.splice(0, max)
  const { batch, rest } = await gather({ receive, batchSize: 100, windowMs: 5000, isLast, signal })
  t.strictSame(ids(batch), range(0, 15), 'the small ones and five of a megabyte')
  t.strictSame(ids(rest), range(15, 20))
})

/** How the messages of one call are divided. */
async function divided(...sizes: number[]) {
  const receive = async () => sizes.map((bytes, index) => received(`${index}`, bytes))
  const { batch, rest } = await gather({ receive, batchSize: 10, windowMs: 0, isLast, signal })
  return [ids(batch), ids(rest)]
}

test('a message above the payload limit is a separate batch', async (t) => {
  t.strictSame(await divided(7 * 1024 * 1024, 100), [[0], [1]])
})

test('an event has at most 6 MiB with its wrapping', async (t) => {
  t.strictSame(await divided(6_291_000, 441, 1), [[0, 1, 2], []])
  t.strictSame(await divided(6_291_000, 442, 1), [[0, 1], [2]])
})

test('if the signal is already aborted, nothing is received', async (t) => {
  const queue = queueOf(100)
  const stopped = AbortSignal.abort()
  const result = await gather({ receive: queue.receive, batchSize: 100, windowMs: 1000, isLast, signal: stopped })
  t.strictSame([result, queue.calls], [{ batch: [], rest: [] }, []])
})

/** A queue that returns one message for each of the first calls, and then none. */
function slowQueue(count: number) {
  const calls: [max: number, waitSeconds: number][] = []
  async function receive(max: number, waitSeconds: number) {
    if (calls.length === MAX_CALLS) throw new Error('too many calls')
    calls.push([max, waitSeconds])
    return calls.length <= count ? [received(`${calls.length}`)] : []
  }
  return { receive, calls }
}

test('a call waits a second for messages if the window has that much left, and else asks every 50 ms', async (t) => {
  const clock = createClock()
  const long = slowQueue(2)
  await gather({ receive: long.receive, batchSize: 2, windowMs: 1000, isLast, signal, ...clock })
  t.strictSame(
    { calls: long.calls, sleeps: clock.sleeps },
    {
      calls: [
        [2, 1],
        [1, 1],
      ],
      sleeps: [],
    },
  )
  const short = slowQueue(1)
  const { batch } = await gather({ receive: short.receive, batchSize: 2, windowMs: 120, isLast, signal, ...clock })
  t.equal(batch.length, 1)
  t.strictSame(
    { calls: short.calls, sleeps: clock.sleeps },
    {
      calls: [
        [2, 1],
        [1, 0],
        [1, 0],
        [1, 0],
      ],
      sleeps: [50, 50, 20],
    },
  )
})

test('an empty answer after a second is followed by the next call, without a pause', async (t) => {
  const clock = createClock()
  const queue = slowQueue(1)
  async function receive(max: number, waitSeconds: number) {
    if (queue.calls.length > 0) clock.pass(waitSeconds * 1000)
    return queue.receive(max, waitSeconds)
  }
  await gather({ receive, batchSize: 2, windowMs: 2500, isLast, signal, ...clock })
  t.strictSame(queue.calls, [[2, 1], [1, 1], [1, 1], ...Array(10).fill([1, 0])])
  t.strictSame(clock.sleeps, Array(10).fill(50))
})

test('a message is received only if it would fit with the average size so far', async (t) => {
  async function calls(bytes: number) {
    const made: number[] = []
    async function receive(max: number) {
      if (made.length === MAX_CALLS) throw new Error('too many calls')
      made.push(max)
      return [received(`${made.length}`, bytes)]
    }
    await gather({ receive, batchSize: 2, windowMs: 500, isLast, signal })
    return made
  }
  t.strictSame(await calls(3_145_721), [2, 1], 'two have 6,291,442 bytes')
  t.strictSame(await calls(3_145_722), [2])
})

test('a batch does not wait for the end of its window if no message can arrive, or after an abort', async (t) => {
  const queue = slowQueue(1)
  const options = { receive: queue.receive, batchSize: 10, windowMs: 5000, isLast, signal }
  await gather({ ...options, isLast: async () => true })
  t.strictSame(queue.calls, [[10, 1]])
  const stopped = new AbortController()
  async function receive() {
    stopped.abort()
    return [received('0')]
  }
  t.equal((await gather({ ...options, receive, signal: stopped.signal })).batch.length, 1)
})

test('while messages arrive, calls follow each other without a pause', async (t) => {
  const clock = createClock()
  const queue = queueOf(1000)
  const { batch } = await gather({ receive: queue.receive, batchSize: 1000, windowMs: 500, isLast, signal, ...clock })
  t.strictSame({ length: batch.length, sleeps: clock.sleeps }, { length: 1000, sleeps: [] })
})
