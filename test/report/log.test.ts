import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { pathToFileURL } from 'node:url'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import {
  type BatchSummary,
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  eachChunk,
  eachRecord,
  InvalidBodyError,
  PermanentError,
  type RecordHandler,
} from '../../src/index.ts'
import { logFailures } from '../../src/report/failure-log.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { record } from '../support/branded.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { temporaryFolder } from '../support/folder.ts'
import { failed, handlerOf, listOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { revoked, throwingOn } from '../support/hostile.ts'
import { logged, loggedIn, unhandledRejections } from '../support/output.ts'

/** The only entry about this event, as text without measured values, and as what is left of it in JSON. */
async function entryOf(handle: RecordHandler, event: SQSEvent) {
  const run = () => handlerOf(handle, { logger: undefined })(event)
  const [[text]] = (await loggedIn('Text', run)) as [[string]]
  const [[fields]] = (await loggedIn('JSON', run)) as [[object]]
  const [head = '', ...lines] = text.split('\n')
  return { lines: [head.replace(MEASURES, ''), ...lines], fields: JSON.parse(JSON.stringify(fields)) }
}

const MEASURES =
  /; (handler durations: p50 \d+ ms, p95 \d+ ms, max \d+ ms; )?peak in flight: \d+(; time left: \d+ ms)?$/

const fails = () => Promise.reject(new Error('x'))

const isFrame = (line: string) => /^ {4}(caused )?at /.test(line)

const SUMMARY: BatchSummary = {
  records: 20,
  succeeded: 5,
  failed: 3,
  timedOut: 1,
  aborted: 2,
  blocked: 4,
  notStarted: 5,
  handled: 6,
  reported: 9,
  durations: undefined,
  peakInFlight: 1,
  timeLeft: undefined,
}

/** The lines of the entry about records that failed for these reasons. */
async function linesOf(event: SQSEvent, summary: () => BatchSummary, ...reasons: unknown[]): Promise<string[]> {
  const failures = reasons.map((reason, index) => ({ index: record(index), reason }))
  const time = () => ({ left: Infinity, reserve: 0 })
  const entries = await logged(() => logFailures(undefined, checkSqsEvent(event), failures, summary, time))
  return entries.flatMap((entry) => entry.split('\n'))
}

/** The lines below the headline. */
async function linesFor(...reasons: unknown[]): Promise<string[]> {
  const [, ...lines] = await linesOf(standardEvent(...ids(reasons.length)), () => SUMMARY, ...reasons)
  return lines
}

function withFields(error: Error, fields: object): Error {
  return Object.assign(error, fields)
}

const CUSTOMERS = 'acme globex initech umbrella hooli stark wayne wonka cyberdyne tyrell soylent oscorp'.split(' ')

/** What the record with this index throws, and the entry without its frames. The records are called m0, m1 … */
const CASES: Record<string, { records: number; receives?: number; error: (index: number) => Error; entry: string }> = {
  'HTTP statuses': {
    records: 80,
    error: (index) => new Error(`downstream returned ${index < 50 ? 503 : index < 70 ? 429 : 400}`),
    entry: `middy-bounded-sqs-batch: 80 of 80 records of orders failed; highest receive count: 1
  50 × Error: downstream returned 503 [m0, m1, m2, …]; highest receive count: 1
  20 × Error: downstream returned 429 [m50, m51, m52, …]; highest receive count: 1
  10 × Error: downstream returned 400 [m70, m71, m72, …]; highest receive count: 1`,
  },
  causes: {
    records: 10,
    error: (index) => {
      let cause: Error = new TypeError("Cannot read properties of undefined (reading 'id')")
      if (index < 8) cause = withFields(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' })
      if (index < 5) cause = withFields(new Error('duplicate key'), { name: 'DatabaseError', code: '23505' })
      return withFields(new Error('could not save the order', { cause }), { name: 'OrderError' })
    },
    entry: `middy-bounded-sqs-batch: 10 of 10 records of orders failed; highest receive count: 1
  5 × OrderError: could not save the order [m0, m1, m2, …]; highest receive count: 1
    caused by DatabaseError: duplicate key (code 23505)
  3 × OrderError: could not save the order [m5, m6, m7]; highest receive count: 1
    caused by Error: connect ECONNREFUSED 10.0.0.1:5432
  2 × OrderError: could not save the order [m8, m9]; highest receive count: 1
    caused by TypeError: Cannot read properties of undefined (reading 'id')`,
  },
  'a message for each customer': {
    records: 12,
    error: (index) => new Error(`customer ${CUSTOMERS[index]} is blocked`),
    entry: `middy-bounded-sqs-batch: 12 of 12 records of orders failed; highest receive count: 1
  12 × Error: customer acme is blocked (one of 12 different texts) [m0, m1, m2, …]; highest receive count: 1`,
  },
  'messages that were received before': {
    records: 5,
    receives: 14,
    error: () => new Error('the partner is down'),
    entry: `middy-bounded-sqs-batch: 5 of 5 records of orders failed; highest receive count: 14
  5 × Error: the partner is down [m0, m1, m2, …]; highest receive count: 14`,
  },
  'long hexadecimal texts': {
    records: 3,
    error: (index) => new Error(`token ${'ab01'.repeat(190)}${index} expired`),
    entry: `middy-bounded-sqs-batch: 3 of 3 records of orders failed; highest receive count: 1
  3 × Error: token ${'ab01'.repeat(98)}a… [m0, m1, m2]; highest receive count: 1`,
  },
  'an error of the AWS SDK': {
    records: 4,
    error: () =>
      withFields(new Error('Rate exceeded'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } }),
    entry: `middy-bounded-sqs-batch: 4 of 4 records of orders failed; highest receive count: 1
  4 × ThrottlingException: Rate exceeded (status 400) [m0, m1, m2, …]; highest receive count: 1`,
  },
}

interface LoggedGroup {
  readonly count: number
  readonly error: string
  readonly causes: { readonly error: string }[]
  readonly stack: string[]
}

for (const [what, { records, receives = 1, error, entry }] of Object.entries(CASES)) {
  t.test(`the entry about ${what} has these lines and the frames of this file, and as JSON the same`, async (t) => {
    const event = standardEvent(...ids(records))
    for (const { attributes } of event.Records) attributes.ApproximateReceiveCount = String(receives)
    const { lines, fields } = await entryOf((_record, _context, { index }) => {
      throw error(index)
    }, event)
    t.equal(lines.filter((line) => !isFrame(line)).join('\n'), entry)
    t.ok(lines.filter(isFrame).every((line) => /^ {4}(caused )?at .*\/report\/log\.test\.ts:/.test(line)))
    const inFields = fields.errors.flatMap(({ count, error, causes, stack }: LoggedGroup) => [
      `  ${count} × ${error}`,
      ...causes.map(({ error }) => `    caused by ${error}`),
      ...stack.map((line) => `    ${line}`),
    ])
    t.ok(lines.every((line, index) => line.startsWith([fields.message, ...inFields][index])))
  })
}

t.test("if Lambda's log format is JSON, the entry is one object with these fields", async (t) => {
  const clock = mockClock(t)
  const event = standardEvent(...ids(25))
  ;(event.Records[6] as { attributes: object }).attributes = { ApproximateReceiveCount: '3' }
  const cause = withFields(new TypeError('fetch\nfailed'), { code: 'EPIPE', statusCode: 502 })
  const handle: RecordHandler = (_record, _context, { index }) => {
    clock.advance(2)
    if (index === 4) throw withFields(new RangeError('too\nlarge'), { code: 22003 })
    if (index % 2 === 0) throw new Error(`order ${index} returned 503`, { cause })
  }
  const onFailure: BoundedSqsBatchOptions['onFailure'] = (failures) => failures.slice(3)
  const handler = handlerOf(handle, { logger: undefined, concurrency: 1, onFailure })
  const calls = await loggedIn('JSON', () => handler(event, timedContext(1000)))
  t.equal(calls.length, 1)
  const [entry, ...more] = calls[0] as [object, ...unknown[]]
  t.strictSame(more, [])
  t.equal(Object.getPrototypeOf(entry), Object.prototype)
  const { errors, ...rest } = JSON.parse(JSON.stringify(entry))
  t.strictSame(rest, {
    message:
      'middy-bounded-sqs-batch: 13 of 25 records of orders failed (3 handled by onFailure); highest receive count: 3',
    queue: 'orders',
    receiveCount: 3,
    records: 25,
    succeeded: 12,
    failed: 13,
    timedOut: 0,
    aborted: 0,
    blocked: 0,
    notStarted: 0,
    handled: 3,
    reported: 10,
    durations: { p50: 2, p95: 2, max: 2 },
    peakInFlight: 1,
    timeLeft: 950,
    omittedGroups: 0,
    omittedRecords: 0,
  })
  for (const { stack } of errors) t.match(stack, [/^at .*report\/log\.test/])
  t.strictSame(
    errors.map(({ stack, ...group }: { stack: unknown }) => group),
    [
      {
        error: 'Error: order 0 returned 503',
        name: 'Error',
        message: 'order 0 returned 503',
        status: 503,
        causes: [
          {
            error: 'TypeError: fetch failed (code EPIPE, status 502)',
            name: 'TypeError',
            message: 'fetch failed',
            code: 'EPIPE',
            status: 502,
          },
        ],
        count: 12,
        ids: ['m0', 'm2', 'm6'],
        receiveCount: 3,
        texts: 1,
      },
      {
        error: 'RangeError: too large (code 22003)',
        name: 'RangeError',
        message: 'too large',
        code: 22003,
        causes: [],
        count: 1,
        ids: ['m4'],
        receiveCount: 1,
        texts: 1,
      },
    ],
  )
})

t.test('in any other log format of Lambda the entry is text, and logger: false logs nothing', async (t) => {
  const run = (logger: false | undefined, handle: RecordHandler) => handlerOf(handle, { logger })(standardEvent('a'))
  for (const format of ['Text', '']) {
    const calls = await loggedIn(format, () => run(undefined, fails))
    t.match(calls, [[/^middy-bounded-sqs-batch: 1 of 1 records of orders failed; /]])
  }
  // AWS's runtime client ignores the case of the format's name.
  t.match(await loggedIn('Json', () => run(undefined, fails)), [[{ reported: 1 }]])
  t.strictSame(await loggedIn('JSON', () => run(false, fails)), [])
  t.strictSame(await loggedIn('JSON', () => run(undefined, () => {})), [])
})

t.test('nothing is logged if no record failed', async (t) => {
  t.strictSame(await logged(() => handlerOf(() => {}, { logger: undefined })(standardEvent('a', 'b'))), [])
})

t.test('the headline has the counts of the summary, and the name of the queue if it is known', async (t) => {
  const counts = '(1 timed out, 2 aborted, 4 blocked, 5 not started, 6 handled by onFailure)'
  for (const [eventSourceARN, source] of [
    ['arn:aws:sqs:eu-west-1:123456789012:orders.fifo', ' of orders.fifo'],
    ['orders', ' of orders'],
    ['', ''],
    [undefined, ''],
    [5, ''],
  ] as const) {
    const event = { Records: [sqsRecord('a', { eventSourceARN: eventSourceARN as string })] }
    const [head] = await linesOf(event, () => SUMMARY, 'x')
    t.equal(
      head,
      `middy-bounded-sqs-batch: 15 of 20 records${source} failed ${counts}; highest receive count: 1; peak in flight: 1`,
    )
  }
})

t.test('the highest receive count is that of a failed record, also of one that was blocked', async (t) => {
  const event = fifoEvent('a1', 'a2', 'b1', 'c1')
  for (const [index, { attributes }] of event.Records.entries())
    attributes.ApproximateReceiveCount = ['2', '5', '3', '9'][index] as string
  const { lines, fields } = await entryOf(({ messageId }) => {
    if (messageId !== 'c1') throw new Error('no')
  }, event)
  t.match(lines, [
    /failed \(1 blocked\); highest receive count: 5$/,
    /^ {2}2 × Error: no \[a1, b1\]; highest receive count: 3$/,
  ])
  t.match(fields, { receiveCount: 5, errors: [{ receiveCount: 3 }] })
})

t.test('the headline has how long handlers took, how many were in flight and how much time is left', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const onFailure: BoundedSqsBatchOptions['onFailure'] = (failures) => failures.slice(1)
  const [entry] = await logged(async () => {
    const handle = handlerOf(held.handle, { logger: undefined, concurrency: 3, recordTimeout: 4_000, onFailure })
    const result = handle(fifoEvent('a1', 'b1', 'c1', 'd1', 'a2', 'e1'), timedContext(10_000))
    await settled()
    clock.advance(1_000)
    held.fail('a1')
    held.succeed('b1')
    await settled()
    clock.advance(2_000)
    held.succeed('d1')
    await settled()
    clock.advance(1_000)
    clock.advance(1_000)
    t.strictSame(failed(await result), ['c1', 'a2', 'e1'])
  })
  t.equal(
    entry?.split('\n')[0],
    'middy-bounded-sqs-batch: 4 of 6 records of orders.fifo failed (2 timed out, 1 blocked, 1 handled by onFailure); ' +
      'highest receive count: 1; ' +
      'handler durations: p50 2000 ms, p95 4000 ms, max 4000 ms; peak in flight: 3; time left: 5000 ms',
  )
})

