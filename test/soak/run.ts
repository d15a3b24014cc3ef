/**
 * Sends a million messages through AWS's own runtime client, and accounts for each: `npm run test:soak`. The messages fail,
 * hang and compute, processes are killed, and SQS refuses calls. Exits with 1 if a message is lost, a FIFO group loses its
 * order, a rejection is unhandled, or memory or descriptors of a warm environment grow.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { type Ledger, type Progress, type RunOptions, renderTable, run } from 'bounded-sqs-batch/engine'
import { buildApp } from 'fauxqs'

const HELP = `Usage: npm run test:soak -- [options]

  --messages <n>   messages in all stages together; default 1,000,000
  --seed <n>       which messages fail, and which calls SQS refuses; default random
  --json <file>    write the ledgers, the checks, and memory over time to this file`

const AWS_CLIENT = join(import.meta.dirname, '../../cli/test/aws-client/node_modules/aws-lambda-ric/index.mjs')

/** How many of 1,000 messages are of each kind; the others are plain. function.mjs says what the kinds mean. */
const SHARES = {
  waits: 300,
  slow: 20,
  computes: 5,
  failsOnce: 30,
  failsTwice: 10,
  hangsOnce: 1,
  poison: 2,
  permanent: 3,
}
type Kind = keyof typeof SHARES | 'plain' | 'kills'

const KILL_EVERY = 50_000
/** One of so many calls is refused. */
const REFUSE_EVERY = 50
const REFUSALS = [
  [400, 'ThrottlingException'],
  [503, 'ServiceUnavailable'],
] as const
/**
 * Far above what failing twice, a timeout and several kills need. A message of another kind than `poison` in the dead-letter
 * queue is therefore a defect.
 */
const MAX_RECEIVES = 12
const GROUPS = 200
/** fauxqs becomes slow if many messages wait. After a kill, up to 4,000 messages wait for their visibility timeout. */
const MAX_OUTSTANDING = 15_000

/** Heap and external memory of a warm environment after a garbage collection: 1 MB in 15,000 invocations is 70 bytes each. */
const MAX_GROWTH = { bytes: 1024 * 1024, descriptors: 4 }
const WARM_INVOCATIONS = 20_000

interface Stage {
  name: string
  messages: number
  kills: number
  fifo?: boolean
  sampleEvery: number
  function?: Partial<RunOptions['function']>
  mapping: RunOptions['mapping']
}

/** What the function writes to its log between two invocations. Memory is in bytes. */
interface Sample {
  stage: string
  seconds: number
  pid: number
  invocations: number
  peak: number
  heap: number
  rss: number
  descriptors: number
}

interface Check {
  what: string
  holds: boolean
  found: string
}

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const MESSAGES = atLeast('--messages', options.messages, 1000)
const SEED = atLeast('--seed', options.seed, 0)

const started = performance.now()
const samples: Sample[] = []
const progress = new Map<string, Progress>()
const history: object[] = []
let lastShown = { messages: 0, at: started }
let strays = 0

if (options.help) console.log(HELP)
else await main()

function atLeast(option: string, value: string, least: number): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least) return number
  throw new Error(`${option} must be a whole number, ${least} or more, not ${value}`)
}

