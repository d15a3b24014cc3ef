/** The table of docs/outages.md is computed with the delays of retryBackoff(). */
import { readFileSync } from 'node:fs'
import type { SQSClient } from '@aws-sdk/client-sqs'
import t from 'tap'
import { type RetryBackoffOptions, retryBackoff } from '../../src/sqs/index.ts'
import { sqsEvent } from '../../src/testing/index.ts'

const page = readFileSync(new URL('../../docs/outages.md', import.meta.url), 'utf8')
const circuitBreaker = readFileSync(new URL('../../examples/circuit-breaker.ts', import.meta.url), 'utf8')

/** The delays without jitter after the receives from 1 to `maxReceiveCount` - 1, in seconds. */
async function delaysOf(maxReceiveCount: number, options: Partial<RetryBackoffOptions> = {}): Promise<number[]> {
  const delays: number[] = []
  const send = async ({ input }: { input: { Entries: { Id: string; VisibilityTimeout: number }[] } }) => {
    delays.push(...input.Entries.map(({ VisibilityTimeout }) => VisibilityTimeout))
    return { Successful: input.Entries.map(({ Id }) => ({ Id })) }
  }
  const client = { send, config: {} } as unknown as SQSClient
  const handle = retryBackoff({ client, jitter: 'none', sourceQueueUrl: 'https://sqs/1/orders', ...options })
  const [record] = sqsEvent(['a']).Records
  if (!record) throw new Error('Expected a record')
  for (let receiveCount = 1; receiveCount < maxReceiveCount; receiveCount++) {
    await handle([{ record, error: new Error('down'), receiveCount }], {
      signal: new AbortController().signal,
      blocked: [],
      log: (error: unknown) => t.fail(String(error)),
    } as never)
  }
  return delays
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
/** Rounded down, because the table promises that messages survive this time. */
const minutes = (seconds: number) => {
  const value = seconds / 60
  return value < 10 ? (Math.floor(value * 10 + 1e-9) / 10).toFixed(1) : String(Math.floor(value + 1e-9))
}

const COUNTS = [5, 8, 10, 13, 15, 20]
const VISIBILITY_TIMEOUT = 365
const ROWS: [name: string, seconds: (delays: readonly number[]) => number][] = [
  ['`retryBackoff()` with its defaults, at least', (delays) => sum(delays) / 2],
  ["`retryBackoff()` with `jitter: 'none'`, at least", sum],
  [
    "`retryBackoff()` with `jitter: 'full'`, 99 % of the messages",
    (delays) => sum(delays) / 2 - 2.33 * Math.sqrt(sum(delays.map((delay) => delay ** 2)) / 12),
  ],
  [
    `without \`retryBackoff()\`, visibility timeout of ${VISIBILITY_TIMEOUT} s, at least`,
    ({ length }) => length * VISIBILITY_TIMEOUT,
  ],
]

t.test('docs/outages.md: the table has the minutes that follow from the delays', async (t) => {
  const rows = page
    .slice(page.indexOf('| minutes'))
    .split('\n\n')[0]
    ?.split('\n')
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim().replaceAll('**', '')),
    )
  const delays = await Promise.all(COUNTS.map((count) => delaysOf(count)))
  t.strictSame(rows, [
    ['minutes that a message survives; `maxReceiveCount`:', ...COUNTS.map(String)],
    [':--', ...COUNTS.map(() => '--:')],
    ...ROWS.map(([name, seconds]) => [name, ...delays.map((each) => minutes(seconds(each)))]),
  ])
})

t.test('docs/outages.md: 7.5 minutes × (maxReceiveCount − 5) is never more than the formula', async (t) => {
  t.ok(page.includes('7.5 minutes × (`maxReceiveCount` − 5), from 6 receives on'))
  for (let count = 6; count <= 100; count++) {
    const exact = sum(await delaysOf(count)) / 2 / 60
    const short = 7.5 * (count - 5)
    t.ok(short <= exact && exact - short < 1, `${count} receives: ${short} of ${exact} minutes`)
  }
})

t.test('docs/outages.md: 200 messages a second with the average of the longest delay reach 120,000', async (t) => {
  const longest = Math.max(...(await delaysOf(15)))
  t.equal(Math.floor((0.75 * longest) / 60), 11) // equal jitter: from half of the delay to all of it
  t.ok(200 * 11 * 60 > 120_000)
})

t.test('examples/circuit-breaker.ts: its comment has the minutes for its own options', async (t) => {
  const [, base, max] = /retryBackoff\(\{ client, base: (\d+), max: (\d+) \}\)/.exec(circuitBreaker) ?? []
  const [ten, fifteen] = await Promise.all(
    [10, 15].map(async (count) => minutes(sum(await delaysOf(count, { base: Number(base), max: Number(max) })) / 2)),
  )
  const text = circuitBreaker.replaceAll(/\n \* /g, ' ')
  t.ok(text.includes(`at least ${ten} minutes with 10 receives, and ${fifteen} minutes with 15`), `${ten}, ${fifteen}`)
})
