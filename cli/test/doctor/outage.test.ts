import { readFileSync } from 'node:fs'
import { type Test, test } from 'tap'
import { filesIn } from '../support/files.ts'
import { findingsInFile, sam } from '../support/templates.ts'

const PAGE = readFileSync(new URL('../../../docs/outages.md', import.meta.url), 'utf8')

/** The numbers in the row of the table that begins with these words. */
function row(words: string): number[] {
  const [line = ''] = PAGE.split('\n').filter((one) => one.startsWith(`| ${words}`))
  return Array.from(line.slice(words.length + 2).matchAll(/(?<=\| )\**([\d.]+)/g), ([, number]) => Number(number))
}

/** The seconds that a message survives with the defaults of `retryBackoff()`: docs/outages.md has the formula. */
function outageSeconds(jitter: 'equal' | 'full' | 'none', receives: number): number {
  const delays = Array.from({ length: receives - 1 }, (_, index) => Math.min(900, 30 * 2 ** index))
  const sum = delays.reduce((total, delay) => total + delay, 0)
  const squares = delays.reduce((total, delay) => total + delay ** 2, 0)
  return { none: sum, equal: sum / 2, full: sum / 2 - 2.33 * Math.sqrt(squares / 12) }[jitter]
}

for (const [words, jitter] of [
  ['`retryBackoff()` with its defaults, at least', 'equal'],
  ["`retryBackoff()` with `jitter: 'none'`, at least", 'none'],
  ["`retryBackoff()` with `jitter: 'full'`, 99 % of the messages", 'full'],
] as const) {
  test(`docs/outages.md follows the formula: ${words}`, async (t) => {
    const counts = row('minutes that a message survives; `maxReceiveCount`:')
    t.strictSame(counts, [5, 8, 10, 13, 15, 20])
    const minutes = counts.map((count) => outageSeconds(jitter, count) / 60)
    t.equal(row(words).length, counts.length)
    for (const [index, shown] of row(words).entries()) {
      const exact = minutes[index] ?? Number.NaN
      // The page rounds down, and large numbers have no decimals.
      t.ok(Math.abs(exact - shown) <= (shown < 10 ? 0.1 : 1), `${counts[index]}: ${shown} is ${exact}`)
    }
  })
}

/** The finding max-receive-count of a queue, whose function has this code. */
async function findingOf(
  t: Test,
  maxReceiveCount: number,
  code?: string,
  more: { fifo?: boolean; seconds?: unknown } = {},
) {
  const { fifo = false, seconds = 185 } = more
  const arn = `arn:aws:sqs:eu-west-1:123456789012:dead${fifo ? '.fifo' : ''}`
  const queue = {
    RedrivePolicy: { deadLetterTargetArn: arn, maxReceiveCount },
    FifoQueue: fifo,
    VisibilityTimeout: seconds,
  }
  const mapping = { BatchSize: 10, MaximumBatchingWindowInSeconds: 0 }
  const template = sam({ mapping, queue, function: { CodeUri: 'src', Handler: 'index.handler', Timeout: 3 } })
  const folder = filesIn(t, {
    'template.json': JSON.stringify(template),
    ...(code === undefined ? {} : { 'src/index.mjs': code }),
  })
  const findings = findingsInFile(`${folder}/template.json`)
  return findings.find(({ rule }) => rule === 'max-receive-count')
}

const BACKOFF = "import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'\nretryBackoff({ client })"

test('max-receive-count with retryBackoff(): a warning below 13', async (t) => {
  const finding = await findingOf(t, 5, BACKOFF)
  t.match(finding, { severity: 'warning', set: '"maxReceiveCount": 15' })
  t.match(
    finding?.message,
    'With retryBackoff(), whose first delays are short, a message survives only a short outage.',
  )
  t.match(await findingOf(t, 12, BACKOFF), { severity: 'warning' })
  t.equal(await findingOf(t, 13, BACKOFF), undefined)
})

test('max-receive-count of a FIFO queue with retryBackoff(): 5 is enough', async (t) => {
  t.equal(await findingOf(t, 5, BACKOFF, { fifo: true }), undefined)
  t.match(await findingOf(t, 4, BACKOFF, { fifo: true }), { set: '"maxReceiveCount": 5' })
})

for (const [receives, seconds, said] of [
  [1, 185, 'A message is dead-lettered after its first failure.'],
  [2, 20, 'A message survives an outage of up to 20 seconds.'],
  [2, 1, 'A message survives an outage of up to 1 second.'],
  [4, 40, 'A message survives an outage of up to 2 minutes.'],
  [4, 185, 'A message survives an outage of up to 9 minutes.'],
  [4, 2400, 'A message survives an outage of up to 2 hours.'],
  [4, { 'Fn::ImportValue': 'x' }, 'A message is dead-lettered after 4 failures.'],
] as const) {
  test(`max-receive-count without retryBackoff(): ${receives}, ${JSON.stringify(seconds)}`, async (t) => {
    const finding = await findingOf(t, receives, 'throw 1', { seconds })
    t.match(finding?.message, `maxReceiveCount is ${receives}. ${said} Throttled`)
    t.match((await findingOf(t, receives, undefined, { seconds }))?.message, said, 'the same without the code')
  })
}

test('5 receives are enough without retryBackoff()', async (t) => {
  t.equal(await findingOf(t, 5, 'function retryBackoff(options) {}'), undefined)
})
