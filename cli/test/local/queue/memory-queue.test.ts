import { type Test, test } from 'tap'
import { createMessage, MemoryQueue, toMessage } from '../../../src/local/queue/memory-queue.ts'

/** A queue with a dead-letter queue, on a clock that the test sets. The time of day is the clock plus `moved`. */
function open(t: Test, fifo: boolean) {
  const clock = { now: 1_000_000, moved: 0 }
  t.intercept(performance, 'now', { value: () => clock.now })
  t.intercept(Date, 'now', { value: () => clock.now + clock.moved })
  const dead = new MemoryQueue({ url: 'http://host/0/dead', arn: 'arn:dead', fifo, visibilityTimeout: 30 })
  const redrive = { deadLetters: dead, maxReceives: 2 }
  const options = { url: 'http://host/0/orders', arn: 'arn:orders', fifo, visibilityTimeout: 30 }
  return { clock, dead, queue: new MemoryQueue({ ...options, ...redrive }) }
}

const entry = (body: string, group?: string) => ({ Id: 'x', MessageBody: body, MessageGroupId: group })

function send(queue: MemoryQueue, body: string, group?: string) {
  return queue.send(entry(body, group))
}

const bodies = (taken: ReturnType<MemoryQueue['take']>) => taken.map(({ message }) => message.entry.MessageBody)

test('FIFO: while one message of a group is in flight, the rest of the group waits; then it keeps its order', async (t) => {
  const { queue, clock } = open(t, true)
  for (const number of [1, 2, 3, 4, 5, 6]) send(queue, `a${number}`, 'a')
  send(queue, 'b1', 'b')
  const taken = queue.take(3)
  t.strictSame(bodies(taken), ['a1', 'a2', 'a3'])
  t.strictSame(bodies(queue.take(10)), ['b1'], 'only the other group')
  const [first, second, third] = taken.map(({ receiptHandle }) => receiptHandle) as [string, string, string]
  queue.remove(first)
  queue.setVisibility(third, 0)
  t.strictSame(bodies(queue.take(10)), [], 'a2 is still in flight')
  queue.setVisibility(second, 5)
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
      t.equal(taken?.message.receiveCount, receive)
      queue.setVisibility(taken?.receiptHandle ?? '', 0)
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
      t.equal(taken[1]?.message.receiveCount, 1)
      for (const { receiptHandle } of taken) queue.release(receiptHandle)
      queue.release('unknown')
    }
  }
})

test('a duplicated message is delivered once more after it was deleted, as if for the first time', async (t) => {
  const { queue } = open(t, false)
  const message = send(queue, 'x')
  queue.duplicated.add(message)
  for (const remaining of [1, 0]) {
    const [taken] = queue.take(10)
    t.match(taken?.message, { messageId: message.messageId, receiveCount: 1 })
    queue.remove(taken?.receiptHandle ?? '')
    t.equal(queue.size, remaining)
  }
})

test('clients: delayed messages, deleted messages, and how many they have sent', async (t) => {
  const { queue, clock } = open(t, false)
  queue.send({ ...entry('later'), DelaySeconds: 1 }, true)
  queue.send(entry('now'), true)
  t.match(queue.attributes, {
    QueueArn: 'arn:orders',
    ApproximateNumberOfMessages: '1',
    ApproximateNumberOfMessagesNotVisible: '1',
    VisibilityTimeout: '30',
  })
  const [taken] = queue.take(10)
  t.equal(taken?.message.entry.MessageBody, 'now')
  queue.remove(taken?.receiptHandle ?? '', true)
  queue.remove('unknown', true)
  t.strictSame(taken?.byClients, { isDeleted: true })
  clock.now += 1000
  t.strictSame(bodies(queue.take(10)), ['later'])
  send(queue, 'of this process')
  t.equal(queue.sentByClients, 2)
})

