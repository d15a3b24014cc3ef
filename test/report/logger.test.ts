import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, openTimers, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing } from '../support/failures.ts'
import { failed, handlerOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { revoked, throwingOn } from '../support/hostile.ts'
import { logged, unhandledRejections } from '../support/output.ts'

const fails = () => Promise.reject(new Error('x'))
const throws = () => {
  throw new Error('the log is full')
}
const hangs = () => new Promise(() => {})
const FULL = 'middy-bounded-sqs-batch: the logger failed: Error: the log is full'
const OVER = 'middy-bounded-sqs-batch: the logger failed: Error: The time for the logger is over'

/** The first lines of the entries that a batch writes in which each of these records fails. */
async function linesWith(options: BoundedSqsBatchOptions, ...ids: string[]): Promise<(string | undefined)[]> {
  const entries = await logged(async () => {
    t.strictSame(failed(await handlerOf(fails, options)(standardEvent(...ids))), ids)
    await settled()
  })
  return entries.map((entry) => entry.split('\n')[0])
}

t.test('a logger is called once for each failed record, with the error and the record', async (t) => {
  const calls: [unknown, SQSRecord][] = []
  const event = standardEvent('a', 'b', 'c', 'd')
  const handle = handlerOf(
    ({ messageId }) => {
      if (messageId !== 'b') throw messageId
    },
    {
      logger: (...call) => calls.push(call),
      onFailure(failures) {
        t.strictSame(calls, [], 'it is called after the failure handlers')
        return failures.slice(1)
      },
    },
  )
  const lines = await logged(async () => t.strictSame(failed(await handle(event)), ['c', 'd']))
  const [a, , c, d] = event.Records
  t.strictSame(calls, [
    ['a', a],
    ['c', c],
    ['d', d],
  ])
  t.strictSame(
    calls.map(([, record]) => event.Records.indexOf(record)),
    [0, 2, 3],
  )
  t.strictSame(lines, [])
})

t.test('logger: false logs nothing, also if onFailure and onSummary fail', async (t) => {
  t.strictSame(await linesWith({ logger: false, onFailure: fails, onSummary: fails }, 'a'), [])
})

t.test('the promises of a logger are awaited together, before onSummary and the response', async (t) => {
  const held = heldRecords()
  const steps: string[] = []
  const handle = handlerOf(failing, {
    logger: (_error, record) => held.handle(record, testContext(), {} as never),
    onSummary: () => steps.push('summary'),
  })
  const result = handle(standardEvent('x1', 'a', 'x2')).then((response) => {
    steps.push('response')
    return response
  })
  await settled()
  t.strictSame(held.running(), ['x1', 'x2'])
  held.succeed('x2')
  await settled()
  t.strictSame(steps, [])
  held.succeed('x1')
  t.strictSame(failed(await result), ['x1', 'x2'])
  t.strictSame(steps, ['summary', 'response'])
})

for (const [what, logger, expected] of [
  ['throws', throws, FULL],
  ['rejects', async () => throws(), FULL],
  [
    'rejects a thenable',
    () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error('no')) }),
    /: Error: no$/,
  ],
  ['returns what throws', () => throwingOn({}, 'then'), /: the logger failed: Error: trap$/],
  [
    'rejects with what throws when it is read',
    () => Promise.reject(revoked()),
    /: an error that throws when it is read$/,
  ],
] as const) {
  t.test(`a logger that ${what} for each of three records: one line, and the same response`, async (t) => {
    const unhandled = unhandledRejections(t)
    let calls = 0
    const counted = () => {
      calls++
      return logger()
    }
    const lines = await linesWith({ logger: counted }, 'a', 'b', 'c')
    t.match(lines, [expected])
    t.strictSame([lines.length, calls, unhandled], [1, 3, []])
  })
}

t.test("the entry about a logger's error has a shortened message in one line, then five frames", async (t) => {
  const frames = Array.from({ length: 9 }, (_, index) => `at save (/var/task/handler.mjs:${index}:1)`)
  const error = new Error(`first\nsecond ${'x'.repeat(1000)}`)
  error.stack = ['Error', ...frames.map((frame) => `    ${frame}`)].join('\n')
  const [entry] = await logged(() => handlerOf(fails, { logger: () => Promise.reject(error) })(standardEvent('a')))
  const line = `middy-bounded-sqs-batch: the logger failed: Error: first second ${'x'.repeat(386)}…`
  t.strictSame(entry?.split('\n  '), [line, ...frames.slice(0, 5)])
})

const AT_MOST = 'it has at most 5000 ms'
for (const [what, context, time, limit] of [
  ['5 s, if the function has more time', timedContext, 5_000, AT_MOST],
  ['5 s, if the timeout of the function is not known', testContext, 5_000, AT_MOST],
  [
    '100 ms before the timeout of the function',
    () => timedContext(1_000),
    900,
    'the response needs the last 100 ms before the timeout',
  ],
] as const) {
  t.test(`a logger that hangs is awaited until ${what}`, async (t) => {
    const clock = mockClock(t)
    const timers = openTimers(clock)
    const steps: string[] = []
    const entries = await logged(async () => {
      const handle = handlerOf(failing, { logger: hangs, onSummary: () => steps.push('summary') })
      const result = handle(standardEvent('x1', 'x2'), context(60_000)).then((response) => failed(response))
      await settled()
      clock.advance(time - 1)
      await settled()
      t.strictSame(steps, [])
      clock.advance(1)
      t.strictSame(await result, ['x1', 'x2'])
    })
    t.strictSame(steps, ['summary'])
    t.equal(entries.length, 1)
    t.equal(entries[0], `${OVER}: ${limit}`)
    t.equal(openTimers(clock), timers)
  })
}

t.test('if the invocation fails while a logger is awaited, onSummary is not called', async (t) => {
  const handleAgain = eachRecord(failing)
  let repeat: (() => unknown) | undefined
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(
      boundedSqsBatch({
        logger: () => Promise.resolve(repeat?.()).catch(() => {}),
        onSummary: () => t.fail('it is called'),
      }),
    )
    .handler((event, context) => {
      repeat = () => handleAgain(event, context)
      return handleAgain(event, context)
    })
  await logged(() => t.rejects(handler(standardEvent('x'), testContext()), { message: /called twice/ }))
})

t.test('a logger that returns at once has no error if no time is left', async (t) => {
  const clock = mockClock(t)
  const handle = handlerOf(hangs, { timeBudget: { abort: 10 }, logger: () => {} })
  const entries = await logged(async () => {
    const result = handle(standardEvent('a'), timedContext(1000))
    await settled()
    clock.advance(990)
    t.strictSame(failed(await result), ['a'])
  })
  t.strictSame(entries, [])
})
