/**
 * Measures whether functions respond in time if their CPU or their time is short. Run `npm run test:small-functions`.
 * Each run is a fresh process. It imports dist/ at full speed, as in Lambda's init phase. When the event is delivered,
 * its CPU is limited to the function's share. Exits with 1 if a response is late or wrong.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { SQSBatchResponse } from 'aws-lambda'
import { sqsEvent } from '../../bench/sqs-event.ts'
import { createQuota, createSignals, type Quota } from '../support/cpu-quota.ts'
import { median } from '../support/median.ts'
import { createQueues, type Queues } from './queues.ts'

const HELP = `Usage: npm run test:small-functions -- [options]

  --short         omit the timeouts of 30 s
  --only <text>   run only the cases whose names contain this text
  --case <json>   run this case instead, such as {"memory":128,"timeout":30,"work":2900,"size":1000}
  --runs <n>      fresh processes per case; default 20
  --parallel <n>  processes at a time; default 4 per core; fewer if they need more than half of the CPU
  --period <ms>   period of the CPU quota; default 20
  --signals       limit the CPU by SIGSTOP and SIGCONT, even if this machine permits cgroups
  --profile       write a CPU profile of one run per case into the current directory`

interface Case {
  /** MB */
  readonly memory: number
  /** The function's timeout in seconds. */
  readonly timeout: number
  /**
   * What a record does: it takes this many milliseconds, hangs, throws an error with a long text (the first 6,900; the
   * others hang), or calls a server that never responds. Or it uses 200 ms of the CPU after an asynchronous schema.
   */
  readonly work: number | 'hang' | 'throw' | 'fetch' | 'http' | 'compute'
  readonly concurrency: number
  /** The number of records. */
  readonly size: number
  /** `sqs`: deadLetter() and retryBackoff() with a client that has not made a call yet. */
  readonly onFailure: 'none' | 'returns' | 'sqs'
}

const DEFAULTS: Case = { memory: 128, timeout: 3, work: 'hang', concurrency: 100, size: 8000, onFailure: 'none' }

const CASES: readonly Case[] = [
  ...combine({ work: ['hang', 2500, 100], memory: [128, 256], timeout: [3, 6, 30], onFailure: ['none', 'returns'] }),
  ...combine({ work: ['throw'], memory: [128, 256], timeout: [3, 6] }),
  // The records of larger batches get so much time at the end that these cases would not show the time of the handlers.
  ...combine({ work: ['fetch', 'http'], memory: [128], concurrency: [100], timeout: [3, 6], size: [1000] }),
  ...combine({ work: ['fetch', 'http'], memory: [256], concurrency: [300], timeout: [3, 6], size: [1000] }),
  ...combine({ work: ['fetch', 'http'], memory: [512], concurrency: [800], timeout: [3, 6], size: [1000] }),
  ...combine({ work: ['fetch', 'http'], memory: [1769], timeout: [0.3], size: [100, 1000] }),
  ...combine({ work: ['fetch'], memory: [128, 512], timeout: [3, 6], size: [1000], onFailure: ['sqs'] }),
  ...combine({ work: ['compute'], memory: [1769], timeout: [6], size: [1000] }),
]

/** Lambda gives a function with this memory one full core. */
const MEMORY_OF_ONE_CPU = 1769
/** A run without a response fails this many milliseconds after the function's timeout. */
const MAX_DELAY = 10_000
/** With deadLetter(), so many records fail with a PermanentError. The others call the server. */
const PERMANENT = 10

/** What function.js sends after its response. The stages are in microseconds of CPU time. */
interface Measured {
  readonly left: number
  /** Milliseconds left when the event had been read. */
  readonly leftAtStart: number
  readonly finished: readonly string[]
  readonly logEntries: number
  readonly stages: Readonly<Record<string, number>>
}

interface Run extends Measured {
  /** Why the response is wrong or missing. */
  readonly defect?: string
}

interface Servers {
  /** The URL of the server that never responds. */
  readonly downstream: string
  /** The URL of SQS. */
  readonly sqs: string
}

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    case: { type: 'string' },
    runs: { type: 'string', default: '20' },
    parallel: { type: 'string', default: String(4 * availableParallelism()) },
    // This period was observed on Lambda: https://github.com/pwrdrvr/lambda-dispatch/issues/246
    period: { type: 'string', default: '20' },
    signals: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) console.log(HELP)
else await main()

