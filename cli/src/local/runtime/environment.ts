import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename, dirname, extname, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InitError } from '../../shared/errors.ts'
import type { InvocationMetrics } from './metrics.ts'
import { type NOT_TAKEN, type Outcome, startRuntimeApi } from './runtime-api.ts'

export interface FunctionOptions {
  /** The file of the handler: .ts, .mts, .js, .mjs or .cjs. */
  file: string
  /** The name of its export; default `handler`. */
  exportName?: string
  /** Milliseconds; default 30,000. */
  timeout?: number
  /**
   * Milliseconds that loading may take; default 10,000. Lambda then tries again with the timeout of the function; this
   * runtime does not.
   */
  initTimeout?: number
  /** Megabytes; default 512. It limits V8's heap as on Lambda, not buffers outside of it. */
  memory?: number
  /** Hard limit of file descriptors; default 1,024. */
  fdLimit?: number
  /** A shell command that runs another client of the Runtime API. Default: the client of this package. */
  runtimeClient?: string
  env?: Record<string, string>
  onLog?: (line: string) => void
  /** Called when the process ended unexpectedly while it had no event. */
  onDeathBetween?: (message: string) => void
  /** Called after each invocation with the measured values. Without this option, the process measures nothing. */
  onMetrics?: (metrics: InvocationMetrics) => void
  /** Called during an invocation, with the number of records that the library has finished since the last call. */
  onFinished?: (records: number) => void
}

export const FUNCTION_DEFAULTS = {
  exportName: 'handler',
  timeout: 30_000,
  initTimeout: 10_000,
  memory: 512,
  fdLimit: 1024,
}

/**
 * The shell script that starts the process. `ulimit -n` also sets the hard limit, because Node raises its soft limit to
 * the hard limit at startup. The `read` in the background waits on a pipe from this process. The pipe closes when this
 * process ends, for any reason. The script then kills the whole process group, even if the function blocks its event
 * loop.
 */
function launchScript(command: string) {
  return `ulimit -n "$1" || exit 1; shift
(read -r _ <&3; kill -9 -$$) >/dev/null 2>&1 &
exec ${command} 3<&-`
}

/** Explanations of exit codes: 13 comes from Node or from runtime-client.ts, 127 from the shell. */
const HINTS: Record<number, string> = {
  13: 'it awaits a promise that never settles',
  127: 'the command was not found',
}

const OWN_CLIENT = fileURLToPath(new URL(`./runtime-client${extname(import.meta.url)}`, import.meta.url))

function commandFor(options: FunctionOptions, file: string, heapFlags: readonly string[]): [string, string[]] {
  if (options.runtimeClient) return [`${options.runtimeClient} "$_HANDLER"`, []]
  const strip = /\.m?ts$/.test(file) && !process.features.typescript // Node 22 before 22.18
  const flags = strip ? ['--experimental-strip-types', '--no-warnings'] : []
  const exportName = options.exportName ?? FUNCTION_DEFAULTS.exportName
  const measure = options.onMetrics ? ['measure'] : []
  return ['"$@"', [process.execPath, ...heapFlags, ...flags, OWN_CLIENT, file, exportName, ...measure]]
}

function regionOf(env: NodeJS.ProcessEnv) {
  return env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1'
}

/**
 * The environment variables that Lambda sets. `_HANDLER` is the path without extension, a dot, and the name of the
 * export.
 */
