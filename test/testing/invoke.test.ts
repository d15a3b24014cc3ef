import { hasSubscribers } from 'node:diagnostics_channel'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { boundedSqsBatch, eachRecord, InvalidSqsEventError } from '../../src/index.ts'
import { invoke, sqsEvent } from '../../src/testing/index.ts'
import { activeTimers, busyClock, mockClock, passingClock, settled } from '../support/clock.ts'
import { batchHandlerOf, listOf } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { unhandledRejections, warned } from '../support/output.ts'

const event = sqsEvent(['a', 'b', 'c'].map((id) => ({ messageId: id, body: `body of ${id}` })))
const [a, b, c] = event.Records

t.test(
  'invoke() returns the response, the records that succeeded, and those that failed with their errors',
  async (t) => {
    const refused = new Error('refused')
    const handler = batchHandlerOf(
      eachRecord(({ body }) => {
        if (body === 'body of b') throw refused
      }),
    )
    const { response, succeeded, failed, failures, ...rest } = await invoke(handler, event)
    t.strictSame(response, listOf('b'))
    t.strictSame([succeeded.length, failed.length], [2, 1])
    t.equal(succeeded[0], a)
    t.equal(succeeded[1], c)
    t.equal(failed[0], b)
    t.strictSame(failures, [{ record: b, error: refused }])
    t.strictSame([failures[0]?.record === b, failures[0]?.error === refused], [true, true])
    t.strictSame(rest, {})
  },
)

t.test('`failures` has the error of each record that did not succeed, also of one that was handled', async (t) => {
  const clock = passingClock(t)
  const held = heldRecords()
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, concurrency: 2, recordTimeout: 100, onFailure: ([, ...others]) => others }))
    .handler(eachRecord(held.handle))
  const groups = ['a', 'a', 'b', 'c', 'd']
  const fifo = sqsEvent(
    groups.map((group, index) => ({ messageId: `${group}${index}`, body: 'text' })),
    { fifo: true, groups },
  )
  await warned(async () => {
    const result = invoke(handler, fifo)
    await settled()
    held.fail('a0', new Error('refused'))
    const { failed, failures } = await clock.until(result)
    t.strictSame(failed, fifo.Records.slice(1))
    t.match(
      failures.map(({ record, error }) => [record, (error as Error).name]),
      [
        [fifo.Records[0], 'Error'],
        [fifo.Records[1], 'RecordBlockedError'],
        [fifo.Records[2], 'RecordTimeoutError'],
        [fifo.Records[3], 'RecordTimeoutError'],
        [fifo.Records[4], 'RecordNotStartedError'],
      ],
    )
    t.equal(failures.length, 5)
  })
})

t.test(
  '`failures` is empty without boundedSqsBatch() or its response, and has no failure of another invocation',
  async (t) => {
    t.strictSame((await invoke(async () => listOf('a'), event)).failures, [])
    const throwing = middy()
      .use(boundedSqsBatch())
      .handler(() => {
        throw new Error('no')
      })
    const caught = await invoke((...call: [SQSEvent, Context]) => throwing(...call).catch(() => {}), event)
    t.strictSame(caught.failures, [])
    const handler = batchHandlerOf(
      eachRecord(({ messageId }) => (messageId === 'b' ? Promise.reject(messageId) : undefined)),
    )
    const [one, other] = await Promise.all([invoke(handler, event), invoke(handler, sqsEvent(['x', 'y']))])
    t.strictSame([one.failures, other.failures], [[{ record: b, error: 'b' }], []])
  },
)

t.test('`failures` has the record itself if a middleware has added it to the event', async (t) => {
  const [added] = sqsEvent([{ messageId: 'added', body: 'text' }]).Records
  const refused = new Error('refused')
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .before(({ event }) => {
      event.Records.push(added as SQSRecord)
    })
    .use(boundedSqsBatch({ logger: false, onFailure: () => [] }))
    .handler(eachRecord(({ messageId }) => (messageId === 'added' ? Promise.reject(refused) : undefined)))
  const { failed, failures } = await invoke(handler, event)
  t.strictSame(failed, [])
  t.strictSame(failures, [{ record: added, error: refused }])
})

t.test('nobody listens to the batches of a handler after its invocation', async (t) => {
  const name = 'tracing:middy-bounded-sqs-batch:batch:asyncStart'
  await invoke(async () => {
    t.ok(hasSubscribers(name))
  }, event)
  await invoke(() => Promise.reject(new Error('no')), event).catch(() => {})
  t.notOk(hasSubscribers(name))
})

