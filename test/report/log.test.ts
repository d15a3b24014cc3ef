import { randomUUID } from 'node:crypto'
import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import {
  type BatchSummary,
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  eachChunk,
  eachRecord,
} from '../../src/index.ts'
import { logFailures } from '../../src/report/failure-log.ts'
import { checkSqsEvent } from '../../src/sqs-event.ts'
import { record } from '../support/branded.ts'
import { mockClock, passTime, settled } from '../support/clock.ts'
import { fifoEvent, ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, handlerOf, listOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { revoked, throwingOn } from '../support/hostile.ts'
import { logged, unhandledRejections, warned } from '../support/output.ts'

/** Handles records with the default log. Returns the log entries without their measured values. */
async function logOf(handle: Parameters<typeof handlerOf>[0], event: Parameters<ReturnType<typeof handlerOf>>[0]) {
  const lines = await logged(() => handlerOf(handle, { logger: undefined })(event))
  return lines.map(withoutMeasures)
}

function withoutMeasures(entry: string): string {
  return entry.replace(
    /; (handler durations: p50 \d+ ms, p95 \d+ ms, max \d+ ms; )?peak in flight: \d+(; time left: \d+ ms)?(?=\n)/,
    '',
  )
}

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

/** The lines of the entry about a batch in which each record failed for one of these reasons. */
async function linesFor(...reasons: unknown[]): Promise<string[]> {
  const batch = checkSqsEvent(standardEvent(...ids(reasons.length)))
  const failures = reasons.map((reason, index) => ({ index: record(index), reason }))
  const [entry] = await logged(() => logFailures(undefined, batch, failures, () => SUMMARY))
  return (entry as string).split('\n')
}

/** The groups of errors with these messages. */
async function groupsFor(...messages: string[]): Promise<string[]> {
  const errors = messages.map((message) => Object.assign(new Error(message), { stack: undefined }))
  const [, ...groups] = await linesFor(...errors)
  return groups
}

t.test('the first line has the counts of the summary', async (t) => {
  const [head] = await linesFor('x')
  t.equal(
    head,
    'middy-bounded-sqs-batch: 15 of 20 records failed ' +
      '(1 timed out, 2 aborted, 4 blocked, 5 not started, 6 handled by onFailure); peak in flight: 1',
  )
})

t.test('nothing is logged if no record failed', async (t) => {
  t.strictSame(await logOf(() => {}, standardEvent('a', 'b')), [])
})

t.test('a batch logs one entry: counts, and groups by name and message, the largest first', async (t) => {
  const lines = await logOf(
    (_record, _context, { index }) => {
      if (index % 100 === 0) throw new TypeError('rare')
      if (index % 2 === 0) throw new Error(`order ${index} of d9428888-122b-11e1-b85c-61cd3cbb3210 took 1.5 s`)
    },
    standardEvent(...ids(1000)),
  )
  t.equal(lines.length, 1)
  const text = lines[0] as string
  const [head, first, ...rest] = text.split('\n')
  t.equal(head, 'middy-bounded-sqs-batch: 500 of 1000 records failed')
  t.equal(first, '  490 × Error: order 2 of d9428888-122b-11e1-b85c-61cd3cbb3210 took 1.5 s [m2, m4, m6, …]')
  t.match(rest[0], /^ {4}at .*report\/log/)
  t.ok(rest.includes('  10 × TypeError: rare [m0, m100, m200, …]'))
  t.equal(rest.filter((line) => line.startsWith('  ') && !line.startsWith('    ')).length, 1)
})

t.test('numbers and UUIDs do not make a new group, also in long messages', async (t) => {
  const lines = await logOf(
    (_record, _context, { index }) => {
      throw new Error(`order ${'9'.repeat(1 + (index % 50))} ${'x'.repeat(385)} ${randomUUID()} ${'y'.repeat(300)}`)
    },
    standardEvent(...ids(500)),
  )
  t.match(lines[0], /\n {2}500 × Error: order /)
})

t.test('the values of numbers and UUIDs make no difference, but their presence does', async (t) => {
  const uuids = ['aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 'FEDCBAFE-DCBA-FEDC-BAFE-DCBAFEDCBAFE']
  t.strictSame(await groupsFor(...uuids), [`  2 × Error: ${uuids[0]} [m0, m1]`])
  t.strictSame(await groupsFor('1 ms', '22 ms', '3.55 ms', '1,000,000.25 ms'), ['  4 × Error: 1 ms [m0, m1, m2, …]'])
  t.strictSame(await groupsFor('id', 'id7', `id${uuids[0]}`, 'id-'), [
    '  2 × Error: id7 [m1, m2]',
    '  1 × Error: id [m0]',
    '  1 × Error: id- [m3]',
  ])
})

t.test('only the beginning of a text is read and shown', async (t) => {
  const x = (count: number) => 'x'.repeat(count)
  t.strictSame(await groupsFor(x(393)), [`  1 × Error: ${x(393)} [m0]`])
  t.strictSame(await groupsFor(x(394)), [`  1 × Error: ${x(392)}… [m0]`])
  t.strictSame(await groupsFor(`${x(393)}a`, `${x(393)}b`), [`  2 × Error: ${x(392)}… [m0, m1]`])
  t.equal((await groupsFor(`${'9'.repeat(800)}a`, `${'9'.repeat(800)}b`)).length, 1)
  const batch = checkSqsEvent(standardEvent(`${' '.repeat(800)}x`))
  const [entry] = await logged(() => logFailures(undefined, batch, [{ index: record(0), reason: 'no' }], () => SUMMARY))
  t.match(entry, /\n {2}1 × thrown string: no \[ \]$/)
})

t.test('records that timed out, were blocked or not started are counted', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  let lines: readonly string[] = []
  async function run() {
    const handle = handlerOf(held.handle, { logger: undefined, concurrency: 2, recordTimeout: 100 })
    const result = handle(fifoEvent('a1', 'b1', 'a2', 'a3', 'b2', 'c1', 'd1'), timedContext(10_000))
    await settled()
    clock.advance(50)
    held.fail('b1', new Error('b1 failed'))
    await settled()
    t.strictSame(held.running(), ['a1', 'c1'])
    passTime(clock, 250)
    t.equal(failed(await result).length, 7)
  }
  const warnings = await warned(async () => {
    lines = await logged(run)
  })
  t.match(warnings, [{ code: 'BOUNDED_SQS_BATCH_SIGNAL_IGNORED' }])
  t.equal(lines.length, 1)
  const text = withoutMeasures(lines[0] as string)
  t.match(text, /7 of 7 records failed \(2 timed out, 3 blocked, 1 not started\)\n/)
  t.match(
    text,
    /\n {2}2 × RecordTimeoutError: The handler did not finish within the recordTimeout of 100 ms \[a1, c1\]\n/,
  )
  t.match(text, /\n {2}1 × Error: b1 failed \[b1\]\n/)
  t.notMatch(text, 'RecordBlockedError')
  t.notMatch(text, 'RecordNotStartedError')
})

t.test('a revoked proxy as an error changes nothing in the response', async (t) => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const handle = handlerOf(({ messageId }) => (messageId === 'b' ? Promise.reject(proxy) : undefined), {
    logger: undefined,
  })
  const lines = await logged(async () => t.strictSame(failed(await handle(standardEvent('a', 'b', 'c'))), ['b']))
  t.match(lines.map(withoutMeasures), [/1 of 3 records failed\n {2}1 × an error that throws when it is read \[b\]/])
})