t.test('the last line counts what ten groups do not show', async (t) => {
  const event = standardEvent(...ids(14))
  const { lines, fields } = await entryOf((_record, _context, { index }) => {
    throw withFields(new Error('no'), { name: `Kind${Math.max(0, index - 1)}` })
  }, event)
  const groups = lines.filter((line) => !isFrame(line))
  t.equal(groups.length, 12)
  t.equal(groups[1], '  2 × Kind0: no [m0, m1]; highest receive count: 1')
  t.equal(groups.at(-1), '  3 × other errors, in 3 more groups')
  t.match(fields, { errors: { length: 10 }, omittedGroups: 3, omittedRecords: 3 })
})

t.test('if not all messages were compared, the entry gives the least number of different texts', async (t) => {
  // 376 messages of 780 characters, which count as 800: one more than is compared.
  const letters = (index: number) => Array.from(index.toString(2), (bit) => 'xy'[Number(bit)]).join('')
  const errors = Array.from({ length: 376 }, (_, index) => new Error(letters(index).padEnd(780, 'z')))
  const [line] = await linesFor(...errors.slice(0, 12))
  t.match(line, '(one of 12 different texts)')
  const [cut] = await linesFor(...errors, new Error('one more'))
  t.match(cut, / {2}377 × Error: [xyz]+… \(one of at least 375 different texts\) \[m0, m1, m2, …\]/)
  const others = ['ash', 'oak'].map((word) => new TypeError(word))
  const last = (await linesFor(...errors, ...others)).filter((line) => !isFrame(line)).at(-1)
  t.equal(last, '  2 × TypeError: ash (one of at least 1 different texts) [m376, m377]; highest receive count: 1')
})

