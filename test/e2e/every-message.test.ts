// Accounts for every message, with the wire protocol of SQS and AWS's own runtime client. `npm run test:slow --
// e2e/every-message` uses fauxqs as SQS, and with E2E_SQS=moto before it, it uses moto.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { account, numbers, showTable } from '../support/e2e-account.ts'
import { startCountingDownstream } from '../support/e2e-downstream.ts'
import { awsFunction, onMoto, runOn, runTrial } from '../support/e2e-function.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startGroupedQueue } from '../support/grouped-queue.ts'

const NO_FAULT = { failedInvocations: 0, timeouts: 0, crashes: 0 }
function ascending(list: readonly number[]) {
  return list.toSorted((a, b) => a - b)
}

// Why moto cannot run a scenario.
const isTooLarge = onMoto && 'moto searches all messages of a queue for each call, so thousands take too long'
const isOther = onMoto && 'the queue of this scenario is neither fauxqs nor moto'

/** The number of messages of a scenario. */
function size(ofFauxqs: number, ofMoto: number) {
  return onMoto ? ofMoto : ofFauxqs
}

t.teardown(showTable)

t.test('messages that always fail go to the dead-letter queue, the others are processed once', async (t) => {
  const messages = size(10_000, 500)
  const isPoison = (number: number) => number % 50 === 0
  const failsOnce = (number: number) => number % 20 === 1
  const downstream = await startCountingDownstream(t, ({ number, attempt }) =>
    sleep(5, isPoison(number) || (failsOnce(number) && attempt === 1) ? 503 : 200),
  )
  const { ledger, deadLetters } = await runTrial(t, {
    messages,
    function: awsFunction('post.mjs', { env: { DOWNSTREAM: downstream.url } }),
  })
  account(t, {
    scenario: 'batches of up to 10,000',
    faults: '2 % fail always, 5 % once',
    messages,
    ledger,
    deadLetters,
    accepted: downstream.accepted,
  })
  t.strictSame(deadLetters, numbers(messages, isPoison))
  t.strictSame(
    ascending(downstream.accepted),
    numbers(messages, (number) => !isPoison(number)),
  )
  t.match(ledger, {
    ...NO_FAULT,
    delivered: downstream.attempts.length,
    redelivered: messages / 20 + 4 * (messages / 50),
  })
  // On a busy machine, the downstream sees fewer than 100 at once, because requests take time to arrive.
  const { peakOpen } = downstream.seen
  t.ok(peakOpen > size(50, 0) && peakOpen <= 100, `${peakOpen} requests open at once`)
})

t.test('if handlers hang and ignore their signal, finished messages are not redelivered', async (t) => {
  const messages = size(2000, 200)
  const downstream = await startCountingDownstream(t, () => sleep(10, 200))
  const { ledger } = await runTrial(t, {
    messages,
    function: awsFunction('slow.mjs', {
      exportName: 'hangs',
      timeout: 5000,
      env: { DOWNSTREAM: downstream.url, BOUNDED_SQS_BATCH_CONCURRENCY: '20' },
    }),
  })
  const { deliveredAgain } = account(t, {
    scenario: 'a batch too long for the timeout of 5 s',
    faults: '2 % of the handlers hang and ignore their signal',
    messages,
    ledger,
    accepted: downstream.accepted,
  })
  t.strictSame(ascending(downstream.accepted), numbers(messages), 'finished messages are not redelivered')
  t.match(ledger, NO_FAULT, 'no invocation times out')
  t.ok(ledger.invocations > 1 && deliveredAgain > 0)
})

t.test('if handlers block the thread, finished messages are not redelivered', { skip: isTooLarge }, async (t) => {
  const journal = join(temporaryFolder(t, { journal: '' }), 'journal')
  const { ledger } = await runTrial(t, {
    messages: 2000,
    function: awsFunction('slow.mjs', { exportName: 'computes', timeout: 5000, env: { JOURNAL: journal } }),
  })
  const accepted = readFileSync(journal, 'utf8').trim().split('\n').map(Number)
  const { deliveredAgain } = account(t, {
    scenario: 'a batch too long for the timeout of 5 s',
    faults: 'each handler computes for 5 ms',
    messages: 2000,
    ledger,
    accepted,
  })
  t.strictSame(ascending(accepted), numbers(2000), 'finished messages are not redelivered')
  t.match(ledger, NO_FAULT, 'no invocation times out')
  t.ok(ledger.invocations > 1 && deliveredAgain > 0)
})