for (const [direction, moved] of [
  ['forward', 3_600_000],
  ['back', -3_600_000],
] as const) {
  test(`messages become visible after their time, although the time of day is moved ${direction} by an hour`, async (t) => {
    const { queue, clock } = open(t, false)
    send(queue, 'received')
    send(queue, 'failed')
    queue.send({ ...entry('delayed'), DelaySeconds: 2 }, true)
    const [, failed] = queue.take(10, 3)
    queue.setVisibility(failed?.receiptHandle ?? '', 1)
    clock.moved = moved
    for (const body of ['failed', 'delayed', 'received']) {
      clock.now += 999
      t.strictSame(bodies(queue.take(10)), [])
      clock.now += 1
      t.strictSame(bodies(queue.take(10)), [body])
    }
  })
}

test('a message is visible again after its visibility timeout: that of the call, or that of the queue', async (t) => {
  for (const [take, seconds] of [
    [(queue: MemoryQueue) => queue.take(10), 30],
    [(queue: MemoryQueue) => queue.receive(10, 0), 30],
    [(queue: MemoryQueue) => queue.take(10, 3), 3],
    [(queue: MemoryQueue) => queue.receive(10, 0, undefined, 3), 3],
  ] as const) {
    const { queue, clock } = open(t, false)
    send(queue, 'x')
    t.equal((await take(queue)).length, 1)
    clock.now += seconds * 1000 - 1
    t.equal((await take(queue)).length, 0)
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
  queue.setVisibility(b, 6) // until 7 s
  queue.setVisibility(a, 2) // until 3 s
  queue.setVisibility('unknown', 0)
  const visibleAt = (seconds: number) => {
    clock.now = 1_000_000 + seconds * 1000
    queue.processTimers()
    return queue.readyCount
  }
  t.strictSame([2.9, 3, 6.9, 7, 8.9, 9].map(visibleAt), [0, 1, 1, 2, 2, 3])
  queue.remove(c)
  t.equal(queue.size, 3, 'its receipt handle is no longer valid')
})

test('a FIFO queue drops a duplicate of a client for five minutes, and returns the first message with the new checksum', async (t) => {
  const { queue, clock } = open(t, true)
  const sendId = (body: string, id?: string) => {
    const { messageId, sequenceNumber, md5OfBody } = queue.send(
      { ...entry(body, 'a'), MessageDeduplicationId: id },
      true,
    )
    return [messageId, sequenceNumber, md5OfBody]
  }
  const [id, number, md5] = sendId('1', 'x')
  t.equal(number, '00000000000000000001')
  clock.now += 5 * 60_000
  t.strictSame(sendId('2', 'x'), [id, number, 'c81e728d9d4c2f636f067f89cc14862c'])
  clock.now += 1
  t.equal(sendId('1', 'x')[1], '00000000000000000002')
  t.strictSame(sendId('1'), [sendId('1')[0], '00000000000000000003', md5], 'by content')
  t.strictSame([queue.sentByClients, bodies(queue.take(10))], [3, ['1', '1', '1']])
})

test('the checksum of a body is that of SQS', async (t) => {
  t.equal(createMessage(entry('hello')).md5OfBody, '5d41402abc4b2a76b9719d911017c592')
})

test('a queue has its settings and its counts', async (t) => {
  const { queue, clock } = open(t, false)
  for (const body of ['1', '2', '3']) send(queue, body)
  queue.send({ ...entry('4'), DelaySeconds: 1 }, true)
  queue.take(1)
  clock.now += 500
  const settings = { VisibilityTimeout: '30' }
  t.strictSame(queue.attributes, {
    ...settings,
    QueueArn: 'arn:orders',
    ApproximateNumberOfMessages: '2',
    ApproximateNumberOfMessagesNotVisible: '2',
    ApproximateNumberOfMessagesDelayed: '0',
    RedrivePolicy: '{"deadLetterTargetArn":"arn:dead","maxReceiveCount":2}',
  })
  t.equal(queue.size, 4)
  t.strictSame(open(t, true).dead.attributes, {
    ...settings,
    QueueArn: 'arn:dead',
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '0',
    ApproximateNumberOfMessagesDelayed: '0',
    FifoQueue: 'true',
    ContentBasedDeduplication: 'false',
  })
})

test('clients receive the fields of SQS, and only those system attributes that a message has', async (t) => {
  const { queue, clock } = open(t, false)
  const MessageAttributes = { kind: { DataType: 'String', StringValue: 'new' } }
  const MessageSystemAttributes = { AWSTraceHeader: { DataType: 'String', StringValue: 'Root=1' } }
  const full = { ...entry('full', 'a'), MessageAttributes, MessageSystemAttributes, MessageDeduplicationId: 'id' }
  const { messageId } = queue.send(full, true)
  queue.send(entry('plain'), true)
  clock.now += 10
  const taken = queue.take(10)
  /** As clients receive it. JSON does not contain what is undefined. */
  const sent = (one: (typeof taken)[number]) => ({ ...toMessage(one), Attributes: withoutUndefined(toMessage(one)) })
  const withoutUndefined = ({ Attributes }: ReturnType<typeof toMessage>) => JSON.parse(JSON.stringify(Attributes))
  const [first, second] = taken.map(sent)
  const received = {
    SenderId: '000000000000',
    SentTimestamp: '1000000',
    ApproximateReceiveCount: '1',
    ApproximateFirstReceiveTimestamp: '1000010',
  }
  t.strictSame(first, {
    MessageId: messageId,
    ReceiptHandle: taken[0]?.receiptHandle,
    Body: 'full',
    MD5OfBody: 'e9dc924f238fa6cc29465942875fe8f0',
    MessageAttributes,
    Attributes: { ...received, MessageGroupId: 'a', MessageDeduplicationId: 'id', AWSTraceHeader: 'Root=1' },
  })
  t.strictSame(second?.Attributes, received)
  send(queue, 'own')
  queue.send({ ...entry('no trace'), MessageSystemAttributes: {} })
  for (const one of queue.take(2)) t.strictSame(sent(one).Attributes, { ...received, SentTimestamp: '1000010' })
})

test('only messages of a FIFO queue have a sequence number', async (t) => {
  const { queue } = open(t, true)
  send(queue, 'own', 'a')
  queue.send(entry('of a client', 'b'), true)
  const numbers = queue.take(2).map((one) => String(toMessage(one).Attributes?.SequenceNumber))
  t.match(numbers, [/^\d{20}$/, /^\d{20}$/])
  t.ok(String(numbers[0]) < String(numbers[1]))
})

test('FIFO: the first messages of a group keep their order when they return, and an empty group uses no place', async (t) => {
  const { queue } = open(t, true)
  for (const body of ['a1', 'a2', 'a3']) send(queue, body, 'a')
  const handles = queue.take(3).map(({ receiptHandle }) => receiptHandle)
  for (const index of [1, 2, 0]) queue.setVisibility(handles[index] as string, 0)
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
  for (const _ of [1, 2]) queue.setVisibility(queue.take(1)[0]?.receiptHandle as string, 0)
  send(queue, 'b1', 'b')
  t.strictSame([bodies(queue.take(1)), dead.size, bodies(queue.take(1))], [[], 1, ['b1']])
  send(queue, 'c1', 'c')
  t.strictSame(bodies(queue.take(1)), ['c1'], 'the empty group uses no place any more')
})

test('a message that came back from its function more than 16 times is dead-lettered, if loops are stopped', async (t) => {
  const { dead } = open(t, false)
  const options = { url: 'http://host/0/orders', arn: 'arn:orders', fifo: false, visibilityTimeout: 30 }
  const header = (Lineage: string) => ({
    MessageSystemAttributes: { AWSTraceHeader: { DataType: 'String', StringValue: `Root=1;${Lineage}` } },
  })
  for (const [Lineage, isLoop] of [
    ['Lineage=1:abc:15', false],
    ['Lineage=1:abc:16', true],
    ['Lineage=25:abc:16', true],
    ['Lineage=1::16', true],
    ['Sampled=0', false],
  ] as const) {
    const queue = new MemoryQueue({ ...options, deadLetters: dead, stopsLoops: true })
    queue.send({ ...entry('x'), ...header(Lineage) })
    t.equal(queue.take(1).length, isLoop ? 0 : 1, Lineage)
    t.equal(queue.stoppedLoops, isLoop ? 1 : 0)
  }
  t.equal(dead.size, 3)
  const queue = new MemoryQueue({ ...options, deadLetters: dead })
  queue.send({ ...entry('x'), ...header('Lineage=1:abc:99') })
  queue.send(entry('without a header'))
  t.equal(queue.take(2).length, 2)
})

test('a standard queue delivers messages of all groups in one list', async (t) => {
  const { queue } = open(t, false)
  const sent = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'b1', 'a7']
  for (const body of sent) send(queue, body, body[0])
  t.strictSame(bodies(queue.take(7)), sent.slice(0, 7))
  t.strictSame(bodies(queue.take(7)), ['a7'], 'messages in flight do not block others')
})