t.test('an error that throws when it is read does not change what is logged of the others', async (t) => {
  const thrown: Record<string, unknown> = {
    a: revoked(),
    b: new Error('b failed'),
    c: throwingOn(new Error(), 'message'),
  }
  const [text] = await logOf(({ messageId }) => Promise.reject(thrown[messageId]), standardEvent('a', 'b', 'c'))
  const groups = text?.split('\n').filter((line) => / × /.test(line))
  t.strictSame(groups, ['  2 × an error that throws when it is read [a, c]', '  1 × Error: b failed [b]'])
})

t.test('if the entry cannot be made, nothing is logged and nothing is thrown', async (t) => {
  const batch = checkSqsEvent(standardEvent('a', 'b', 'c'))
  function summary(): never {
    throw new Error('no summary')
  }
  const failures = [{ index: record(1), reason: new Error('b failed') }]
  t.strictSame(await logged(() => logFailures(undefined, batch, failures, summary)), [])
})

t.test('an entry has at most ten groups', async (t) => {
  const names = 'abcdefghijklmno'.split('')
  const lines = await logOf(
    ({ messageId }) => {
      throw new Error(`kind ${messageId}`)
    },
    standardEvent(...names),
  )
  const groups = (lines[0] as string).split('\n').filter((line) => / × /.test(line))
  t.equal(groups.length, 10)
  t.match(lines[0], /\n {2}groups of errors omitted: 5$/)
})

