import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { createMessage, type MemoryQueue, MemoryStore } from '../../src/local/simulator/memory-queue.ts'

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

test('a message that was received and not delivered returns as if it had not been received', async (t) => {
  for (const fifo of [false, true]) {
    const { queue } = open(t, fifo)
    for (const body of ['x', 'y']) send(queue, body, 'a')
    for (let receive = 1; receive <= 5; receive++) {
      const taken = queue.take(2)
      t.strictSame(bodies(taken), ['x', 'y'])
      t.equal(taken[1]?.message.approximateReceiveCount, 1)
      for (const { receiptHandle } of taken) queue.release(receiptHandle)
      queue.release('unknown')
    }
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

test('a queue has the default attributes of SQS, its counts and the time of its creation', async (t) => {
  const { store, clock } = open(t, false)
  const queue = store.createQueue('q', 'http://host/0/q', 'arn:q', { VisibilityTimeout: '40' }, { team: 'a' })
  t.strictSame([...queue.tags], [['team', 'a']])
  queue.add(createMessage('1', {}))
  queue.add(createMessage('2', {}))
  queue.add(createMessage('3', {}))
  queue.enqueue({ ...createMessage('4', {}), delayUntil: clock.now + 1 })
  queue.take(1)
  t.strictSame(queue.getAllAttributes(['All']), {
    VisibilityTimeout: '40',
    DelaySeconds: '0',
    MaximumMessageSize: '1048576',
    MessageRetentionPeriod: '345600',
    ReceiveMessageWaitTimeSeconds: '0',
    QueueArn: 'arn:q',
    ApproximateNumberOfMessages: '2',
    ApproximateNumberOfMessagesNotVisible: '1',
    ApproximateNumberOfMessagesDelayed: '1',
    CreatedTimestamp: '1000',
    LastModifiedTimestamp: '1000',
  })
  t.equal(queue.size, 4)
})

test('attributes can be changed, and an empty redrive policy removes it', async (t) => {
  const { queue } = open(t, false)
  queue.setAttributes({ VisibilityTimeout: '7' })
  t.match(queue.getAllAttributes(['VisibilityTimeout', 'RedrivePolicy']), {
    VisibilityTimeout: '7',
    RedrivePolicy: /arn:dead/,
  })
  queue.setAttributes({ RedrivePolicy: '' })
  t.strictSame(queue.getAllAttributes(['RedrivePolicy']), {})
})

test('clients receive the fields of SQS, and only those that a message has', async (t) => {
  const { queue } = open(t, false)
  const attributes = { kind: { DataType: 'String', StringValue: 'new' } }
  const [plain, full] = [createMessage('plain', {}), createMessage('full', attributes)]
  queue.add(plain)
  queue.add(full)
  const received = queue.dequeue(10)
  t.strictSame(
    received.map(({ ReceiptHandle, ...rest }) => rest),
    [
      { MessageId: plain.messageId, MD5OfBody: plain.md5OfBody, Body: 'plain' },
      {
        MessageId: full.messageId,
        MD5OfBody: full.md5OfBody,
        Body: 'full',
        MD5OfMessageAttributes: full.md5OfMessageAttributes,
        MessageAttributes: attributes,
      },
    ],
  )
  t.strictSame(
    received.map(({ ReceiptHandle }) => ReceiptHandle),
    [...queue.inflightMessages.keys()],
  )
})

test('a message is visible again after its visibility timeout: that of the call, or that of the queue', async (t) => {
  const { queue, clock } = open(t, false)
  queue.setAttributes({ VisibilityTimeout: '7' })
  for (const [take, seconds] of [
    [() => queue.take(10), 7],
    [() => queue.dequeue(10), 7],
    [() => queue.take(10, 3), 3],
    [() => queue.dequeue(10, 3), 3],
  ] as const) {
    queue.purge()
    send(queue, 'x')
    t.equal(take().length, 1)
    clock.now += seconds * 1000 - 1
    t.equal(take().length, 0)
    clock.now += 1
    queue.processTimers()
    t.equal(queue.readyCount, 1)
  }
})

test('each message has its own visibility timeout, and a changed one counts from the change', async (t) => {
  const { queue, clock } = open(t, false)
  for (const body of ['a', 'b', 'c']) send(queue, body)
  const [a, b, c] = [5, 20, 9].map((seconds) => queue.take(1, seconds)[0]?.receiptHandle as string) as [
    string,
    string,
    string,
  ]
  clock.now += 1000
  queue.changeVisibility(b, 6) // until 7 s
  queue.changeVisibility(a, 2) // until 3 s
  queue.changeVisibility('unknown', 0)
  const visibleAt = (seconds: number) => {
    clock.now = 1_000_000 + seconds * 1000
    queue.processTimers()
    return queue.readyCount
  }
  t.strictSame([2.9, 3, 6.9, 7, 8.9, 9].map(visibleAt), [0, 1, 1, 2, 2, 3])
  t.notOk(queue.remove(c), 'its receipt handle is no longer valid')
})

test('delayed messages become visible one after the other', async (t) => {
  const { queue, clock } = open(t, false)
  for (const seconds of [2, 1, 3]) {
    queue.enqueue({ ...createMessage(`${seconds}`, {}), delayUntil: clock.now + seconds * 1000 })
  }
  queue.enqueue({ ...createMessage('now', {}), delayUntil: clock.now })
  t.equal(queue.readyCount, 1, 'a delay that has passed')
  const bodiesAfter = (ms: number) => {
    clock.now += ms
    return bodies(queue.take(10))
  }
  t.strictSame([0, 999, 1, 999, 1, 1000].map(bodiesAfter), [['now'], [], ['1'], [], ['2'], ['3']])
  t.equal(queue.size, 4)
})

test('the times of its first delivery and its deliveries belong to a message', async (t) => {
  const { queue, clock } = open(t, false)
  const message = createMessage('x', {})
  t.match(message, { sentTimestamp: 1_000_000, approximateReceiveCount: 0 })
  queue.add(message)
  clock.now += 10
  queue.changeVisibility(queue.take(1)[0]?.receiptHandle as string, 0)
  clock.now += 10
  t.match(queue.take(1)[0]?.message, { approximateFirstReceiveTimestamp: 1_000_010, approximateReceiveCount: 2 })
})

test('the messages of clients have the group of the message, or else that of their attributes', async (t) => {
  const { queue, store } = open(t, false)
  store.groupOf = ({ group }: { group?: string }) => group
  const groupOf = (attributes: object, group?: string) => {
    queue.enqueue(createMessage('x', attributes as never, group))
    const message = queue.take(1)[0]?.message
    return message && 'messageGroupId' in message ? message.messageGroupId : 'none'
  }
  const attributes = { group: { DataType: 'String', StringValue: 'b' } }
  t.strictSame([groupOf({}, 'a'), groupOf({}), groupOf(attributes, 'a')], ['a', 'none', 'a'])
  t.equal(groupOf(attributes), attributes.group as never)
  t.equal(new MemoryStore().groupOf({}), undefined)
})

test('a redrive policy without its queue moves nothing', async (t) => {
  const { queue } = open(t, false)
  queue.setAttributes({ RedrivePolicy: '{"deadLetterTargetArn":"arn:missing","maxReceiveCount":1}' })
  send(queue, 'x')
  for (const count of [1, 2, 3]) {
    const [taken] = queue.take(1)
    t.equal(taken?.message.approximateReceiveCount, count)
    queue.changeVisibility(taken?.receiptHandle as string, 0)
  }
})

test('FIFO: the first messages of a group keep their order when they return, and an empty group uses no place', async (t) => {
  const { queue } = open(t, true)
  for (const body of ['a1', 'a2', 'a3']) send(queue, body, 'a')
  const handles = queue.take(3).map(({ receiptHandle }) => receiptHandle)
  for (const index of [1, 2, 0]) queue.changeVisibility(handles[index] as string, 0)
  const again = queue.take(10)
  t.strictSame(bodies(again), ['a1', 'a2', 'a3'])
  for (const { receiptHandle } of again) queue.remove(receiptHandle)
  send(queue, 'b1', 'b')
  t.strictSame(bodies(queue.take(1)), ['b1'])
})

test('FIFO: a call takes no more than wanted, and other groups are next', async (t) => {
  const { queue } = open(t, true)
  for (let number = 1; number <= 6; number++)
    for (const group of ['a', 'b', 'c']) send(queue, `${group}${number}`, group)
  const takeAndRemove = (most: number) => {
    const taken = queue.take(most)
    for (const { receiptHandle } of taken) queue.remove(receiptHandle)
    return bodies(taken)
  }
  t.strictSame(takeAndRemove(4), ['a1', 'a2', 'a3', 'a4'])
  t.strictSame(takeAndRemove(4), ['b1', 'b2', 'b3', 'b4'])
  t.strictSame(takeAndRemove(7), ['c1', 'c2', 'c3', 'c4', 'a5', 'a6', 'b5'])
  t.strictSame(takeAndRemove(7), ['c5', 'c6', 'b6'])
})

test('FIFO: a dead letter uses the place of its group in a call', async (t) => {
  const { queue, dead } = open(t, true)
  send(queue, 'a1', 'a')
  for (const _ of [1, 2]) queue.changeVisibility(queue.take(1)[0]?.receiptHandle as string, 0)
  send(queue, 'b1', 'b')
  t.strictSame([bodies(queue.take(1)), dead.size, bodies(queue.take(1))], [[], 1, ['b1']])
})

test('a standard queue delivers messages of all groups in one list', async (t) => {
  const { queue } = open(t, false)
  const sent = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'b1', 'a7']
  for (const body of sent) send(queue, body, body[0])
  t.strictSame(bodies(queue.take(7)), sent.slice(0, 7))
  t.strictSame(bodies(queue.take(7)), ['a7'], 'messages in flight do not block others')
})

test('FIFO: messages without a group form one', async (t) => {
  const { queue } = open(t, true)
  for (const body of ['1', '2']) send(queue, body)
  t.strictSame(bodies(queue.take(1)), ['1'])
  t.strictSame(bodies(queue.take(1)), [])
})

test('purging removes visible, delayed and received messages, and the locks of their groups', async (t) => {
  const { queue, clock } = open(t, true)
  for (const body of ['a1', 'a2']) send(queue, body, 'a')
  queue.enqueue({ ...createMessage('later', {}, 'b'), delayUntil: clock.now + 1000 })
  queue.take(1)
  queue.purge()
  t.equal(queue.size, 0)
  clock.now += 60_000
  t.strictSame(bodies(queue.take(10)), [])
  send(queue, 'a3', 'a')
  t.strictSame(bodies(queue.take(10)), ['a3'])
})

test('sequence numbers and deduplication without one', async (t) => {
  const { queue } = open(t, true)
  t.strictSame(
    [queue.nextSequenceNumber(), queue.nextSequenceNumber()],
    ['00000000000000000001', '00000000000000000002'],
  )
  queue.recordDeduplication('id', 'm')
  t.strictSame(queue.checkDeduplication('id'), { isDuplicate: true, originalMessageId: 'm' })
})

/** Whether a promise settles within some turns of the event loop. */
async function isSettled(promise: Promise<unknown>) {
  const later = new Promise((resolve) => setTimeout(resolve, 5, 'later'))
  return (await Promise.race([promise, later])) !== 'later'
}

test('a waiting call ends when a message may be available, and not when one is deleted from a standard queue', async (t) => {
  for (const fifo of [false, true]) {
    const { queue, clock } = open(t, fifo)
    send(queue, 'a1', 'a')
    send(queue, 'a2', 'a')
    const [first, second] = queue.take(2).map(({ receiptHandle }) => receiptHandle) as [string, string]
    const deleted = queue.waitForMessages(60)
    queue.remove(first)
    t.notOk(await isSettled(deleted))
    const changed = queue.waitForMessages(60)
    queue.changeVisibility(second, 0)
    t.ok(await isSettled(Promise.all([deleted, changed])), 'all waiting calls')
    const [again] = queue.take(1)
    const expired = queue.waitForMessages(60)
    clock.now += 60_000
    await expired // after at most 20 ms
    queue.take(1)
    const sent = queue.waitForMessages(60)
    send(queue, 'b', 'b')
    t.ok(await isSettled(sent))
    queue.remove(again?.receiptHandle as string)
    queue.close()
  }
})

test('FIFO: a waiting call ends when the last message of a group in flight is deleted', async (t) => {
  const { queue } = open(t, true)
  for (const body of ['a1', 'a2', 'a3']) send(queue, body, 'a')
  const [first, second] = queue.take(2).map(({ receiptHandle }) => receiptHandle) as [string, string]
  const waiting = queue.waitForMessages(60)
  queue.remove(first)
  t.notOk(await isSettled(waiting))
  queue.remove(second)
  t.ok(await isSettled(waiting))
  queue.close()
})

/** The timers that run in this process since this call. */
function openTimers(t: Test) {
  const open = new Set<unknown>()
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis
  function started(timer: unknown) {
    open.add(timer)
    return timer
  }
  t.intercept(globalThis, 'setInterval', { value: (run: () => void, ms: number) => started(setInterval(run, ms)) })
  t.intercept(globalThis, 'setTimeout', {
    value: (run: () => void, ms: number) => {
      const timer = setTimeout(() => {
        open.delete(timer)
        run()
      }, ms)
      return started(timer)
    },
  })
  for (const [name, clear] of Object.entries({ clearTimeout, clearInterval })) {
    t.intercept(globalThis, name as 'clearTimeout', {
      value: (timer: NodeJS.Timeout) => {
        open.delete(timer)
        clear(timer)
      },
    })
  }
  return open
}

test('a waiting call ends after its time, and leaves no timers', async (t) => {
  const { queue } = open(t, false)
  const timers = openTimers(t)
  await Promise.all([queue.waitForMessages(0.001), queue.waitForMessages(0.002)])
  for (let tries = 0; timers.size > 0 && tries < 50; tries++) await sleep(2)
  t.equal(timers.size, 0, 'the next poll has ended the polling')
  queue.waitForMessages(60)
  t.equal(timers.size, 2)
  queue.close()
  t.equal(timers.size, 0)
})

test('after a waiting call has ended, messages still become visible for another one', async (t) => {
  const { queue, clock } = open(t, false)
  send(queue, 'a')
  queue.take(1)
  const [short, long] = [queue.waitForMessages(0.001), queue.waitForMessages(60)]
  await short
  await sleep(45) // two polls
  clock.now += 30_000
  await long // ends at the next poll
  t.equal(queue.readyCount, 1)
  queue.close()
})

test('the queues of a store are found by their address, ARN and name', async (t) => {
  const { store, queue, dead } = open(t, false)
  t.equal(store.getQueue('http://127.0.0.1:4566/0/orders'), queue)
  t.equal(store.getQueue('orders'), queue)
  t.equal(store.getQueueByArn('arn:dead'), dead)
  t.strictSame(store.listQueues().queues, [dead, queue])
  t.strictSame(store.listQueues('ord').queues, [queue])
  t.equal(store.buildQueueUrl('orders', '4566', '127.0.0.1:4566'), 'http://127.0.0.1:4566/000000000000/orders')
  const timers = openTimers(t)
  queue.waitForMessages(60)
  dead.waitForMessages(60)
  t.notOk(store.deleteQueue('http://host/0/unknown'))
  t.ok(store.deleteQueue('http://host/0/orders'))
  t.equal(store.getQueue('orders'), undefined)
  t.equal(timers.size, 2, 'those of the other queue')
  store.shutdown()
  t.equal(timers.size, 0)
})

test('an attribute without a value has the checksum of an empty one', async (t) => {
  const of = (attribute: object) => createMessage('x', { a: { DataType: 'String', ...attribute } })
  t.equal(of({}).md5OfMessageAttributes, of({ StringValue: '' }).md5OfMessageAttributes)
  t.not(of({}).md5OfMessageAttributes, of({ StringValue: 'x' }).md5OfMessageAttributes)
  t.equal(createMessage('x', {}).md5OfMessageAttributes, '')
})

test('a call looks at the messages in flight only when the time of one has come', async (t) => {
  const { queue, clock } = open(t, false)
  for (const body of ['a', 'b']) send(queue, body)
  queue.take(1, 5)
  queue.take(1, 9)
  const reads = t.capture(queue.inflightMessages, 'values', queue.inflightMessages.values)
  clock.now += 4999
  queue.take(1)
  t.equal(reads().length, 0)
  clock.now += 1
  queue.take(1)
  t.equal(reads().length, 1)
})
