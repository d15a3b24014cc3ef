import { test } from 'tap'
import {
  type Circumstances,
  deletedOutOfOrder,
  type Fate,
  type JudgedBatch,
  judge,
} from '../../../src/local/account/fate.ts'
import type { Outcome } from '../../../src/local/environment/runtime-api.ts'
import { libraryReport } from '../../support/ledger.ts'
import { received } from '../../support/runs.ts'

function circumstances(changes: Partial<Circumstances> = {}): Circumstances {
  return { reportBatchItemFailures: true, fifo: false, maxReceives: 3, ...changes }
}

function some(count: number) {
  return Array.from({ length: count }, (_, index) => received(`m${index}`))
}

function report(ids: readonly string[]): Outcome {
  const batchItemFailures = ids.map((itemIdentifier) => ({ itemIdentifier }))
  return { type: 'response', payload: JSON.stringify({ batchItemFailures }) }
}

/** The ids of each fate, in the words of the table below. */
function idsIn({ messages, error }: JudgedBatch) {
  const ids = (...fates: Fate[]) =>
    messages.filter(({ fate }) => fates.includes(fate)).map(({ message }) => message.messageId)
  const found = { processed: ids('processed', 'dropped'), failed: ids('failed'), deleted: ids('lost') }
  return error === undefined ? found : { ...found, error }
}

const ERROR = { type: 'error', message: 'it failed' } as const
for (const [title, outcome, isOn, deletedByHandler, expected] of [
  ['all succeeded', report([]), true, [], { processed: ['m0', 'm1', 'm2'], failed: [], deleted: [] }],
  ['one is reported', report(['m1']), true, [], { processed: ['m0', 'm2'], failed: ['m1'], deleted: [] }],
  [
    'one is reported, and ReportBatchItemFailures is off',
    report(['m1']),
    false,
    [],
    { processed: ['m0', 'm2'], failed: [], deleted: ['m1'] },
  ],
  [
    'one is reported, and the handler has deleted it and another one',
    report(['m1', 'm2']),
    true,
    ['m0', 'm1'],
    { processed: ['m0'], failed: ['m2'], deleted: ['m1'] },
  ],
  [
    'the invocation fails',
    ERROR,
    true,
    [],
    { processed: [], failed: ['m0', 'm1', 'm2'], deleted: [], error: 'it failed' },
  ],
  [
    'the invocation fails, ReportBatchItemFailures is off, and the handler has deleted one',
    ERROR,
    false,
    ['m1'],
    { processed: ['m1'], failed: ['m0', 'm2'], deleted: [], error: 'it failed' },
  ],
  [
    'the response is invalid',
    { type: 'response', payload: '[]' },
    true,
    ['m1'],
    {
      processed: ['m1'],
      failed: ['m0', 'm2'],
      deleted: [],
      error: 'the response is an array, not an object',
    },
  ],
  [
    'the response is invalid, and ReportBatchItemFailures is off',
    { type: 'response', payload: '[]' },
    false,
    [],
    { processed: ['m0', 'm1', 'm2'], failed: [], deleted: [] },
  ],
  [
    'the library reported one that the response does not list',
    { ...report(['m2']), library: libraryReport({ errors: {}, reported: ['m1', 'm2'] }) },
    true,
    [],
    { processed: ['m0'], failed: ['m2'], deleted: ['m1'] },
  ],
  [
    'the library has no result for one, and another one was in no batch',
    { ...report([]), library: libraryReport({ errors: {}, unfinished: { m0: true }, unlisted: { m2: true } }) },
    true,
    [],
    { processed: ['m1'], failed: [], deleted: ['m0', 'm2'] },
  ],
  [
    'the library is used, and all succeeded',
    { ...report([]), library: libraryReport({ errors: {} }) },
    true,
    [],
    { processed: ['m0', 'm1', 'm2'], failed: [], deleted: [] },
  ],
] as [string, Outcome, boolean, string[], object][]) {
  test(`what happens to the messages of a batch: ${title}`, async (t) => {
    const batch = some(3).map((message) => {
      return { ...message, byClients: { isDeleted: deletedByHandler.includes(message.messageId) } }
    })
    t.strictSame(idsIn(judge(batch, outcome, circumstances({ reportBatchItemFailures: isOn }))), expected)
  })
}