t.test('an entry has no body, attribute, receipt handle or cause, and shortens long messages', async (t) => {
  const event = {
    Records: [
      sqsRecord('a', {
        body: 'SECRET-body',
        receiptHandle: 'SECRET-handle',
        messageAttributes: { x: { dataType: 'String', stringValue: 'SECRET-attribute' } },
      }),
    ],
  }
  const long = `first line\n    at SECRET-in-message (a:1:1)\n${'x'.repeat(1000)}SECRET-tail`
  const [text] = await logOf(() => {
    throw new Error(long, { cause: new Error('SECRET-cause') })
  }, event)
  t.match(text, /1 × Error: first line at SECRET-in-message \(a:1:1\) x+… \[a\]\n {4}at /)
  t.equal(text?.match(/SECRET/g)?.length, 1, 'of the secrets, only the one in the error message is logged')
  for (const line of (text as string).split('\n')) t.ok(line.length < 430, `${line.length} characters`)
})

t.test('thrown values that are not errors, or that throw when they are read, have a line each', async (t) => {
  const frameless = Object.assign(new Error('no stack'), { stack: undefined })
  const thrown: [unknown, string][] = [
    ['a text', '1 × thrown string: a text [a]'],
    [undefined, '1 × thrown undefined: undefined [a]'],
    [null, '1 × thrown object: null [a]'],
    [Symbol('s'), '1 × thrown symbol: Symbol(s) [a]'],
    [{ code: 5 }, '1 × an object [a]'],
    [frameless, '1 × Error: no stack [a]'],
    [{ name: 'Named', message: 7 }, '1 × Named [a]'],
    [{ name: 5, message: 'no name' }, '1 × an object: no name [a]'],
    [{ name: '', message: 'no name' }, '1 × an object: no name [a]'],
    [{ message: 'no stack', stack: { replace: () => '\n    at SECRET' } }, '1 × an object: no stack [a]'],
    [
      {
        get message() {
          throw new Error('SECRET')
        },
      },
      '1 × an error that throws when it is read [a]',
    ],
    [throwingOn(new Error('no stack'), 'stack'), '1 × Error: no stack [a]'],
    ['', '1 × thrown string [a]'],
  ]
  for (const [value, expected] of thrown) {
    const [text] = await logOf(() => Promise.reject(value), standardEvent('a'))
    t.equal(text, `middy-bounded-sqs-batch: 1 of 1 records failed\n  ${expected}`)
  }
})

t.test(
  'the code of the error, of its cause or of its first inner error is added if the message does not contain it',
  async (t) => {
    const coded = (code: unknown, message = 'no') => Object.assign(new Error(message), { code })
    const thrown: [unknown, string][] = [
      [new TypeError('fetch failed', { cause: coded('ECONNREFUSED') }), 'TypeError: fetch failed (ECONNREFUSED)'],
      [new AggregateError([coded('ENOTFOUND'), coded('EMFILE')], ''), 'AggregateError: (ENOTFOUND)'],
      [coded('EMFILE', 'too many open files'), 'Error: too many open files (EMFILE)'],
      [coded('EMFILE', 'open EMFILE'), 'Error: open EMFILE'],
      [{ code: 'E_X' }, 'an object: (E_X)'],
      [coded('ERR_INVALID_URL', 'Invalid URL'), 'Error: Invalid URL'],
      [coded('some text, perhaps of a body'), 'Error: no'],
      [coded('A'.repeat(50)), 'Error: no'],
      [coded(7), 'Error: no'],
      [coded(['EMFILE']), 'Error: no'],
      [new Error('no', { cause: null }), 'Error: no'],
      [new Error('no', { cause: 'EMFILE' }), 'Error: no'],
      [Object.assign(new Error('no'), { errors: [] }), 'Error: no'],
    ]
    for (const [error, expected] of thrown) {
      const [text] = await logOf(() => Promise.reject(error), standardEvent('a'))
      t.equal(text?.split('\n')[1], `  1 × ${expected} [a]`)
    }
  },
)

