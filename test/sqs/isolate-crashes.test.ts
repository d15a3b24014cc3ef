import middy from '@middy/core'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import t, { type Test } from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { type IsolateCrashesOptions, isolateCrashes, retryBackoff } from '../../src/sqs/index.ts'
import { mockClock, openTimers, passTime, settled } from '../support/clock.ts'
import { withEnvironment } from '../support/environment.ts'
import { fifoEvent, ids, sqsRecord } from '../support/events.ts'
import { failed, LONG, timedContext } from '../support/handlers.ts'
import { throwingOn, trapped } from '../support/hostile.ts'
import { unhandledRejections } from '../support/output.ts'
import { type Faults, REGION, startSqs } from '../support/sqs.ts'

const ARN = 'arn:aws:sqs:eu-west-1:000000000000:orders'
const ALMOST_1 = 1 - 2 ** -53

/** Records `m0`, `m1`, … with these receive counts. */
function recordsOf(receiveCounts: readonly number[], fields: Partial<SQSRecord> = {}): SQSRecord[] {
  return receiveCounts.map((count, index) => {
    const { attributes } = sqsRecord('')
    const id = `m${index}`
    const handle = { eventSourceARN: ARN, receiptHandle: `receipt-of-${id}`, ...fields }
    return sqsRecord(id, { ...handle, attributes: { ...attributes, ApproximateReceiveCount: String(count) } })
  })
}

function eventOf(...receiveCounts: number[]): SQSEvent {
  return { Records: recordsOf(receiveCounts) }
}

/** A context whose function has this time left, in milliseconds. */
function contextWith(left: unknown): Context {
  return { getRemainingTimeInMillis: () => left } as Context
}

/** Calls `run`, and returns the lines that it wrote by `console.error` and `console.info`. */
async function linesOf(t: Test, run: () => unknown): Promise<string[]> {
  const lines: string[] = []
  const texts = (parts: unknown[]) => parts.map((part) => (part instanceof Error ? part.stack : part)).join(' ')
  const intercepts = [
    t.intercept(console, 'error', { value: (...parts: unknown[]) => lines.push(texts(parts)), configurable: true }),
    t.intercept(console, 'info', { value: (...parts: unknown[]) => lines.push(texts(parts)), configurable: true }),
  ]
  await run()
  for (const { restore } of intercepts) restore()
  for (const line of lines) t.notMatch(line, /body of|receipt-of|\n/)
  return lines
}

/** Starts SQS with a source queue and the middleware. */
async function setUp(t: Test, options: Partial<IsolateCrashesOptions> = {}, faults?: Faults) {
  const sqs = await startSqs(t, faults)
  const { url } = sqs.queue('orders', { VisibilityTimeout: '3600' })
  const { before } = isolateCrashes({ client: sqs.client(), ...options })
  return {
    ...sqs,
    /** Sends and receives a message for each receive count, and returns an event with them. */
    async inFlight(...receiveCounts: number[]): Promise<SQSEvent> {
      for (const id of ids(receiveCounts.length)) sqs.fauxqs.sendMessage('orders', id, { region: REGION })
      const messages = await sqs.receiveAll(url)
      const Records = recordsOf(receiveCounts).map((record, index) => ({
        ...record,
        receiptHandle: messages[index]?.ReceiptHandle as string,
      }))
      return { Records }
    },
    /** Returns the lines in the log. */
    run: (event: unknown, context: unknown = contextWith(60_000)) =>
      linesOf(t, async () => t.equal(await before({ event, context } as never), undefined)),
    /** The delay that was set for each receipt handle. */
    delays: () =>
      new Map<string, number>(
        sqs.calls
          .flatMap(({ input }) => input.Entries)
          .map(({ ReceiptHandle, VisibilityTimeout }) => [ReceiptHandle, VisibilityTimeout]),
      ),
  }
}

/** A handler with the middleware whose record handler notes the ids that it receives, and fails for those in `failing`. */
function handlerWith(options: IsolateCrashesOptions, notes: string[] = [], failing: readonly string[] = []) {
  return middy()
    .use(isolateCrashes(options))
    .use(boundedSqsBatch({ logger: false, onFailure: retryBackoff({ client: options.client, jitter: 'none' }) }))
    .handler(
      eachRecord(({ messageId }) => {
        notes.push(messageId)
        if (failing.includes(messageId)) throw new Error('no')
      }),
    )
}