t.test('the handler gets a copy of the event, and a context with the given timeout', async (t) => {
  mockClock(t)
  let seen: SQSEvent | undefined
  await invoke(
    async (event: SQSEvent, context: Context) => {
      seen = structuredClone(event)
      t.equal(context.getRemainingTimeInMillis(), 5_000)
      event.Records.length = 0
    },
    event,
    { timeout: 5_000 },
  )
  t.strictSame(seen, event)
  t.equal(event.Records.length, 3)
})

t.test('a handler that is a `function` is called without `this`', async (t) => {
  const seen: unknown[] = []
  await invoke(async function (this: unknown) {
    seen.push(this)
  }, event)
  t.strictSame(seen, [undefined])
})

for (const [what, response] of Object.entries({
  nothing: undefined,
  null: null,
  'an empty object': {},
  'an empty string': '',
  'an empty list': { batchItemFailures: [] },
  'a null list': { batchItemFailures: null },
  'another object': { statusCode: 500 },
  'an object of 6 MB': { text: `x${'ä'.repeat(3_145_772)}` },
  'an object whose JSON has an empty list': { toJSON: () => ({ batchItemFailures: [] }), batchItemFailures: [5] },
})) {
  t.test(`${what} as the response is a complete success`, async (t) => {
    const result = await invoke(async () => response, event)
    t.equal(result.response, response)
    t.strictSame(result.succeeded, event.Records)
    t.strictSame(result.failed, [])
  })
}

t.test('`failed` has the listed records once, in the order of the event', async (t) => {
  const { succeeded, failed } = await invoke(async () => listOf('c', 'a', 'c'), event)
  t.strictSame(succeeded, [b])
  t.strictSame(failed, [a, c])
})

t.test('two records with one messageId fail together', async (t) => {
  const twice = sqsEvent(['m', 'n', 'm'].map((messageId) => ({ messageId, body: 'text' })))
  const { succeeded, failed } = await invoke(async () => listOf('m'), twice)
  t.strictSame(succeeded, [twice.Records[1]])
  t.strictSame(failed, [twice.Records[0], twice.Records[2]])
})

const circular: { self?: unknown } = {}
circular.self = circular
for (const [what, response, reason] of [
  [
    'an unknown id',
    listOf('a', 'x'),
    'batchItemFailures[1] names a message that is not in the batch. Expected a messageId of the batch',
  ],
  ['an empty id', listOf(''), 'the itemIdentifier of batchItemFailures[0] is an empty string. Expected a messageId'],
  ['a null id', listOf(null), 'the itemIdentifier of batchItemFailures[0] is null. Expected a messageId'],
  ['a number as id', listOf(5), 'the itemIdentifier of batchItemFailures[0] is a number. Expected a messageId'],
  [
    'another key for the id',
    { batchItemFailures: [{ messageId: 'a' }] },
    'the itemIdentifier of batchItemFailures[0] is undefined. Expected a messageId',
  ],
  [
    'ids that are not in objects',
    { batchItemFailures: ['a'] },
    'the itemIdentifier of batchItemFailures[0] is undefined. Expected a messageId',
  ],
  [
    'null in the list',
    { batchItemFailures: [null] },
    'the itemIdentifier of batchItemFailures[0] is undefined. Expected a messageId',
  ],
  ['an object as list', { batchItemFailures: {} }, 'batchItemFailures is an object. Expected an array'],
  ['a list', [], 'the response is an array. Expected an object with batchItemFailures'],
  [
    'settled results',
    await Promise.allSettled([1]),
    'the response is an array. Expected an object with batchItemFailures',
  ],
  ['a text', '{"batchItemFailures":[]}', 'the response is a string. Expected an object with batchItemFailures'],
  ['a boolean', false, 'the response is a boolean. Expected an object with batchItemFailures'],
  ['a circular object', circular, 'the response cannot be converted to JSON'],
  ['a function', () => {}, 'the response cannot be converted to JSON'],
  [
    'an object of more than 6 MB',
    { text: 'ä'.repeat(3_145_773) },
    'the response has 6291557 bytes. Expected at most 6291556',
  ],
] as const) {
  t.test(`invoke() rejects ${what} as the response, because Lambda would redeliver the whole batch`, async (t) => {
    await t.rejects(
      invoke(async () => response, event),
      { name: 'Error', message: `invoke(): SQS would redeliver the whole batch, because ${reason}` },
    )
  })
}