t.test('errors that differ only in their codes make different groups', async (t) => {
  const codes: Record<string, string> = { a: 'EMFILE', b: 'ECONNREFUSED', c: 'EMFILE' }
  const [text] = await logOf(
    ({ messageId }) => Promise.reject(new TypeError('fetch failed', { cause: { code: codes[messageId] } })),
    standardEvent('a', 'b', 'c'),
  )
  const groups = text?.split('\n').filter((line) => / × /.test(line))
  t.strictSame(groups, [
    '  2 × TypeError: fetch failed (EMFILE) [a, c]',
    '  1 × TypeError: fetch failed (ECONNREFUSED) [b]',
  ])
})

t.test('stack frames of Node, p-queue and this package are omitted', async (t) => {
  const error = new Error('no')
  error.stack = [
    'Error: no',
    '    at save (/var/task/handler.mjs:14:31)',
    '    at handleRecord (/var/task/node_modules/middy-bounded-sqs-batch/dist/index.js:1:1)',
    '    at /var/task/node_modules/p-queue/dist/index.js:1:1',
    '    at AsyncLocalStorage.run (node:internal/async_local_storage/async_context_frame:63:14)',
    '    at node:internal/main/run_main_module:33:47',
    '    at async all (file:///var/task/node_modules/p-queue-like/index.js:1:1)',
  ].join('\n')
  const [text] = await logOf(() => Promise.reject(error), standardEvent('a'))
  t.strictSame(text?.split('\n').slice(2), [
    '    at save (/var/task/handler.mjs:14:31)',
    '    at async all (file:///var/task/node_modules/p-queue-like/index.js:1:1)',
  ])
})

t.test('an entry has at most ten stack frames of an error', async (t) => {
  const frames = ids(12).map((id) => `    at ${id} (/var/task/handler.mjs:14:31)`)
  const error = Object.assign(new Error('no'), { stack: ['Error: no', ...frames].join('\n') })
  const [, , ...shown] = await linesFor(error)
  t.strictSame(shown, frames.slice(0, 10))
})

t.test('all frames of a stack without a first line are logged', async (t) => {
  const frames = ['    at save (/var/task/save.js:1:2)', '    at run (/var/task/run.js:3:4)']
  const [, , ...shown] = await linesFor(Object.assign(new Error(''), { stack: frames.join('\n') }))
  t.strictSame(shown, frames)
})

t.test('stack frames are logged without the message if the stack has an older message', async (t) => {
  const error = new Error('SECRET at noon')
  t.match(error.stack, 'SECRET') // a stack is written when it is first read
  error.message = 'rewritten'
  const [text] = await logOf(() => Promise.reject(error), standardEvent('a'))
  t.match(text, /1 × Error: rewritten \[a\]\n {4}at /)
  t.notMatch(text, 'SECRET')
})

const fails = () => Promise.reject(new Error('x'))

/** Runs an inner handler that must fail the invocation, and returns the log. */
async function failureLogOf(
  t: Test,
  inner: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>,
  event: SQSEvent,
  options: BoundedSqsBatchOptions = {},
): Promise<string[]> {
  return logged(async () => {
    const handler = middy<SQSEvent, SQSBatchResponse>().use(boundedSqsBatch(options)).handler(inner)
    await t.rejects(handler(event, testContext()))
    await settled()
  })
}

t.test(
  'if an invocation fails, one line says how many messages are redelivered, and how many had succeeded',
  async (t) => {
    function failsAfter(records: ReturnType<typeof eachRecord>) {
      return async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
        await records(event, context)
        throw new Error('flush')
      }
    }
    const failB = failsAfter(
      eachRecord(({ messageId }) => {
        if (messageId === 'b') throw new Error('b failed')
      }),
    )
    const line =
      'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 3 messages, of which 2 had succeeded'
    const abc = standardEvent('a', 'b', 'c')
    t.strictSame(await failureLogOf(t, failB, abc), [line])

    const errors: unknown[] = []
    t.strictSame(await failureLogOf(t, failB, abc, { logger: (error) => errors.push(error) }), [line])
    t.strictSame(errors, [], 'the logger is not called')

    t.strictSame(await failureLogOf(t, failB, abc, { logger: false }), [])

    const nothing = failsAfter(eachRecord(fails))
    t.strictSame(await failureLogOf(t, nothing, abc), [], 'nothing had succeeded')

    const chunks = failsAfter(eachChunk(2, ([first]) => (first?.messageId === 'c' ? fails() : undefined)))
    t.strictSame(await failureLogOf(t, chunks, standardEvent('a', 'b', 'c', 'd', 'e')), [
      'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 5 messages, of which 3 had succeeded',
    ])

    const many = failsAfter(eachRecord((_record, _context, { index }) => (index === 77 ? fails() : undefined)))
    t.strictSame(await failureLogOf(t, many, standardEvent(...ids(10_000))), [
      'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 10000 messages, of which 9999 had succeeded',
    ])
  },
)

