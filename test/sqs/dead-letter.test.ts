import t from 'tap'
import type { RecordFailure } from '../../src/index.ts'
import { permanent, reasons, SOURCE, setUp, text } from '../support/dead-letters.ts'
import { ids, sqsRecord } from '../support/events.ts'
import { idsOf } from '../support/failures.ts'
import { failure, holdCalls } from '../support/sqs.ts'

t.test('records of permanent errors are sent with the reason, and the others stay failed', async (t) => {
  const { handle, received } = await setUp(t)
  const failures = [
    failure('m0', new Error('downstream returned 503')),
    failure('m1', permanent, { receiveCount: 3 }),
    failure('m2', 'no'),
    failure('m3', { code: 'ERR_PERMANENT', name: 'Bundled', message: 'another copy' }),
  ]
  const { remaining, lines } = await handle(failures)
  t.equal(remaining.length, 2)
  t.equal(remaining[0], failures[0])
  t.equal(remaining[1], failures[2])
  t.strictSame(lines, [])
  const messages = await received()
  t.strictSame([...messages.keys()], ['body of m1', 'body of m3'])
  t.strictSame(messages.get('body of m1')?.MessageAttributes, reasons('m1', { receiveCount: '3' }))
  t.strictSame(
    messages.get('body of m3')?.MessageAttributes,
    reasons('m3', { name: 'Bundled', message: 'another copy' }),
  )
})

t.test('without a record to send, SQS is not called', async (t) => {
  const { handle, calls } = await setUp(t)
  t.strictSame((await handle([])).remaining, [])
  t.strictSame(idsOf((await handle([failure('m0', new Error('no'))])).remaining), ['m0'])
  t.strictSame(calls, [])
})