test('messages of a group that were deleted although an earlier one failed', async (t) => {
  const batch = ['a', 'b', 'a', 'a', 'b', undefined, undefined].map((group, index) => ({
    ...received(`m${index}`),
    group,
  }))
  const outOfOrder = (...failed: number[]) => {
    const outcome = report(failed.map((index) => `m${index}`))
    return deletedOutOfOrder(judge(batch, outcome, circumstances())).map(({ messageId }) => messageId)
  }
  t.strictSame(outOfOrder(), [])
  t.strictSame(outOfOrder(0), ['m2', 'm3'])
  t.strictSame(outOfOrder(2), ['m3'])
  t.strictSame(outOfOrder(3, 4, 6), [])
  t.strictSame(outOfOrder(0, 1, 5), ['m2', 'm3', 'm4', 'm6'])
  t.strictSame(outOfOrder(0, 2), ['m3'])
})

for (const [maxReceives, fate] of [
  [4, 'failed'],
  [3, 'exhausted'],
  [2, 'exhausted'],
  [Number.POSITIVE_INFINITY, 'failed'],
] as const) {
  test(`a message that fails in its third delivery of at most ${maxReceives}: ${fate}`, async (t) => {
    const batch = [received('a', 100, 3)]
    for (const outcome of [report(['a']), ERROR])
      t.equal(judge(batch, outcome, circumstances({ maxReceives })).messages[0]?.fate, fate)
  })
}

test('records that the handler has not read, though it read others, are lost, unless the library was used', async (t) => {
  const fates = (outcome: Outcome) => judge(some(3), outcome, circumstances()).messages.map(({ fate }) => fate)
  t.strictSame(fates({ ...report([]), unread: ['m1', 'm2'] }), ['processed', 'lost', 'lost'])
  t.strictSame(fates({ ...report(['m2']), unread: ['m1', 'm2'] }), ['processed', 'lost', 'failed'])
  t.strictSame(fates({ ...report([]), unread: 'all' }), ['processed', 'processed', 'processed'])
  t.strictSame(fates({ ...ERROR, unread: ['m1'] }), ['failed', 'failed', 'failed'])
  const library = libraryReport({ errors: {} })
  t.strictSame(fates({ ...report([]), unread: ['m1'], library }), ['processed', 'processed', 'processed'])
})

test('a failure that a failure handler removed from the report is dropped, and counts as thrown', async (t) => {
  const library = libraryReport({ errors: { m0: 'Error: x' }, reported: [] })
  const { messages } = judge(some(2), { ...report([]), library }, circumstances())
  t.match(messages, [
    { fate: 'dropped', cause: 'Error: x', isThrown: true },
    { fate: 'processed', isThrown: false },
  ])
})

const UNKNOWN = 'unknown error: the handler reported only the id of the record'
const UNLISTED =
  'the library did not receive this record: pass the whole event to the Middy handler, and filter no records before it'
const UNFINISHED =
  'the library made no response for this batch: await the Middy handler, return its response, and do not catch its error'

test('the cause of a record that failed', async (t) => {
  const cause = (known?: Parameters<typeof libraryReport>[0]) => {
    const library = known && libraryReport(known)
    return judge([received('m')], { ...report(['m']), library }, circumstances()).messages[0]?.cause
  }
  t.equal(cause(), UNKNOWN)
  t.equal(cause({ errors: { m: 'Error: x' } }), 'Error: x')
  t.equal(cause({ errors: { n: 'Error: x' }, unlisted: { m: true } }), UNLISTED)
  t.equal(cause({ errors: { n: 'Error: x' }, unfinished: { m: true } }), UNFINISHED)
  t.equal(cause({ errors: { m: 'Error: x' }, unfinished: { m: true } }), 'Error: x')
  const notStarted = 'not started before the batch ended'
  const unknown = ', or reported by the handler without an error'
  t.equal(cause({ errors: {}, unlisted: {}, unfinished: {} }), `${notStarted}${unknown}`)
  const outcome = { ...report(['m']), library: libraryReport({}) }
  t.equal(
    judge([received('m')], outcome, circumstances({ fifo: true })).messages[0]?.cause,
    `${notStarted}, blocked by an earlier failure of its message group${unknown}`,
  )
})

test('a reported record counts as thrown, unless the library reported it without an error', async (t) => {
  const isThrown = (library?: Parameters<typeof libraryReport>[0]) =>
    judge([received('m')], { ...report(['m']), library: library && libraryReport(library) }, circumstances())
      .messages[0]?.isThrown
  t.ok(isThrown(), 'the handler has reported it')
  t.ok(isThrown({ errors: { m: 'Error: x' }, reported: ['m'] }))
  t.notOk(isThrown({ reported: ['m'] }))
  t.ok(isThrown({ reported: ['n'] }))
})