t.test('records of which it is not known that they succeeded do not count in this line', async (t) => {
  const held = heldRecords()
  const whileRecordsRun = async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    void eachRecord(held.handle)(event, context)
    await settled()
    held.succeed('a')
    held.fail('b')
    await settled()
    throw new Error('the other half failed')
  }
  const lines = await failureLogOf(t, whileRecordsRun, standardEvent(...'abcde'), { concurrency: 2 })
  t.strictSame(lines, [
    'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 5 messages, of which 1 had succeeded',
  ])
  t.strictSame(held.running(), ['c', 'd'])

  const blocked = async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    const report = await eachRecord(({ messageId }) => (messageId === 'a1' ? fails() : undefined))(event, context)
    t.strictSame(failed(report), ['a1', 'a2'])
    throw new Error('flush')
  }
  t.strictSame(await failureLogOf(t, blocked, fifoEvent('a1', 'b1', 'a2', 'b2', 'c1')), [
    'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 5 messages, of which 3 had succeeded',
  ])
})

t.test('the failures that another inner handler returned count in this line', async (t) => {
  const later = {
    after() {
      throw new Error('later')
    },
  }
  const settledResults = (event: SQSEvent) =>
    Promise.allSettled(event.Records.map(({ messageId }) => (messageId === 'b' ? fails() : undefined)))
  for (const [inner, expected] of [
    [settledResults, [/SQS redelivers all 3 messages, of which 2 had succeeded$/]],
    [async () => listOf('a', 'c'), [/SQS redelivers all 3 messages, of which 1 had succeeded$/]],
    [async () => listOf('a', 'b', 'c'), []],
    [async () => listOf('z'), []], // refused, so nobody knows what succeeded
    [() => fails(), []],
  ] as const) {
    const lines = await logged(async () => {
      const handler = middy<SQSEvent>().use(boundedSqsBatch()).use(later).handler(inner)
      await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()))
      await settled()
    })
    t.match(lines, expected)
    t.equal(lines.length, expected.length)
  }
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
    .handler(eachRecord(({ messageId }) => (messageId === 'b' ? fails() : undefined)))
  const lines = await logged(async () => {
    await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { message: 'ROLLBACK' })
    await settled()
  })
  t.match(lines, [
    /^middy-bounded-sqs-batch: 1 of 3 records failed; /,
    /^middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 3 messages, of which 2 had succeeded$/,
  ])
  t.equal(lines.length, 2)
})

t.test('a batch whose records all failed has its entry only, also with throwOnFullBatchFailure', async (t) => {
  const lines = await logged(async () => {
    const handle = handlerOf(fails, { throwOnFullBatchFailure: true, logger: undefined })
    await t.rejects(handle(standardEvent('a', 'b')), { name: 'FullBatchFailureError' })
    await settled()
  })
  t.match(lines, [/^middy-bounded-sqs-batch: 2 of 2 records failed; /])
  t.equal(lines.length, 1)
})

