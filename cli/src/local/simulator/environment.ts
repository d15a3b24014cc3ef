import { once } from 'node:events'
import { basename, dirname, extname, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { InitError } from '../../shared/errors.ts'
import type { InvocationMetrics } from './metrics.ts'
import { heapFlags, isTypeScript, loadingFlags, opensInspector } from './node-flags.ts'
import { END_OF_RUN, type LeftWork } from './origin.ts'
import { startProcessGroup } from './process-group.ts'
import { NOT_TAKEN, type Outcome, type ProcessEvents, type RuntimeApi, startRuntimeApi } from './runtime-api.ts'

/** Receives what happens in environments. The process reports less if another runtime client runs the handler. */
export interface EnvironmentObserver {
  /** The number of records that the library has finished in a running invocation since the last call. */
  finished?(records: number): void
  /**
   * What an invocation left after its response, and the first message of its event. Without this method, or if the
   * environment is not frozen, nothing looks for it.
   */
  left?(work: LeftWork[], first?: string): void
  /** The process ended unexpectedly while it had no event. `last`: the first message of its last event. */
  died?(message: string, last?: string): void
  /** What was measured in an invocation. Without this method, the process measures nothing. */
  metrics?(metrics: InvocationMetrics): void
}

export interface FunctionOptions {
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
  /** Opens Node's inspector at this address, or at Node's default address. Then the environment is not stopped. */
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
  observer?: EnvironmentObserver
}

export const FUNCTION_DEFAULTS = {
  exportName: 'handler',
  timeout: 30_000,
  initTimeout: 10_000,
  memory: 512,
  fdLimit: 1024,
}

/** An exit code of the shell. */
const COMMAND_NOT_FOUND = 127

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
  options.observer?.left !== undefined && !options.runtimeClient && freezes(options)

/** The flags with which Lambda starts Node. */
function lambdaFlags(options: FunctionOptions, file: string): string[] {
  return [...loadingFlags(file, nodeOptionsOf(options)), ...heapFlags(options.memory ?? FUNCTION_DEFAULTS.memory)]
}

function commandFor(options: FunctionOptions, file: string): [string, string[]] {
  if (options.runtimeClient) return [`${options.runtimeClient} "$_HANDLER"`, []]
  const strip = isTypeScript(file) && !process.features.typescript // Node 22 before 22.18
  const flags = strip ? ['--experimental-strip-types', '--no-warnings'] : []
  if (options.inspect) flags.push(options.inspect === true ? '--inspect' : `--inspect=${options.inspect}`)
  const exportName = options.exportName ?? FUNCTION_DEFAULTS.exportName
  const modes = [
    ...(options.observer?.metrics ? ['measure'] : []),
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

const firstMessageOf = (event: string) => /"messageId":"(.*?)"/.exec(event)?.[1]

/** A process that has loaded the handler, and takes events until it ends. */
export interface Environment {
  readonly pid: number
  /** False once the process has ended. */
  readonly alive: boolean
  /** Milliseconds that loading took. */
  readonly initMs: number
  readonly ended: Promise<void>
  invoke(event: string): Promise<Outcome | typeof NOT_TAKEN>
  /** At the end of a run: lets the process report what is still left. */
  finish(): Promise<void>
}

class EnvironmentProcess implements Environment {
  alive = true
  initMs = 0
  readonly #options: FunctionOptions
  readonly #file: string
  readonly #signal: AbortSignal
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  #api!: RuntimeApi
  #group!: ReturnType<typeof startProcessGroup>
  #isReady = false
  #isStopped = false
  /** Why the process ended, if it is known before its end. */
  #hint: string | undefined
  /** The first message of the last event that has an outcome. */
  #lastMessage: string | undefined

  constructor(options: FunctionOptions, signal: AbortSignal) {
    this.#options = options
    this.#file = resolve(options.file)
    this.#signal = signal
  }

  get pid(): number {
    return this.#group.child.pid as number
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get #memory(): number {
    return this.#options.memory ?? FUNCTION_DEFAULTS.memory
  }

  async start() {
    const { timeout = FUNCTION_DEFAULTS.timeout, initTimeout = FUNCTION_DEFAULTS.initTimeout } = this.#options
    const startedAt = performance.now()
    this.#api = await startRuntimeApi({
      timeout,
      functionArn: `arn:aws:lambda:${regionOf()}:000000000000:function:${basename(this.#file, extname(this.#file))}`,
      startTimer: this.#options.startTimer,
      process: this.#events(),
    })
    this.#launch()
    const mostInit = Math.max(initTimeout, timeout)
    const initTimer = setTimeout(() => this.#fail(`it did not finish loading within ${mostInit / 1000} s`), mostInit)
    try {
      await this.#ready.promise
    } catch (error) {
      await this.#stop()
      throw error
    } finally {
      clearTimeout(initTimer)
    }
    this.#isReady = true
    this.initMs = performance.now() - startedAt
  }

  async invoke(event: string): Promise<Outcome | typeof NOT_TAKEN> {
    const outcome = await this.#api.invoke(event)
    this.#lastMessage = firstMessageOf(event)
    if (outcome.type === NOT_TAKEN.type) return outcome
    if (outcome.type === 'timeout') await this.#stop() // as Lambda does: the next event gets a fresh environment
    const { peakMemory = 0 } = outcome.usage ?? {}
    if (!this.#options.limitMemory || peakMemory <= maxMemory(this.#options, 1.1)) return outcome
    await this.#stop() // as Lambda does
    const used = `the process used ${Math.round(peakMemory)} MB of ${this.#memory} MB`
    return { type: 'crash', message: `out of memory: ${used}` }
  }

  async finish() {
    if (this.alive && looksForLeftWork(this.#options)) await this.#api.invoke(END_OF_RUN)
  }

  /** What the process does, as the Runtime API sees it. */
  #events(): ProcessEvents {
    const { observer } = this.#options
    return {
      ready: () => this.#ready.resolve(),
      failedToLoad: (message) => this.#fail(message),
      idle: () => {
        if (freezes(this.#options)) this.#group.freeze()
      },
      wake: () => this.#group.thaw(),
      report: ({ left, finished, metrics, neverSettles }) => {
        if (left) observer?.left?.(left, this.#lastMessage)
        if (finished) observer?.finished?.(finished)
        if (metrics) observer?.metrics?.(metrics)
        if (neverSettles) this.#hint = 'it awaits a promise that never settles'
      },
    }
  }

  #launch() {
    const [command, args] = commandFor(this.#options, this.#file)
    const env = environmentVariables(this.#options, this.#file, this.#api.address)
    const { fdLimit = FUNCTION_DEFAULTS.fdLimit } = this.#options
    this.#group = startProcessGroup({ command, args, fdLimit, env })
    const { child, kill } = this.#group
    const outputs = child.stdio.slice(1, 3) as Readable[]
    for (const stream of outputs) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line.includes('JavaScript heap out of memory')) this.#hint = `out of memory: ${this.#memory} MB`
        this.#options.onLog?.(line)
      })
    }
    child.on('error', ({ message }) => this.#end(`the process could not be started (${message})`))
    child.on('exit', async (code, killedBy) => {
      this.alive = false
      if (!outputs.every(({ closed }) => closed)) await Promise.race([once(child, 'close'), sleep(500)])
      const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`
      const hint = code === COMMAND_NOT_FOUND ? 'the command was not found' : this.#hint
      this.#end(`the process ${how}${hint ? ` (${hint})` : ''}`)
    })
    if (this.#signal.aborted) kill()
    this.#signal.addEventListener('abort', kill)
  }

  #fail(message: string) {
    this.#ready.reject(new InitError(message))
  }

  #stop(): Promise<void> {
    this.#isStopped = true
    this.#group.kill()
    return this.ended
  }

  #end(message: string) {
    const { aborted } = this.#signal
    this.alive = false
    this.#signal.removeEventListener('abort', this.#group.kill)
    this.#fail(`${message} while it was loading`)
    if (this.#isReady && !this.#isStopped && !aborted && !this.#api.isBusy()) {
      const when = this.#lastMessage ? 'after its response. Is an `await` missing?' : 'before its first event'
      this.#options.observer?.died?.(`${message} ${when}`, this.#lastMessage)
    }
    this.#api.end(aborted ? { type: 'stopped', message: 'stopped' } : { type: 'crash', message })
    this.#ended.resolve()
  }
}

/**
 * Starts one execution environment. Rejects with an InitError if the function cannot be loaded. Aborting the signal kills
 * the process.
 */
export async function startEnvironment(options: FunctionOptions, signal: AbortSignal): Promise<Environment> {
  const environment = new EnvironmentProcess(options, signal)
  await environment.start()
  return environment
}
