/**
 * A handler written for @middy/sqs-partial-batch-failure behaves as that package documents
 * (https://middy.js.org/docs/middlewares/sqs-partial-batch-failure), except for the differences that
 * docs/from-sqs-partial-batch-failure.md lists.
 * Each difference is shown for both packages.
 */
import { readFileSync } from 'node:fs'
import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import t, { type Test } from 'tap'
import { boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { testContext, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'

type Logger = (error: unknown, record: SQSRecord) => void
type Handler = (event: SQSEvent, context: Context, options: { signal: AbortSignal }) => unknown
interface Around {
  readonly outer?: middy.MiddlewareObj
  readonly inner?: middy.MiddlewareObj
}

interface Outcome {
  readonly outcome: unknown
  readonly log?: unknown[]
}

const packages = { old: sqsPartialBatchFailure, new: boundedSqsBatch } as const

/** The rows of the table of differences, by their text about the old package. */
const rows = new Set<string>()

function difference(row: string, test: (t: Test) => Promise<void>): void {
  rows.add(row)
  t.test(`${row}`, test)
}

/** The response of an invocation or the error that fails it, and the calls of the logger. */
async function run(which: 'old' | 'new', handle: Handler, event: unknown, { outer, inner }: Around = {}) {
  const log: [string, string | undefined][] = []
  const logger: Logger = (error, record) => log.push([String(error), record.messageId])
  const handler = middy<SQSEvent>()
  if (outer) handler.use(outer)
  handler.use(packages[which]({ logger }))
  if (inner) handler.use(inner)
  const outcome = await handler
    .handler(handle)(structuredClone(event) as SQSEvent, testContext())
    .catch((error: Error) => `${error.name}: ${error.message}`)
  return { outcome, log }
}
const reported = (...ids: (string | undefined)[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
})

const parallel: Handler = (event) => Promise.allSettled(event.Records.map(processMessage))
const sequential: Handler = async (event) => {
  const results: PromiseSettledResult<unknown>[] = []
  for (const record of event.Records) results.push(...(await Promise.allSettled([processMessage(record)])))
  return results
}

t.test('the documented behaviour is the same', async (t) => {
  async function same(what: string, handle: Handler, event: SQSEvent, around: Around, expected: object) {
    const [before, after] = [await run('old', handle, event, around), await run('new', handle, event, around)]
    t.strictSame(before, expected, `${what}: old`)
    t.strictSame(after, expected, `${what}: new`)
  }
  for (const [name, handle] of Object.entries({ parallel, sequential })) {
    for (const ids of [['a'], ['x'], ['a', 'x1', 'b', 'x2'], ['x1', 'x2'], []]) {
      const failing = ids.filter((id) => id.includes('x'))
      const log = failing.map((id) => [`Error: ${id} failed`, id])
      const what = `${name}, ${ids.join(' ') || 'no records'}`
      await same(what, handle, standardEvent(...ids), {}, { outcome: reported(...failing), log })
    }
  }
  const rejectsWithNothing: Handler = (event) => Promise.allSettled(event.Records.map(() => Promise.reject()))
  const withNothing = { outcome: reported('a'), log: [['undefined', 'a']] }
  await same('a rejection with undefined', rejectsWithNothing, standardEvent('a'), {}, withNothing)
})

t.test('eachRecord() accepts the same record function', async (t) => {
  for (const handler of [
    middy<SQSEvent>()
      .use(sqsPartialBatchFailure({ logger() {} }))
      .handler(parallel),
    middy<SQSEvent>()
      .use(boundedSqsBatch({ logger: false }))
      .handler(eachRecord(processMessage)),
  ]) {
    t.strictSame(await handler(standardEvent('a', 'x1', 'b', 'x2'), testContext()), reported('x1', 'x2'))
  }
})

async function differs(t: Test, handle: Handler, event: unknown, there: Outcome, here: Outcome, around?: Around) {
  for (const [which, expected] of Object.entries({ old: there, new: here })) {
    const { outcome, log } = await run(which as 'old' | 'new', handle, event, around)
    if (expected.outcome instanceof RegExp) t.match(outcome, expected.outcome, which)
    else t.strictSame(outcome, expected.outcome, which)
    if (!expected.log) continue
    t.match(log, expected.log, `the log of the ${which} package`)
    t.equal(log.length, expected.log.length)
  }
}
const two = standardEvent('a', 'b')
const returning = (value: unknown) => async () => value
const ok = { status: 'fulfilled', value: 1 }
const all = (reason: string | RegExp) => ({ outcome: reported('a', 'b'), log: ['a', 'b'].map((id) => [reason, id]) })
const fails = (outcome: RegExp) => ({ outcome, log: [] })

difference('If the handler or a `before` hook throws, all records are reported.', async (t) => {
  const reject = () => Promise.reject(new Error('early'))
  await differs(t, reject, two, all('Error: early'), fails(/^Error: early$/))
  await differs(t, parallel, two, all('Error: early'), fails(/^Error: early$/), { outer: { before: reject } })
})

difference(
  'If the `onError` of a later middleware sets a response without returning it, this is the response.',
  async (t) => {
    const responding: middy.MiddlewareObj = {
      onError: (request) => {
        request.response = { statusCode: 500 }
      },
    }
    const reject = () => Promise.reject(new Error('early'))
    const there = { outcome: { statusCode: 500 }, log: [] }
    await differs(t, reject, two, there, fails(/^Error: early$/), { inner: responding })
    await differs(t, parallel, two, there, fails(/^Error: early$/), { outer: { before: reject }, inner: responding })
  },
)

difference("At Middy's early timeout, all records are reported.", async (t) => {
  const clock = mockClock(t)
  const hangIfX = (record: SQSRecord) => (record.messageId === 'x' ? new Promise(() => {}) : undefined)
  const hanging: Handler = (event) => Promise.allSettled(event.Records.map(hangIfX))
  async function outcomeOf(handler: middy.MiddyfiedHandler<SQSEvent>, passed = 995) {
    const outcome = handler(standardEvent('a', 'x'), timedContext(1000)).catch((error: Error) => error.name)
    await settled()
    clock.advance(passed)
    await settled()
    return outcome
  }
  const old = middy<SQSEvent>().use(sqsPartialBatchFailure({ logger() {} }))
  t.strictSame(await outcomeOf(old.handler(hanging)), reported('a', 'x'))
  const bounded = () => middy<SQSEvent>().use(boundedSqsBatch({ logger: false, timeBudget: false }))
  t.strictSame(await outcomeOf(bounded().handler(hanging)), 'TimeoutError')
  t.strictSame(await outcomeOf(bounded().handler(eachRecord(hangIfX))), 'TimeoutError')
  const withBudget = middy<SQSEvent>().use(boundedSqsBatch({ logger: false }))
  t.strictSame(await outcomeOf(withBudget.handler(eachRecord(hangIfX)), 950), reported('x'))
})

difference('If the `after` of another middleware throws, all records are reported.', async (t) => {
  const throws = { after: () => Promise.reject(new Error('late')) }
  const event = standardEvent('a', 'x')
  const there = { outcome: reported('a', 'x') }
  const here = { outcome: /^Error: late$/ }
  const line = 'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 2 messages, of which 1 had succeeded'
  for (const around of [{ outer: throws }, { inner: throws }]) {
    t.strictSame(await logged(() => differs(t, parallel, event, there, here, around)), [line])
  }
})

difference('If the handler returns nothing, or no settled results, all records are reported.', async (t) => {
  for (const [value, reason, came] of [
    [undefined, /^TypeError: Cannot read properties of undefined/, 'undefined'],
    [null, /^TypeError: Cannot read properties of null/, 'null'],
    [{}, /^TypeError: Cannot destructure/, 'an object'],
    [[1, 2], /^undefined$/, 'an array whose entry 0 is not a PromiseSettledResult'],
  ] as const) {
    const error = new RegExp(`^TypeError: The handler returned ${came}.*; return what`)
    await differs(t, returning(value), two, all(reason), fails(error))
  }
})

difference('If the handler returns `{ batchItemFailures }`, all records are reported.', async (t) => {
  const log = [['Error: The handler reported the record as failed', 'b']]
  const there = all(/^TypeError: Cannot destructure/)
  await differs(t, returning(reported('b')), two, there, { outcome: reported('b'), log })
})

difference('If there are fewer results than records, all records are reported.', async (t) => {
  const there = all(/^TypeError: Cannot destructure/)
  await differs(t, returning([ok]), two, there, fails(/^TypeError: The handler returned 1 results for 2 records/))
})

difference('If there are more results than records, the last results are ignored.', async (t) => {
  const here = fails(/^TypeError: The handler returned 3 results for 2 records/)
  await differs(t, returning([ok, ok, ok]), two, { outcome: reported(), log: [] }, here)
})

difference('On a FIFO queue, the records after a failed record are not reported.', async (t) => {
  const there = { outcome: reported('ax'), log: [['Error: ax failed', 'ax']] }
  const log = [...there.log, [/^RecordBlockedError: /, 'a2']]
  await differs(t, parallel, fifoEvent('ax', 'b1', 'a2'), there, { outcome: reported('ax', 'a2'), log })
})

difference('For an event that is not an SQS event, the list is empty or has no ids.', async (t) => {
  const failing = returning([{ status: 'rejected', reason: 1 }])
  for (const [event, outcome, error] of [
    [{}, reported(), /got Records: undefined$/],
    [{ Records: [{ eventSource: 'aws:kinesis' }] }, reported(undefined), /comes from "aws:kinesis" \(a string\)$/],
    [{ Records: [{ body: '' }] }, reported(undefined), /Expected a messageId in every record/],
  ] as const) {
    await differs(t, failing, event, { outcome }, fails(new RegExp(`^InvalidSqsEventError: .*${error.source}`)))
  }
})

difference('A `messageId` that occurs twice is reported twice.', async (t) => {
  const [there, here] = [{ outcome: reported('x', 'x') }, { outcome: reported('x') }]
  await differs(t, parallel, standardEvent('x', 'x'), there, here)
})

difference('Each failed record is logged with its body.', async (t) => {
  async function written(make: () => middy.MiddlewareObj<SQSEvent>) {
    let text = ''
    const { write } = process.stderr
    process.stderr.write = (chunk) => {
      text += chunk
      return true
    }
    try {
      await middy<SQSEvent>().use(make()).handler(parallel)(standardEvent('x1', 'a', 'x2'), testContext())
    } finally {
      process.stderr.write = write
    }
    return text
  }
  const there = /^Error: x1 failed\n[\s\S]*body: 'body of x1'[\s\S]*body: 'body of x2'/
  t.match(await written(sqsPartialBatchFailure), there)
  const here = await written(boundedSqsBatch)
  t.match(
    here,
    /^middy-bounded-sqs-batch: 2 of 3 records of orders failed[^\n]*\n {2}2 × Error: x1 failed \[x1, x2\]; /,
  )
  t.notMatch(here, 'body of')
})

difference('A `logger` that throws fails the invocation.', async (t) => {
  function logger() {
    throw new Error('the logger failed')
  }
  const there = middy<SQSEvent>().use(sqsPartialBatchFailure({ logger })).handler(parallel)
  await t.rejects(there(standardEvent('a', 'x'), testContext()), { message: 'the logger failed' })
  const here = middy<SQSEvent>().use(boundedSqsBatch({ logger })).handler(parallel)
  const lines = await logged(async () =>
    t.strictSame(await here(standardEvent('a', 'x'), testContext()), reported('x')),
  )
  t.match(lines, [/^middy-bounded-sqs-batch: the logger failed: Error: the logger failed\n/])
})

difference('Unknown options, and a `logger` that is not a function, are ignored.', async (t) => {
  for (const options of [{ logger: 'console' }, { loger() {} }]) {
    t.doesNotThrow(() => sqsPartialBatchFailure(options as never))
    t.throws(() => boundedSqsBatch(options as never), TypeError)
  }
})

t.test('docs/from-sqs-partial-batch-failure.md lists these differences', async (t) => {
  const page = readFileSync(new URL('../../docs/from-sqs-partial-batch-failure.md', import.meta.url), 'utf8')
  const [, table] = page.split('| @middy/sqs-partial-batch-failure | here |\n| --- | --- |\n')
  const [lines] = (table ?? '').split('\n\n')
  const listed = Array.from((lines ?? '').matchAll(/^\| (.*?) \| /gm), ([, there]) => there)
  t.strictSame(listed, [...rows])
})

async function processMessage({ messageId }: SQSRecord): Promise<void> {
  if (messageId.includes('x')) throw new Error(`${messageId} failed`)
}
