import { type Test, test } from 'tap'
import { createMessage, type MemoryQueue, MemoryStore } from '../../src/local/memory-queue.ts'

/** A queue with a dead-letter queue, on a clock that the test sets. The time of day is the clock plus `moved`. */
function open(t: Test, fifo: boolean) {
  const clock = { now: 1_000_000, moved: 0 }
  t.intercept(performance, 'now', { value: () => clock.now })
  t.intercept(Date, 'now', { value: () => clock.now + clock.moved })
  const store = new MemoryStore()
  const type = fifo ? { FifoQueue: 'true' } : {}
  const dead = store.createQueue('dead', 'http://host/0/dead', 'arn:dead', type)
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: 'arn:dead', maxReceiveCount: 2 })
  const queue = store.createQueue('orders', 'http://host/0/orders', 'arn:orders', { RedrivePolicy, ...type })
  return { clock, store, queue, dead }
}

function send(queue: MemoryQueue, body: string, group?: string) {
  const message = createMessage(body, {}, group)
  if (queue.isFifo()) message.sequenceNumber = queue.nextSequenceNumber()
  queue.add(message)
}

const bodies = (taken: ReturnType<MemoryQueue['take']>) => taken.map(({ message }) => message.body)

test('FIFO: while one message of a group is in flight, the rest of the group waits; then it keeps its order', async (t) => {
  const { queue, clock } = open(t, true)
  for (const number of [1, 2, 3, 4, 5, 6]) send(queue, `a${number}`, 'a')
  send(queue, 'b1', 'b')
  const taken = queue.take(3)
  t.strictSame(bodies(taken), ['a1', 'a2', 'a3'])
  t.strictSame(bodies(queue.take(10)), ['b1'], 'only the other group')
  const [first, second, third] = taken.map(({ receiptHandle }) => receiptHandle) as [string, string, string]
  queue.remove(first)
  queue.changeVisibility(third, 0)
  t.strictSame(bodies(queue.take(10)), [], 'a2 is still in flight')
  queue.changeVisibility(second, 5)
  clock.now += 4999
  t.strictSame(bodies(queue.take(10)), [])
  clock.now += 1
  t.strictSame(bodies(queue.take(10)), ['a2', 'a3', 'a4', 'a5', 'a6'])
})

test('FIFO: a call takes at most four messages of each group first, and the next call begins with another group', async (t) => {
  const { queue } = open(t, true)
  for (let number = 1; number <= 20; number++)
    for (const group of ['a', 'b', 'c']) send(queue, `${group}${number}`, group)
  t.strictSame(bodies(queue.take(10)), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4', 'c1', 'c2'])
  const { queue: one } = open(t, true)
  for (let number = 1; number <= 12; number++) send(one, `a${number}`, 'a')
  t.equal(one.take(10).length, 10, 'more of a single group')
})

test('a message that was delivered often enough goes to the dead-letter queue when it would be received again', async (t) => {
  for (const fifo of [false, true]) {
    const { queue, dead } = open(t, fifo)
    send(queue, 'x', 'a')
    for (let receive = 1; receive <= 2; receive++) {
      const [taken] = queue.take(10)
      t.equal(taken?.message.approximateReceiveCount, receive)
      queue.changeVisibility(taken?.receiptHandle ?? '', 0)
    }
    t.strictSame([queue.take(10).length, queue.size, dead.size, dead.sentByClients], [0, 0, 1, 0])
  }
})

test('a duplicated message is delivered once more after it was deleted, as if for the first time', async (t) => {
  const { queue } = open(t, false)
  const message = createMessage('x', {})
  queue.duplicated.add(message)
  queue.add(message)
  for (const remaining of [1, 0]) {
    const [taken] = queue.take(10)
    t.match(taken?.message, { messageId: message.messageId, approximateReceiveCount: 1 })
    queue.remove(taken?.receiptHandle ?? '')
    t.equal(queue.size, remaining)
  }
})

test('clients: delayed messages, deleted messages, and how many they have sent', async (t) => {
  const { queue, clock } = open(t, false)
  queue.enqueue({ ...createMessage('later', {}), delayUntil: clock.now + 1000 })
  queue.enqueue(createMessage('now', {}))
  t.match(queue.getAllAttributes(['All']), {
    QueueArn: 'arn:orders',
    ApproximateNumberOfMessages: '1',
    ApproximateNumberOfMessagesDelayed: '1',
    ApproximateNumberOfMessagesNotVisible: '0',
    VisibilityTimeout: '30',
  })
  t.strictSame(queue.getAllAttributes(['DelaySeconds', 'Policy']), { DelaySeconds: '0' })
  const [taken] = queue.take(10)
  t.equal(taken?.message.body, 'now')
  t.ok(queue.deleteMessage(taken?.receiptHandle ?? ''))
  t.notOk(queue.deleteMessage('unknown'))
  t.strictSame([...queue.deletedByClients], [taken?.message.messageId])
  clock.now += 1000
  t.strictSame(bodies(queue.take(10)), ['later'])
  t.equal(queue.sentByClients, 2)
})

for (const [direction, moved] of [
  ['forward', 3_600_000],
  ['back', -3_600_000],
] as const) {
  test(`messages become visible after their time, although the time of day is moved ${direction} by an hour`, async (t) => {
    const { queue, clock } = open(t, false)
    queue.add(createMessage('received', {}))
    queue.add(createMessage('failed', {}))
    queue.enqueue({ ...createMessage('delayed', {}), delayUntil: clock.now + 2000 })
    const [, failed] = queue.take(10, 3)
    queue.changeVisibility(failed?.receiptHandle ?? '', 1)
    clock.moved = moved
    for (const body of ['failed', 'delayed', 'received']) {
      clock.now += 999
      t.strictSame(bodies(queue.take(10)), [])
      clock.now += 1
      t.strictSame(bodies(queue.take(10)), [body])
    }
  })
}

test('a FIFO queue drops a duplicate for five minutes', async (t) => {
  const { queue, clock } = open(t, true)
  queue.recordDeduplication('id', 'm', '7')
  t.strictSame(queue.checkDeduplication('other'), { isDuplicate: false })
  const known = { isDuplicate: true, originalMessageId: 'm', originalSequenceNumber: '7' }
  t.strictSame(queue.checkDeduplication('id'), known)
  clock.now += 5 * 60_000
  t.strictSame(queue.checkDeduplication('id'), known)
  clock.now += 1
  t.strictSame(queue.checkDeduplication('id'), { isDuplicate: false })
})

test('the checksums are those of SQS', async (t) => {
  // From the client of the AWS SDK and from fauxqs, for the same message.
  const { md5OfBody, md5OfMessageAttributes } = createMessage('hello', {
    kind: { DataType: 'String', StringValue: 'new' },
    blob: { DataType: 'Binary', BinaryValue: 'AP8=' },
  })
  t.equal(md5OfBody, '5d41402abc4b2a76b9719d911017c592')
  t.equal(md5OfMessageAttributes, '5b87591622cf0affb404b70479ac0341')
})
