import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type Ledger, type Queue, type RunOptions, run } from '../../src/engine.ts'
import type { Received } from '../../src/local/queue/sqs-record.ts'

export const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url))

/** A handler of test/handlers. */
export function handlerFile(name: string) {
  return fileURLToPath(new URL(`../handlers/${name}`, import.meta.url))
}

export function folder(t: Test) {
  const path = mkdtempSync(join(tmpdir(), 'bounded-sqs-batch-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/**
 * A file to which handlers append JSON lines. They find its path in RECORD_TO. `read` returns the lines in order.
 * `release` lets the handler of slow.mjs finish its batches.
 */
export function notebook(t: Test) {
  const file = join(folder(t), 'notes.jsonl')
  writeFileSync(file, '')
  return {
    file,
    // biome-ignore lint/suspicious/noExplicitAny: each handler writes its own
    read: (): any[] =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    release: () => writeFileSync(`${file}.released`, ''),
  }
}

/**
 * The environment variables of a spawned command: those of this process, without what would make a test depend on the
 * shell of the developer. tap itself sets FORCE_COLOR if its output is a terminal.
 */
export function environment(changes: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
  const foreign = /^(AWS_.*|FORCE_COLOR|NO_COLOR|NODE_DISABLE_COLORS|BOUNDED_SQS_BATCH_CONCURRENCY)$/
  const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  return {
    ...Object.fromEntries(inherited),
    // Without these, the SDK reads the files in ~/.aws.
    AWS_CONFIG_FILE: '/nowhere',
    AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
    ...changes,
  }
}

type Changes = Partial<Omit<RunOptions, 'function' | 'mapping'>> & {
  function?: Partial<RunOptions['function']>
  mapping?: Partial<RunOptions['mapping']>
}

/** A run with a queue in this process and short times. It ends when the queue is empty. */
export function runHandler(file: string, changes: Changes = {}): Promise<Ledger> {
  return run({
    queue: { visibilityTimeout: 40, maxReceives: 3 },
    idle: 0,
    ...changes,
    // On a busy machine, loading takes longer than the 10 s that Lambda allows.
    function: { file: handlerFile(file), initTimeout: 120_000, ...changes.function },
    mapping: { batchSize: 10, windowMs: 0, retryAfter: 0, ...changes.mapping },
  })
}

/** A run in which `act` sends messages, one call for each. It ends when `act` returns. */
export async function runWhile(
  file: string,
  changes: Changes,
  act: (send: (body: string) => Promise<unknown>) => Promise<void>,
): Promise<Ledger> {
  const over = new AbortController()
  const started = Promise.withResolvers<Queue>()
  const ran = runHandler(file, {
    ...changes,
    messages: [],
    idle: undefined,
    drain: over.signal,
    onStart: started.resolve,
  })
  const acted = started.promise.then((queue) => act((body) => queue.send([{ Id: '0', MessageBody: body }])))
  await Promise.race([acted, ran])
  over.abort()
  return ran
}

/** The counts of a ledger, without times, rates and ids. */
export function counts({ wallMs, perSecond, reasons, failures, firstUnprocessed, ...rest }: Ledger) {
  return rest
}

export interface Result {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the command as a process. `during` can use the process and its output while it runs. */
export async function command(
  args: readonly string[],
  {
    env = {},
    input = '',
    during = () => {},
  }: {
    env?: Record<string, string | undefined>
    /** Its standard input. */
    input?: string
    during?: (child: ReturnType<typeof spawn>, output: Result) => unknown
  } = {},
): Promise<Result> {
  const child = spawn(process.execPath, [BIN, ...args], { env: environment(env) })
  // A command that does not read its input may end before the input is written.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const result: Result = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    result.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    result.stderr += chunk
  })
  const closed = once(child, 'close')
  await Promise.race([during(child, result), closed])
  const [code] = await closed
  return { ...result, code }
}

export function isAlive(pid: number) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until the condition is true. Only the timeout of tap limits the wait: on a busy machine, ten seconds were too few. */
export async function until(what: () => unknown) {
  while (!(await what())) await sleep(20)
}

/** Timers of invocations that fire only if the test calls `fireLast()`. */
export function heldTimers() {
  const callbacks: (() => void)[] = []
  function startTimer(callback: () => void) {
    callbacks.push(callback)
  }
  return {
    startTimer: startTimer as unknown as typeof setTimeout,
    count: () => callbacks.length,
    fireLast: () => callbacks.at(-1)?.(),
  }
}

interface Client {
  config: { requestHandler: { httpHandlerConfigs?: () => object } }
}

/** Returns the time limits of the first client of this class of the SDK that makes a call in this test. */
export function limitsOf(t: Test, { prototype }: { prototype: object }) {
  const { send } = prototype as { send: () => unknown }
  const calls = t.capture(prototype as { send: typeof send }, 'send', send)
  return () => (calls()[0]?.receiver as Client | undefined)?.config.requestHandler.httpHandlerConfigs?.()
}

export function received(messageId: string, bytes = 100, receiveCount = 1): Received {
  return {
    messageId,
    receiptHandle: `receipt-${messageId}`,
    receiveCount,
    json: JSON.stringify({ messageId }),
    bytes,
    byClients: {},
  }
}
