import { test } from 'tap'
import { gather } from '../../src/local/gather.ts'
import type { Received } from '../../src/local/sqs-record.ts'
import { received } from '../support/runs.ts'

const signal = new AbortController().signal

/** A queue with this many messages of one size. When it is empty, it returns no messages at once. */
function queueOf(count: number, bytes = 100) {
  const messages = Array.from({ length: count }, (_, index) => received(String(index), bytes))
  const calls: number[] = []
  async function receive(max: number): Promise<Received[]> {
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
  const { batch, rest } = await gather({ receive: queue.receive, batchSize: 1234, windowMs: 5000, held: [], signal })
  t.strictSame(
    ids(batch).sort((a, b) => a - b),
    range(0, 1234),
  )
  t.strictSame(rest, [])
  t.equal(queue.left(), 3000 - 1234)
  t.ok(queue.calls.every((max) => max >= 1 && max <= 10))
})

test('a batch of seven messages without a window needs one call', async (t) => {
  const queue = queueOf(100)
  const { batch } = await gather({ receive: queue.receive, batchSize: 7, windowMs: 0, held: [], signal })
  t.strictSame(ids(batch), range(0, 7))
  t.strictSame(queue.calls, [7])
})

test('the window ends a batch that is not full', async (t) => {
  const queue = queueOf(25)
  const started = performance.now()
  const { batch } = await gather({ receive: queue.receive, batchSize: 100, windowMs: 200, held: [], signal })
  t.equal(batch.length, 25)
  const elapsed = performance.now() - started
  t.ok(elapsed >= 190 && elapsed < 5000, `${elapsed} ms`)
})

test('an empty queue gives an empty batch', async (t) => {
  const queue = queueOf(0)
  const { batch } = await gather({ receive: queue.receive, batchSize: 100, windowMs: 200, held: [], signal })
  t.strictSame(batch, [])
  t.strictSame(queue.calls, [10])
})

test('a batch ends at 6 MB, and few messages are received that do not fit', async (t) => {
  const queue = queueOf(20_000, 1000)
  const { batch, rest } = await gather({ receive: queue.receive, batchSize: 10_000, windowMs: 5000, held: [], signal })
  t.ok(batch.length * 1000 <= 6 * 1024 * 1024)
  t.ok(batch.length > 6200, `${batch.length} records of 1,000 bytes`)
  t.strictSame(rest, [])
})

test('messages larger than estimated are held for the next batch, in order', async (t) => {
  const small = range(0, 10).map((id) => received(String(id), 100))
  const large = range(10, 40).map((id) => received(String(id), 1024 * 1024))
  const messages = [...small, ...large]
  const receive = async (max: number) => messages.splice(0, max)
  const first = await gather({ receive, batchSize: 100, windowMs: 5000, held: [], signal })
  t.strictSame(ids(first.batch), range(0, 15), 'the small ones and five of a megabyte')
  t.strictSame(ids(first.rest), range(15, 15 + first.rest.length))
  const second = await gather({ receive, batchSize: 100, windowMs: 5000, held: first.rest, signal })
  t.strictSame(ids(second.batch), range(15, 20), 'a megabyte each, and the next would be too much')
})

test('a message above the payload limit is a separate batch', async (t) => {
  const held = [received('0', 7 * 1024 * 1024), received('1', 100)]
  const { batch, rest } = await gather({ receive: async () => [], batchSize: 10, windowMs: 0, held, signal })
  t.strictSame([ids(batch), ids(rest)], [[0], [1]])
})

test('if the signal is already aborted, nothing is received', async (t) => {
  const queue = queueOf(100)
  const stopped = AbortSignal.abort()
  const { batch } = await gather({ receive: queue.receive, batchSize: 100, windowMs: 1000, held: [], signal: stopped })
  t.strictSame([batch, queue.calls], [[], []])
})
