import { readFileSync } from 'node:fs'
import { test } from 'tap'
import type { Backoff } from '../../src/code/source.ts'
import { check } from '../../src/doctor/check.ts'
import { outageSeconds } from '../../src/rules/outage.ts'
import { readTemplate } from '../../src/template/read-template.ts'
import { filesIn } from '../support/files.ts'
import { findingsIn, sam } from '../support/templates.ts'

const DEFAULTS: Backoff = { base: 30, factor: 2, max: 900, jitter: 'equal' }
const PAGE = readFileSync(new URL('../../../docs/outages.md', import.meta.url), 'utf8')

/** The numbers in the row of the table that begins with these words. */
function row(words: string): number[] {
  const [line = ''] = PAGE.split('\n').filter((one) => one.startsWith(`| ${words}`))
  return Array.from(line.slice(words.length + 2).matchAll(/(?<=\| )\**([\d.]+)/g), ([, number]) => Number(number))
}

const COUNTS = [5, 8, 10, 13, 15, 20]

test('the table of docs/outages.md has the counts that the other tests use', async (t) => {
  t.strictSame(row('minutes that a message survives; `maxReceiveCount`:'), COUNTS)
})

for (const [words, jitter] of [
  ['`retryBackoff()` with its defaults, at least', 'equal'],
  ["`retryBackoff()` with `jitter: 'none'`, at least", 'none'],
  ["`retryBackoff()` with `jitter: 'full'`, 99 % of the messages", 'full'],
] as const) {
  test(`docs/outages.md follows the formula: ${words}`, async (t) => {
    const minutes = COUNTS.map((count) => outageSeconds({ ...DEFAULTS, jitter }, count) / 60)
    t.equal(row(words).length, COUNTS.length)
    for (const [index, shown] of row(words).entries()) {
      const exact = minutes[index] ?? Number.NaN
      // The page rounds down, and large numbers have no decimals.
      t.ok(Math.abs(exact - shown) <= (shown < 10 ? 0.1 : 1), `${COUNTS[index]}: ${shown} is ${exact}`)
    }
  })
}

test('the delays grow from base to max', async (t) => {
  t.equal(outageSeconds({ base: 10, factor: 3, max: 50, jitter: 'none' }, 5), 10 + 30 + 50 + 50)
  t.equal(outageSeconds(DEFAULTS, 1), 0, 'one receive has no delay')
  t.equal(outageSeconds({ ...DEFAULTS, jitter: 'full' }, 2), 0, 'never negative')
})

/** The finding max-receive-count of a queue, whose function has this code. */
async function findingOf(t: Parameters<typeof filesIn>[0], maxReceiveCount: number, code?: string, isFifo = false) {
  const arn = isFifo ? 'arn:aws:sqs:eu-west-1:123456789012:dead.fifo' : 'arn:aws:sqs:eu-west-1:123456789012:dead'
  const RedrivePolicy = { deadLetterTargetArn: arn, maxReceiveCount }
  const queue = { RedrivePolicy, FifoQueue: isFifo }
  const mapping = { BatchSize: 10, MaximumBatchingWindowInSeconds: 0 }
  const template = sam({ mapping, queue, function: { CodeUri: 'src', Handler: 'index.handler' } })
  const folder = filesIn(t, {
    'template.json': JSON.stringify(template),
    ...(code === undefined ? {} : { 'src/index.mjs': code }),
  })
  const findings = check(await readTemplate(`${folder}/template.json`, new Map()))
  return findings.find(({ rule }) => rule === 'max-receive-count')
}

const IMPORT = "import { retryBackoff } from 'middy-bounded-sqs-batch/sqs'\n"
for (const [code, said] of [
  ['retryBackoff({ client })', 'With retryBackoff(), a message survives an outage of up to 3.7 minutes'],
  [
    "retryBackoff({ client, base: 1_0, factor: 3, max: 50, jitter: 'none' })",
    'With retryBackoff(), a message survives an outage of up to 2.3 minutes',
  ],
  [
    "retryBackoff({ client, jitter: 'full', delay: ({ error }) => error.retryAfter })",
    'With retryBackoff(), 99 % of the messages survive an outage of 0.6 minutes',
  ],
  ['retryBackoff({ client, base })', 'not known: base of retryBackoff() is not a literal'],
] as const) {
  test(`max-receive-count with ${code}`, async (t) => {
    const finding = await findingOf(t, 5, `${IMPORT}${code}`)
    t.match(finding, { severity: 'warning', set: '"maxReceiveCount": 15' })
    t.match(finding?.message, said)
    t.match(await findingOf(t, 12, `${IMPORT}${code}`), { severity: 'warning' })
    t.equal(await findingOf(t, 13, `${IMPORT}${code}`), undefined)
  })
}

test('max-receive-count of a FIFO queue with retryBackoff(): 5 is enough', async (t) => {
  t.equal(await findingOf(t, 5, `${IMPORT}retryBackoff({ client })`, true), undefined)
  t.match(await findingOf(t, 4, `${IMPORT}retryBackoff({ client })`, true), { set: '"maxReceiveCount": 5' })
})

test('max-receive-count without retryBackoff(): the visibility timeout decides', async (t) => {
  const code = 'export async function handler() { function retryBackoff(options) {} }'
  t.match(
    (await findingOf(t, 4, code))?.message,
    'maxReceiveCount is 4. Without retryBackoff(), a message survives an outage of up to 9.2 minutes.',
  )
  t.equal(await findingOf(t, 5, code), undefined)
  t.match(
    (await findingOf(t, 1, code))?.message,
    'maxReceiveCount is 1. A message is dead-lettered after its first failure.',
  )
})

test('max-receive-count of a function for another language does not name retryBackoff()', async (t) => {
  const queue = {
    RedrivePolicy: { deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:123456789012:dead', maxReceiveCount: 4 },
  }
  const python = { Runtime: 'python3.14', InlineCode: 'def handler(event, context): raise Exception' }
  const [finding] = await findingsIn(t, sam({ queue, function: python }))
  t.match(finding?.message, 'maxReceiveCount is 4. A message survives an outage of up to 9.2 minutes.')
})

test('max-receive-count of code that was not read, or is minified: not known', async (t) => {
  t.match((await findingOf(t, 4))?.message, 'How long an outage a message survives is not known: there is no')
  const bundle = `var a=1;${'b();'.repeat(300)}`
  t.match(
    (await findingOf(t, 4, bundle))?.message,
    'How long an outage a message survives is not known: the code is minified',
  )
})
