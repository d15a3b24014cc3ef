/**
 * Measures whether functions with little memory, and therefore little CPU, respond in time. Run
 * `npm run test:small-functions`. Each run is a fresh process. It imports dist/ at full speed, as in Lambda's init
 * phase. When the event is delivered, its CPU is limited to the function's share. Exits with 1 if a response is late or
 * wrong.
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

const HELP = `Usage: npm run test:small-functions -- [options]

  --memory 128|256           memory in MB; repeatable, default both
  --timeout 3|6|30           the function's timeout in seconds; repeatable, default all
  --records hang|2500|100    how long a record takes, in ms; repeatable, default all
  --on-failure yes|no        with a failure handler or without; default both
  --runs <n>                 fresh processes per case; default 20
  --parallel <n>             processes at a time; default 4 per core
  --period <ms>              period of the CPU quota; default 20
  --signals                  limit the CPU by SIGSTOP and SIGCONT, even if this machine permits cgroups
  --profile                  write a CPU profile of one run per case into the current directory`

const SIZE = 8000
/** Lambda gives a function with this memory one full core. */
const MEMORY_OF_ONE_CPU = 1769
/** A run without a response fails this many milliseconds after the function's timeout. */
const MAX_DELAY = 10_000

interface Case {
  readonly memory: number
  readonly timeout: number
  readonly records: string
  readonly onFailure: string
}

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

const { values: options } = parseArgs({
  options: {
    memory: { type: 'string', multiple: true, default: ['128', '256'] },
    timeout: { type: 'string', multiple: true, default: ['3', '6', '30'] },
    records: { type: 'string', multiple: true, default: ['hang', '2500', '100'] },
    'on-failure': { type: 'string', multiple: true, default: ['no', 'yes'] },
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
  const parallel = positive('--parallel', options.parallel)
  const folder = await mkdtemp(join(tmpdir(), 'small-functions-'))
  const quotas = Array.from({ length: parallel }, (_, index) => makeQuota(`${process.pid}-${index}`))
  console.log(`${cases.length} cases × ${runs} runs, ${parallel} at a time; CPU limited by ${quotas[0]?.kind}`)
  try {
    const { Records } = sqsEvent(SIZE)
    await writeFile(join(folder, 'event.json'), JSON.stringify({ Records }))
    const ids = Records.map(({ messageId }) => messageId)
    const results = new Map<Case, Run[]>(cases.map((each) => [each, []]))
    const queue = cases.flatMap((each) => Array.from({ length: runs }, () => each))
    await Promise.all(
      quotas.map(async (quota, index) => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const done = results.get(next) as Run[]
          done.push(await measure(next, quota, folder, `response-${index}.json`, ids))
          if (done.length === runs) console.log(`${nameOf(next)}: ${verdictOf(done)}`)
        }
      }),
    )
    report(results)
  } finally {
    for (const quota of quotas) quota.remove()
    await rm(folder, { recursive: true })
  }
}

function selectCases(): Case[] {
  const cases: Case[] = []
  for (const memory of options.memory) {
    for (const timeout of options.timeout) {
      for (const records of options.records) {
        if (records !== 'hang') positive('--records', records)
        for (const onFailure of options['on-failure']) {
          if (!['yes', 'no'].includes(onFailure)) throw new Error(`--on-failure must be yes or no, not ${onFailure}`)
          cases.push({
            memory: positive('--memory', memory),
            timeout: positive('--timeout', timeout),
            records,
            onFailure,
          })
        }
      }
    }
  }
  return cases
}

function positive(option: string, value: string): number {
  if (!(Number(value) > 0)) throw new Error(`${option} must be a positive number, not ${value}`)
  return Number(value)
}

function makeQuota(name: string): Quota {
  if (options.signals) return createSignals()
  return createQuota(`small-functions-${name}`, positive('--period', options.period))
}

/** One run in a fresh process. */
async function measure(
  { memory, timeout, records, onFailure }: Case,
  quota: Quota,
  folder: string,
  responseName: string,
  ids: readonly string[],
): Promise<Run> {
  const responseFile = join(folder, responseName)
  const child = fork(join(import.meta.dirname, 'function.js'), [records, onFailure], {
    env: { ...process.env, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory) },
    execArgv: [
      // The flags with which Lambda starts Node.
      '--expose-gc',
      `--max-semi-space-size=${Math.floor(memory * 0.05)}`,
      `--max-old-space-size=${Math.floor(memory * 0.9)}`,
      ...(options.profile ? ['--cpu-prof', '--cpu-prof-interval=100'] : []),
    ],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    log += text
  })
  const exited = once(child, 'exit')
  try {
    await messageOf(child, MAX_DELAY)
    quota.limit(child, Math.min(1, memory / MEMORY_OF_ONE_CPU))
    child.send({ eventFile: join(folder, 'event.json'), responseFile, deadline: Date.now() + timeout * 1000 })
    const measured = (await messageOf(child, timeout * 1000 + MAX_DELAY)) as Measured
    quota.lift()
    child.disconnect() // ends the child process
    await exited
    return { ...measured, ...defectIn(JSON.parse(await readFile(responseFile, 'utf8')), measured, ids) }
  } catch (error) {
    const defect = `no response: ${error instanceof Error ? error.message : error}\n${log}`
    return { left: Number.NEGATIVE_INFINITY, leftAtStart: Number.NaN, finished: [], logEntries: 0, stages: {}, defect }
  } finally {
    quota.lift()
    child.kill('SIGKILL')
    await exited
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

function defectIn(
  response: SQSBatchResponse,
  { finished, logEntries }: Measured,
  ids: readonly string[],
): { defect?: string } {
  const isFinished = new Set(finished)
  const expected = ids.filter((id) => !isFinished.has(id))
  try {
    assert.deepEqual(
      response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier),
      expected,
      'the response must report exactly the unfinished records, in record order',
    )
    assert.equal(logEntries > 0, expected.length > 0, 'a batch writes to the log if and only if a record failed')
    return {}
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
          'median records finished': median(runs.map(({ finished }) => finished.length)),
        },
      ]),
    ),
  )
  const hanging = [...results].filter(([{ records }]) => records === 'hang')
  if (hanging.length > 0) {
    console.log(`Median CPU time that ending took, in µs per record (${SIZE} records, none finished):`)
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
    runs.map(({ stages }) => ((stages[to] ?? Number.NaN) - (stages[from] ?? Number.NaN)) / SIZE)
  const cost = (from: string, to: string) => Number(median(costs(from, to)).toFixed(1))
  return {
    'until the first abort': cost('end', 'signals'),
    'failures and log text': cost('signals', 'log'),
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

function nameOf({ memory, timeout, records, onFailure }: Case): string {
  const work = records === 'hang' ? 'records hang' : `${records} ms per record`
  return `${memory} MB, ${timeout} s, ${work}${onFailure === 'yes' ? ', onFailure' : ''}`
}