function mockRandom(t: Test, ...values: number[]): void {
  let index = 0
  t.intercept(Math, 'random', { value: () => values[index++ % values.length], configurable: true })
}

t.test('each redelivered record gets the time left and its own random time, and the others get none', async (t) => {
  const { inFlight, run, delays, calls, fauxqs } = await setUp(t)
  const event = await inFlight(1, 2, 1, 2, 5)
  mockRandom(t, 0, 0.5, ALMOST_1)
  const before = Date.now()
  const lines = await run(event, contextWith(59_001))
  const after = Date.now()
  const expected = [undefined, 60 + 450, undefined, 60 + 675, 60 + 900]
  const handles = event.Records.map(({ receiptHandle }) => receiptHandle)
  t.strictSame(
    handles.map((handle) => delays().get(handle)),
    expected,
  )
  t.equal(delays().size, 3)
  t.strictSame(
    calls.map(({ operation }) => operation),
    ['ChangeMessageVisibilityBatch'],
  )
  t.match(lines, [/m4$/])
  // The messages become visible again at these times.
  const inflight = fauxqs.inspectQueue('orders')?.messages.inflight ?? []
  t.equal(inflight.length, 5)
  for (const { receiptHandle, visibilityDeadline } of inflight) {
    const delay = 1000 * (expected[handles.indexOf(receiptHandle)] ?? 3600)
    const earliest = delay === 3_600_000 ? before - 60_000 : before // received earlier
    t.ok(visibilityDeadline >= earliest + delay && visibilityDeadline <= after + delay, `${delay}`)
  }
})

t.test('spread sets the random time, from half of it to all of it', async (t) => {
  for (const [random, spread, delay] of [
    [0, 60, 80],
    [ALMOST_1, 60, 110],
    [0, 61, 81],
    [0, 21_600, 10_850],
    [ALMOST_1, 21_600, 21_650],
  ] as const) {
    const { run, delays } = await setUp(t, { spread })
    mockRandom(t, random)
    await run(eventOf(2), contextWith(50_000)) // the calls may take a fifth of this
    t.strictSame([...delays().values()], [delay])
  }
})

t.test('no delay is longer than SQS allows', async (t) => {
  mockRandom(t, ALMOST_1)
  const { run, delays, calls } = await setUp(t, { spread: 21_600 })
  await run(eventOf(2), contextWith(5_400_000)) // the longest time on Managed Instances
  t.strictSame([...delays().values()], [27_000])
  calls.length = 0
  await run(eventOf(2), contextWith(1e12))
  t.strictSame([...delays().values()], [42_000])
})

t.test('there is no call and no line in the log', async (t) => {
  const { run, calls } = await setUp(t)
  const [redelivered] = recordsOf([2]) as [SQSRecord]
  const events: Record<string, unknown> = {
    'without a redelivered record': eventOf(1, 1),
    'without records': { Records: [] },
    'for an event without Records': { 'detail-type': 'order' },
    'for Records that are not an array': { Records: 'm0' },
    'for a record that is not an object': { Records: [null, 5, undefined] },
    'for no event': undefined,
    'for null': null,
    'for an event from Kinesis': { Records: [{ ...redelivered, eventSource: 'aws:kinesis' }] },
    'for a record without attributes': { Records: [{ ...redelivered, attributes: undefined }] },
    'for a record without a receive count': { Records: [{ ...redelivered, attributes: {} }] },
    'for a receive count that is not a number': {
      Records: [{ ...redelivered, attributes: { ApproximateReceiveCount: 'many' } }],
    },
    'for a FIFO queue': { Records: [{ ...redelivered, eventSourceARN: `${ARN}.fifo` }] },
  }
  for (const [name, event] of Object.entries(events)) {
    t.strictSame(await run(event), [], name)
    t.strictSame(calls, [], name)
  }
  const contexts: Record<string, unknown> = {
    'on Managed Instances if no time is left': contextWith(0),
    'if the time is negative': contextWith(-5),
    'if the time is not a number': contextWith(NaN),
    'if the time is endless': contextWith(Infinity),
    'if the context has no time': {},
    'if reading the time throws': throwingOn({}, 'getRemainingTimeInMillis'),
    'without a context': null,
  }
  for (const [name, context] of Object.entries(contexts)) {
    t.strictSame(await run(eventOf(2), context), [], name)
    t.strictSame(calls, [], name)
  }
})