async function main(): Promise<void> {
  if (!existsSync(AWS_CLIENT)) throw new Error('the client of AWS is missing: run npm ci --prefix cli/test/aws-client')
  process.on('unhandledRejection', () => strays++)
  console.error(`${format(MESSAGES)} messages, --seed ${SEED}`)
  const sqs = await startThrottledSqs()
  const folder = mkdtempSync(join(tmpdir(), 'soak-'))
  try {
    const kills = Math.max(1, Math.round(MESSAGES / KILL_EVERY))
    const fifoMessages = Math.floor(MESSAGES / 20)
    const warmMessages = Math.floor(MESSAGES / 5)
    const batches: Stage = {
      name: 'batches',
      messages: MESSAGES - fifoMessages - warmMessages,
      kills,
      sampleEvery: 10,
      function: {
        perEnvironment: 4,
        env: {
          AWS_LAMBDA_MAX_CONCURRENCY: '4',
          AWS_LAMBDA_NODEJS_WORKER_COUNT: '1',
          AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true',
        },
      },
      mapping: { batchSize: 1000, windowMs: 500, concurrency: 4 },
    }
    const fifo: Stage = {
      name: 'fifo',
      messages: fifoMessages,
      kills,
      fifo: true,
      sampleEvery: 100,
      mapping: { batchSize: 10, windowMs: 0, concurrency: 2 },
    }
    const warm: Stage = {
      name: 'warm',
      messages: warmMessages,
      kills: 0,
      sampleEvery: Math.max(1, Math.floor(warmMessages / 10 / 20)),
      mapping: { batchSize: 10, windowMs: 0, concurrency: 1 },
    }
    const results = await Promise.all([batches, fifo].map((stage) => runStage(stage, sqs, folder)))
    results.push(await runStage(warm, sqs, folder))
    report(results, sqs.refused)
  } finally {
    await sqs.close()
    rmSync(folder, { recursive: true })
  }
}

/** SQS with its wire protocol in this process. It refuses some calls, before they change anything. */
async function startThrottledSqs() {
  // This process is patient, as Lambda's pollers are. A refused call of the function is not repeated.
  Object.assign(process.env, { AWS_MAX_ATTEMPTS: '10', AWS_REGION: 'us-east-1' })
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' })
  const refused = {
    SendMessageBatch: 0,
    ReceiveMessage: 0,
    DeleteMessageBatch: 0,
    ChangeMessageVisibilityBatch: 0,
  }
  let calls = 0
  const app = buildApp({ logger: false })
  app.addHook('preHandler', async ({ headers }, reply) => {
    const operation = String(headers['x-amz-target']).replace('AmazonSQS.', '')
    if (!Object.hasOwn(refused, operation) || hash(++calls) % REFUSE_EVERY !== 0) return
    refused[operation as keyof typeof refused] += 1
    const [status, code] = REFUSALS[calls % 2] ?? REFUSALS[0]
    return reply.code(status).send({ __type: `com.amazonaws.sqs#${code}`, message: 'try again' })
  })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  const client = new SQSClient({ endpoint })
  return {
    endpoint,
    client,
    refused,
    async create(name: string, Attributes: Record<string, string>) {
      await client.send(new CreateQueueCommand({ QueueName: name, Attributes }))
      return { url: `${endpoint}/000000000000/${name}`, arn: `arn:aws:sqs:us-east-1:000000000000:${name}` }
    },
    close() {
      client.destroy()
      return app.close()
    },
  }
}

type Sqs = Awaited<ReturnType<typeof startThrottledSqs>>

/** Sends the messages of a stage through the function, and reads the queues and the journal afterwards. */
async function runStage(stage: Stage, sqs: Sqs, folder: string) {
  const suffix = stage.fifo ? '.fifo' : ''
  const fifo: Record<string, string> = stage.fifo ? { FifoQueue: 'true' } : {}
  const journal = join(folder, stage.name)
  const dead = await sqs.create(`${stage.name}-dead${suffix}`, fifo)
  const permanent = await sqs.create(`${stage.name}-permanent${suffix}`, fifo)
  const queue = await sqs.create(`${stage.name}${suffix}`, {
    ...fifo,
    VisibilityTimeout: '90',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: MAX_RECEIVES }),
  })
  const ledger = await run({
    queue: { queueUrl: queue.url, endpoint: sqs.endpoint },
    function: {
      file: join(import.meta.dirname, 'function.mjs'),
      runtimeClient: `'${process.execPath}' '${AWS_CLIENT}'`,
      ...stage.function,
      env: {
        JOURNAL: journal,
        PERMANENT_URL: permanent.url,
        SAMPLE_EVERY: String(stage.sampleEvery),
        AWS_ENDPOINT_URL_SQS: sqs.endpoint,
        ...stage.function?.env,
      },
      onLog: (line) => noteSample(stage, line),
    },
    mapping: stage.mapping,
    messages: messagesOf(stage),
    idle: 0,
    onProgress: (now) => showProgress(stage, now),
  })
  return {
    stage,
    ledger,
    journal: readJournal(journal, stage),
    dead: await takeNumbers(sqs.client, dead.url),
    permanent: await takeNumbers(sqs.client, permanent.url),
  }
}

