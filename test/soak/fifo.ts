/**
 * Sends messages of many groups through `deadLetter()` and `retryBackoff()`, on the FIFO queue of `local`:
 * `npx node test/soak/fifo.ts`. 3 % of them fail once or twice, and 1 % for ever. Prints how long each group waited after a
 * failure, until one of its messages started. Exits with 1 if a message is lost or out of order, or if a group waits for
 * the visibility timeout of the queue.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import {
  MAPPING_DEFAULTS,
  numberedMessages,
  OpenLedger,
  type Runtime,
  renderTable,
  runEventSource,
} from '../../cli/src/engine.ts'
import { startOwnQueue } from '../../cli/src/local/queue/own-queue.ts'
import { boundedSqsBatch, eachRecord, type FailureHandler, PermanentError } from '../../src/index.ts'
import { deadLetter, retryBackoff } from '../../src/sqs/index.ts'
import { reportChecks, wholeNumber } from './command.ts'
import { hash, setSeed } from './messages.ts'
import { takeAll } from './sqs.ts'

/** Seconds. A wait between the longest backoff and the visibility timeout tells one from the other on a slow machine. */
const VISIBILITY_TIMEOUT = 40
const MAX_WAIT = 30
const BACKOFF = { base: 2, max: 8 }
/** So many that a group hardly waits for an environment. Lambda starts up to one for each group. */
const MAPPING = { ...MAPPING_DEFAULTS, batchSize: 10, windowMs: 0, concurrency: 50 }
/** How often four of a hundred messages fail. The others never fail. */
const FAILURES = [Number.POSITIVE_INFINITY, 1, 1, 2]

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    groups: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
})
const MESSAGES = wholeNumber('--messages', options.messages, 1)
const GROUPS = wholeNumber('--groups', options.groups, 1)
const SEED = wholeNumber('--seed', options.seed, 0)

/** The messages that the handler has processed, or that deadLetter() says it has sent. */
const done = new Set<number>()
const outOfOrder: number[] = []
/** How often each message has failed. Its receive count is higher if it waited for the failure of another one. */
const failures = new Map<number, number>()
/** The last failure of each group after which no message of the group has started. */
const lastFailures = new Map<number, { isPermanent: boolean; at: number }>()
/** The milliseconds that groups waited after a failure. */
const waits: { isPermanent: boolean; ms: number }[] = []

const failuresOf = (number: number) => FAILURES[hash(number) % 100] ?? 0
const isPermanent = (number: number) => failuresOf(number) === Number.POSITIVE_INFINITY
const numberOf = ({ body }: { body: string }): number => JSON.parse(body).number

async function processMessage(record: { body: string }): Promise<void> {
  const number = numberOf(record)
  const [group, previous] = [number % GROUPS, number - GROUPS]
  const failure = lastFailures.get(group)
  if (failure) waits.push({ isPermanent: failure.isPermanent, ms: performance.now() - failure.at })
  lastFailures.delete(group)
  if (done.has(number) || (previous > 0 && !done.has(previous))) outOfOrder.push(number)
  await sleep(hash(number) % 20)
  const failed = failures.get(number) ?? 0
  if (failed === failuresOf(number)) {
    done.add(number)
    return
  }
  failures.set(number, failed + 1)
  lastFailures.set(group, { isPermanent: isPermanent(number), at: performance.now() })
  throw isPermanent(number) ? new PermanentError('this message can never be processed') : new Error('try again')
}

async function main(): Promise<void> {
  console.error(`${MESSAGES.toLocaleString('en-US')} messages in ${GROUPS} groups, --seed ${SEED}`)
  setSeed(SEED)
  const started = performance.now()
  const queue = await startOwnQueue({ fifo: true, visibilityTimeout: VISIBILITY_TIMEOUT, maxReceives: 20 })
  const deadLetterUrl = `${queue.deadLetterUrl}`
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const client = new SQSClient({ endpoint: new URL(deadLetterUrl).origin, region: 'us-east-1', credentials })
  try {
    for (const { body, messageGroupId: MessageGroupId } of numberedMessages(MESSAGES, GROUPS)) {
      await queue.send([{ Id: '0', MessageBody: body, MessageGroupId }])
    }
    const over = new AbortController()
    const runtime = functionOf(client, deadLetterUrl)
    const parts = { queue, runtime, ledger: new OpenLedger(), isLast: async () => false }
    // If the function throws, this rejects, which ends the process.
    const delivered = runEventSource({ ...parts, draining: over.signal }, MAPPING)
    while ((await queue.counts()).queue > 0) await sleep(250)
    over.abort()
    await delivered
    report(await takeAll(client, deadLetterUrl), performance.now() - started)
  } finally {
    client.destroy()
    await queue.close()
  }
}

/** The function, which runs in this process. */
function functionOf(client: SQSClient, queueUrl: string): Pick<Runtime, 'invoke'> {
  const send = deadLetter({ client, queueUrl })
  const sendAndNote: FailureHandler = async (failures, request) => {
    const remaining = await send(failures, request)
    for (const failure of failures) if (!remaining.includes(failure)) done.add(numberOf(failure.record))
    return remaining
  }
  const handler = middy()
    .use(boundedSqsBatch({ onFailure: [sendAndNote, retryBackoff({ client, ...BACKOFF })], logger: false }))
    .handler(eachRecord(processMessage))
  const context = { getRemainingTimeInMillis: () => 30_000 } as Context
  const respond = async (event: string) => JSON.stringify(await handler(JSON.parse(event), context))
  return { invoke: async (event) => ({ type: 'response', payload: await respond(event) }) }
}

/** A row of the histogram: how many of the waits are after a retry, and after a dead letter. */
function row(label: string, all: typeof waits) {
  const dead = all.filter((wait) => wait.isPermanent).length
  return [label, String(all.length - dead), String(dead)] as const
}

function report(dead: readonly number[], ms: number): void {
  const numbers = Array.from({ length: MESSAGES }, (_, index) => index + 1)
  const lost = numbers.filter((number) => !(isPermanent(number) ? dead.includes(number) : done.has(number)))
  const isExact = dead.toSorted((a, b) => a - b).join() === numbers.filter(isPermanent).join()
  const long = waits.filter((wait) => wait.ms >= 1000 * MAX_WAIT).length
  const some = (all: readonly number[], what: string) => `${all.length} ${what} ${all.slice(0, 5)}`.trim()
  const counts = Map.groupBy(waits, (wait) => Math.floor(wait.ms / 1000))
  const rows = [...counts].sort(([a], [b]) => a - b).map(([s, all]) => row(`${s} to ${s + 1}`, all))
  const head = ['seconds until the group goes on', 'retryBackoff()', 'deadLetter()'] as const
  console.log(renderTable([head, ...rows, row('all', waits)]))
  const processed = MESSAGES - lost.length - dead.length
  console.log(`${processed} processed, ${dead.length} dead letters, in ${Math.round(ms / 1000)} s`)
  reportChecks([
    { what: 'no message is lost', holds: lost.length === 0, found: some(lost, 'lost') },
    { what: 'exactly the permanent failures are dead letters', holds: isExact, found: `${dead.length} dead letters` },
    { what: 'each group keeps its order', holds: outOfOrder.length === 0, found: some(outOfOrder, 'out of order') },
    { what: `no group waits for ${MAX_WAIT} s`, holds: long === 0, found: `${long} waits` },
  ])
}

await main()
