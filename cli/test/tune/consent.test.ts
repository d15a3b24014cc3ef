import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { askIfLong, isLate, isLong, textOf } from '../../src/tune/consent.ts'
import { formatDuration } from '../../src/tune/figures/format.ts'

const NEVER = new AbortController().signal
const estimate = (ms: number, messages: number) => ({ ms, searchMs: ms, messages })
const LONG = estimate(840_000, 1_234_567)
const SHORTER = [{ flags: '--quick', estimate: estimate(58_000, 9_123) }]
const WHAT =
  'the estimate for this run is about 14 min, 1,200,000 messages, and the limit is 10 min or 1,000,000 messages. ' +
  'To make it shorter, use --quick (about 1 min, 9,100 messages)'
const REFUSED = { name: 'UsageError', message: `${WHAT}. To start it anyway, add --yes` }

test('a run of 10 minutes and 1,000,000 messages starts, and a longer one does not', async (t) => {
  t.notOk(isLong(estimate(600_000, 1_000_000)))
  t.ok(isLong(estimate(600_001, 1)))
  t.ok(isLong(estimate(1, 1_000_001)))
  await askIfLong(estimate(600_000, 1_000_000), [], undefined, NEVER)
})

test('the search must end when it has taken 1.2 times as long as estimated', async (t) => {
  const expected = { ms: 15_000, searchMs: 10_000, messages: 1 }
  t.notOk(isLate(12_000, expected))
  t.ok(isLate(12_001, expected))
})

test('without a terminal, a long run is refused with the flags that make it shorter', async (t) => {
  await t.rejects(askIfLong(LONG, SHORTER, undefined, NEVER), REFUSED)
  await t.rejects(askIfLong(LONG, [], undefined, NEVER), {
    message: /A smaller --batch-size or a narrower --concurrency makes it shorter\. To start it anyway, add --yes$/,
  })
  const two = [...SHORTER, { flags: '--concurrency 10..100', estimate: estimate(240_000, 60_123) }]
  await t.rejects(askIfLong(LONG, two, undefined, NEVER), {
    message: `${WHAT} or --concurrency 10..100 (about 4 min, 60,000 messages). To start it anyway, add --yes`,
  })
})

for (const [name, input, isStarted] of [
  ['y', 'y\n', true],
  ['Yes', 'Yes\n', true],
  ['yes between spaces', ' yes \n', true],
  ['n', 'n\n', false],
  ['a word that begins with yes', 'yesterday\n', false],
  ['a word that ends with y', 'okay\n', false],
  ['nothing', '\n', false],
  ['the end of the input', '', false],
] as const) {
  test(`on a terminal, a long run is a question: ${name}`, async (t) => {
    const terminal = { input: new PassThrough(), output: new PassThrough() }
    terminal.input.end(input)
    const asked = askIfLong(LONG, SHORTER, terminal, NEVER)
    if (isStarted) await asked
    else await t.rejects(asked, REFUSED)
    terminal.output.end()
    t.equal(await text(terminal.output), `${WHAT}.\nStart it? (y/N) `)
  })
}

for (const [name, key] of [
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
] as const) {
  test(`${name} means no`, async (t) => {
    const terminal = { input: new PassThrough(), output: Object.assign(new PassThrough(), { isTTY: true }) }
    const asked = askIfLong(LONG, SHORTER, terminal, NEVER)
    terminal.input.write(key)
    await t.rejects(asked, REFUSED)
  })
}

test('after the answer, nothing reads the terminal any more', async (t) => {
  const terminal = { input: new PassThrough(), output: new PassThrough() }
  terminal.input.write('y\n')
  await askIfLong(LONG, SHORTER, terminal, NEVER)
  t.ok(terminal.input.isPaused(), 'so it does not keep the process running')
})

test('a signal ends the question', async (t) => {
  const stopping = new AbortController()
  const terminal = { input: new PassThrough(), output: new PassThrough() }
  const asked = askIfLong(LONG, SHORTER, terminal, stopping.signal)
  stopping.abort()
  await t.rejects(asked, REFUSED)
})

test('an estimate has two digits of the messages, and as many of the time as can be trusted', async (t) => {
  t.equal(textOf(estimate(240_000, 60_123)), 'about 4 min, 60,000 messages')
  for (const [ms, expected] of [
    [400, '5 s'],
    [42_000, '40 s'],
    [57_600, '1 min'],
    [125_000, '2 min 10 s'],
    [599_000, '10 min'],
    [840_000, '14 min'],
    [7_140_000, '119 min'],
    [9_100_000, '2.5 h'],
    [360_000_000, '100 h'],
  ] as const) {
    t.equal(formatDuration(ms), expected)
  }
})