type Result = Awaited<ReturnType<typeof runStage>>

/** A pseudorandom integer for a number, the same for each run with the same seed (the finalizer of MurmurHash3). */
function hash(number: number): number {
  let h = Math.imul(number, 0x9e3779b1) ^ SEED
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function kindOf({ messages, kills }: Stage, number: number): Kind {
  const killEvery = Math.floor(messages / kills)
  if (kills > 0 && number % killEvery === Math.floor(killEvery / 2)) return 'kills'
  let rest = hash(number) % 1000
  for (const [kind, share] of Object.entries(SHARES)) {
    if (rest < share) return kind as Kind
    rest -= share
  }
  return 'plain'
}

function numbersOf(stage: Stage, isWanted: (kind: Kind) => boolean): number[] {
  const numbers = Array.from({ length: stage.messages }, (_, index) => index + 1)
  return numbers.filter((number) => isWanted(kindOf(stage, number)))
}

/** The messages of a stage, each as soon as few enough are in the queue. */
async function* messagesOf(stage: Stage) {
  for (let number = 1; number <= stage.messages; number++) {
    while (number - settled(stage.name) > MAX_OUTSTANDING) await sleep(20)
    const body = JSON.stringify({ number, kind: kindOf(stage, number) })
    yield stage.fifo ? { body, messageGroupId: `group-${number % GROUPS}` } : { body }
  }
}

function settled(stage: string): number {
  const { processed = 0, deadLettered = 0 } = progress.get(stage) ?? {}
  return processed + deadLettered
}

function noteSample({ name }: Stage, line: string): void {
  const [, json] = /^sample (\{.*\})/.exec(line) ?? []
  if (json) samples.push({ stage: name, seconds: secondsSince(started), ...JSON.parse(json) })
}

function showProgress({ name }: Stage, now: Progress): void {
  progress.set(name, now)
  const all = [...progress.values()]
  const messages = [...progress.keys()].reduce((sum, stage) => sum + settled(stage), 0)
  if (messages - lastShown.messages < Math.min(KILL_EVERY, MESSAGES / 10)) return
  const perSecond = Math.round((messages - lastShown.messages) / secondsSince(lastShown.at))
  lastShown = { messages, at: performance.now() }
  const redelivered = all.reduce((sum, each) => sum + each.redelivered, 0)
  const { stage, pid, rss = 0, descriptors } = samples.at(-1) ?? {}
  const own = process.memoryUsage().rss
  history.push({ seconds: secondsSince(started), messages, perSecond, redelivered, stage, pid, rss, descriptors, own })
  console.error(
    `${format(messages)} messages · ${format(perSecond)}/s · redelivered ${format(redelivered)} · function (${stage}) ` +
      `${megabytes(rss)}, ${descriptors} descriptors · this process ${megabytes(own)}`,
  )
}

/** What the function did, from its journal. */
function readJournal(file: string, { fifo }: Stage) {
  const accepted = new Map<number, string>()
  const lastOfGroup = new Map<number, number>()
  const read = {
    accepted,
    /** Records that were accepted again, and the invocations that had accepted them before. */
    repeated: 0,
    repeatedFrom: new Set<string>(),
    /** The processes that refused each permanent message. */
    refusedBy: new Map<number, string[]>(),
    killed: new Set<string>(),
    unhandled: 0,
    disorder: 0,
  }
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const [what, pid = '', invocation = '', text] = line.split(' ')
    const number = Number(text)
    if (what === 'kill') read.killed.add(pid)
    else if (what === 'unhandled') read.unhandled++
    else if (what === 'refuse') read.refusedBy.set(number, [...(read.refusedBy.get(number) ?? []), pid])
    else {
      const before = accepted.get(number)
      if (before) {
        read.repeated++
        read.repeatedFrom.add(before)
      }
      accepted.set(number, `${pid} ${invocation}`)
      const last = lastOfGroup.get(number % GROUPS) ?? 0
      if (fifo && number < last) read.disorder++ // equal if it is accepted again after a kill
      lastOfGroup.set(number % GROUPS, number)
    }
  }
  return read
}

