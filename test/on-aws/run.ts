/** Deploys the stack, performs the experiments, and removes the stack, whatever happens. */
import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import { type Aws, type LogLine, PREFIX } from './aws.ts'
import { codeFiles, zip } from './code.ts'
import type { Experiment, Note, Proof, Report } from './experiments.ts'
import { deadLettersOf, idsOf, LOG_GROUP, type Name, SETUPS, type Setup, setups, template } from './template.ts'

export type Verdict = 'as expected' | 'differs' | 'not observed'

export interface Outcome {
  readonly name: string
  readonly expected: string
  /** Or why it could not be observed. */
  readonly observed: string
  readonly verdict: Verdict
}

export interface RunOptions {
  readonly aws: Aws
  /** It is in the name and in a tag of the stack, and of all resources of the stack. */
  readonly id: string
  readonly experiments: readonly Experiment[]
  /** When it aborts, no more is sent or observed, and the stack is removed. */
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  /** All times are multiplied with it. Tests use a value below 1. */
  readonly pace?: number
}

export interface Result {
  readonly outcomes: readonly Outcome[]
  /** What could not be removed, and how to remove it. */
  readonly left: string | undefined
}

/** Seconds between two reads. */
const POLL = 5

export async function run(options: RunOptions): Promise<Result> {
  const { aws, id, experiments, print } = options
  const stack = `${PREFIX}${id}`
  let outcomes: readonly Outcome[]
  try {
    outcomes = await perform(options, await deploy(stack, options))
  } catch (error) {
    outcomes = experiments.map((experiment) => notObserved(experiment, error))
  }
  return { outcomes, left: await remove(aws, stack, print) }
}

async function deploy(stack: string, { aws, signal, print, pace = 1 }: RunOptions): Promise<Proof> {
  const startedAt = Date.now()
  const code = zip(await codeFiles())
  signal.throwIfAborted()
  print(`creating the stack ${stack}`)
  await aws.createStack(stack, template())
  try {
    await aws.waitUntilCreated(stack, signal)
  } catch (error) {
    signal.throwIfAborted()
    const reasons = await aws.failuresOf(stack)
    throw new Error(`the stack could not be created: ${reasons.join('; ') || reasonOf(error)}`)
  }
  const resources = await aws.resourcesOf(stack)
  print('uploading the code of the functions')
  await pMap(setups, ([name]) => aws.upload(`${resources.get(idsOf(name).fn)}`, code, signal), {
    concurrency: 4,
    signal,
  })
  return openProof({ aws, resources, startedAt, signal, pace })
}

/** All experiments send before the first observes, because most of the time is spent waiting. */
async function perform({ experiments, signal, print }: RunOptions, proof: Proof): Promise<Outcome[]> {
  const failures = new Map<Experiment, unknown>()
  for (const [index, experiment] of experiments.entries()) {
    if (signal.aborted || !experiment.send) continue
    print(`sending ${index + 1} of ${experiments.length}: ${experiment.name}`)
    await experiment.send(proof).catch((error) => failures.set(experiment, error))
  }
  const outcomes: Outcome[] = []
  for (const [index, experiment] of experiments.entries()) {
    if (!signal.aborted) print(`observing ${index + 1} of ${experiments.length}: ${experiment.name}`)
    outcomes.push(await observe(experiment, proof, signal, failures))
  }
  return outcomes
}

async function observe(
  experiment: Experiment,
  proof: Proof,
  signal: AbortSignal,
  failures: ReadonlyMap<Experiment, unknown>,
): Promise<Outcome> {
  const { name, expected } = experiment
  try {
    signal.throwIfAborted()
    if (failures.has(experiment)) throw failures.get(experiment)
    const { observed, asExpected } = await experiment.observe(proof)
    return { name, expected, observed, verdict: asExpected ? 'as expected' : 'differs' }
  } catch (error) {
    return notObserved(experiment, signal.aborted ? signal.reason : error)
  }
}

function notObserved({ name, expected }: Experiment, error: unknown): Outcome {
  return { name, expected, observed: reasonOf(error), verdict: 'not observed' }
}

/** The first line of an error. */
export function reasonOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const [line = ''] = message.split('\n')
  return name === 'Error' ? line : `${name}: ${line}`
}

interface Deployed {
  readonly aws: Aws
  readonly resources: ReadonlyMap<string, string>
  readonly startedAt: number
  readonly signal: AbortSignal
  readonly pace: number
}