t.test('an error has one line: name, message, and a code and a status that the message does not contain', async (t) => {
  const x = (count: number) => 'x'.repeat(count)
  for (const [fields, expected] of [
    [{ name: 'Error', message: 'no' }, 'Error: no'],
    [{ name: 'Error', message: '' }, 'Error'],
    [{ name: 'Error', message: '', code: 'EPIPE' }, 'Error (code EPIPE)'],
    [{ name: 'Error', message: 'no', code: 23505, status: 503 }, 'Error: no (code 23505, status 503)'],
    [{ name: 'Error', message: 'open EPIPE', code: 'EPIPE', status: 503 }, 'Error: open EPIPE (status 503)'],
    [
      { name: 'Error', message: 'order 15032 of EPIPE2', code: 'EPIPE', status: 503 },
      'Error: order 15032 of EPIPE2 (code EPIPE, status 503)',
    ],
    [{ name: 'Error', message: 'got a 503', code: 'EPIPE', status: 503 }, 'Error: got a 503 (code EPIPE)'],
    [{ name: 'A\n  B', message: ' first\n\n\tsecond\u2028 ' }, 'A B:  first second '],
    [{ name: 'Error', message: x(400) }, `Error: ${x(400)}`],
    [{ name: 'Error', message: x(401) }, `Error: ${x(399)}…`],
    [{ name: 'Error', message: `${' '.repeat(500)}${x(500)}` }, `Error:  ${x(300)}`],
    [undefined, 'thrown undefined: undefined'],
    [revoked(), 'an error that throws when it is read'],
  ] as const) {
    t.strictSame(await linesFor(fields), [`  1 × ${expected} [m0]; highest receive count: 1`])
  }
})