t.test('a console that throws does not change the error of the invocation', async (t) => {
  const { error } = console
  console.error = () => {
    throw new Error('EPIPE')
  }
  t.teardown(() => {
    console.error = error
  })
  const unhandled = unhandledRejections(t)
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

t.test('logger: false logs nothing, also if onFailure and onSummary fail', async (t) => {
  const options = { logger: false, onFailure: fails, onSummary: fails } as const
  t.strictSame(await logged(() => handlerOf(fails, options)(standardEvent('a'))), [])
})

t.test('a logger is called once for each failed record, with the error and the record', async (t) => {
  const calls: [unknown, unknown][] = []
  const event = standardEvent('a', 'b', 'c', 'd')
  const lines = await logged(() =>
    handlerOf(
      ({ messageId }) => {
        if (messageId !== 'b') throw messageId
      },
      { logger: (error, record) => calls.push([error, record]) },
    )(event),
  )
  t.strictSame(
    calls.map(([error]) => error),
    ['a', 'c', 'd'],
  )
  t.ok(calls.every(([error, record]) => event.Records.find(({ messageId }) => messageId === error) === record))
  t.strictSame(lines, [])
})

t.test('a logger that throws or rejects changes nothing, and its error is logged', async (t) => {
  let calls = 0
  function throws() {
    calls++
    throw new Error('the log is full')
  }
  const [line, ...more] = await logged(async () => {
    t.strictSame(failed(await handlerOf(fails, { logger: throws })(standardEvent('a', 'b'))), ['a', 'b'])
  })
  t.equal(calls, 2)
  t.match(line, /the logger failed: Error: the log is full/)
  t.strictSame(more, [])

  const unhandled = unhandledRejections(t)
  const rejects = (async () => {
    throw new Error('the log is unavailable')
  }) as () => void
  const rejections = await logged(async () => {
    t.strictSame(failed(await handlerOf(fails, { logger: rejects })(standardEvent('a'))), ['a'])
    await settled()
  })
  t.match(rejections, [/the logger failed: Error: the log is unavailable/])
  t.strictSame(unhandled, [])
})

t.test("the entry about a logger's error has a shortened message in one line, then the stack", async (t) => {
  function throws() {
    throw new Error(`first\nsecond ${'x'.repeat(1000)}`)
  }
  const [entry] = await logged(() => handlerOf(fails, { logger: throws })(standardEvent('a')))
  const [head, ...frames] = (entry as string).split('\n')
  t.equal(head, `middy-bounded-sqs-batch: the logger failed: Error: first second ${'x'.repeat(379)}…`)
  t.match(frames[0], /^ {2}at throws .*report\/log/)
  t.ok(frames.every((frame) => frame.startsWith('  at ')))

  const unreadable = () => Promise.reject(revoked())
  t.strictSame(await logged(() => handlerOf(fails, { logger: unreadable })(standardEvent('a'))), [
    'middy-bounded-sqs-batch: the logger failed: an error that throws when it is read',
  ])
})

t.test('a console that throws changes nothing', async (t) => {
  const { error } = console
  console.error = () => {
    throw new Error('EPIPE')
  }
  t.teardown(() => {
    console.error = error
  })
  const handle = handlerOf(() => Promise.reject(new Error('x')), { logger: undefined })
  t.strictSame(failed(await handle(standardEvent('a'))), ['a'])
})

t.test('the entry says how long handlers took, how many were in flight and how much time is left', async (t) => {
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
  const head = (entry as string).split('\n')[0]
  t.equal(
    head,
    'middy-bounded-sqs-batch: 4 of 6 records failed (2 timed out, 1 blocked, 1 handled by onFailure); ' +
      'handler durations: p50 2000 ms, p95 4000 ms, max 4000 ms; peak in flight: 3; time left: 5000 ms',
  )
})

t.test('the entry has no durations if no handler ran, and no remaining time if the context has none', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch())
    .handler(async () => ({ batchItemFailures: [{ itemIdentifier: 'a' }] }))
  const [entry] = await logged(() => handler(standardEvent('a', 'b'), testContext()))
  t.match(entry, /^middy-bounded-sqs-batch: 1 of 2 records failed; peak in flight: 0\n/)
})

/** The arguments of each call of `console.error` with this log format of Lambda. */
async function entriesIn(format: string, run: () => unknown): Promise<unknown[][]> {
  const calls: unknown[][] = []
  const { error } = console
  const { AWS_LAMBDA_LOG_FORMAT } = process.env
  console.error = (...parts) => calls.push(parts)
  process.env.AWS_LAMBDA_LOG_FORMAT = format
  try {
    await run()
  } finally {
    console.error = error
    process.env.AWS_LAMBDA_LOG_FORMAT = AWS_LAMBDA_LOG_FORMAT
    if (AWS_LAMBDA_LOG_FORMAT === undefined) delete process.env.AWS_LAMBDA_LOG_FORMAT
  }
  return calls
}

function plain(value: unknown) {
  return JSON.parse(JSON.stringify(value))
}

