import { once } from 'node:events'
import { basename, dirname, extname, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InitError } from '../../shared/errors.ts'
import { END_OF_RUN } from './late-work.ts'
import { heapFlags, isTypeScript, loadingFlags, opensInspector } from './node-flags.ts'
import { startProcessGroup } from './process-group.ts'
import { NOT_TAKEN, type Outcome, type RuntimeReports, startRuntimeApi } from './runtime-api.ts'
import type { Usage } from './usage.ts'

export interface FunctionOptions extends RuntimeReports {
  /** The file of the handler: .ts, .mts, .js, .mjs or .cjs. */
  file: string
  /** The folder that is deployed. A package.json above it does not make its `.js` files ES modules. */
  codeRoot?: string | undefined
  /** The name of its export; default `handler`. */
  exportName?: string
  /** Milliseconds; default 30,000. */
  timeout?: number
  /**
   * Milliseconds that loading may take on Lambda; default 10,000. Lambda then loads the function again in the first
   * invocation, within its timeout. So loading fails only after the longer of the two times.
   */
  initTimeout?: number
  /** Megabytes; default 512. It limits V8's heap as on Lambda, not buffers outside of it. */
  memory?: number | undefined
  /** Whether an invocation counts as a crash if the process used more than `memory` in total; default false. */
  limitMemory?: boolean
  /** Whether the environment is stopped between a response and the next event, as on Lambda; default true. */
  freeze?: boolean
  /** Waits for a debugger at this address, or at Node's default address. Then the environment is not stopped. */
  inspect?: string | boolean | undefined
  /** Whether the handler may have a callback, which Lambda calls up to Node.js 22; default false. */
  callbacks?: boolean
  /** Hard limit of file descriptors; default 1,024. */
  fdLimit?: number
  /** A shell command that runs another client of the Runtime API. Default: the client of this package. */
  runtimeClient?: string | undefined
  /** Environment variables. `undefined` removes a variable of this process. */
  env?: NodeJS.Dict<string>
  /** Starts the timer of an invocation. Default: `setTimeout`. */
  startTimer?: typeof setTimeout
  onLog?: (line: string) => void
  /** Called with the milliseconds that loading took, if they are more than `initTimeout`. */
  onSlowInit?: (ms: number) => void
  /** Called when the process ended unexpectedly while it had no event. `last`: the first message of its last event. */
  onDeathBetween?: (message: string, last: string | undefined) => void
  /**
   * Called after each invocation that responded, with what it used, whether the library ran its batch, and its first
   * message. Another runtime client does not measure.
   */
  onUsage?: (usage: Usage, isOfLibrary: boolean, first: string | undefined) => void
}

export const FUNCTION_DEFAULTS = {
  exportName: 'handler',
  timeout: 30_000,
  initTimeout: 10_000,
  memory: 512,
  fdLimit: 1024,
}

/** Explanations of exit codes: 13 comes from Node or from runtime-client.ts, 127 from the shell. */
const HINTS: Record<number, string> = {
  13: 'it awaits a promise that never settles',
  127: 'the command was not found',
}

const OWN_CLIENT = fileURLToPath(new URL(`./runtime-client${extname(import.meta.url)}`, import.meta.url))

/** NODE_OPTIONS of the function. */
function nodeOptionsOf({ env }: FunctionOptions): string {
  return env?.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''
}

/** Whether the inspector of Node is open in the process of the handler, so that a debugger can stop the handler for any time. */
export function isInspected(options: FunctionOptions): boolean {
  return Boolean(options.inspect) || [nodeOptionsOf(options), options.runtimeClient ?? ''].some(opensInspector)
}

/** Whether the environment is stopped after a response. On Managed Instances, it is not. */
export function freezes(options: FunctionOptions): boolean {
  const isManaged = options.env?.AWS_LAMBDA_MAX_CONCURRENCY ?? process.env.AWS_LAMBDA_MAX_CONCURRENCY
  return options.freeze !== false && !isInspected(options) && isManaged === undefined
}