t.test('invoke() rejects with what the handler throws', async (t) => {
  for (const error of [new RangeError('no'), 'text', undefined]) {
    for (const handler of [
      () => Promise.reject(error),
      () => {
        throw error
      },
    ]) {
      const outcome = await invoke(handler, event).then(
        () => 'resolved',
        (reason) => [reason],
      )
      t.strictSame(outcome, [error])
    }
  }
  const handler = middy()
    .use(boundedSqsBatch())
    .handler(eachRecord(() => {}))
  await t.rejects(invoke(handler, { Records: [{}] } as SQSEvent), InvalidSqsEventError)
})

const LATE =
  'invoke(): SQS would redeliver the whole batch, because the handler did not respond within its timeout of 200 ms'

t.test('invoke() rejects at the timeout, and what the handler does later changes nothing', async (t) => {
  const unhandled = unhandledRejections(t)
  const clock = passingClock(t)
  const { promise, reject } = Promise.withResolvers<SQSBatchResponse>()
  const result = invoke(() => promise, event, { timeout: 200 }).catch((error) => [error.message, clock.now()])
  t.strictSame(await clock.until(result), [LATE, 200])
  reject(new Error('too late'))
  await clock.pass(1)
  t.strictSame(unhandled, [])
})

t.test('invoke() rejects if the handler blocked the event loop until after the timeout', async (t) => {
  const block = busyClock(t)
  async function handler() {
    block(200)
    return listOf('a')
  }
  await t.rejects(invoke(handler, event, { timeout: 200 }), { message: LATE })
})

t.test('a response just before the timeout counts', async (t) => {
  const clock = passingClock(t)
  const handler = () => new Promise<SQSBatchResponse>((resolve) => setTimeout(() => resolve(listOf('a')), 199))
  const result = await clock.until(invoke(handler, event, { timeout: 200 }))
  t.strictSame(result.failed, [a])
  t.equal(clock.now(), 199)
})

t.test('no timer is left after the response or an error', async (t) => {
  const timers = activeTimers()
  await invoke(async () => {}, event)
  await invoke(() => Promise.reject(new Error('no')), event).catch(() => {})
  t.equal(activeTimers(), timers)
})

t.test('boundedSqsBatch() responds before the timeout of invoke(), and reports its unfinished record', async (t) => {
  const clock = passingClock(t)
  const handler = batchHandlerOf(eachRecord(({ messageId }) => (messageId === 'b' ? new Promise(() => {}) : undefined)))
  const { failed } = await clock.until(invoke(handler, event, { timeout: 1_000 }))
  t.strictSame(failed, [b])
  t.equal(clock.now(), 950)
})

t.test('an invalid argument is a TypeError that says what was expected and what was received', async (t) => {
  async function handler() {}
  const notAPromise =
    'invoke(): expected the handler to return a promise, got an object. On Node 22, Lambda ignores any other result and deletes the whole batch'
  for (const [args, message] of [
    [[undefined, event], 'invoke(): expected a handler function, got undefined'],
    [
      [(_event: unknown, _context: unknown, _callback: unknown) => {}, event],
      'invoke(): expected a handler with the parameters event and context, got 3 parameters. Pass the Middy handler, not the one that eachRecord() or eachChunk() made. Lambda does not run handlers with a callback on Node 24 and newer',
    ],
    [[() => listOf(), event], notAPromise],
    [[() => {}, event], notAPromise.replace('an object', 'undefined')],
    [[() => null, event], notAPromise.replace('an object', 'null')],
    [[handler, undefined], 'invoke(): expected an event with a Records array, got Records: undefined'],
    [[handler, { Records: 'a' }], 'invoke(): expected an event with a Records array, got Records: a string'],
    [
      [handler, event, { timeout: -1 }],
      'invoke(): expected option timeout to be a number of milliseconds, more than 0, got -1 (a number)',
    ],
    [[handler, event, { wait: 1 }], 'invoke(): unknown option "wait", expected one of timeout'],
  ] as const) {
    await t.rejects(invoke(...(args as unknown as Parameters<typeof invoke>)), { name: 'TypeError', message })
  }
})

t.test('the error about a response that has no JSON has the cause', async (t) => {
  const error = await invoke(() => Promise.resolve(circular as never), sqsEvent(['a'])).catch((error) => error)
  t.match(error, { cause: { name: 'TypeError', message: /circular/ } })
})