async function main(): Promise<void> {
  const cases = selectCases()
  const runs = options.profile ? 1 : positive('--runs', options.runs)
  const folder = await mkdtemp(join(tmpdir(), 'small-functions-'))
  const servers = fork(join(import.meta.dirname, 'servers.ts'))
  const quotas = Array.from({ length: positive('--parallel', options.parallel) }, (_, index) =>
    makeQuota(`${process.pid}-${index}`),
  )
  console.log(`${cases.length} cases × ${runs} runs; CPU limited by ${quotas[0]?.kind}`)
  try {
    const addresses = (await messageOf(servers, MAX_DELAY)) as Servers
    const results = new Map<Case, Run[]>()
    for (const each of cases) {
      const parallel = Math.max(1, Math.floor(availableParallelism() / 2 / shareOf(each)))
      const done: Run[] = []
      let next = 0
      await Promise.all(
        quotas.slice(0, parallel).map(async (quota) => {
          while (next < runs) done.push(await measure(each, quota, addresses, join(folder, String(next++))))
        }),
      )
      results.set(each, done)
      console.log(`${nameOf(each)}: ${verdictOf(done)}`)
    }
    report(results)
  } finally {
    servers.disconnect()
    for (const quota of quotas) quota.remove()
    await rm(folder, { recursive: true })
  }
}

/** Every combination of these values. */
function combine(lists: { readonly [Key in keyof Case]?: readonly Case[Key][] }): Case[] {
  return Object.entries(lists).reduce(
    (cases, [key, values]) => cases.flatMap((each) => values.map((value) => ({ ...each, [key]: value }))),
    [DEFAULTS],
  )
}

function selectCases(): readonly Case[] {
  if (options.case !== undefined) return [{ ...DEFAULTS, ...JSON.parse(options.case) }]
  const selected = CASES.filter((each) => nameOf(each).includes(options.only) && !(options.short && each.timeout > 6))
  if (selected.length === 0) throw new Error(`--only: no case has a name with ${options.only}`)
  return selected
}

function positive(option: string, value: string): number {
  if (!(Number(value) > 0)) throw new Error(`${option} must be a positive number, not ${value}`)
  return Number(value)
}

function makeQuota(name: string): Quota {
  if (options.signals) return createSignals()
  return createQuota(`small-functions-${name}`, positive('--period', options.period))
}

function shareOf({ memory }: Case): number {
  return Math.min(1, memory / MEMORY_OF_ONE_CPU)
}

/** One run in a fresh process. `files` is the beginning of the names of its files. */
async function measure(each: Case, quota: Quota, { downstream, sqs }: Servers, files: string): Promise<Run> {
  const [eventFile, responseFile] = [`${files}-event.json`, `${files}-response.json`]
  const { Records } = sqsEvent(each.size)
  const queues = each.onFailure === 'sqs' ? await createQueues(sqs, Records, PERMANENT + each.concurrency) : undefined
  const permanent = queues ? PERMANENT : 0
  await writeFile(eventFile, JSON.stringify({ Records }))
  const child = fork(
    join(import.meta.dirname, 'function.js'),
    [JSON.stringify({ ...each, permanent, downstream, sqs: queues && { endpoint: sqs, ...queues } })],
    {
      env: {
        ...process.env,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(each.memory),
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
      },
      execArgv: [
        // The flags with which Lambda starts Node.
        '--expose-gc',
        `--max-semi-space-size=${Math.floor(each.memory * 0.05)}`,
        `--max-old-space-size=${Math.floor(each.memory * 0.9)}`,
        ...(options.profile ? ['--cpu-prof', '--cpu-prof-interval=100'] : []),
      ],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    },
  )
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    log += text
  })
  const exited = once(child, 'exit')
  try {
    await messageOf(child, MAX_DELAY)
    quota.limit(child, shareOf(each))
    child.send({ eventFile, responseFile, deadline: Date.now() + each.timeout * 1000 })
    const measured = (await messageOf(child, each.timeout * 1000 + MAX_DELAY)) as Measured
    quota.lift()
    child.disconnect() // ends the child process
    await exited
    const ids = Records.map(({ messageId }) => messageId)
    const response: SQSBatchResponse = JSON.parse(await readFile(responseFile, 'utf8'))
    return { ...measured, ...(await checkResponse(response, measured, ids, queues)) }
  } catch (error) {
    const defect = `no response: ${error instanceof Error ? error.message : error}\n${log}`
    return { left: Number.NEGATIVE_INFINITY, leftAtStart: Number.NaN, finished: [], logEntries: 0, stages: {}, defect }
  } finally {
    quota.lift()
    child.kill('SIGKILL')
    await exited
    await Promise.all([rm(eventFile), rm(responseFile, { force: true })]) // the event has 6 MB
  }
}