/** Receives and deletes every message of a queue. */
async function takeNumbers(client: SQSClient, QueueUrl: string): Promise<number[]> {
  const numbers: number[] = []
  const count = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] })
  const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 })
  while (Number((await client.send(count)).Attributes?.ApproximateNumberOfMessages) > 0) {
    const { Messages = [] } = await client.send(receive)
    numbers.push(...Messages.map(({ Body }): number => JSON.parse(`${Body}`).number))
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
    if (Entries.length > 0) await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
  }
  return numbers
}

function checkStage({ stage, ledger, journal, dead, permanent }: Result): Check[] {
  const { accepted, killed } = journal
  const poison = numbersOf(stage, (kind) => kind === 'poison')
  const refused = numbersOf(stage, (kind) => kind === 'permanent')
  const others = numbersOf(stage, (kind) => kind !== 'poison' && kind !== 'permanent')
  const everywhere = new Set([...accepted.keys(), ...dead, ...permanent])
  const lost = numbersOf(stage, () => true).filter((number) => !everywhere.has(number))
  const copies = permanent.length - new Set(permanent).size
  // The process was killed between the acceptance of SQS and the response.
  const copiesOfKills = refused.filter((number) => journal.refusedBy.get(number)?.some((pid) => killed.has(pid))).length
  const reasons = Object.keys(ledger.reasons).filter((reason) => reason !== 'the process was ended by SIGKILL')
  const fromKilled = [...journal.repeatedFrom].filter((invocation) => killed.has(`${invocation.split(' ')[0]}`)).length
  const equal = (what: string, found: unknown, expected: unknown) => ({
    what: `${stage.name}: ${what}`,
    holds: JSON.stringify(found) === JSON.stringify(expected),
    found: `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`.slice(0, 200),
  })
  const { sent, processed, deadLettered, remaining, timeouts, diedBetween, crashes, failedInvocations } = ledger
  return [
    equal('no message is lost', lost, []),
    equal('the downstream accepted all other messages', ascending(accepted.keys()), others),
    equal('the dead-letter queue has the poison messages only', ascending(dead), poison),
    equal('deadLetter() sent the permanent failures only', ascending(new Set(permanent)), refused),
    {
      what: `${stage.name}: deadLetter() sent a message twice only because of a kill`,
      holds: copies <= copiesOfKills,
      found: `${copies} sent twice, at most ${copiesOfKills} expected`,
    },
    {
      what: `${stage.name}: a message was accepted twice only because of a kill`,
      holds: fromKilled === journal.repeatedFrom.size && fromKilled <= crashes,
      found: `${journal.repeated} of ${journal.repeatedFrom.size} invocations, ${fromKilled} of them killed, ${crashes} expected at most`,
    },
    equal('processes killed', killed.size, stage.kills),
    equal('no other invocation failed', [reasons, timeouts, diedBetween, failedInvocations], [[], 0, 0, crashes]),
    equal('unhandled rejections', journal.unhandled, 0),
    equal('messages of a FIFO group out of order', journal.disorder, 0),
    equal(
      'the ledger of the tool agrees',
      { sent, processed, deadLettered, remaining, lost: ledger.lost },
      {
        sent: stage.messages,
        processed: accepted.size + new Set(permanent).size,
        deadLettered: dead.length,
        remaining: 0,
        lost: 0,
      },
    ),
  ]
}

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b)
}