t.test('`when` selects the failures to send, and any value but true keeps a record failed', async (t) => {
  const results: Record<string, unknown> = { m0: true, m1: false, m2: undefined, m3: Promise.resolve(true), m4: 1 }
  function when({ record, receiveCount }: RecordFailure) {
    if (record.messageId === 'm5') throw new Error('cannot tell')
    if (record.messageId === 'm6') return Promise.reject(new Error('too late')) as never
    return receiveCount > 1 && (results[record.messageId] as boolean)
  }
  const { handle, received } = await setUp(t, { options: { when } })
  const { remaining, lines } = await handle([
    ...ids(7).map((id) => failure(id, new Error('no'), { receiveCount: 2 })),
    failure('m7', permanent),
  ])
  t.strictSame(idsOf(remaining), ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7'])
  t.strictSame([...(await received()).keys()], ['body of m0'])
  t.strictSame(lines, [
    'deadLetter(): 4 of 5 records could not be sent to dead and stay failed: 2 × TypeError: expected when() to return true or false, got an object; 1 × TypeError: expected when() to return true or false, got a number; 1 × Error: cannot tell',
  ])
})

t.test('records are sent ten per call, with ten calls at once', async (t) => {
  const { faults, openAtOnce } = holdCalls()
  const { handle, received, sizes } = await setUp(t, { faults })
  const run = handle(ids(255).map((id) => failure(id, permanent)))
  t.strictSame(await openAtOnce(26, 10), [10, 10, 6])
  t.strictSame((await run).remaining, [])
  t.strictSame(sizes().sort(), [...Array(25).fill(10), 5])
  t.strictSame(new Set((await received()).keys()), new Set(ids(255).map((id) => `body of ${id}`)))
})

t.test('only the entries that SQS refuses stay failed', async (t) => {
  const refused = ['m2', 'm5', 'm8', 'm11', 'm14', 'm17', 'm20', 'm23']
  const bodies = refused.map((id) => `body of ${id}`)
  const faults = {
    entry: ({ MessageBody }: Record<string, unknown>) =>
      bodies.includes(`${MessageBody}`) ? 'InternalError' : undefined,
  }
  const { handle, received } = await setUp(t, { faults })
  const { remaining, lines } = await handle(ids(25).map((id) => failure(id, permanent)))
  t.strictSame(idsOf(remaining), refused)
  t.strictSame(
    [...(await received()).keys()].sort(),
    ids(25)
      .filter((id) => !refused.includes(id))
      .map((id) => `body of ${id}`)
      .sort(),
  )
  t.strictSame(lines, [
    'deadLetter(): 8 of 25 records could not be sent to dead and stay failed: 8 × InternalError: try again',
  ])
})

t.test('records stay failed unless the response of SQS lists them as successful', async (t) => {
  const respond = ({ Successful }: { Successful: { Id: string }[] }) => ({
    Successful: [...Successful.filter(({ Id }) => Id !== '1'), { ...Successful[0], Id: '77' }],
    Failed: [
      { Id: '2', Code: 'InternalError', Message: '', SenderFault: false },
      { Id: '88', Code: 'Unknown' },
    ],
  })
  const { handle } = await setUp(t, { faults: { respond } })
  const { remaining, lines } = await handle(ids(4).map((id) => failure(id, permanent)))
  t.strictSame(idsOf(remaining), ['m1', 'm2'])
  t.strictSame(lines, [
    'deadLetter(): 2 of 4 records could not be sent to dead and stay failed: 1 × the response of SQS does not mention this entry; 1 × InternalError',
  ])
})

t.test('after an empty response of SQS, all records stay failed', async (t) => {
  const { handle } = await setUp(t, { faults: { respond: () => ({}) } })
  t.strictSame(idsOf((await handle(ids(2).map((id) => failure(id, permanent)))).remaining), ['m0', 'm1'])
})

t.test('a message in a FIFO dead-letter queue has its message group, and is stored once per message id', async (t) => {
  const { handle, received, calls } = await setUp(t, { name: 'dead.fifo', attributes: { FifoQueue: 'true' } })
  function grouped(id: string, group: string) {
    const { attributes } = sqsRecord(id)
    const ofSender = { ...attributes, MessageGroupId: group, MessageDeduplicationId: 'of the sender' }
    return failure(id, permanent, { attributes: ofSender, eventSourceARN: `${SOURCE}.fifo` })
  }
  // Two messages of a FIFO queue, one of which is delivered a second time, and a message of a standard queue.
  t.strictSame((await handle([grouped('a1', 'a'), grouped('b1', 'b'), failure('c1', permanent)])).remaining, [])
  t.strictSame((await handle([grouped('a1', 'a')])).remaining, [])
  t.strictSame(
    calls
      .flatMap(({ input }) => input.Entries)
      .map(({ MessageGroupId, MessageDeduplicationId }) => [MessageGroupId, MessageDeduplicationId]),
    [
      ['a', 'a1'],
      ['b', 'b1'],
      ['c1', 'c1'],
      ['a', 'a1'],
    ],
  )
  t.strictSame([...(await received()).keys()], ['body of a1', 'body of b1', 'body of c1'])
})

t.test('calls for a FIFO dead-letter queue are made at the same time', async (t) => {
  const { faults, openAtOnce } = holdCalls()
  const { handle, calls } = await setUp(t, { name: 'dead.fifo', attributes: { FifoQueue: 'true' }, faults })
  const run = handle(ids(45).map((id) => failure(id, permanent)))
  t.strictSame(await openAtOnce(5, 5), [5])
  t.strictSame((await run).remaining, [])
  const sent = calls.flatMap(({ input }) => input.Entries)
  // Calls that are made at the same time can arrive in any order.
  t.strictSame(sent.map(({ MessageDeduplicationId }) => MessageDeduplicationId).sort(), ids(45).sort())
})

t.test(
  'a standard dead-letter queue gets the group of a fair queue and the trace header, and no deduplication id',
  async (t) => {
    const { handle, calls } = await setUp(t)
    const { attributes } = sqsRecord('m0')
    const AWSTraceHeader = 'Root=1-5759e988-bd862e3fe1be46a994272793'
    const all = { ...attributes, MessageGroupId: 'tenant-7', MessageDeduplicationId: 'x', AWSTraceHeader }
    await handle([failure('m0', permanent, { attributes: all }), failure('m1', permanent)])
    const [first, second] = calls[0]?.input.Entries ?? []
    t.equal(first.MessageGroupId, 'tenant-7')
    t.strictSame(first.MessageSystemAttributes, { AWSTraceHeader: text(AWSTraceHeader) })
    t.notOk('MessageDeduplicationId' in first)
    t.strictSame(Object.keys(second).sort(), ['Id', 'MessageAttributes', 'MessageBody'])
  },
)