const looksForLeftWork = (options: FunctionOptions) =>
  options.onLeftWork !== undefined && !options.runtimeClient && freezes(options)

/** The flags with which Lambda starts Node. */
function lambdaFlags(options: FunctionOptions, file: string): string[] {
  return [...loadingFlags(file, nodeOptionsOf(options)), ...heapFlags(options.memory ?? FUNCTION_DEFAULTS.memory)]
}

function commandFor(options: FunctionOptions, file: string): [string, string[]] {
  if (options.runtimeClient) return [`${options.runtimeClient} "$_HANDLER"`, []]
  const strip = isTypeScript(file) && !process.features.typescript // Node 22 before 22.18
  const flags = strip ? ['--experimental-strip-types', '--no-warnings'] : []
  if (options.inspect) flags.push(options.inspect === true ? '--inspect-wait' : `--inspect-wait=${options.inspect}`)
  const exportName = options.exportName ?? FUNCTION_DEFAULTS.exportName
  const modes = [
    ...(options.onMetrics ? ['measure'] : []),
    ...(options.callbacks ? ['callbacks'] : []),
    ...(looksForLeftWork(options) ? ['follow'] : []),
    ...(options.codeRoot === undefined ? [] : [`root=${options.codeRoot}`]),
  ]
  return ['"$@"', [process.execPath, ...lambdaFlags(options, file), ...flags, OWN_CLIENT, file, exportName, ...modes]]
}

const regionOf = ({ AWS_REGION, AWS_DEFAULT_REGION } = process.env) => AWS_REGION ?? AWS_DEFAULT_REGION ?? 'us-east-1'

/**
 * The environment variables that Lambda sets. `_HANDLER` is the path without extension, a dot, and the name of the
 * export.
 */
function environmentVariables(options: FunctionOptions, file: string, address: string) {
  const inside = !relative(process.cwd(), file).startsWith('..')
  const taskRoot = inside ? process.cwd() : dirname(file)
  const path = relative(taskRoot, file)
  const region = regionOf()
  const name = basename(file, extname(file))
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
    ...(options.runtimeClient
      ? { NODE_OPTIONS: [nodeOptionsOf(options), ...lambdaFlags(options, file)].join(' ').trim() }
      : {}),
    AWS_LAMBDA_RUNTIME_API: address,
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: `${path.slice(0, path.length - extname(path).length)}.${options.exportName ?? FUNCTION_DEFAULTS.exportName}`,
  }
}

/** Node strips the types from TypeScript in the process of the handler, which a bundle does not need. */
const STRIPPING_MB = 20

/** The memory in MB that the process may use, if this share of the function's memory is allowed. */
export function maxMemory({ memory = FUNCTION_DEFAULTS.memory, file }: FunctionOptions, share: number): number {
  return memory * share + (isTypeScript(file) ? STRIPPING_MB : 0)
}

interface State {
  alive: boolean
  outOfMemory: boolean
  ready: boolean
  stopped: boolean
  /** The first message of the last event that has an outcome. */
  lastMessage?: string | undefined
}

const firstMessageOf = (event: string) => /"messageId":"(.*?)"/.exec(event)?.[1]

/**
 * Starts one execution environment: a process that loads the handler and then takes events until it ends. Rejects with
 * an InitError if the function cannot be loaded. `alive` is false once the process has ended. Aborting the signal kills
 * the process.
 */