t.test('an entry has no body, attribute or receipt handle, and a message cannot look like a frame', async (t) => {
  const event = {
    Records: [
      sqsRecord('a', {
        body: 'SECRET-body',
        receiptHandle: 'SECRET-handle',
        messageId: `${'x'.repeat(500)}\n`,
        messageAttributes: { x: { dataType: 'String', stringValue: 'SECRET-attribute' } },
      }),
    ],
  }
  const { lines, fields } = await entryOf(() => {
    throw new Error(`first line\n    at SECRET-in-message (a:1:1)\n${'x'.repeat(1000)}SECRET-tail`)
  }, event)
  t.match(lines[1], /1 × Error: first line at SECRET-in-message \(a:1:1\) x+… \[x{399}…\]; /)
  t.equal(lines.join('\n').match(/SECRET/g)?.length, 1)
  t.equal(JSON.stringify(fields).match(/SECRET/g)?.length, 2, 'in `error` and in `message`')
})

const frame = (name: string, file = 'handler.mjs') => `    at ${name} (/var/task/${file}:14:31)`
const stackOf = (...lines: string[]) => withFields(new Error('no'), { stack: ['Error: no', ...lines].join('\n') })

t.test("frames of Node, of packages and behind this package's first one are omitted", async (t) => {
  const own = [frame('save'), '    at async all (file:///var/task/node_modules-like/index.js:1:1)', frame('of node:fs')]
  const error = stackOf(
    own[0] as string,
    frame('handleRecord', 'node_modules/middy-bounded-sqs-batch/dist/index.js'),
    '    at /var/task/node_modules/p-queue/dist/index.js:1:1',
    '    at AsyncLocalStorage.run (node:internal/async_local_storage/async_context_frame:63:14)',
    '    at node:internal/main/run_main_module:33:47',
    'not a frame',
    'at no indentation',
    'a text at the end',
    own[1] as string,
    frame('boundedSqsBatchJobs'),
  )
  t.strictSame((await linesFor(error)).slice(1), [own[0], own[1], frame('boundedSqsBatchJobs')])
  for (const name of ['Object.boundedSqsBatchJob', 'async Object.boundedSqsBatchWorker']) {
    t.strictSame((await linesFor(stackOf(frame('save'), frame(name), frame('later')))).slice(1), [frame('save')])
    t.strictSame((await linesFor(stackOf(frame(name), frame('later')))).slice(1), [])
  }
})