/** Whether a promise settles within some turns of the event loop. */
async function isSettled(promise: Promise<unknown>) {
  const later = new Promise((resolve) => setTimeout(resolve, 30, 'later'))
  return (await Promise.race([promise, later])) !== 'later'
}

test('a waiting call receives a message that is sent, that returns, or whose visibility timeout ends', async (t) => {
  for (const fifo of [false, true]) {
    const { queue, clock } = open(t, fifo)
    for (const act of [
      () => send(queue, 'a', 'a'),
      () => queue.setVisibility([...queue.inflightMessages.keys()][0] as string, 0),
      () => queue.release([...queue.inflightMessages.keys()][0] as string),
      () => {
        clock.now += 30_000
      },
    ]) {
      const waiting = queue.receive(10, 60)
      t.notOk(await isSettled(waiting))
      act()
      const [taken] = await waiting
      t.equal(taken?.message.entry.MessageBody, 'a')
      if (taken) taken.message.receiveCount = 1 // so that it does not become a dead letter
    }
  }
})

test('of several waiting calls, one receives the message, and the others go on waiting', async (t) => {
  const { queue } = open(t, false)
  const aborted = new AbortController()
  const waiting = [1, 2, 3].map(() => queue.receive(1, 60, aborted.signal))
  send(queue, 'x')
  t.strictSame(bodies(await Promise.race(waiting)), ['x'])
  aborted.abort()
  t.strictSame((await Promise.all(waiting)).map(bodies), [['x'], [], []])
})

