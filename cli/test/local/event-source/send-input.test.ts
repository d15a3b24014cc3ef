import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { type SendOptions, sendInput } from '../../../src/local/event-source/send-input.ts'
import type { InputMessage } from '../../../src/local/queue/messages-file.ts'
import { UsageError } from '../../../src/shared/errors.ts'

const NEVER = new AbortController().signal
const KB = 1024
const countsOf = (visible: number) => ({ visible, queue: visible, deadLetter: 0 })

/** The response of an SQS that accepts all of these. The id of each message is its body. */
function accepted(entries: Parameters<SendOptions['queue']['send']>[0]) {
  return {
    Successful: entries.map(({ Id, MessageBody }) => ({ Id, MessageId: MessageBody, MD5OfMessageBody: '' })),
    Failed: [],
  }
}

/** Feeds these messages. Returns the calls, and the ids in the ledger. */
async function fed(messages: SendOptions['messages'], changes: Partial<SendOptions> & { fifo?: boolean } = {}) {
  const { fifo = false, ...options } = changes
  const calls: Parameters<SendOptions['queue']['send']>[0][] = []
  const ids: string[] = []
  const state = { running: 0, most: 0 }
  const isComplete = await sendInput({
    queue: {
      fifo,
      counts: async () => countsOf(0),
      send: async (entries) => {
        calls.push(entries)
        state.running += 1
        state.most = Math.max(state.most, state.running)
        await setImmediate()
        state.running -= 1
        return accepted(entries)
      },
    },
    ledger: { sent: (sent) => ids.push(...sent) },
    messages,
    signal: NEVER,
    ...options,
  })
  return { calls, ids, isComplete, ...state, bodies: calls.map((call) => call.map(({ MessageBody }) => MessageBody)) }
}

const texts = (count: number, body = (index: number) => `${index}`) =>
  Array.from({ length: count }, (_, index) => ({ body: body(index) }))

test('messages are sent in calls of ten, and their ids reach the ledger', async (t) => {
  const { calls, ids, isComplete } = await fed(texts(21))
  t.strictSame(
    calls.map(({ length }) => length),
    [10, 10, 1],
  )
  t.strictSame(
    calls[0]?.map(({ Id }) => Id),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  )
  t.strictSame(
    ids,
    texts(21).map(({ body }) => body),
  )
  t.ok(isComplete)
  t.strictSame((await fed([])).calls, [], 'no message, no call')
})

test('an entry has the group and the attributes of its message, and on FIFO an id of its own', async (t) => {
  const messageAttributes = { kind: { DataType: 'String', StringValue: 'new' } }
  const messages = [{ body: 'a', messageGroupId: 'g', messageAttributes }, { body: 'b' }]
  t.strictSame((await fed(messages)).calls, [
    [
      { Id: '0', MessageBody: 'a', MessageAttributes: messageAttributes, MessageGroupId: 'g' },
      { Id: '1', MessageBody: 'b' },
    ],
  ])
  const { calls } = await fed(messages, { fifo: true })
  const ids = calls.flat().map(({ MessageDeduplicationId = '' }) => MessageDeduplicationId)
  t.match(ids, [/^[0-9a-f-]{36}$/, /^[0-9a-f-]{36}$/])
  t.not(ids[0], ids[1])
  const given = await fed([{ body: 'a', messageGroupId: 'g', messageDeduplicationId: 'd' }], { fifo: true })
  t.strictSame(
    given.calls,
    [[{ Id: '0', MessageBody: 'a', MessageGroupId: 'g', MessageDeduplicationId: 'd' }]],
    'or that of the message',
  )
})

test('a call has at most 256 KiB of bodies and attributes, or one message', async (t) => {
  async function lengths(...messages: InputMessage[]) {
    return (await fed(messages)).calls.map(({ length }) => length)
  }
  const ofSize = (bytes: number) => ({ body: 'x'.repeat(bytes) })
  t.strictSame(await lengths(ofSize(128 * KB), ofSize(128 * KB), { body: 'x' }), [2, 1])
  t.strictSame(await lengths(ofSize(128 * KB), ofSize(128 * KB + 1), ofSize(127 * KB)), [1, 2])
  t.strictSame(await lengths(ofSize(300 * KB), ofSize(1), ofSize(300 * KB)), [1, 1, 1])
  t.strictSame(await lengths({ body: 'ü'.repeat(100 * KB) }, ofSize(60 * KB)), [1, 1], 'in bytes')
  const withAttribute = (bytes: number) => ({
    body: 'x',
    messageAttributes: { a: { DataType: 'String', StringValue: 'x'.repeat(bytes) } },
  })
  t.strictSame(await lengths(withAttribute(200 * KB), withAttribute(60 * KB)), [1, 1])
  t.strictSame(await lengths(withAttribute(200 * KB), withAttribute(50 * KB)), [2])
})

test('one call runs at a time', async (t) => {
  t.equal((await fed(texts(1000))).most, 1)
})

