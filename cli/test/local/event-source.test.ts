import fc from 'fast-check'
import { test } from 'tap'
import { type EventSourceOptions, runEventSource } from '../../src/local/event-source.ts'
import { openLedger } from '../../src/local/ledger.ts'
import type { Queue } from '../../src/local/queue.ts'
import { MAPPING_DEFAULTS } from '../../src/local/run.ts'
import type { Outcome } from '../../src/local/runtime/runtime-api.ts'
import type { Received } from '../../src/local/sqs-record.ts'
import { received } from '../support/runs.ts'

interface Call {
  call: 'remove' | 'visibility' | 'invoke'
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
  { fifo = false, refuse = [] as string[] } = {},
) {
  const calls: Call[] = []
  const drained = new AbortController()
  const waiting = [...messages]
  const ids = (batch: readonly Received[]) => batch.map(({ messageId }) => messageId)
  const refused = (batch: readonly Received[]) => batch.filter(({ messageId }) => refuse.includes(messageId))
  const queue = {
    fifo,
    visibilityTimeout: 40,
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
      return refused(batch)
    },
    takeDeleted: () => new Set<string>(),
    delivering: () => {},
    isDrained: () => false,
  } as unknown as Queue
  const runtime = {
    invoke: async (event: string) => {
      const batch = JSON.parse(event).Records.map(({ messageId }: { messageId: string }) => messageId)
      calls.push({ call: 'invoke', ids: batch })
      return respond(batch)
    },
  }
  const ledger = openLedger(3)
  const failures: string[] = []
  const mapping: EventSourceOptions = {
    ...MAPPING_DEFAULTS,
    batchSize: 10,
    windowMs: 0,
    retryAfter: 1,
    onFailure: (line: string) => failures.push(line),
  }
  const run = (changes: Partial<EventSourceOptions> = {}) =>
    runEventSource({ queue, runtime, ledger, draining: drained.signal }, { ...mapping, ...changes })
  return { calls, failures, ledger, drained, run }
}

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

const MEGABYTE = 1024 * 1024

test('messages that did not fit come first in the next event, with a renewed visibility timeout; expired ones are dropped', async (t) => {
  const { calls, run } = setUp(some(8, MEGABYTE), () => report([]), { refuse: ['m6'] })
  await run()
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'remove', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'visibility', ids: ['m5', 'm6', 'm7'], seconds: 40 },
    { call: 'invoke', ids: ['m5', 'm7'] },
    { call: 'remove', ids: ['m5', 'm7'] },
  ])
})

test('on a FIFO queue, held messages do not overtake a failed one', async (t) => {
  const { calls, run } = setUp(some(8, MEGABYTE), (ids) => report(ids.slice(-1)), { fifo: true })
  await run()
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'remove', ids: ['m0', 'm1', 'm2', 'm3'] },
    { call: 'visibility', ids: ['m4'], seconds: 1 },
    { call: 'visibility', ids: ['m5', 'm6', 'm7'], seconds: 1 },
  ])
})

test('at the end of a drain, held messages return to the queue', async (t) => {
  const { calls, run, drained } = setUp(some(8, MEGABYTE), (ids) => {
    drained.abort()
    return report(ids.slice(0, 1))
  })
  await run({ retryAfter: undefined })
  t.strictSame(calls, [
    { call: 'invoke', ids: ['m0', 'm1', 'm2', 'm3', 'm4'] },
    { call: 'remove', ids: ['m1', 'm2', 'm3', 'm4'] },
    { call: 'visibility', ids: ['m5', 'm6', 'm7'], seconds: 0 },
  ])
})

test('a message that SQS does not delete counts as processed, and a line says that it will be redelivered', async (t) => {
  const { failures, ledger, run } = setUp(some(2), () => report([]), { refuse: ['m1'] })
  await run()
  t.strictSame(failures, ['m1: SQS did not delete the message, so it will be redelivered'])
  t.match(ledger.snapshot({ queue: 1, deadLetter: 0 }), { processed: 2, remaining: 1, lost: 0 })
})

for (const [fifo, cause] of [
  [false, 'not started before the batch ended, or reported by the handler without an error'],
  [
    true,
    'not started before the batch ended, blocked by an earlier failure of its message group, or reported by the handler without an error',
  ],
] as const) {
  test(`the cause of a record without an error, ${fifo ? 'FIFO' : 'standard'} queue`, async (t) => {
    const recordErrors = { errors: { m1: 'Error: not now' } }
    const respond = () => ({ ...report(['m1', 'm2']), recordErrors })
    const { failures, ledger, run } = setUp(some(3), respond, { fifo })
    await run()
    t.strictSame(failures, [
      'm1: reported as failed, receive count 1: Error: not now',
      `m2: reported as failed, receive count 1: ${cause}`,
    ])
    t.strictSame(ledger.snapshot({ queue: 2, deadLetter: 0 }).causes, { 'Error: not now': 1, [cause]: 1 })
  })
}

test('the causes include the errors of records of an invocation that failed as a whole', async (t) => {
  const recordErrors = { errors: { m0: 'Error: a', m1: 'Error: b' } }
  const { ledger, run } = setUp(some(2), () => ({ type: 'error', message: 'FullBatchFailureError', recordErrors }))
  await run()
  t.match(ledger.snapshot({ queue: 2, deadLetter: 0 }), {
    failedInvocations: 1,
    causes: { 'Error: a': 1, 'Error: b': 1 },
  })
})

test('if one worker fails, all workers end, and the promise rejects with its error', async (t) => {
  const { run } = setUp(some(30), () => {
    throw new Error('gone')
  })
  await t.rejects(run({ concurrency: 3 }), { message: 'gone' })
})