test('FIFO: a waiting call ends when the last message of a group in flight is deleted', async (t) => {
  const { queue } = open(t, true)
  for (const body of ['a1', 'a2', 'a3']) send(queue, body, 'a')
  const [first, second] = queue.take(2).map(({ receiptHandle }) => receiptHandle) as [string, string]
  const waiting = queue.receive(10, 60)
  queue.remove(first)
  t.notOk(await isSettled(waiting))
  queue.remove(second)
  t.strictSame(bodies(await waiting), ['a3'])
})

test('a call waits for its time, and not at all if it need not or if its client has ended', async (t) => {
  const { queue, clock } = open(t, false)
  const waiting = queue.receive(10, 7)
  clock.now += 6999
  t.notOk(await isSettled(waiting))
  clock.now += 1
  t.strictSame(await waiting, [])
  t.strictSame(await queue.receive(10, 0), [])
  t.strictSame(await queue.receive(10, 60, AbortSignal.abort()), [])
  const ended = new AbortController()
  const other = queue.receive(10, 60, ended.signal)
  ended.abort()
  send(queue, 'x')
  t.strictSame(await other, [], 'nothing is delivered to a client that has ended')
  t.strictSame(bodies(await queue.receive(10, 60)), ['x'])
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

test('what clients delete or set is known, and how often the event source mapping replaces a visibility timeout', async (t) => {
  const { queue } = open(t, false)
  for (const body of ['a', 'b', 'c']) send(queue, body)
  const [a, b, c] = queue.take(3)
  queue.remove(a?.receiptHandle ?? '')
  queue.remove(b?.receiptHandle ?? '', true)
  t.strictSame([a?.byClients, b?.byClients, c?.byClients], [{ isDeleted: false }, { isDeleted: true }, {}])
  const set = (isClient?: boolean) => {
    queue.setVisibility(c?.receiptHandle ?? '', 5, isClient)
    return queue.replacedTimeouts
  }
  t.strictSame([set(), set(true), set(), set(true)], [0, 0, 1, 1])
  t.strictSame(c?.byClients, { isDelayed: true })
})