/** Compares the first and the last quarter of the samples of the warm environment. */
function checkWarm({ ledger }: Result): Check[] {
  const own = samples.filter(({ stage }) => stage === 'warm').slice(1) // the first is taken before the first batch
  const quarter = Math.floor(own.length / 4)
  const [first, last] = [own.slice(0, quarter), own.slice(-quarter)]
  const heap = median(last.map((each) => each.heap)) - median(first.map((each) => each.heap))
  const most = (quarter: Sample[]) => Math.max(...quarter.map(({ descriptors }) => descriptors))
  const descriptors = most(last) - most(first)
  return [
    {
      what: `warm: one process, at least ${format(WARM_INVOCATIONS)} invocations in a full run`,
      holds: new Set(own.map(({ pid }) => pid)).size === 1 && ledger.invocations >= Math.min(WARM_INVOCATIONS, MESSAGES / 50),
      found: `${format(ledger.invocations)} invocations`,
    },
    {
      what: `warm: memory after garbage collection grows by at most ${megabytes(MAX_GROWTH.bytes)}`,
      holds: heap <= MAX_GROWTH.bytes,
      found: `${megabytes(heap)} from the first to the last quarter of ${own.length} samples`,
    },
    {
      what: `warm: descriptors grow by at most ${MAX_GROWTH.descriptors}`,
      holds: descriptors <= MAX_GROWTH.descriptors,
      found: `${descriptors} from the first to the last quarter`,
    },
  ]
}

function report(results: readonly Result[], refused: Record<string, number>): void {
  const checks = [
    ...results.flatMap(checkStage),
    ...results.filter(({ stage }) => stage.name === 'warm').flatMap(checkWarm),
  ]
  const peak = Math.max(...samples.filter(({ stage }) => stage === 'batches').map((sample) => sample.peak))
  checks.push({ what: 'batches: four invocations at once', holds: peak === 4, found: `${peak}` })
  checks.push({ what: 'unhandled rejections in this process', holds: strays === 0, found: `${strays}` })
  checks.push({
    what: 'SQS refused calls of each operation',
    holds: Object.values(refused).every((count) => count > 0),
    found: JSON.stringify(refused),
  })
  const seconds = secondsSince(started)
  const total = (count: (result: Result) => number) => format(results.reduce((sum, result) => sum + count(result), 0))
  const ledgerCount = (key: keyof Ledger) => total(({ ledger }) => Number(ledger[key]))
  console.log(
    renderTable([
      ['messages', ledgerCount('sent')],
      ['accepted', total(({ journal }) => journal.accepted.size)],
      ['  accepted again', total(({ journal }) => journal.repeated)],
      ['dead-lettered by the queue', total(({ dead }) => dead.length)],
      ['dead-lettered by the function', total(({ permanent }) => permanent.length)],
      ['lost', ledgerCount('lost')],
      ['records delivered', ledgerCount('delivered')],
      ['  redelivered', ledgerCount('redelivered')],
      ['invocations', ledgerCount('invocations')],
      ['  ended by SIGKILL', ledgerCount('crashes')],
      ['processes killed', total(({ journal }) => journal.killed.size)],
      ...Object.entries(refused).map(([operation, count]) => [`${operation} refused`, format(count)] as const),
      ['wall time', `${Math.round(seconds)} s`],
      ['messages per second', format(Math.round(MESSAGES / seconds))],
    ]),
  )
  for (const { what, holds, found } of checks) console.log(`${holds ? 'ok' : 'FAILED'}: ${what}${holds ? '' : `: ${found}`}`)
  const failed = checks.filter(({ holds }) => !holds).length
  console.log(failed === 0 ? 'passed' : `failed: ${failed} of ${checks.length} checks`)
  if (failed > 0) process.exitCode = 1
  if (options.json === undefined) return
  const ledgers = Object.fromEntries(results.map(({ stage, ledger }) => [stage.name, ledger]))
  writeFileSync(options.json, JSON.stringify({ seed: SEED, seconds, ledgers, refused, checks, history, samples }, null, 2))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
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