t.test(
  'an entry has five frames of an error; with a cause, the last one is the first of the innermost cause, and says so',
  async (t) => {
    const frames = ids(100).map((id) => frame(id))
    t.strictSame((await linesFor(stackOf(...frames))).slice(1), frames.slice(0, 5))
    const innermost = stackOf(frame('connect'), frame('open'))
    const error = stackOf(...frames)
    error.cause = withFields(stackOf(frame('middle')), { cause: innermost })
    const framesFor = async (...errors: unknown[]) => (await linesFor(...errors)).filter(isFrame)
    t.strictSame(await framesFor(error), [...frames.slice(0, 4), frame('connect').replace('at', 'caused at')])
    for (const [cause, expected] of [
      [stackOf(frame('m0')), frames.slice(0, 4)], // the same frame once
      [stackOf('no frame'), frames.slice(0, 5)],
      ['a text', frames.slice(0, 5)],
    ] as const) {
      error.cause = cause
      t.strictSame(await framesFor(error), expected)
    }
  },
)

t.test('frames come from a stack without its message, and not from an error of this package', async (t) => {
  const [one, two] = [frame('save'), frame('run')]
  for (const [error, expected] of [
    [withFields(new Error(''), { stack: `${one}\n${two}` }), [one, two]],
    [withFields(new Error(`a\n${one}`), { stack: `Error: a\n${one}\n${two}` }), [two]],
    [withFields(new Error('renamed'), { stack: `Error: before\n${one}` }), [one]],
    [{ message: 14, stack: one }, [one]],
    [withFields(new Error('no'), { stack: `Error: no\n    at ${'x'.repeat(500)}` }), [`    at ${'x'.repeat(396)}…`]],
    [withFields(new Error('no'), { stack: `Error: no\n${'-\n'.repeat(98)}${one}\n${two}` }), [one]],
    [withFields(new Error('no'), { stack: undefined }), []],
    [{ message: 'no', stack: { replace: () => one } }, []],
    [throwingOn(new Error('no'), 'stack'), []],
    [withFields(new PermanentError('no'), { stack: one }), [one]],
    [withFields(new InvalidBodyError('no'), { stack: one }), []], // the frames of this package
  ] as const) {
    t.strictSame((await linesFor(error)).slice(1), expected)
  }
})

