/**
 * Sends a million messages through AWS's own runtime client, and accounts for each: `npm run test:soak`. Records fail,
 * hang and compute, processes are killed, and SQS refuses calls. Beside them, small queues have messages that crash the
 * function at every delivery, or a service that is down. Exits with 1 if a message is lost, a FIFO group loses its order,
 * or a rejection is unhandled. Also if a crash or an outage dead-letters good messages, or if the memory or the
 * descriptors of a warm environment grow.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Ledger, type Progress, type RunOptions, renderTable, run } from 'bounded-sqs-batch/engine'
import { median } from '../support/median.ts'
import { account, accountCrashes, type Check } from './account.ts'
import { reportChecks, wholeNumber } from './command.ts'
import { kindOf, type Messages, setSeed } from './messages.ts'
import { type QueueSettings, type Sqs, startSqs } from './sqs.ts'

const HELP = `Usage: npm run test:soak -- [options]

  --messages <n>   messages of the three large queues together; default 1,000,000
  --seed <n>       decides which messages fail and which calls SQS refuses; default random
  --json <file>    write the ledgers, the checks, and memory over time to this file

Even a short run takes up to ten minutes, because the messages of a crashed process wait for their visibility timeout.`

const AWS_CLIENT = join(import.meta.dirname, '../../cli/test/aws-client/node_modules/aws-lambda-ric/index.mjs')
const KILL_EVERY = 50_000
/**
 * Messages that fail twice, hang once and lose their process several times need far fewer receives than this. So only
 * messages of the kind `poison` may be in the dead-letter queue.
 */
const MAX_RECEIVES = 12
const VISIBILITY_TIMEOUT = 120
/** The messages of a queue with crashes or an outage. They fit into one batch. */
const SMALL = 1000
/** V8 still compiles in this share of the invocations. Measured: memory grows by 4 MB, and later by less than 0.5 MB. */
const WARM_UP = 0.05
/**
 * The maximum growth from the first to the last quarter of the other 20,000 invocations. 1 MB is 70 bytes for each of
 * the 15,000 invocations between them.
 */
const MAX_GROWTH = { bytes: 1024 * 1024, descriptors: 4 }

interface Stage extends Messages {
  name: string
  /** After this many invocations, the function writes a sample to its log. */
  sampleEvery: number
  function?: Partial<RunOptions['function']>
  mapping: RunOptions['mapping']
  settings?: QueueSettings
}

/** The state of a process of the function between two invocations. Memory is in bytes, after a garbage collection. */
interface Sample {
  stage: string
  seconds: number
  pid: number
  invocations: number
  /** The most invocations at once. */
  peak: number
  heap: number
  rss: number
  descriptors: number
}

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const MESSAGES = wholeNumber('--messages', options.messages, 1000)
const SEED = wholeNumber('--seed', options.seed, 0)

const started = performance.now()
const progress = new Map<string, Progress>()
const samples: Sample[] = []
const history: object[] = []
let shown = { messages: 0, at: started }

if (options.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  console.error(`${format(MESSAGES)} messages, --seed ${SEED}`)
  setSeed(SEED)
  const sqs = await startSqs(SEED)
  const folder = mkdtempSync(join(tmpdir(), 'soak-'))
  try {
    const [batches, fifo, warm] = stages()
    const small = Promise.all([runCrashes(sqs, folder, true), runCrashes(sqs, folder, false), runOutage(sqs, folder)])
    const results = await Promise.all([batches, fifo].map((stage) => runStage(stage, sqs, folder)))
    const [isolated, together, outage] = await small
    results.push(await runStage(warm, sqs, folder))
    const smallChecks = [...isolated.checks, ...together.checks, ...outage.checks]
    const rows = [
      ['good messages dead-lettered by crashes', isolated.goodDead],
      ['  without isolateCrashes()', together.goodDead],
      ['messages dead-lettered by an outage', format(outage.dead)],
    ] as const
    report(results, { checks: smallChecks, rows }, await sqs.refused())
  } finally {
    sqs.close()
    rmSync(folder, { recursive: true })
  }
}

function stages(): [batches: Stage, fifo: Stage, warm: Stage] {
  const [fifo, warm] = [Math.floor(MESSAGES / 20), Math.floor(MESSAGES / 5)]
  const kills = Math.max(1, Math.round(MESSAGES / KILL_EVERY))
  return [
    {
      name: 'batches',
      messages: MESSAGES - fifo - warm,
      kills,
      sampleEvery: 10,
      function: {
        perEnvironment: 4,
        freeze: false,
        env: {
          AWS_LAMBDA_MAX_CONCURRENCY: '4',
          AWS_LAMBDA_NODEJS_WORKER_COUNT: '1',
          AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true',
        },
      },
      mapping: { batchSize: 500, windowMs: 500, concurrency: 4 },
    },
    {
      name: 'fifo',
      messages: fifo,
      groups: 199, // a prime number, so that the processes are killed in different groups
      kills,
      sampleEvery: 250,
      mapping: { batchSize: 10, windowMs: 0, concurrency: 2 },
    },
    {
      name: 'warm', // runs after the others: one environment with small batches
      messages: warm,
      kills: 0,
      sampleEvery: Math.max(1, Math.floor(warm / 10 / 80)),
      mapping: { batchSize: 10, windowMs: 0, concurrency: 1 },
    },
  ]
}