t.test('a record without eventSource counts as one from SQS, as in boundedSqsBatch()', async (t) => {
  const { run, delays } = await setUp(t)
  await run({ Records: recordsOf([2], { eventSource: undefined as never }) })
  t.strictSame([...delays().keys()], ['receipt-of-m0'])
})

t.test('the calls go to the queue in the ARN of the record, or to sourceQueueUrl', async (t) => {
  const { run, calls, endpoint, queue, client } = await setUp(t)
  await run(eventOf(2))
  queue('elsewhere')
  const sourceQueueUrl = `${endpoint}/000000000000/elsewhere`
  await linesOf(t, () =>
    isolateCrashes({ client: client(), sourceQueueUrl }).before({ event: eventOf(2), context: contextWith(LONG) }),
  )
  t.strictSame(
    calls.map(({ input }) => input.QueueUrl),
    [`${endpoint}/000000000000/orders`, sourceQueueUrl],
  )
})

for (const [left, limit] of [
  [1000, 200],
  [49_999, 9999.8],
  [50_001, 10_000],
  [LONG, 10_000],
] as const) {
  t.test(`if SQS hangs with ${left} ms left, the batch starts after ${limit} ms, with one line`, async (t) => {
    const clock = mockClock(t)
    const client = { send: () => new Promise(() => {}) } // ignores its signal, as a provider of credentials does
    let isDone = false
    const lines = linesOf(t, async () => {
      await isolateCrashes({ client } as never).before({
        event: eventOf(...Array(25).fill(2)),
        context: contextWith(left),
      })
      isDone = true
    })
    await settled()
    passTime(clock, Math.ceil(limit) - 1)
    await settled()
    t.equal(isDone, false)
    passTime(clock, 1)
    await settled()
    t.equal(isDone, true)
    t.strictSame(await lines, [
      'Error: isolateCrashes(): SQS did not confirm the delay of 25 of 25 records. They may keep the visibility timeout of their queue: 25 × no time was left',
    ])
    t.equal(openTimers(clock), 0)
  })
}

t.test('no timer is left after the calls', async (t) => {
  const clock = mockClock(t)
  const client = { send: async () => ({ Successful: [{ Id: '0' }] }) }
  await isolateCrashes({ client } as never).before({ event: eventOf(2), context: contextWith(1000) })
  t.equal(openTimers(clock), 0)
})

t.test('if SQS does not set the delays, one line says why, and the batch runs', async (t) => {
  withEnvironment(t, { AWS_MAX_ATTEMPTS: '1' })
  const unhandled = unhandledRejections(t)
  const cases: [faults: Faults, reason: RegExp][] = [
    [
      { call: () => [403, 'AccessDenied', 'not authorized to perform: sqs:ChangeMessageVisibility'] },
      /25 × AccessDenied: not/,
    ],
    [
      { call: ({ input }) => (input.Entries.length === 5 ? [500, 'InternalError'] : undefined) },
      /20 × ReceiptHandle.*; 5 × Int/,
    ],
    [{ respond: () => ({}) }, /25 × the response of SQS does not mention this entry/],
  ]
  for (const [faults, reason] of cases) {
    const { client } = await setUp(t, {}, faults)
    const notes: string[] = []
    const lines = await linesOf(t, async () => {
      const handler = handlerWith({ client: client() }, notes)
      t.strictSame(failed(await handler(eventOf(...Array(25).fill(2)), timedContext(LONG))), [])
    })
    t.equal(lines.length, 1)
    t.match(lines[0], /^Error: isolateCrashes\(\): SQS did not confirm the delay of 25 of 25 records\./)
    t.match(lines[0], reason)
    t.strictSame(notes, ids(25))
  }
  t.strictSame(unhandled, [])
})

t.test('an event that throws when it is read causes one line and no error', async (t) => {
  const { run, calls } = await setUp(t)
  const [record] = recordsOf([2]) as [SQSRecord]
  const events = [
    throwingOn({}, 'Records'),
    { Records: [throwingOn({ ...record }, 'attributes')] },
    { Records: [throwingOn({ ...record }, 'eventSourceARN')] },
    { Records: [throwingOn({ ...record }, 'receiptHandle')] },
    { Records: [{ ...record, attributes: { ApproximateReceiveCount: Symbol('2') } }] },
  ]
  for (const event of events) {
    const lines = await run(event)
    t.equal(lines.length, 1)
    t.match(lines[0], /^Error: isolateCrashes\(\): the event is not readable: (Type)?Error: /)
  }
  t.strictSame(calls, [])
})