const deaths: [exportName: string, fault: string, reason: RegExp][] = [
  ['killed', 'SIGKILL', /^the process was ended by SIGKILL$/],
  ['exits', '`process.exit()` in a record', /^the process ended with exit code 0$/],
  ['outOfMemory', 'out of memory', /\(out of memory: 128 MB\)$/],
]
for (const [exportName, fault, reason] of deaths) {
  t.test(`if the process dies in the middle of a batch, all its messages are redelivered: ${fault}`, async (t) => {
    const messages = size(1000, 510)
    const downstream = await startCountingDownstream(t)
    const { ledger } = await runTrial(t, {
      messages,
      function: awsFunction('dies.mjs', { exportName, memory: 128, env: { DOWNSTREAM: downstream.url } }),
      mapping: { batchSize: messages, windowMs: size(10_000, 60_000) },
    })
    const { processedTwice } = account(t, {
      scenario: 'the process dies in the middle of a batch',
      faults: fault,
      messages,
      ledger,
      accepted: downstream.accepted,
    })
    t.match(ledger, { invocations: 2, delivered: 2 * messages, crashes: 1, failedInvocations: 1, timeouts: 0 })
    t.match(Object.keys(ledger.reasons), [reason])
    t.equal(downstream.accepted.filter((number) => number === 500).length, 1)
    t.ok(processedTwice > 0, 'finished messages are processed again: SQS delivers at least once')
  })
}

function failures(number: number) {
  return number % 31 === 0 ? 2 : number % 7 === 0 ? 1 : 0
}
const GROUPS = 200

/** A downstream that refuses some messages. `disorder` has each message that arrived before an earlier one was accepted. */
async function startOrderedDownstream(t: Test) {
  const next = new Map(numbers(GROUPS).map((first) => [first % GROUPS, first]))
  const disorder: number[] = []
  const downstream = await startCountingDownstream(t, ({ number, attempt }) => {
    const group = number % GROUPS
    if (next.get(group) !== number) disorder.push(number)
    if (attempt <= failures(number)) return 503
    next.set(group, number + GROUPS)
    return 200
  })
  return { ...downstream, disorder }
}

for (const isGrouped of [false, true]) {
  const title = `FIFO, ${isGrouped ? 'several messages' : 'one message'} of a group in a batch`
  t.test(`${title}: each group keeps its order, also after failures`, { skip: isGrouped && isOther }, async (t) => {
    const messages = isGrouped ? 4000 : size(2000, 400)
    const downstream = await startOrderedDownstream(t)
    const settings = {
      messages,
      groups: GROUPS,
      function: awsFunction('post.mjs', { env: { DOWNSTREAM: downstream.url } }),
      mapping: { batchSize: 10, windowMs: 0, concurrency: 4 },
    }
    const { ledger, deadLetters } = isGrouped
      ? { ledger: await runOn(await startGroupedQueue(t), settings), deadLetters: [] }
      : await runTrial(t, settings)
    account(t, {
      scenario: `FIFO, 200 groups${isGrouped ? ', up to 4 of a group in a batch' : ''}`,
      faults: `14 % fail once, 3 % twice${isGrouped ? ', and block the rest of their group' : ''}`,
      messages,
      ledger,
      deadLetters,
      accepted: downstream.accepted,
    })
    t.strictSame(downstream.disorder, [], 'in order')
    t.strictSame(ascending(downstream.accepted), numbers(messages), 'each is processed once')
    const failed = numbers(messages).reduce((sum, number) => sum + failures(number), 0)
    t.equal(downstream.attempts.length, messages + failed, 'blocked records do not start')
    t.match(ledger, NO_FAULT)
    if (isGrouped) t.ok(ledger.redelivered > failed, 'blocked records are redelivered')
    else if (onMoto)
      t.ok(ledger.redelivered >= failed, 'moto delivers several messages of a group, so some are blocked')
    else t.equal(ledger.redelivered, failed)
  })
}

t.test('every message is processed once after a downstream recovers', async (t) => {
  const messages = size(1000, 200)
  const calls = { reset: 0, slow: 0 }
  const downstream = await startCountingDownstream(t, async () => {
    if (calls.reset < 500) {
      calls.reset++
      return 'reset'
    }
    if (calls.slow < 150) {
      calls.slow++
      await sleep(5000)
    }
    return 200
  })
  downstream.close()
  let isClosed = true
  const { ledger, deadLetters } = await runTrial(t, {
    messages,
    maxReceives: 100,
    function: awsFunction('post.mjs', {
      env: { DOWNSTREAM: downstream.url, RECORD_TIMEOUT: '1000', BOUNDED_SQS_BATCH_CONCURRENCY: '50' },
    }),
    mapping: { windowMs: 500 },
    onProgress: ({ failed }) => {
      if (isClosed && failed >= messages) void downstream.open()
      isClosed &&= failed < messages
    },
  })
  account(t, {
    scenario: 'a downstream that recovers',
    faults: 'all connections refused, then 500 reset, then 150 responses too late',
    messages,
    ledger,
    deadLetters,
    accepted: downstream.accepted,
  })
  t.strictSame(ascending(downstream.accepted), numbers(messages), 'each is processed once')
  t.match(ledger, NO_FAULT)
  t.strictSame(calls, { reset: 500, slow: 150 })
  t.ok(ledger.redelivered >= messages + 500 + 150)
})