/** Sends the messages of a stage through the function, and accounts for them. */
async function runStage(stage: Stage, sqs: Sqs, folder: string) {
  const outcome = await sendMessages(stage, sqs, folder)
  const { ledger, dead, permanent } = outcome
  return { name: stage.name, ledger, dead: dead.length, permanent: permanent.length, ...account(outcome) }
}

async function sendMessages(stage: Stage, sqs: Sqs, folder: string) {
  const { settings = { visibilityTimeout: VISIBILITY_TIMEOUT, maxReceives: MAX_RECEIVES } } = stage
  const { queue, dead, permanent } = await sqs.create({ ...stage, settings })
  const journal = join(folder, stage.name)
  const ledger = await run({
    queue: { queueUrl: queue },
    function: {
      file: join(import.meta.dirname, 'function.mjs'),
      runtimeClient: `'${process.execPath}' '${AWS_CLIENT}'`,
      initTimeout: 120_000, // for a busy machine
      ...stage.function,
      env: {
        JOURNAL: journal,
        PERMANENT_URL: permanent,
        SAMPLE_EVERY: String(stage.sampleEvery),
        AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        ...stage.function?.env,
      },
      onLog: (line) => {
        const [, sample] = /^sample (\{.*\})$/.exec(line) ?? []
        if (sample) samples.push({ stage: stage.name, seconds: secondsSince(started), ...JSON.parse(sample) })
      },
    },
    mapping: stage.mapping,
    messages: messagesOf(stage),
    idle: 0,
    onProgress: (now) => showProgress(stage.name, now),
  })
  return { stage, ledger, journal, dead: await sqs.takeAll(dead), permanent: await sqs.takeAll(permanent) }
}

/** What the stages with crashes and with an outage have in common. Three environments: a loop blocks only one of them. */
function smallStage(name: string, maxReceives: number, env: Record<string, string>): Stage {
  return {
    name,
    messages: SMALL,
    kills: 0,
    sampleEvery: Number.MAX_SAFE_INTEGER,
    function: { timeout: 15_000, env },
    mapping: { batchSize: SMALL, windowMs: 2000, concurrency: 3 },
    settings: { visibilityTimeout: 60, maxReceives },
  }
}

/**
 * Three messages crash the function at every delivery. With isolateCrashes(), nearly all good messages must survive.
 *
 * The second crash spreads the messages over 60 s, half of `spread`. A batch has those of 2 to 3 s: the window, and the
 * time of a batch. So about 4 % of the good messages crash a third time with each of the three messages, and 0.2 % a
 * fourth time. One percent at the fifth time would need batches of 9 s.
 */
async function runCrashes(sqs: Sqs, folder: string, isIsolated: boolean) {
  const [name, env] = isIsolated ? ['crashes', { ISOLATE_CRASHES: '120' }] : ['crashes, not isolated', {}]
  const outcome = await sendMessages({ ...smallStage(name, 5, env), hasCrashes: true }, sqs, folder)
  return accountCrashes(outcome, { isIsolated })
}

/**
 * A service is down for 90 s when the messages are sent: 15 minutes, divided by 10. With 15 receives and delays that are
 * divided by 10, too, a message survives at least 450 s.
 */
async function runOutage(sqs: Sqs, folder: string) {
  const env = { OUTAGE_SECONDS: '90', BACKOFF_BASE: '3', BACKOFF_MAX: '90' }
  const result = await runStage({ ...smallStage('outage', 15, env), hasOutage: true }, sqs, folder)
  const { redelivered } = result.ledger
  const failsAtFirst = {
    what: 'outage: each message fails at first',
    holds: redelivered >= SMALL,
    found: `${redelivered}`,
  }
  return { dead: result.dead, checks: [...result.checks, failsAtFirst] }
}

function* messagesOf(stage: Stage) {
  for (let number = 1; number <= stage.messages; number++) {
    const body = JSON.stringify({ number, kind: kindOf(stage, number) })
    yield stage.groups ? { body, messageGroupId: `group-${number % stage.groups}` } : { body }
  }
}

function settledOf(stage: string): number {
  const { processed = 0, deadLettered = 0 } = progress.get(stage) ?? {}
  return processed + deadLettered
}