function environmentVariables(options: FunctionOptions, file: string, address: string, heapFlags: readonly string[]) {
  const inside = !relative(process.cwd(), file).startsWith('..')
  const taskRoot = inside ? process.cwd() : dirname(file)
  const path = relative(taskRoot, file)
  const region = regionOf(process.env)
  const name = basename(file, extname(file))
  const given = options.env?.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''
  return {
    ...process.env,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`,
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(options.memory ?? FUNCTION_DEFAULTS.memory),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `local/[$LATEST]${process.pid}`,
    TZ: ':UTC',
    ...options.env,
    // The last flag wins: NODE_OPTIONS of the shell, the template or --env cannot raise the limit of the memory.
    ...(options.runtimeClient ? { NODE_OPTIONS: [given, ...heapFlags].join(' ').trim() } : {}),
    AWS_LAMBDA_RUNTIME_API: address,
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: `${path.slice(0, path.length - extname(path).length)}.${options.exportName ?? FUNCTION_DEFAULTS.exportName}`,
  }
}

function killGroup(child: ChildProcess) {
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // the process group has already ended
  }
}

/**
 * Starts one execution environment: a process that loads the handler and then takes events until it ends. Rejects with
 * an InitError if the function cannot be loaded. `alive` is false once the process has ended. Aborting the signal kills
 * the process.
 */
export async function startEnvironment(options: FunctionOptions, signal: AbortSignal) {
  const { timeout = FUNCTION_DEFAULTS.timeout, initTimeout = FUNCTION_DEFAULTS.initTimeout } = options
  const memory = options.memory ?? FUNCTION_DEFAULTS.memory
  const file = resolve(options.file)
  // The flags with which Lambda starts Node. Without the first flag, the process needs far more memory than on Lambda.
  // Measured with 128 MB and HTTP calls: 201 MB instead of 122 MB.
  const heapFlags = [
    `--max-semi-space-size=${Math.floor(memory * 0.05)}`,
    `--max-old-space-size=${Math.floor(memory * 0.9)}`,
  ]
  const [script, args] = commandFor(options, file, heapFlags)
  const ready = Promise.withResolvers<void>()
  const fail = (message: string) => ready.reject(new InitError(message))
  const api = await startRuntimeApi({
    timeout,
    functionArn: `arn:aws:lambda:${regionOf(process.env)}:000000000000:function:${basename(file, extname(file))}`,
    onReady: ready.resolve,
    onInitError: fail,
    onMetrics: (metrics) => options.onMetrics?.(metrics),
    onFinished: (records) => options.onFinished?.(records),
  })

  const env = environmentVariables(options, file, api.address, heapFlags)
  const limit = String(options.fdLimit ?? FUNCTION_DEFAULTS.fdLimit)
  const child = spawn('/bin/sh', ['-c', launchScript(script), 'sh', limit, ...args], {
    env,
    // A separate process group: Ctrl-C in the terminal does not reach it, and one kill ends all its processes.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const state = { alive: true, outOfMemory: false, ready: false, stopped: false, responded: false }
  const outputs = child.stdio.slice(1, 3) as Readable[]
  for (const stream of outputs) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.includes('JavaScript heap out of memory')) state.outOfMemory = true
      options.onLog?.(line)
    })
  }

  const kill = () => killGroup(child)
  const ended = Promise.withResolvers<void>()
  function end(message: string) {
    state.alive = false
    signal.removeEventListener('abort', kill)
    fail(`${message} while it was loading`)
    if (state.ready && !state.stopped && !signal.aborted && !api.isBusy) {
      const when = state.responded ? 'after its response. Is an `await` missing?' : 'before its first event'
      options.onDeathBetween?.(`${message} ${when}`)
    }
    api.end(signal.aborted ? { type: 'stopped', message: 'stopped' } : { type: 'crash', message })
    ended.resolve()
  }
  child.on('error', ({ message }) => end(`the process could not be started (${message})`))
  child.on('exit', async (code, killedBy) => {
    state.alive = false
    kill() // also ends child processes of the function and the `read` of the script
    if (!outputs.every(({ closed }) => closed)) await Promise.race([once(child, 'close'), sleep(500)])
    const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`
    const hint = state.outOfMemory ? `out of memory: ${memory} MB` : HINTS[code ?? 0]
    end(`the process ${how}${hint ? ` (${hint})` : ''}`)
  })
  if (signal.aborted) kill()
  signal.addEventListener('abort', kill)

  function stop() {
    state.stopped = true
    kill()
    return ended.promise
  }
  const initTimer = setTimeout(() => fail(`it did not finish loading within ${initTimeout / 1000} s`), initTimeout)
  try {
    await ready.promise
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(initTimer)
  }
  state.ready = true

  return {
    pid: child.pid as number,
    get alive() {
      return state.alive
    },
    async invoke(event: string): Promise<Outcome | typeof NOT_TAKEN> {
      const outcome = await api.invoke(event)
      state.responded = true
      if (outcome.type === 'timeout') await stop() // as Lambda does: the next event gets a fresh environment
      return outcome
    },
    /**
     * Kills the process if it does not ask for an event within the timeout. Returns whether the process was killed. Must
     * be called after all invocations have ended.
     */
    async stopIfBlocked(): Promise<boolean> {
      const blocked = Promise.withResolvers<boolean>()
      const timer = setTimeout(() => blocked.resolve(true), timeout)
      // Only the client of this package understands an empty response.
      const waits = api.waitsForEvents(options.runtimeClient === undefined)
      const isBlocked = (await Promise.race([waits, ended.promise, blocked.promise])) === true
      clearTimeout(timer)
      if (isBlocked) await stop()
      return isBlocked
    },
    ended: ended.promise,
  }
}

export type Environment = Awaited<ReturnType<typeof startEnvironment>>
