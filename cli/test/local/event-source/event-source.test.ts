import fc from 'fast-check'
import { test } from 'tap'
import { OpenLedger } from '../../../src/local/account/ledger.ts'
import type { Outcome } from '../../../src/local/environment/runtime-api.ts'
import { type EventSourceOptions, runEventSource } from '../../../src/local/event-source/event-source.ts'
import { MAPPING_DEFAULTS } from '../../../src/local/event-source/run.ts'
import type { Received } from '../../../src/local/queue/sqs-record.ts'
import { causeOfError } from '../../../src/shared/error-groups.ts'
import { libraryReport } from '../../support/ledger.ts'
import { received } from '../../support/runs.ts'

interface Call {
  call: 'remove' | 'visibility' | 'release' | 'invoke'
  ids: string[]
  seconds?: number
}

/**
 * A queue that returns its messages once, and a function that returns responses. `calls` lists the calls to both, in
 * order.
 */
function setUp(
  messages: Received[],
  respond: (ids: string[]) => Outcome | Promise<Outcome>,
  {
    fifo = false,
    /** The messages that SQS does not delete. */
    refuse = [] as string[],
    /** The messages that the handler itself deletes. */
    deleted = [] as string[],
    isLast = async (_gathered: number) => false,
  } = {},
) {
  const calls: Call[] = []
  const drained = new AbortController()
  const waiting: Received[] = messages.map((message) => ({ ...message, byClients: byClientsOf(message) }))
  const given = [...waiting]
  function byClientsOf({ messageId }: Received): Received['byClients'] {
    return { isDeleted: deleted.includes(messageId) }
  }
  const ids = (batch: readonly Received[]) => batch.map(({ messageId }) => messageId)
  const refused = (batch: readonly Received[]) => batch.filter(({ messageId }) => refuse.includes(messageId))
  const queue = {
    fifo,
    maxReceives: 3,
    receive: async (max: number) => {
      if (waiting.length === 0) setImmediate(() => drained.abort())
      await new Promise(setImmediate)
      return waiting.splice(0, max)
    },
    remove: async (batch: readonly Received[]) => {
      if (batch.length > 0) calls.push({ call: 'remove', ids: ids(batch) })
      return refused(batch)
    },
    setVisibility: async (batch: readonly Received[], seconds: number) => {
      if (batch.length > 0) calls.push({ call: 'visibility', ids: ids(batch), seconds })
    },
    release: async (batch: readonly Received[]) => {
      if (batch.length > 0) calls.push({ call: 'release', ids: ids(batch) })
      waiting.unshift(...batch)
    },
  }
  const runtime = {
    invoke: async (event: string) => {
      const batch = JSON.parse(event).Records.map(({ messageId }: { messageId: string }) => messageId)
      calls.push({ call: 'invoke', ids: batch })
      return respond(batch)
    },
  }
  const ledger = new OpenLedger()
  const failures = () => ledger.snapshot({ queue: 0, deadLetter: 0 }).failures
  const mapping: EventSourceOptions = {
    ...MAPPING_DEFAULTS,
    batchSize: 10,
    windowMs: 0,
    retryAfter: 1,
  }
  const parts = { queue, runtime, ledger, draining: drained.signal, isLast }
  const run = (changes: Partial<EventSourceOptions> = {}) => runEventSource(parts, { ...mapping, ...changes })
  return { calls, failures, given, ledger, drained, run, parts, mapping }
}

const ERROR = { type: 'error', message: 'it failed' } as const

function some(count: number, bytes?: number) {
  return Array.from({ length: count }, (_, index) => received(`m${index}`, bytes))
}

function report(ids: readonly string[]): Outcome {
  return {
    type: 'response',
    payload: JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }),
  }
}