t.test('it does not throw if the log throws', async (t) => {
  const { before } = isolateCrashes({ client: { send: () => trapped() } } as never)
  const refuse = () => {
    throw new Error('the log is full')
  }
  const intercepts = [t.intercept(console, 'error', { value: refuse }), t.intercept(console, 'info', { value: refuse })]
  for (const event of [eventOf(2), eventOf(3), trapped()]) {
    await t.resolves(before({ event: event as SQSEvent, context: contextWith(1000) }))
  }
  for (const { restore } of intercepts) restore()
})

t.test('up to ten records of the third delivery or later are named before they start', async (t) => {
  const named = (count: number) => ids(count).join(', ')
  const cases: [receiveCounts: number[], ids: string | undefined][] = [
    [[3], 'm0'],
    [[1, 4, 2, 3, 2], 'm1, m3'],
    [Array(10).fill(3), named(10)],
    [[...Array(10).fill(3), ...Array(500).fill(2)], named(10)],
    [Array(11).fill(3), undefined],
    [[2, 2, 1], undefined],
  ]
  const text = 'isolateCrashes(): if the process ends now, suspect these records, delivered three times or more: '
  for (const [receiveCounts, expected] of cases) {
    const client = {
      send: async (command: { input: { Entries: object[] } }) => ({ Successful: command.input.Entries }),
    }
    const notes: string[] = []
    const log = t.intercept(console, 'info', { value: (...parts: string[]) => notes.push(parts.join(' ')) })
    await handlerWith({ client } as never, notes)(eventOf(...receiveCounts), timedContext(LONG))
    log.restore()
    t.strictSame(notes, [...(expected ? [text + expected] : []), ...ids(receiveCounts.length)])
  }
})

t.test('the records are named also on a FIFO queue, without time, and if SQS refuses the delay', async (t) => {
  const { run, calls } = await setUp(t, {}, { call: () => [403, 'AccessDenied'] })
  const fifo = fifoEvent('a1', 'b1')
  for (const { attributes } of fifo.Records) attributes.ApproximateReceiveCount = '3'
  t.match(await run(fifo), [/more: a1, b1$/])
  t.match(await run(eventOf(3), contextWith(0)), [/more: m0$/])
  t.strictSame(calls, [])
  t.match(await run(eventOf(3)), [/AccessDenied/, /more: m0$/])
})

for (const order of ['before', 'after'] as const) {
  t.test(`it works if it is used ${order} boundedSqsBatch()`, async (t) => {
    const { inFlight, client, delays } = await setUp(t)
    const isolate = isolateCrashes({ client: client() })
    const bounded = boundedSqsBatch({ logger: false })
    const [first, second] = order === 'before' ? [isolate, bounded] : [bounded, isolate]
    const event = await inFlight(2, 1, 2)
    const handles = event.Records.map(({ receiptHandle }) => receiptHandle)
    const atStart: unknown[] = []
    const handler = middy()
      .use(first)
      .use(second)
      .handler(
        eachRecord(({ messageId }) => {
          atStart.push([...delays().keys()])
          if (messageId === 'm2') throw new Error('no')
        }),
      )
    t.strictSame(failed(await handler(event, timedContext(LONG))), ['m2'])
    t.strictSame(atStart, Array(3).fill([handles[0], handles[2]]), 'the delays are set before the handlers start')
  })
}

t.test('a failed record keeps the delay, unless retryBackoff() sets another', async (t) => {
  const { inFlight, client, fauxqs } = await setUp(t)
  mockRandom(t, 0)
  const event = await inFlight(2, 2, 1)
  const start = Date.now()
  const lines = await linesOf(t, () => handlerWith({ client: client() }, [], ['m1', 'm2'])(event, contextWith(60_000)))
  t.strictSame(lines, [])
  const due = new Map(
    fauxqs.inspectQueue('orders')?.messages.inflight.map((entry) => [entry.receiptHandle, entry.visibilityDeadline]),
  )
  const seconds = event.Records.map(({ receiptHandle }) => Math.floor(((due.get(receiptHandle) ?? 0) - start) / 1000))
  const elapsed = Math.ceil((Date.now() - start) / 1000)
  for (const [index, expected] of [60 + 450, 60, 30].entries()) {
    const actual = seconds[index] as number
    t.ok(actual >= expected && actual <= expected + elapsed, `m${index}: ${actual}`)
  }
})