t.test('only the stacks that are shown are read', async (t) => {
  const reads: string[] = []
  const errors = ids(40).map((id, index) =>
    Object.defineProperty(withFields(new Error('no'), { name: `Kind${index % 13}` }), 'stack', {
      get: () => reads.push(id),
    }),
  )
  await linesFor(...errors)
  t.strictSame(reads, ids(10))
})

/** A bundled handler for each way to fail, in a line of its own. */
const PROGRAM = `
import middy from '@middy/core'
import { boundedSqsBatch, eachChunk, eachRecord } from '../../src/index.ts'
const standard = (validate) => ({ '~standard': { version: 1, vendor: 'test', validate } })
const schema = standard((value) => ({ value }))
const later = standard(async (value) => ({ value }))
const handlerOf = (inner, options) => middy().use(boundedSqsBatch(options)).handler(inner)
function save() { throw new Error('not saved') }
async function saveLater() { await null; save() }
export const handlers = {
  'at once': handlerOf(eachRecord(() => save())),
  'after an await': handlerOf(eachRecord(async () => { await null; save() })),
  'in a function that it awaits': handlerOf(eachRecord(async () => { await saveLater() })),
  'in a chunk': handlerOf(eachChunk(2, () => save())),
  'in a chunk, after an await': handlerOf(eachChunk(2, async () => { await null; save() })),
  'with a schema': handlerOf(eachRecord(() => save(), { body: schema })),
  'with a schema, after an await': handlerOf(eachRecord(async () => { await null; save() }, { body: schema })),
  'with an asynchronous schema': handlerOf(eachRecord(() => save(), { body: later })),
  'with both': handlerOf(eachRecord(async () => { await null; save() }, { body: later })),
  'in a chunk, with an asynchronous schema': handlerOf(eachChunk(2, () => save(), { body: later })),
  'with a rate limit': handlerOf(eachRecord(() => save()), { rateLimit: { limit: 10, interval: 1000 } }),
  'in a schema': handlerOf(eachRecord(() => {}, { body: standard(() => save()) })),
  'none: a body that does not match': handlerOf(eachRecord(() => {}, { body: standard(() => ({ issues: [] })) })),
  'none: another value of a chunk handler': handlerOf(eachChunk(2, () => 5)),
  'none: a list of failures': handlerOf(async () => ({ batchItemFailures: [{ itemIdentifier: 'a' }] })),
}`
const lineOf = (start: string) => PROGRAM.split('\n').findIndex((line) => line.trim().startsWith(start)) + 1