t.test("if Lambda's log format is JSON, the entry is one object", async (t) => {
  const clock = mockClock(t)
  const event = standardEvent(...ids(25))
  const calls = await entriesIn('JSON', async () => {
    function fails(_record: unknown, _context: unknown, { index }: { index: number }) {
      clock.advance(2)
      if (index % 2 === 0) throw index === 4 ? new TypeError('rare') : new Error(`order ${index} failed`)
    }
    const onFailure: BoundedSqsBatchOptions['onFailure'] = (failures) => failures.slice(3)
    await handlerOf(fails, { logger: undefined, concurrency: 1, onFailure })(event, timedContext(1000))
  })
  t.equal(calls.length, 1)
  const [entry, ...more] = calls[0] as [Record<string, unknown>, ...unknown[]]
  t.strictSame(more, [])
  t.equal(Object.getPrototypeOf(entry), Object.prototype)
  const { errors, ...rest } = plain(entry)
  t.strictSame(rest, {
    message: 'middy-bounded-sqs-batch: 13 of 25 records failed (3 handled by onFailure)',
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
  })
  t.match(errors, [
    { error: 'Error: order 0 failed', count: 12, ids: ['m0', 'm2', 'm6'], stack: [/^at .*report\/log/] },
    { error: 'TypeError: rare', count: 1, ids: ['m4'], stack: [/^at .*report\/log/] },
  ])
  t.equal(errors.length, 2)
  for (const { stack } of errors) t.ok(stack.length <= 10)
  t.notMatch(JSON.stringify(entry), 'body of')
})

t.test('the JSON entry has at most ten groups', async (t) => {
  const handle = handlerOf(
    ({ messageId }) => Promise.reject(new Error(`kind ${messageId}`, { cause: new Error('SECRET') })),
    { logger: undefined },
  )
  const calls = await entriesIn('JSON', () => handle(standardEvent(...'abcdefghijklm')))
  t.equal(calls.length, 1)
  const entry = plain(calls[0]?.[0])
  t.match(entry, { message: 'middy-bounded-sqs-batch: 13 of 13 records failed', omittedGroups: 3 })
  t.strictSame(
    entry.errors.map(({ error }: { error: string }) => error),
    [...'abcdefghij'].map((id) => `Error: kind ${id}`),
  )
  t.notOk('timeLeft' in entry)
  t.notMatch(JSON.stringify(entry), 'SECRET')
})

t.test('the JSON entry can be serialized, whatever was thrown', async (t) => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const circular = Object.assign(new Error('circular'), { toJSON: () => circular })
  const frameless = Object.assign(new Error('no stack'), { stack: 5n })
  const thrown: [unknown, string][] = [
    [undefined, 'thrown undefined: undefined'],
    [null, 'thrown object: null'],
    [1n, 'thrown bigint: 1'],
    [Symbol('s'), 'thrown symbol: Symbol(s)'],
    [proxy, 'an error that throws when it is read'],
    [circular, 'Error: circular'],
    [frameless, 'Error: no stack'],
    [new Error('half a pair \ud800, "quotes" and\nlines'), 'Error: half a pair \ud800, "quotes" and lines'],
    [new Error('x'.repeat(10_000)), `Error: ${'x'.repeat(392)}…`],
  ]
  for (const [value, expected] of thrown) {
    const fails = () => Promise.reject(value)
    const calls = await entriesIn('JSON', () => handlerOf(fails, { logger: undefined })(standardEvent('a')))
    t.equal(calls.length, 1)
    t.match(plain(calls[0]?.[0]).errors, [{ error: expected, count: 1, ids: ['a'] }])
    t.equal(plain(calls[0]?.[0]).errors[0].error, expected)
  }
})

t.test('in any other log format of Lambda the entry is text, and logger: false logs nothing', async (t) => {
  for (const format of ['Text', '']) {
    const calls = await entriesIn(format, () => handlerOf(fails, { logger: undefined })(standardEvent('a')))
    t.match(calls, [[/^middy-bounded-sqs-batch: 1 of 1 records failed; /]])
  }
  // AWS's runtime client ignores the case of the format's name.
  const [[entry]] = (await entriesIn('Json', () => handlerOf(fails, { logger: undefined })(standardEvent('a')))) as [
    [object],
  ]
  t.match(entry, { reported: 1 })
  t.strictSame(await entriesIn('JSON', () => handlerOf(fails, { logger: false })(standardEvent('a'))), [])
  t.strictSame(await entriesIn('JSON', () => handlerOf(() => {}, { logger: undefined })(standardEvent('a'))), [])
})