async function messageOf(child: ChildProcess, limit: number): Promise<unknown> {
  const end = new AbortController()
  const timeout = AbortSignal.timeout(limit)
  const signal = AbortSignal.any([end.signal, timeout])
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message),
      once(child, 'exit', { signal }).then(([code, killedBy]) => {
        throw new Error(`the process ended with ${killedBy ?? `exit code ${code}`}`)
      }),
    ])
  } catch (error) {
    throw timeout.aborted ? new Error(`the process sent nothing within ${limit} ms`) : error
  } finally {
    end.abort()
  }
}

/** Returns why the response is wrong, or the records that finished, or that SQS has as dead letters. */
async function checkResponse(
  response: SQSBatchResponse,
  { finished, logEntries }: Measured,
  ids: readonly string[],
  queues: Queues | undefined,
): Promise<Partial<Run>> {
  const reported = response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  // If deadLetter() runs out of time, it reports records that SQS has already accepted.
  const sent = (await queues?.deadLettered())?.filter((id) => !reported.includes(id)) ?? []
  const done = new Set([...finished, ...sent])
  const expected = ids.filter((id) => !done.has(id))
  try {
    assert.deepEqual(reported, expected, 'the response must report exactly the unfinished records, in record order')
    assert.equal(logEntries > 0, expected.length > 0, 'a batch writes to the log if and only if a record failed')
    return { finished: [...done] }
  } catch (error) {
    return { defect: (error as Error).message }
  }
}

function report(results: ReadonlyMap<Case, readonly Run[]>): void {
  console.log('\nMilliseconds left when the event had been read (median) and when the response was written:')
  console.table(
    Object.fromEntries(
      [...results].map(([each, runs]) => [
        nameOf(each),
        {
          'event read': median(runs.map(({ leftAtStart }) => leftAtStart)),
          'response, worst': Math.min(...runs.map(({ left }) => left)),
          'response, median': median(runs.map(({ left }) => left)),
          'in time': `${runs.filter(isInTime).length} of ${runs.length}`,
          correct: `${runs.filter(({ defect }) => !defect).length} of ${runs.length}`,
          'records not reported': median(runs.map(({ finished }) => finished.length)),
        },
      ]),
    ),
  )
  const hanging = [...results].filter(([{ work }]) => typeof work === 'string' && work !== 'compute')
  if (hanging.length > 0) {
    console.log('Median CPU time that ending took, in ms (no record finished):')
    console.table(Object.fromEntries(hanging.map(([each, runs]) => [nameOf(each), endingCost(runs)])))
  }
  const runs = [...results.values()].flat()
  for (const defect of new Set(runs.map((run) => run.defect))) if (defect) console.log(`defect: ${defect}`)
  console.log(verdictOf(runs))
  if (!runs.every((run) => isInTime(run) && !run.defect)) process.exitCode = 1
}

/** The CPU time of each part of ending a batch, from one stage to the next. */
function endingCost(runs: readonly Run[]): Record<string, number> {
  const costs = (from: string, to: string) =>
    runs.map(({ stages }) => ((stages[to] ?? Number.NaN) - (stages[from] ?? Number.NaN)) / 1000)
  const cost = (from: string, to: string) => Number(median(costs(from, to)).toFixed(1))
  return {
    'until the first abort': cost('end', 'signals'),
    'until the log text': cost('signals', 'log'),
    'console.error': cost('log', 'logged'),
    'response object': cost('logged', 'returned'),
    'JSON.stringify': cost('returned', 'serialised'),
    write: cost('serialised', 'written'),
    all: cost('end', 'written'),
    'all, worst': Number(Math.max(...costs('end', 'written').filter(Number.isFinite)).toFixed(1)),
  }
}

function isInTime({ left }: Run): boolean {
  return left >= 0
}

function verdictOf(runs: readonly Run[]): string {
  const late = runs.filter((run) => !isInTime(run)).length
  const wrong = runs.filter(({ defect }) => defect).length
  const verdict = late + wrong === 0 ? 'ok' : 'FAILED'
  return `${verdict}: ${runs.length} runs, ${late} late, ${wrong} wrong`
}

function nameOf({ memory, timeout, work, concurrency, size, onFailure }: Case): string {
  const what = {
    hang: 'records hang',
    throw: 'long error texts',
    fetch: `${concurrency} × fetch`,
    http: `${concurrency} × node:http`,
    compute: '200 ms of CPU after an asynchronous schema',
  }
  return [
    `${memory} MB`,
    `${timeout} s`,
    typeof work === 'number' ? `${work} ms per record` : what[work],
    size === DEFAULTS.size ? [] : `${size} records`,
    { none: [], returns: 'onFailure', sqs: 'onFailure with a cold SQSClient' }[onFailure],
  ]
    .flat()
    .join(', ')
}