type Handlers = Record<string, (event: SQSEvent, context: Context) => unknown>

/** Bundles the program. Returns its handlers, and a function for the lines of the program in the frames of an entry. */
async function bundle(t: Test, minify: boolean) {
  const outfile = `${temporaryFolder(t)}/handler.mjs`
  const stdin = { contents: PROGRAM, resolveDir: import.meta.dirname, sourcefile: 'handler.js' }
  await build({ stdin, bundle: true, minify, platform: 'node', format: 'esm', sourcemap: 'external', outfile })
  const map = new SourceMap(JSON.parse(readFileSync(`${outfile}.map`, 'utf8')))
  const { handlers } = (await import(pathToFileURL(outfile).href)) as { handlers: Handlers }
  async function framesOf(handler: Handlers[string] | undefined): Promise<unknown[]> {
    const event = { Records: ['a', 'b'].map((id) => sqsRecord(id, { body: '{}' })) }
    const [entry = ''] = await logged(() => handler?.(event, testContext()))
    return entry
      .split('\n')
      .filter(isFrame)
      .map((line) => {
        const [, row, column] = /:(\d+):(\d+)\)?$/.exec(line) ?? []
        const found = map.findEntry(Number(row) - 1, Number(column) - 1)
        if (!('originalSource' in found) || !found.originalSource.endsWith('handler.js')) return line
        return found.originalLine + 1
      })
  }
  return { handlers, framesOf }
}

for (const minify of [false, true]) {
  const kind = minify ? 'a minified bundle' : 'a bundle'
  t.test(`in ${kind}, the frames are those of the handler that has failed`, async (t) => {
    const { handlers, framesOf } = await bundle(t, minify)
    for (const [way, handler] of Object.entries(handlers)) {
      const between = way === 'in a function that it awaits' ? [lineOf('async function saveLater')] : []
      const frames = [lineOf('function save'), ...between, lineOf(`'${way}'`)]
      t.strictSame(await framesOf(handler), way.startsWith('none: ') ? [] : frames, way)
    }
  })
}

t.test('the entry can be serialized, whatever was thrown', async (t) => {
  const circular = withFields(new Error('circular'), { toJSON: () => circular })
  for (const thrown of [undefined, 1n, Symbol('s'), revoked(), circular, withFields(new Error('no'), { stack: 5n })]) {
    const { fields } = await entryOf(() => Promise.reject(thrown), standardEvent('a'))
    t.match(fields.errors, [{ count: 1, ids: ['a'] }])
  }
})

t.test('if the entry cannot be made, nothing is logged and nothing is thrown', async (t) => {
  function summary(): never {
    throw new Error('no summary')
  }
  t.strictSame(await linesOf(standardEvent('a'), summary, new Error('a failed')), [])
})

t.test('a console that throws changes neither the response nor the error of the invocation', async (t) => {
  const { error } = console
  console.error = () => {
    throw new Error('EPIPE')
  }
  t.teardown(() => {
    console.error = error
  })
  const unhandled = unhandledRejections(t)
  t.strictSame(failed(await handlerOf(fails, { logger: undefined })(standardEvent('a'))), ['a'])
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch())
    .handler(async (event, context) => {
      await eachRecord(() => {})(event, context)
      throw new Error('flush')
    })
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'flush' })
  await settled()
  t.strictSame(unhandled, [])
})

/** Ends an inner handler after its records. */
function thenThrow(records: ReturnType<typeof eachRecord>) {
  return async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    await records(event, context)
    throw new Error('flush')
  }
}