function openProof({ aws, resources, startedAt, signal, pace }: Deployed): Proof {
  const physical = (id: string) => `${resources.get(id)}`
  const letters: { name: Name }[] = []
  const pause = (seconds: number) => sleep(seconds * 1000 * pace, undefined, { signal })

  async function readLog() {
    return (await aws.logLines(physical(LOG_GROUP), startedAt)).map(readLine)
  }
  async function notes(name: Name): Promise<Note[]> {
    const lines = await readLog()
    const notes = lines.flatMap(({ at, line }) => (line.note === name ? [{ at, ...line } as Note] : []))
    return notes.sort((one, other) => one.at - other.at || one.order - other.order)
  }

  return {
    notes,
    sleep: pause,
    send(name, bodies) {
      const fifo = (SETUPS[name] as Setup).queue?.fifo
      const messages = bodies.map((body, index) => {
        const { group } = body as { readonly group: string }
        return {
          MessageBody: JSON.stringify({ name, ...body }),
          ...(fifo ? { MessageGroupId: group, MessageDeduplicationId: `${group}-${index}` } : {}),
        }
      })
      return aws.send(physical(idsOf(name).queue), messages, signal)
    },
    enable: (name) => aws.enableMapping(physical(idsOf(name).mapping)),
    reserve: (name, executions) => aws.reserve(physical(idsOf(name).fn), executions),
    invoke: (name) => aws.invoke(physical(idsOf(name).fn)),
    async reports(name) {
      const lines = await readLog()
      const requests = new Set(lines.flatMap(({ line }) => (line.note === name ? [line.requestId] : [])))
      const reports = lines.flatMap(({ line }) => (line.type === 'platform.report' ? [toReport(line.record)] : []))
      return reports.filter(({ requestId }) => requests.has(requestId))
    },
    async deadLetters(name) {
      const queue = (SETUPS[name] as Setup).queue
      const bodies = queue ? await aws.drain(physical(deadLettersOf(queue))) : []
      letters.push(...bodies.map((body) => JSON.parse(body)))
      return letters.filter((letter) => letter.name === name)
    },
    // CloudWatch counts by the minute.
    metric: (name, metric) => aws.mappingMetric(physical(idsOf(name).mapping), metric, startedAt - 60_000),
    throttles: (name) => aws.throttles(physical(idsOf(name).fn), startedAt - 60_000),
    hasAlarmed: (name) => aws.hasAlarmed(physical(idsOf(name).alarm)),
    async until(seconds, read, isDone, from = Date.now()) {
      const end = from + seconds * 1000 * pace
      for (;;) {
        const value = await read()
        if (isDone(value) || Date.now() >= end) return value
        await pause(POLL)
      }
    },
  }
}

/** Lambda puts what a function writes into `message` of another object. */
// biome-ignore lint/suspicious/noExplicitAny: each line has its own fields
function readLine({ at, text }: LogLine): { at: number; line: Record<string, any> } {
  const line = parseObject(text)
  return { at, line: typeof line.message === 'string' ? parseObject(line.message) : line }
}

// biome-ignore lint/suspicious/noExplicitAny: each line has its own fields
function parseObject(text: string): Record<string, any> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

function toReport(record: { requestId: string; status: string; metrics: { durationMs: number } }): Report {
  const { requestId, status, metrics } = record
  return { requestId, status, durationMs: metrics.durationMs }
}

const REMOVAL_TRIES = 3

/** Removes a stack. Returns what is left and how to remove it, or `undefined` if nothing is left. */
export async function remove(aws: Aws, stack: string, print: (line: string) => void): Promise<string | undefined> {
  print(`removing the stack ${stack}`)
  for (let tries = 1; ; tries++) {
    try {
      await aws.deleteStack(stack)
      return undefined
    } catch (error) {
      if (tries < REMOVAL_TRIES) continue
      const region = await aws.region()
      const resources = await aws.resourcesOf(stack).catch(() => undefined)
      const contents = resources
        ? Array.from(resources, (entry) => entry.join(' ')).join(', ')
        : 'all resources of the run'
      return [
        `The stack ${stack} in ${region} could not be removed: ${reasonOf(error)}`,
        `It contains: ${contents}`,
        'To remove it, run: npm run proof:aws -- --clean',
        `Or run: aws cloudformation delete-stack --region ${region} --stack-name ${stack}`,
      ].join('\n')
    }
  }
}