test('an asynchronous input fills its calls', async (t) => {
  async function* input() {
    for (const message of texts(12)) {
      await setImmediate()
      yield message
    }
  }
  const numbers = texts(12).map(({ body }) => body)
  t.strictSame((await fed(input())).bodies, [numbers.slice(0, 10), numbers.slice(10)])
})

test('messages are mixed within a limit', async (t) => {
  const mixed = async (messages: SendOptions['messages'], random: number, within = 3) =>
    (await fed(messages, { shuffle: { random: () => random, within } })).bodies
  t.strictSame(await mixed(texts(6), 0), [['0', '3', '4', '5', '2', '1']])
  t.strictSame(await mixed(texts(6), 0.99), [['2', '3', '4', '5', '1', '0']])
  t.strictSame(await mixed(texts(6), 0.5), [['1', '3', '4', '5', '2', '0']])
  t.strictSame(await mixed(texts(3), 0, 1), [['0', '1', '2']])
})

test('a response of SQS without lists or ids is an error', async (t) => {
  for (const response of [{}, { Successful: [{}] }]) {
    const queue = { fifo: false, counts: async () => countsOf(0), send: async () => response as never }
    const ids: string[] = []
    await t.rejects(fed(texts(1), { queue, ledger: { sent: (sent) => ids.push(...sent) } }), {
      name: 'UsageError',
      message: 'SQS accepted only 0 of 1 messages: it gives no reason',
    })
    t.strictSame(ids, [])
  }
})

test('calls that have not begun when the feed is aborted are not sent', async (t) => {
  async function abortedInFirstCall(count: number) {
    const stopped = new AbortController()
    const sent: number[] = []
    const send: SendOptions['queue']['send'] = async (entries) => {
      sent.push(entries.length)
      stopped.abort()
      return accepted(entries)
    }
    const queue = { fifo: true, counts: async () => countsOf(0), send }
    const { isComplete } = await fed(texts(count), { queue, signal: stopped.signal })
    return { sent, isComplete }
  }
  t.strictSame(await abortedInFirstCall(30), { sent: [10], isComplete: false })
  t.strictSame(await abortedInFirstCall(10), { sent: [10], isComplete: true }, 'all messages were sent')
})

test('messages that are not a full call when the feed is aborted are not sent', async (t) => {
  const stopped = new AbortController()
  async function* input() {
    yield* texts(3)
    stopped.abort()
  }
  t.match(await fed(input(), { signal: stopped.signal }), { calls: [], isComplete: false })
})

test('an aborted feed takes no more messages from its input, and says that the rest was not sent', async (t) => {
  const stopped = new AbortController()
  let pulled = 0
  const messages = (function* () {
    for (;;) {
      if (++pulled === 100) stopped.abort()
      yield { body: '1' }
    }
  })()
  t.match(await fed(messages, { signal: stopped.signal }), { isComplete: false })
  t.equal(pulled, 100)
})

test('if SQS refuses a message, the feed ends with its code, and the ledger has the accepted ones', async (t) => {
  const ids: string[] = []
  const send = async (entries: Parameters<typeof accepted>[0]) => ({
    ...accepted(entries.slice(1)),
    Failed: [{ Id: '0', Code: 'Big', Message: 'too big', SenderFault: true }],
  })
  const queue = { fifo: false, counts: async () => countsOf(0), send }
  await t.rejects(
    fed(texts(3), { queue, ledger: { sent: (sent) => ids.push(...sent) } }),
    new UsageError('SQS accepted only 2 of 3 messages: Big: too big'),
  )
  t.strictSame(ids, ['1', '2'])
})

/** Feeds messages while this many wait in the queue, one number for each question. */
async function fedWhileWaiting(messages: SendOptions['messages'], waiting: readonly number[]) {
  const questions: number[] = [] // after how many messages it was asked how many wait
  let sent = 0
  const queue = {
    fifo: true,
    counts: async () => {
      questions.push(sent)
      return countsOf(waiting[questions.length - 1] ?? 0)
    },
    send: async (entries: Parameters<typeof accepted>[0]) => {
      sent += entries.length
      return accepted(entries)
    },
  }
  const { isComplete } = await fed(messages, { queue })
  return { questions, isComplete, sent }
}

test('after 10,000 messages, the feed waits until the queue has room for 1,000', async (t) => {
  t.strictSame(await fedWhileWaiting(texts(11_001), [9001, 9000, 8995]), {
    questions: [10_000, 10_000, 11_000],
    isComplete: true,
    sent: 11_001,
  })
})

test('an aborted feed does not wait for room', async (t) => {
  const stopped = new AbortController()
  const counts = async () => {
    stopped.abort()
    return countsOf(10_000)
  }
  const queue = { fifo: true, counts, send: async (entries: Parameters<typeof accepted>[0]) => accepted(entries) }
  t.match(await fed(texts(10_001), { queue, signal: stopped.signal }), { isComplete: false })
})

test('an input with exactly 10,000 messages does not fill the queue', async (t) => {
  t.match(await fedWhileWaiting(texts(10_000), []), { questions: [], sent: 10_000 })
})