export async function startEnvironment(options: FunctionOptions, signal: AbortSignal) {
  const { timeout = FUNCTION_DEFAULTS.timeout, initTimeout = FUNCTION_DEFAULTS.initTimeout } = options
  const memory = options.memory ?? FUNCTION_DEFAULTS.memory
  const file = resolve(options.file)
  const [command, args] = commandFor(options, file)
  const ready = Promise.withResolvers<void>()
  const fail = (message: string) => ready.reject(new InitError(message))
  const api = await startRuntimeApi({
    ...options,
    timeout,
    functionArn: `arn:aws:lambda:${regionOf()}:000000000000:function:${basename(file, extname(file))}`,
    onReady: ready.resolve,
    onInitError: fail,
    onLeftWork: (left) => options.onLeftWork?.(left, state.lastMessage),
    onIdle: () => {
      if (freezes(options)) group.freeze()
    },
    onWake: () => group.thaw(),
  })

  const env = environmentVariables(options, file, api.address)
  const group = startProcessGroup({ command, args, fdLimit: options.fdLimit ?? FUNCTION_DEFAULTS.fdLimit, env })
  const { child, kill } = group
  const state: State = { alive: true, outOfMemory: false, ready: false, stopped: false }
  const outputs = child.stdio.slice(1, 3) as Readable[]
  for (const stream of outputs) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.includes('JavaScript heap out of memory')) state.outOfMemory = true
      options.onLog?.(line)
    })
  }

  const ended = Promise.withResolvers<void>()
  async function end(message: string) {
    state.alive = false
    signal.removeEventListener('abort', kill)
    fail(`${message} while it was loading`)
    if (state.ready && !state.stopped && !signal.aborted && !api.isBusy()) {
      const when = state.lastMessage ? 'after its response. Is an `await` missing?' : 'before its first event'
      options.onDeathBetween?.(`${message} ${when}`, state.lastMessage)
    }
    api.end(signal.aborted ? { type: 'stopped', message: 'stopped' } : { type: 'crash', message })
    ended.resolve()
  }
  child.on('error', ({ message }) => void end(`the process could not be started (${message})`))
  child.on('exit', async (code, killedBy) => {
    state.alive = false
    if (!outputs.every(({ closed }) => closed)) await Promise.race([once(child, 'close'), sleep(500)])
    const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`
    const hint = state.outOfMemory ? `out of memory: ${memory} MB` : HINTS[code ?? 0]
    await end(`the process ${how}${hint ? ` (${hint})` : ''}`)
  })
  if (signal.aborted) kill()
  signal.addEventListener('abort', kill)

  function stop() {
    state.stopped = true
    kill()
    return ended.promise
  }
  const startedAt = performance.now()
  const mostInit = Math.max(initTimeout, timeout)
  const initTimer = setTimeout(() => fail(`it did not finish loading within ${mostInit / 1000} s`), mostInit)
  try {
    await ready.promise
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(initTimer)
  }
  state.ready = true
  const initMs = performance.now() - startedAt
  if (initMs > initTimeout && !isInspected(options)) options.onSlowInit?.(initMs)

  return {
    pid: child.pid as number,
    get alive() {
      return state.alive
    },
    async invoke(event: string): Promise<Outcome | typeof NOT_TAKEN> {
      const outcome = await api.invoke(event)
      state.lastMessage = firstMessageOf(event)
      if (outcome.type === NOT_TAKEN.type) return outcome
      const { type, usage, recordErrors } = outcome
      if (type === 'timeout') await stop() // as Lambda does: the next event gets a fresh environment
      if (!usage) return outcome
      if (options.limitMemory && usage.peakMemory > maxMemory(options, 1.1)) {
        await stop() // as Lambda does
        const used = Math.round(usage.peakMemory)
        return { type: 'crash', message: `out of memory: the process used ${used} MB of ${memory} MB` }
      }
      options.onUsage?.(usage, recordErrors !== undefined, state.lastMessage)
      return outcome
    },
    /** At the end of a run: lets the process look for the work that is still left. */
    async finish() {
      if (state.alive && looksForLeftWork(options)) await api.invoke(END_OF_RUN)
    },
    ended: ended.promise,
  }
}

export type Environment = Awaited<ReturnType<typeof startEnvironment>>