for (const threads of [1, 2]) {
  t.test(`Managed Instances: 8 concurrent invocations keep the bound, threads: ${threads}`, async (t) => {
    const messages = size(4000, 400)
    const bound = 40
    const failsOnce = (number: number) => number % 10 === 0
    const open = new Map<string, number>()
    const seen = { own: 0, peak: 0, invocations: new Set<unknown>(), threads: new Set<unknown>() }
    const downstream = await startCountingDownstream(t, async ({ number, attempt, headers }) => {
      const thread = String(headers.thread)
      const now = (open.get(thread) ?? 0) + 1
      open.set(thread, now)
      seen.peak = Math.max(seen.peak, now)
      if (headers.own === 'true') seen.own++
      seen.invocations.add(headers.invocation)
      seen.threads.add(thread)
      await sleep(5)
      open.set(thread, (open.get(thread) ?? 0) - 1)
      return failsOnce(number) && attempt === 1 ? 503 : 200
    })
    let begun = 0
    const all = Promise.withResolvers<void>()
    downstream.onBegin(() => {
      if (++begun === 8) all.resolve()
      return all.promise
    })
    const { ledger, deadLetters } = await runTrial(t, {
      messages,
      function: awsFunction('several.mjs', {
        perEnvironment: 8,
        freeze: false,
        env: {
          DOWNSTREAM: downstream.url,
          BOUNDED_SQS_BATCH_CONCURRENCY: String(bound),
          AWS_LAMBDA_MAX_CONCURRENCY: '8',
          AWS_LAMBDA_NODEJS_WORKER_COUNT: String(threads),
          AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true',
        },
      }),
      mapping: { batchSize: messages / 8, concurrency: 8 },
    })
    account(t, {
      scenario: `Managed Instances, 8 invocations at once in ${threads === 1 ? 'one thread' : 'two threads'}`,
      faults: '10 % fail once',
      messages,
      ledger,
      deadLetters,
      accepted: downstream.accepted,
    })
    t.strictSame(ascending(downstream.accepted), numbers(messages), 'each is processed once')
    t.match(ledger, { ...NO_FAULT, invocations: begun, redelivered: messages / 10 })
    t.equal(downstream.attempts.length, ledger.delivered)
    t.equal(seen.own, ledger.delivered, 'each record runs in its own invocation')
    t.equal(seen.invocations.size, ledger.invocations)
    t.equal(seen.threads.size, threads)
    // On a busy machine, requests take time to arrive. The few messages on moto do not always fill the slots.
    t.ok(seen.peak <= bound && (onMoto || seen.peak > bound / 2), `${seen.peak} at once in each thread`)
  })
}

/** Sends 10,000 messages with one HTTP call each to a downstream that takes `latency` ms. */
async function runManyCalls(t: Test, exportName: string, { concurrency = 100, latency = 10, maxReceives = 5 } = {}) {
  const logs: string[] = []
  const downstream = await startCountingDownstream(t, () => sleep(latency, 200))
  const trial = await runTrial(t, {
    messages: 10_000,
    maxReceives,
    function: awsFunction('peers.mjs', {
      exportName,
      env: { DOWNSTREAM: downstream.url, BOUNDED_SQS_BATCH_CONCURRENCY: String(concurrency) },
      onLog: (line) => logs.push(line),
    }),
    mapping: { windowMs: 3000 }, // so that a slow machine also gathers a full batch
  })
  return { ...trial, messages: 10_000, accepted: downstream.accepted, logs }
}

t.test(
  'a concurrency far above the descriptor limit causes EMFILE, but every message is processed once',
  { skip: isTooLarge },
  async (t) => {
    const { logs, ...trial } = await runManyCalls(t, 'ours', { concurrency: 5000, latency: 400, maxReceives: 100 })
    account(t, { scenario: '10,000 HTTP calls with a concurrency of 5,000', faults: 'EMFILE', ...trial })
    t.strictSame(ascending(trial.accepted), numbers(10_000), 'each is processed once')
    t.match(trial.ledger, NO_FAULT, 'no process dies')
    t.ok(trial.ledger.redelivered > 0 && logs.some((line) => line.includes('connect EMFILE')))
  },
)

t.test(
  '10,000 HTTP calls through this package cause no EMFILE; two other libraries run for comparison',
  { skip: isTooLarge },
  async (t) => {
    const peers = [
      ['ours', '10,000 HTTP calls through this package'],
      ['middyIdiom', 'the same through `Promise.allSettled()` and @middy/sqs-partial-batch-failure'],
      ['powertools', 'the same through @aws-lambda-powertools/batch'],
    ] as const
    for (const [exportName, scenario] of peers) {
      const { logs, ...trial } = await runManyCalls(t, exportName)
      account(t, { scenario, faults: '1,024 descriptors', ...trial })
      if (exportName === 'ours') {
        t.match(trial.ledger, { ...NO_FAULT, processed: 10_000, redelivered: 0 })
        t.notMatch(logs.join('\n'), /EMFILE/)
      }
    }
  },
)