test('property: every message that was delivered and not reported is deleted once, whatever the function does', async () => {
  const response = fc.oneof(
    fc.array(fc.nat(12), { maxLength: 12 }).map((indices) => ({ kind: 'report' as const, indices })),
    fc.constantFrom<Outcome>(
      { type: 'error', message: 'x' },
      { type: 'timeout', message: 'x' },
      { type: 'crash', message: 'x' },
      { type: 'stopped', message: 'x' },
      { type: 'response', payload: '' },
      { type: 'response', payload: '{' },
      { type: 'response', payload: '[]' },
    ),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 40 }),
      fc.array(response, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 3 }),
      async (count, responses, concurrency) => {
        const expected: string[] = []
        let next = 0
        const { calls, run } = setUp(some(count), (ids) => {
          const given = responses[next++ % responses.length] as (typeof responses)[number]
          if (!('kind' in given)) {
            if (given.type === 'response' && given.payload === '') expected.push(...ids)
            return given
          }
          const failed = given.indices.map((index) => ids[index] ?? 'not-of-this-batch')
          if (!failed.includes('not-of-this-batch')) expected.push(...ids.filter((id) => !failed.includes(id)))
          return report(failed)
        })
        await run({ concurrency })
        const removed = calls.filter(({ call }) => call === 'remove').flatMap(({ ids }) => ids)
        if (removed.sort().join() !== expected.sort().join())
          throw new Error(`deleted ${removed}, expected ${expected}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('a failed message is redelivered after the retry time, or left to the visibility timeout', async (t) => {
  const first = setUp(some(3), () => report(['m1']))
  await first.run()
  t.strictSame(first.calls, [
    { call: 'invoke', ids: ['m0', 'm1', 'm2'] },
    { call: 'remove', ids: ['m0', 'm2'] },
    { call: 'visibility', ids: ['m1'], seconds: 1 },
  ])
  const second = setUp(some(3), () => report(['m1']))
  await second.run({ retryAfter: undefined })
  t.strictSame(second.calls.slice(1), [{ call: 'remove', ids: ['m0', 'm2'] }])
})

test('a list of failures that Lambda does not read loses its messages, and a line says where it is', async (t) => {
  const payload = JSON.stringify({ batchItemsFailures: [{ itemIdentifier: 'm1' }] })
  const { failures, ledger, run } = setUp(some(2), () => ({ type: 'response', payload }))
  await run()
  const advice =
    'the list of failures is in `batchItemsFailures`, where Lambda does not read it: return a promise of { batchItemFailures: […] }'
  t.strictSame(failures(), [
    `m0: in the response of its invocation, ${advice}`,
    'm1: reported as failed, but deleted: listed in `batchItemsFailures`, where Lambda does not read it',
  ])
  const counts = { processed: 1, lost: 1, ignoredLists: 1, failedInvocations: 0, reasons: { [advice]: 1 } }
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), counts)
})

test('the outcome of each invocation is added to the findings', async (t) => {
  const { parts, mapping } = setUp(some(2), () => report([]))
  const seen: unknown[] = []
  await runEventSource({ ...parts, findings: { add: (...given) => seen.push(...given) } }, mapping)
  t.strictSame(seen, [report([])])
})

const MEGABYTE = 1024 * 1024

test('messages that did not fit return to the queue before the batch is delivered', async (t) => {
  const asked: number[] = []
  const isLast = async (gathered: number) => asked.push(gathered) < 0
  const { calls, run } = setUp(some(8, MEGABYTE), () => report([]), { isLast })
  await run()
  t.strictSame(asked, [3], 'the first batch is full, and the second one begins with what did not fit')
  t.strictSame(calls, [
    { call: 'release', ids: ['m5', 'm6', 'm7'] },
    { call: 'invoke', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'remove', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'invoke', ids: ['m5', 'm6', 'm7'] },
    { call: 'remove', ids: ['m5', 'm6', 'm7'] },
  ])
})

test('isLast() receives the number of messages that are received and not delivered', async (t) => {
  const asked: number[] = []
  const isLast = async (gathered: number) => {
    asked.push(gathered)
    return gathered === 15
  }
  const { calls, run } = setUp(some(15), () => report([]), { isLast })
  await run({ batchSize: 100, windowMs: 60_000 })
  t.strictSame(asked, [10, 15])
  t.strictSame(
    calls.map(({ call, ids }) => [call, ids.length]),
    [
      ['invoke', 15],
      ['remove', 15],
    ],
  )
})

test('a message that SQS does not delete counts as processed, and a line says that it will be redelivered', async (t) => {
  const { failures, ledger, run } = setUp(some(2), () => report([]), { refuse: ['m1'] })
  await run()
  t.strictSame(failures(), ['m1: SQS did not delete the message, so it will be redelivered'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { processed: 2, remaining: 1, lost: 0 })
})

test('the causes include the errors of records of an invocation that failed as a whole', async (t) => {
  const library = libraryReport({ errors: { m0: 'Error: a', m1: 'Error: b' } })
  const { ledger, run } = setUp(some(2), () => ({ type: 'error', message: 'FullBatchFailureError', library }))
  await run()
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), {
    failedInvocations: 1,
    causes: { 'Error: a': 1, 'Error: b': 1 },
  })
})

const UNKNOWN = 'unknown error: the handler reported only the id of the record'

test('messages that match no filter are deleted without an invocation', async (t) => {
  const withBody = (id: string, body: string) => ({ ...received(id), json: JSON.stringify({ messageId: id, body }) })
  const filters = [{ body: { kind: ['a'] } }]
  const messages = [withBody('m0', '{"kind":"a"}'), withBody('m1', '{"kind":"b"}'), withBody('m2', '{"kind":"a"}')]
  const asked: number[] = []
  const isLast = async (gathered: number) => asked.push(gathered) < 0
  const { calls, ledger, run } = setUp(messages, () => report([]), { isLast })
  await run({ filters })
  t.strictSame(asked, [2])
  t.strictSame(calls, [
    { call: 'remove', ids: ['m1'] },
    { call: 'invoke', ids: ['m0', 'm2'] },
    { call: 'remove', ids: ['m0', 'm2'] },
  ])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { invocations: 1, delivered: 2, processed: 2, filtered: 1 })
  const none = setUp(messages.slice(1, 2), () => report([]))
  await none.run({ filters })
  t.strictSame(none.calls, [{ call: 'remove', ids: ['m1'] }])
})

test('an invocation that fails: one line, one failed invocation, and all messages stay', async (t) => {
  const { calls, failures, ledger, run } = setUp(some(2), () => ERROR)
  await run()
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1'] },
    { call: 'visibility', ids: ['m0', 'm1'], seconds: 1 },
  ])
  t.strictSame(failures(), ['m0: its invocation with 2 records failed: it failed'])
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), {
    invocations: 1,
    failedInvocations: 1,
    failed: 2,
    inFlight: 0,
    lost: 0,
    reasons: { 'it failed': 1 },
  })
})

test('an invocation that is stopped at the end of the run is no failed invocation', async (t) => {
  const { failures, ledger, run } = setUp(some(1), () => ({ type: 'stopped', message: 'it was stopped' }))
  await run()
  t.strictSame(failures(), ['m0: its invocation with 1 record failed: it was stopped'])
  const { reasons, ...others } = ledger.snapshot({ queue: 1, deadLetter: 0 })
  t.match(others, { failedInvocations: 0, failed: 1, lost: 0 })
  t.strictSame(reasons, {})
})

test('messages of a failed invocation whose deletion arrives late are processed', async (t) => {
  const { given, ledger, run } = setUp(some(3), () => {
    setImmediate(() => {
      for (const { byClients } of given.slice(0, 2)) byClients.isDeleted = true
    })
    return ERROR
  })
  await run()
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { processed: 2, failed: 3, lost: 0, remaining: 1 })
})

test('a message that failed in its last delivery is not deleted, and a line has the text of its error', async (t) => {
  const library = libraryReport({ errors: { m0: causeOfError(new Error('x')) } })
  const { calls, failures, run } = setUp([received('m0', 100, 3)], () => ({ ...report(['m0']), library }))
  await run()
  t.strictSame(
    calls.map(({ call }) => call),
    ['invoke', 'visibility'],
  )
  t.strictSame(failures(), ['m0: reported as failed, receive count 3: Error: x'])
})

test('dead-lettered messages for which nothing was thrown failed with their whole batch', async (t) => {
  const library = libraryReport({ errors: { m0: 'Error: x', m1: 'Error: y' } })
  for (const [outcome, withoutError] of [
    [ERROR, 3],
    [{ ...ERROR, library }, 1],
  ] as const) {
    const messages = ['m0', 'm1', 'm2'].map((id) => received(id, 100, 3))
    const { ledger, run } = setUp(messages, () => outcome)
    await run()
    t.match(ledger.snapshot({ queue: 0, deadLetter: 3 }), { deadLettered: 3, deadLetteredWithoutError: withoutError })
  }
})

test('messages that the handler has deleted are not deleted again', async (t) => {
  const { calls, failures, ledger, run } = setUp(some(3), () => report(['m1']), { deleted: ['m0', 'm1'] })
  await run()
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1', 'm2'] },
    { call: 'remove', ids: ['m2'] },
  ])
  t.strictSame(failures(), [`m1: reported as failed, but the handler deleted it: ${UNKNOWN}`])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { processed: 2, failed: 1, lost: 1, causes: { [UNKNOWN]: 1 } })
})

test('with ReportBatchItemFailures off, a failed message is deleted, and a line says so', async (t) => {
  const library = libraryReport({ errors: { m1: 'Error: x' } })
  const { calls, failures, ledger, run } = setUp(some(2), () => ({ ...report(['m1']), library }))
  await run({ reportBatchItemFailures: false })
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1'] },
    { call: 'remove', ids: ['m0', 'm1'] },
  ])
  t.strictSame(failures(), ['m1: failed, but deleted (ReportBatchItemFailures is off): Error: x'])
  t.match(ledger.snapshot({ queue: 0, deadLetter: 0 }), { processed: 1, lost: 1, causes: { 'Error: x': 1 } })
})

test('a failed message that the response of the handler does not list is deleted, and a line says so', async (t) => {
  const library = libraryReport({ errors: { m0: 'Error: x' }, reported: ['m0'] })
  const { failures, run } = setUp(some(2), () => ({ ...report([]), library }))
  await run()
  const why = 'the handler did not return the response of middy-bounded-sqs-batch'
  t.strictSame(failures(), [`m0: failed, but deleted, because ${why}: Error: x`])
})

test('a failure that a failure handler removed from the report', async (t) => {
  const library = libraryReport({ errors: { m0: 'Error: x' } })
  const { failures, ledger, run } = setUp(some(3), () => ({ ...report([]), library }))
  await run()
  t.strictSame(failures(), ['m0: failed, but a failure handler removed it from the report: Error: x'])
  const snapshot = ledger.snapshot({ queue: 0, deadLetter: 0, sentDeadLetters: 0 })
  t.match(snapshot, { processed: 3, dropped: 1, lost: 0 })
  t.strictSame(snapshot.causes, { 'Error: x': 1 })
})

for (const fifo of [true, false]) {
  test(`a message that was deleted before an earlier one of its group: FIFO ${fifo}`, async (t) => {
    const messages = some(3).map((message) => ({ ...message, group: 'g' }))
    const { failures, ledger, run } = setUp(messages, () => report(['m1']), { fifo })
    await run()
    const line = 'm2: deleted, although an earlier message of its message group failed'
    t.strictSame(
      failures().filter((text) => text.startsWith('m2')),
      fifo ? [line] : [],
    )
    t.equal(ledger.snapshot({ queue: 1, deadLetter: 0 }).outOfOrder, fifo ? 1 : 0)
  })
}

test('if the run ends while messages are received, they return to the queue, and no invocation starts', async (t) => {
  const { calls, run, drained } = setUp(some(2), () => report([]))
  setImmediate(() => drained.abort()) // before the queue returns the messages
  await run()
  t.strictSame(calls, [{ call: 'release', ids: ['m0', 'm1'] }])
})

test('if one worker fails, the others start no further invocation', async (t) => {
  let count = 0
  const { calls, run } = setUp(some(30), () => {
    count += 1
    if (count === 1) throw new Error('gone')
    return report([])
  })
  await t.rejects(run({ concurrency: 2, batchSize: 1 }), { message: 'gone' })
  t.strictSame(
    calls.filter(({ call }) => call === 'invoke').map(({ ids }) => ids),
    [['m0']],
  )
})

test('on a FIFO queue, a record without an error can be blocked by an earlier one', async (t) => {
  const { failures, run } = setUp(some(1), () => ({ ...report(['m0']), library: libraryReport({}) }), { fifo: true })
  await run()
  t.match(failures()[0], 'blocked by an earlier failure of its message group')
})