function showProgress(stage: string, now: Progress): void {
  progress.set(stage, now)
  const messages = sum(progress.keys(), settledOf)
  if (messages - shown.messages < Math.min(KILL_EVERY, MESSAGES / 5)) return
  const perSecond = Math.round((messages - shown.messages) / secondsSince(shown.at))
  shown = { messages, at: performance.now() }
  const redelivered = sum(progress.values(), (each) => each.redelivered)
  const latest = ['batches', 'fifo', 'warm'].flatMap(
    (name) => samples.findLast((sample) => sample.stage === name) ?? [],
  )
  const own = process.memoryUsage().rss
  history.push({ seconds: secondsSince(started), messages, perSecond, redelivered, own, latest })
  const functions = latest.map(
    ({ stage, rss, descriptors }) => `${stage} ${megabytes(rss)}, ${descriptors} descriptors`,
  )
  console.error(
    `${format(messages)} messages · ${format(perSecond)}/s · redelivered ${format(redelivered)} · ` +
      `${functions.join(' · ')} · this process ${megabytes(own)}`,
  )
}

/** Compares the first and the last quarter of the samples of the warm environment, without its warm-up. */
function checkWarm(): Check[] {
  const all = samples.filter(({ stage }) => stage === 'warm')
  const own = all.slice(Math.ceil(all.length * WARM_UP))
  const quarter = Math.floor(own.length / 4)
  const [first, last] = [own.slice(0, quarter), own.slice(-quarter)]
  const heap = median(last.map((sample) => sample.heap)) - median(first.map((sample) => sample.heap))
  const most = (quarter: Sample[]) => Math.max(...quarter.map((sample) => sample.descriptors))
  const descriptors = most(last) - most(first)
  const count = (own.at(-1)?.invocations ?? 0) - (own[0]?.invocations ?? 0)
  const found = `from the first to the last quarter of ${format(count)} invocations after the warm-up`
  return [
    {
      what: `warm: memory after garbage collection grows by at most ${megabytes(MAX_GROWTH.bytes)}`,
      holds: heap <= MAX_GROWTH.bytes,
      found: `${megabytes(heap)} ${found}`,
    },
    {
      what: `warm: descriptors grow by at most ${MAX_GROWTH.descriptors}`,
      holds: descriptors <= MAX_GROWTH.descriptors,
      found: `${descriptors} ${found}`,
    },
  ]
}

type Result = Awaited<ReturnType<typeof runStage>>

function report(
  results: readonly Result[],
  small: { checks: readonly Check[]; rows: readonly (readonly [string, string])[] },
  refused: Record<string, number>,
): void {
  const peak = Math.max(...samples.filter(({ stage }) => stage === 'batches').map((sample) => sample.peak))
  const checks: Check[] = [
    ...results.flatMap((result) => result.checks),
    ...small.checks,
    ...checkWarm(),
    { what: 'batches: several invocations run at once', holds: peak > 1, found: `up to ${peak}` },
    {
      what: 'SQS refused calls of each operation',
      holds: Object.values(refused).every((count) => count > 0),
      found: JSON.stringify(refused),
    },
  ]
  const seconds = secondsSince(started)
  const total = (count: (result: Result) => number) => format(sum(results, count))
  const inLedgers = (key: keyof Ledger) => total(({ ledger }) => Number(ledger[key]))
  console.log(
    renderTable([
      ['messages', inLedgers('sent')],
      ['accepted', total(({ accepted }) => accepted)],
      ['  accepted again after a kill', total(({ repeated }) => repeated)],
      ['dead-lettered by the queue', total(({ dead }) => dead)],
      ['dead-lettered by the function', total(({ permanent }) => permanent)],
      ['lost', total(({ lost }) => lost)],
      ['records delivered', inLedgers('delivered')],
      ['  redelivered', inLedgers('redelivered')],
      ['invocations', inLedgers('invocations')],
      ['  ended by SIGKILL', inLedgers('crashes')],
      ['processes killed', total(({ killed }) => killed)],
      ...Object.entries(refused).map(([operation, count]) => [`${operation} refused`, format(count)] as const),
      ...small.rows,
      ['wall time', `${Math.round(seconds)} s`],
      ['messages per second', format(Math.round(MESSAGES / seconds))],
    ]),
  )
  reportChecks(checks)
  if (options.json === undefined) return
  const stages = results.map(({ checks, ...stage }) => stage)
  const all = { messages: MESSAGES, seed: SEED, seconds, stages, refused, checks, history, samples }
  writeFileSync(options.json, JSON.stringify(all, null, 2))
}

function sum<T>(items: Iterable<T>, count: (item: T) => number): number {
  return [...items].reduce((total, item) => total + count(item), 0)
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000
}

function format(count: number): string {
  return count.toLocaleString('en-US')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`
}
