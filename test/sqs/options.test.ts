import { execFileSync } from 'node:child_process'
import t from 'tap'
import { deadLetter, isolateCrashes, retryBackoff } from '../../src/sqs/index.ts'
import { createClient } from '../support/sqs.ts'

const queueUrl = 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dead'

const client = createClient(t, {})

/** The texts of the errors, by what takes the options. */
const INVALID: Record<string, [options: unknown, ...messages: RegExp[]][]> = {
  deadLetter: [
    [undefined, /^deadLetter\(\): expected an object of options, got undefined/],
    [null, /got null/],
    [client, /unknown option "config"|expected an object of options/],
    [{}, /option client to be an SQSClient of @aws-sdk\/client-sqs, got undefined/],
    [{ queueUrl }, /option client/],
    [{ client: {}, queueUrl }, /option client/, /an object/],
    [{ client: { send: true }, queueUrl }, /option client/],
    [{ client: null, queueUrl }, /option client/, /got null/],
    [{ client: 'sqs', queueUrl }, /option client/, /a string/],
    [{ client }, /option queueUrl to be a queue's URL, like https:\/\//, /got undefined/],
    [{ client, queueUrl: undefined }, /option queueUrl/, /got undefined/],
    [{ client, queueUrl: '' }, /option queueUrl/, /a string/],
    [{ client, queueUrl: 'orders-dead' }, /option queueUrl/, /got "orders-dead"/],
    [{ client, queueUrl: 'arn:aws:sqs:eu-west-1:123456789012:orders-dead' }, /option queueUrl/],
    [{ client, queueUrl: 'https://' }, /option queueUrl/],
    [{ client, queueUrl: `x-${queueUrl}` }, /option queueUrl/],
    [{ client, queueUrl: new URL(queueUrl) }, /option queueUrl/],
    [{ client, queueUrl, when: true }, /option when to be a function/, /got true/],
    [{ client, queueUrl, when: null }, /option when/],
    [{ client, queueUrl, when: function* () {} }, /option when to be a function/, /got a generator function/],
    [{ client, queueUrl, sourceQueueUrl: 'orders' }, /option sourceQueueUrl/, /a queue's URL/],
    [{ client, queueUrl, sourceQueueUrl: 5 }, /option sourceQueueUrl/, /got 5/],
    [
      { client, queueUrl, sourceQueueUrl: queueUrl },
      /^deadLetter\(\): expected option queueUrl to be another queue than sourceQueueUrl, got ".*\/orders-dead" \(a string\)$/,
    ],
    // Other URLs of the same queue
    ...[
      `${queueUrl}/`,
      'https://eu-west-1.queue.amazonaws.com/123456789012/orders-dead',
      'https://queue.amazonaws.com/123456789012/orders-dead',
      'http://localhost:9324/queue/orders-dead',
    ].map((sourceQueueUrl): [unknown, RegExp] => [
      { client, queueUrl, sourceQueueUrl },
      /to be another queue than sourceQueueUrl/,
    ]),
    [
      { client, queueURL: queueUrl },
      /unknown option "queueURL", expected one of client, queueUrl, when, sourceQueueUrl/,
    ],
    [{ client, queueUrl, toString: 1 }, /unknown option "toString"/],
  ],
  retryBackoff: [
    [undefined, /^retryBackoff\(\): expected an object of options, got undefined/],
    [{}, /option client/],
    [{ client, base: 0 }, /option base to be a number of seconds, more than 0/, /got 0/],
    [{ client, base: -1 }, /got -1/],
    [{ client, base: NaN }, /got NaN/],
    [{ client, base: Infinity }, /got Infinity/],
    [{ client, base: '30' }, /option base/, /got "30" \(a string\)/],
    [{ client, base: null }, /option base/],
    [{ client, factor: 0.5 }, /option factor to be a number of 1 or more/, /got 0.5/],
    [{ client, factor: NaN }, /option factor/],
    [{ client, factor: Infinity }, /option factor/],
    [{ client, max: 0 }, /option max to be a whole number of seconds from 1 to 42000/, /got 0/],
    [{ client, max: 1.5 }, /got 1.5/],
    [{ client, max: 42_001 }, /got 42001/],
    [{ client, max: NaN }, /option max/],
    [{ client, jitter: true }, /option jitter to be 'equal', 'full' or 'none'/, /got true/],
    [{ client, jitter: 'half' }, /option jitter/, /got "half"/],
    [{ client, delay: 60 }, /option delay to be a function, got 60/],
    [{ client, delay: null }, /option delay/, /got null/],
    [{ client, sourceQueueUrl: 'orders' }, /option sourceQueueUrl/],
    [
      { client, queueUrl },
      /unknown option "queueUrl", expected one of client, base, factor, max, jitter, delay, sourceQueueUrl/,
    ],
    [{ client, random: Math.random }, /unknown option "random"/],
  ],
  isolateCrashes: [
    [undefined, /^isolateCrashes\(\): expected an object of options, got undefined/],
    [client, /unknown option "config"|expected an object of options/],
    [{}, /^isolateCrashes\(\): expected option client to be an SQSClient of @aws-sdk\/client-sqs, got undefined/],
    [{ client: {} }, /option client/, /an object/],
    [{ client, spread: 59 }, /option spread to be a whole number of seconds from 60 to 21600, got 59/],
    [{ client, spread: 21_601 }, /got 21601/],
    [{ client, spread: 90.5 }, /got 90.5/],
    [{ client, spread: NaN }, /option spread/, /got NaN/],
    [{ client, spread: '900' }, /option spread/, /got "900" \(a string\)/],
    [{ client, spread: null }, /option spread/, /got null/],
    [{ client, sourceQueueUrl: 'orders' }, /option sourceQueueUrl/, /a queue's URL/],
    [{ client, base: 30 }, /unknown option "base", expected one of client, spread, sourceQueueUrl/],
  ],
}
const FUNCTIONS: Record<string, (options: never) => unknown> = { deadLetter, retryBackoff, isolateCrashes }
for (const [name, rows] of Object.entries(INVALID)) {
  t.test(`${name}: an invalid option is a TypeError that says what was expected and received`, async (t) => {
    for (const [options, ...messages] of rows) {
      for (const message of messages)
        t.throws(() => FUNCTIONS[name]?.(options as never), { name: 'TypeError', message })
    }
  })
}

t.test('with valid options, isolateCrashes() is a middleware with one named hook', async (t) => {
  for (const options of [{}, { spread: 60 }, { spread: 21_600, sourceQueueUrl: queueUrl }, { spread: undefined }]) {
    const middleware = isolateCrashes({ client, ...options })
    t.strictSame(Object.keys(middleware), ['before'])
    t.equal(middleware.before.name, 'isolateCrashesBefore')
  }
})

t.test('with valid options, the failure handlers are named functions', async (t) => {
  const withoutValues = { when: undefined, sourceQueueUrl: undefined }
  for (const options of [
    withoutValues,
    {},
    { sourceQueueUrl: queueUrl.replace('123456789012', '210987654321') },
    { sourceQueueUrl: queueUrl.replace('eu-west-1', 'us-east-1') },
    { when: () => true, sourceQueueUrl: 'http://localhost:4566/000000000000/orders' },
  ]) {
    t.equal(deadLetter({ client, queueUrl, ...options }).name, 'deadLetterFailures')
  }
  for (const options of [
    {},
    { base: 0.1, factor: 1, max: 1, jitter: 'none' as const },
    { max: 42_000, base: undefined, jitter: 'full' as const, delay: () => undefined },
    { jitter: 'equal' as const, delay: undefined },
  ]) {
    t.equal(retryBackoff({ client, ...options }).name, 'retryBackoffFailures')
  }
})

t.test('the main entry does not load the AWS SDK, and the entry ./sqs does', async (t) => {
  function loaded(entry: string) {
    const program = `
      import { registerHooks } from 'node:module'
      const urls = []
      registerHooks({ load(url, context, nextLoad) { urls.push(url); return nextLoad(url, context) } })
      await import(${JSON.stringify(new URL(entry, import.meta.url).href)})
      console.log(JSON.stringify(urls))`
    // NODE_OPTIONS would load tap's hooks.
    const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } } as const
    const urls: string[] = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', program], options))
    return { all: urls.length, sdk: urls.filter((url) => /@aws-sdk|@smithy/.test(url)).length }
  }
  const main = loaded('../../src/index.ts')
  t.equal(main.sdk, 0)
  t.ok(main.all > 10)
  t.ok(loaded('../../src/sqs/index.ts').sdk > 0)
})
