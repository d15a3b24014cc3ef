import { readFileSync } from 'node:fs'
import { format } from 'node:util'
import middy from '@middy/core'
import type { SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord, type RecordHandler } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { printed } from '../support/compat.ts'
import { fifoEvent, ids, standardEvent } from '../support/events.ts'
import { handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { evaluate } from '../support/insights.ts'
import { loggedIn, warned } from '../support/output.ts'
import { startDownstream } from '../support/services.ts'

const text = readFileSync(new URL('../../examples/deploy/queries.md', import.meta.url), 'utf8')
const queries = new Map(
  Array.from(text.matchAll(/<!-- query: ([\w-]+) -->\n```\n([\s\S]*?)```/g), ([, name, query]) => [
    name as string,
    query as string,
  ]),
)

function query(name: string): string {
  const found = queries.get(name)
  if (!found) throw new Error(`examples/deploy/queries.md has no query ${name}`)
  return found
}

/**
 * The lines that `console.error` would write on Lambda while `run` runs. In JSON, AWS's runtime client puts a single
 * argument into `message`, and an error becomes an object. In text, a line feed separates the lines of an entry. If the
 * client writes to stdout, it is a carriage return.
 */
async function lambdaLog(logFormat: 'JSON' | 'Text', requestId: string, run: () => unknown): Promise<string[]> {
  const timestamp = '2026-11-25T17:48:09.757Z'
  return (await loggedIn(logFormat, run)).map((parts) =>
    logFormat === 'Text'
      ? `${timestamp}\t${requestId}\tERROR\t${format(...parts)}`
      : JSON.stringify({ timestamp, level: 'ERROR', requestId, message: parts[0] }, withErrors),
  )
}

function withErrors(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return {
    errorType: value.constructor.name,
    errorMessage: value.message,
    stackTrace: value.stack?.split('\n'),
    ...value,
  }
}

/** The runtime client writes the error of an invocation by `console.error`. */
function logInvocation(error: unknown): void {
  console.error(error)
}

const LOGGED: BoundedSqsBatchOptions = { logger: undefined, concurrency: 1 }

/** Batches that fail in all the ways that the log distinguishes, by request id. */
function scenarios(t: Test): Record<string, () => unknown> {
  const clock = mockClock(t)
  const oneFails: RecordHandler = ({ messageId }) => {
    if (messageId === 'a1') throw new Error('downstream returned 503')
  }
  return {
    success: () => handlerOf(() => {}, LOGGED)(standardEvent(...ids(3))),
    errors: async () => {
      const handle: RecordHandler = (_record, _context, { index }) => {
        clock.advance(index === 4 ? 20 : 2)
        if (index < 4) throw new Error('downstream returned 503')
        if (index === 4) throw new TypeError('total is undefined')
      }
      await handlerOf(handle, LOGGED)(standardEvent(...ids(10)), timedContext(10_000))
    },
    time: async () => {
      const held = heldRecords()
      const result = handlerOf(held.handle, { ...LOGGED, concurrency: 2 })(standardEvent(...ids(5)), timedContext(1000))
      await settled()
      clock.advance(950)
      await result
    },
    partner: () => {
      const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' })
      const handle: RecordHandler = (_record, _context, { index }) => {
        if (index === 0)
          throw Object.assign(new Error('slow down'), { name: 'Throttled', code: 'BUSY', statusCode: 429 })
        throw new TypeError(`could not save order ${index}`, { cause })
      }
      const event = standardEvent(...ids(3))
      for (const [index, record] of event.Records.entries()) {
        record.eventSourceARN = record.eventSourceARN.replace('orders', 'payments')
        record.attributes.ApproximateReceiveCount = String(5 * index)
      }
      return handlerOf(handle, LOGGED)(event)
    },
    blocked: () => handlerOf(oneFails, LOGGED)(fifoEvent('a1', 'a2', 'a3', 'b1')),
    handled: () => handlerOf(oneFails, { ...LOGGED, onFailure: () => [] })(standardEvent('a1', 'b1')),
    flush: () => {
      const handler = middy()
        .use(boundedSqsBatch())
        .handler(async (event: SQSEvent, context) => {
          await eachRecord(oneFails)(event, context)
          throw new Error('flush failed')
        })
      return handler(standardEvent('a1', ...ids(1000)), testContext()).catch(logInvocation)
    },
    commit: () => {
      function after() {
        throw new TypeError('commit failed')
      }
      const handler = middy()
        .use({ after })
        .use(boundedSqsBatch())
        .handler(eachRecord(() => {}))
      return handler(standardEvent('b1'), testContext()).catch(logInvocation)
    },
    summary: async () => {
      function onSummary() {
        throw new Error('no metrics')
      }
      await handlerOf(() => {}, { ...LOGGED, onSummary })(standardEvent('b1'))
    },
    logger: () => {
      function logger() {
        throw new Error('no log')
      }
      return handlerOf(oneFails, { ...LOGGED, logger })(standardEvent('a1'))
    },
    invocation: () => handlerOf(() => {}, LOGGED)({} as SQSEvent).catch(logInvocation),
    // Node writes a warning by `console.error`.
    warning: async () => {
      const held = heldRecords()
      const warnings = await warned(async () => {
        const result = handlerOf(held.handle, { ...LOGGED, recordTimeout: 100 })(standardEvent('w1', 'w2'))
        await settled()
        clock.advance(100)
        await settled()
        clock.advance(100)
        await result
      })
      for (const { code, name, message } of warnings) console.error(`(node:1) [${code}] ${name}: ${message}`)
    },
  }
}

async function linesOf(t: Test, logFormat: 'JSON' | 'Text'): Promise<string[]> {
  const lines: string[] = []
  for (const [requestId, run] of Object.entries(scenarios(t)))
    lines.push(...(await lambdaLog(logFormat, requestId, run)))
  return lines
}

/** The line that Lambda itself writes at the end of an invocation, as AWS documents it. */
const REPORT_OF_LAMBDA = JSON.stringify({
  time: '2026-11-25T17:48:09.757Z',
  type: 'platform.report',
  record: { requestId: 'timeout', metrics: { durationMs: 60_000 }, status: 'timeout' },
})

const ABORTED = 'RecordAbortedError: The batch ended before the record was finished'
const TIMED_OUT = 'RecordTimeoutError: The handler did not finish within the recordTimeout of 100 ms'
const REFUSED = 'Error: downstream returned 503'

const SAVE = 'TypeError: could not save order 1'
const THROTTLED = 'Throttled: slow down (code BUSY, status 429)'

/** A row about the queue `orders`. */
const ofOrders = (fields: object) => ({ 'message.queue': 'orders', ...fields })

const FOUND_IN_JSON: Record<string, object[]> = {
  errors: [
    ofOrders({ 'group.error': REFUSED, records: 5, receives: 1 }),
    ofOrders({ 'group.error': ABORTED, records: 2, receives: 1 }),
    { 'message.queue': 'payments', 'group.error': SAVE, records: 2, receives: 10 },
    ofOrders({ 'group.error': 'TypeError: total is undefined', records: 1, receives: 1 }),
    { 'message.queue': 'payments', 'group.error': THROTTLED, records: 1, receives: 1 },
    { 'message.queue': 'orders.fifo', 'group.error': REFUSED, records: 1, receives: 1 },
    ofOrders({ 'group.error': TIMED_OUT, records: 1, receives: 1 }),
  ],
  kinds: [
    { 'group.name': 'Error', 'group.status': 503, records: 6 },
    { 'group.name': 'TypeError', records: 3 },
    { 'group.name': 'RecordAbortedError', records: 2 },
    { 'group.name': 'Throttled', 'group.code': 'BUSY', 'group.status': 429, records: 1 },
    { 'group.name': 'RecordTimeoutError', records: 1 },
  ],
  causes: [
    {
      'cause.name': 'Error',
      'cause.code': 'ECONNREFUSED',
      'cause.message': 'connect ECONNREFUSED 10.0.0.1:5432',
      records: 2,
    },
  ],
  receives: [
    { 'message.queue': 'payments', 'group.receiveCount': 10, 'group.error': SAVE, 'group.ids': ['m1', 'm2'] },
    { 'message.queue': 'payments', 'group.receiveCount': 1, 'group.error': THROTTLED, 'group.ids': ['m0'] },
  ],
  failed: [{ batches: 6, records: 26, failed: 10, timedOut: 1, redelivered: 18 }],
  ids: [
    { requestId: 'errors', 'group.error': REFUSED, 'group.ids': ['m0', 'm1', 'm2'] },
    { requestId: 'errors', 'group.error': 'TypeError: total is undefined', 'group.ids': ['m4'] },
    { requestId: 'time', 'group.error': ABORTED, 'group.ids': ['m0', 'm1'] },
    { requestId: 'partner', 'group.error': SAVE, 'group.ids': ['m1', 'm2'] },
    { requestId: 'partner', 'group.error': THROTTLED, 'group.ids': ['m0'] },
    { requestId: 'blocked', 'group.error': REFUSED, 'group.ids': ['a1'] },
    { requestId: 'handled', 'group.error': REFUSED, 'group.ids': ['a1'] },
    { requestId: 'warning', 'group.error': TIMED_OUT, 'group.ids': ['w1'] },
  ],
  message: [
    {
      requestId: 'errors',
      'message.message': 'middy-bounded-sqs-batch: 5 of 10 records of orders failed; highest receive count: 1',
    },
    {
      requestId: 'partner',
      'message.message': 'middy-bounded-sqs-batch: 3 of 3 records of payments failed; highest receive count: 10',
    },
  ],
  time: [
    {
      requestId: 'time',
      'message.records': 5,
      'message.aborted': 2,
      'message.notStarted': 3,
      'message.timeLeft': 50,
    },
    { requestId: 'warning', 'message.records': 2, 'message.aborted': 0, 'message.notStarted': 1 },
  ],
  redelivered: [
    { requestId: 'flush', messages: '1001', succeeded: '1000' },
    { requestId: 'commit', messages: '1', succeeded: '1' },
  ],
  invocations: [
    { 'message.errorType': 'Error', 'message.errorMessage': 'flush failed', invocations: 1 },
    { 'message.errorType': 'TypeError', 'message.errorMessage': 'commit failed', invocations: 1 },
    {
      'message.errorType': 'InvalidSqsEventError',
      'message.errorMessage': 'Expected an SQS event with a Records array, got Records: undefined',
      invocations: 1,
    },
  ],
  crashes: [{ 'record.status': 'timeout', invocations: 1 }],
  callbacks: [{ requestId: 'summary' }, { requestId: 'logger' }],
  warnings: [{ code: 'BOUNDED_SQS_BATCH_SIGNAL_IGNORED', warnings: 1 }],
}

const FOUND_IN_TEXT: Record<string, object[]> = {
  'text-failed': [
    { queue: 'orders', failed: '5', records: '10', receives: '1', p95: '20', timeLeft: '9962' },
    {
      queue: 'orders',
      failed: '5',
      records: '5',
      receives: '1',
      aborted: '2',
      notStarted: '3',
      p95: '950',
      timeLeft: '50',
    },
    { queue: 'payments', failed: '3', records: '3', receives: '10', p95: '0' },
    { queue: 'orders.fifo', failed: '3', records: '4', receives: '1', p95: '0' },
    { queue: 'orders', failed: '1', records: '2', receives: '1', p95: '0' },
    { queue: 'orders', failed: '2', records: '2', receives: '1', notStarted: '1', p95: '100' },
  ],
  'text-errors': [
    { count: '4', error: REFUSED, ids: 'm0, m1, m2, …' },
    { count: '2', error: ABORTED, ids: 'm0, m1' },
    { count: '2', error: SAVE, ids: 'm1, m2' },
    { count: '1', error: REFUSED, ids: 'a1' },
    { count: '1', error: REFUSED, ids: 'a1' },
    { count: '1', error: TIMED_OUT, ids: 'w1' },
  ],
}

/** The rows without columns that are missing or that hold a stack. */
function withoutStacks(rows: object[]): object[] {
  const dropped = ['group.stack', '@message']
  return JSON.parse(JSON.stringify(rows, (key, value) => (dropped.includes(key) ? undefined : value)))
}

t.test('every query of examples/deploy/queries.md is tested here', async (t) => {
  t.equal(text.match(/```\n(filter|fields|stats)/g)?.length, queries.size)
  const tested = [...Object.keys(FOUND_IN_JSON), 'slowest-of-all', ...Object.keys(FOUND_IN_TEXT)]
  t.strictSame([...queries.keys()].toSorted(), tested.toSorted())
})

t.test('each query for the JSON log format finds exactly its rows', async (t) => {
  const lines = [...(await linesOf(t, 'JSON')), REPORT_OF_LAMBDA]
  for (const [name, expected] of Object.entries(FOUND_IN_JSON)) {
    const rows = evaluate(query(name).replace(/\/[0-9a-f]{8}-[0-9a-f-]{27}\//, '/"m2"/'), lines)
    t.strictSame(withoutStacks(rows), expected, name)
  }
  const [first] = evaluate(query('ids'), lines) as { 'group.stack': string[] }[]
  t.match(first?.['group.stack'][0], /log-queries\.test/)
})

t.test(
  'each query for the text log format finds exactly its rows, with line feeds or carriage returns in an entry',
  async (t) => {
    const lines = await linesOf(t, 'Text')
    for (const [name, expected] of Object.entries(FOUND_IN_TEXT)) {
      t.strictSame(withoutStacks(evaluate(query(name), lines)), expected, name)
      const onStdout = lines.map((line) => line.replaceAll('\n', '\r'))
      t.strictSame(withoutStacks(evaluate(query(name), onStdout)), expected, `${name}, carriage returns`)
    }
  },
)

t.test('the queries for lines with the same text in both formats also work in the text format', async (t) => {
  const lines = await linesOf(t, 'Text')
  const warnings = FOUND_IN_JSON.warnings as object[]
  t.strictSame(evaluate(query('warnings'), lines), warnings)
  t.strictSame(evaluate(query('redelivered'), lines), [
    { '@timestamp': undefined, requestId: undefined, messages: '1001', succeeded: '1000' },
    { '@timestamp': undefined, requestId: undefined, messages: '1', succeeded: '1' },
  ])
  t.equal(evaluate(query('callbacks'), lines).length, 2)
})

t.test('the query for the slowest of all batches sorts the metrics of powertools-metrics.ts', async (t) => {
  process.env.DOWNSTREAM_URL = await startDownstream(t, () => 200)
  const { handler } = await import('../../examples/powertools-metrics.ts')
  const lines = await printed(async () => {
    for (const count of [3, 0, 5, 1]) await handler(standardEvent(...ids(count)), timedContext(30_000))
  })
  t.equal(lines.length, 7, 'a line for each batch, and one with its queue if it is not empty')
  const expected = lines
    .filter(({ records }) => records !== undefined && records !== 0)
    .map(({ records, recordP95, timeLeft, peakInFlight }) => ({ records, recordP95, timeLeft, peakInFlight }))
    .toSorted((a, b) => Number(b.recordP95) - Number(a.recordP95))
  const rows = evaluate(
    query('slowest-of-all'),
    lines.map((line) => JSON.stringify(line)),
  )
  t.equal(rows.length, 3)
  t.strictSame(withoutStacks(rows), expected)
})

t.test('of a large log entry, Logs Insights finds each field of these queries', async (t) => {
  const handle = handlerOf(
    (_record, _context, { index }) => {
      const create = (cause?: Error) =>
        Object.assign(new Error('no', { cause }), { name: `Kind${index % 12}`, code: 'EX', status: 503 })
      throw create(create(create(create())))
    },
    { logger: undefined },
  )
  const [line = ''] = await lambdaLog('JSON', 'large', () => handle(standardEvent(...ids(60)), timedContext(10_000)))
  const leaves = (value: unknown, path: string): string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, item]) => leaves(item, `${path}.${key}`))
      : [path]
  const fields = leaves(JSON.parse(line).message, 'message')
  t.ok(fields.length > 200)
  const found = fields.slice(0, 190) // it finds the first 200 fields of a line, and Lambda adds a few
  const used: string[] = text.match(/(?<=^[^`]*)(?<![\w.])message\.(?!error)\w+/gm) ?? []
  t.ok(used.includes('message.queue') && used.length > 10)
  t.strictSame(
    used.filter((field) => !found.includes(field)),
    [],
  )
})