const failB = eachRecord(({ messageId }) => (messageId === 'b' ? fails() : undefined))
const failA1 = eachRecord(({ messageId }) => (messageId === 'a1' ? fails() : undefined))
const failM77 = eachRecord((_record, _context, { index }) => (index === 77 ? fails() : undefined))
const failC = eachChunk(2, ([first]) => (first?.messageId === 'c' ? fails() : undefined))
const [three, five] = [standardEvent(...'abc'), standardEvent(...'abcde')]
const later = {
  after() {
    throw new Error('later')
  },
}
const settledResults = ({ Records }: SQSEvent) =>
  Promise.allSettled(Records.map(({ messageId }) => (messageId === 'b' ? fails() : undefined)))

for (const [what, inner, event, succeeded, options] of [
  ['a failed record', thenThrow(failB), three, 2],
  ['a failed record and a logger', thenThrow(failB), three, 2, { logger: () => t.fail('it is called') }],
  ['a failed record and logger: false', thenThrow(failB), three, undefined, { logger: false }],
  ['only failed records', thenThrow(eachRecord(fails)), three, undefined],
  ['a failed chunk', thenThrow(failC), five, 3],
  ['10,000 records', thenThrow(failM77), standardEvent(...ids(10_000)), 9_999],
  ['a blocked record', thenThrow(failA1), fifoEvent('a1', 'b1', 'a2', 'b2', 'c1'), 3],
  ['settled results', settledResults, three, 2],
  ['a list of failures', async () => listOf('a', 'c'), three, 1],
  ['a list of all records', async () => listOf('a', 'b', 'c'), three, undefined],
  ['a list that is not valid', async () => listOf('z'), three, undefined],
  ['no result', fails, three, undefined],
] as const) {
  t.test(`an invocation that fails with ${what}: the log says if records had succeeded`, async (t) => {
    const handler = middy<SQSEvent>()
      .use(boundedSqsBatch(options as BoundedSqsBatchOptions | undefined))
      .use(later)
      .handler(inner as never)
    const lines = await logged(async () => {
      await t.rejects(handler(event, testContext()))
      await settled()
    })
    const messages = `all ${event.Records.length} messages, of which ${succeeded} had succeeded`
    const line = `middy-bounded-sqs-batch: the invocation failed: SQS redelivers ${messages}`
    t.strictSame(lines, succeeded === undefined ? [] : [line])
  })
}

t.test('records that had not ended when the invocation failed do not count as successes', async (t) => {
  const held = heldRecords()
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ concurrency: 2 }))
    .handler(async (event, context) => {
      void eachRecord(held.handle)(event, context)
      await settled()
      held.succeed('a')
      held.fail('b')
      await settled()
      throw new Error('the other half failed')
    })
  const lines = await logged(async () => {
    await t.rejects(handler(five, testContext()))
    await settled()
  })
  t.match(lines, [/the invocation failed: SQS redelivers all 5 messages, of which 1 had succeeded$/])
  t.strictSame(held.running(), ['c', 'd'])
})

t.test('the line follows the entry of a batch that has responded, and is written once', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .after(() => {
      throw new Error('COMMIT')
    })
    .onError(() => {
      throw new Error('ROLLBACK')
    })
    .use(boundedSqsBatch())
    .handler(failB)
  const lines = await logged(async () => {
    await t.rejects(handler(three, testContext()), { message: 'ROLLBACK' })
    await settled()
  })
  t.match(lines, [
    /: 1 of 3 records of orders failed; /,
    /: the invocation failed: .* 3 messages, of which 2 had succeeded$/,
  ])
  t.equal(lines.length, 2)
})

t.test('a console whose promise rejects does not end the process', async (t) => {
  const unhandled = unhandledRejections(t)
  const { error } = console
  t.teardown(() => Object.assign(console, { error }))
  console.error = (async () => Promise.reject(new Error('the log is down'))) as never
  const handler = handlerOf(() => Promise.reject(new Error('no')), { logger: undefined })
  t.strictSame(failed(await handler(standardEvent('a'))), ['a'])
  await settled()
  t.strictSame(unhandled, [])
})
