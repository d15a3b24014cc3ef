import { once } from 'node:events'
import { basename, dirname, extname, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { InitError } from '../../shared/errors.ts'
import { isTypeScript } from '../../shared/handler-file.ts'
import { type ClientOptions, END_OF_RUN, type ProcessReport, RUNTIME_CLIENT } from '../in-function/tool-protocol.ts'
import type { LeftWork } from '../in-function/work-origin.ts'
import { heapFlags, loadingFlags, opensInspector } from './node-flags.ts'
import { startProcessGroup } from './process-group.ts'
import { type Outcome, type ProcessWatcher, RuntimeApi } from './runtime-api.ts'

/** Receives what happens in environments. Another runtime client than that of this package reports less. */
export interface EnvironmentObserver {
  /** The process has loaded the function. */
  started?(): void
  /**
   * What an invocation left after its response. Without this method, or if the environment is not frozen,
   * nothing looks for it.
   */
  left?(work: LeftWork[]): void
  /** The process ended unexpectedly while it had no event. */
  died?(message: string): void
}

export interface FunctionOptions {
  /** The file of the handler: .ts, .mts, .js, .mjs or .cjs. */
  file: string
  /** The name of its export; default `handler`. */
  exportName?: string
  /** Milliseconds; default 30,000. */
  timeout?: number
  /**
   * Milliseconds that loading may take on Lambda; default 10,000. Lambda then loads the function again in the
   * first invocation, within its timeout. So loading fails only after the longer of the two times.
   */
  initTimeout?: number
  /** Megabytes; default 512. It limits V8's heap as on Lambda, not buffers outside of it. */
  memory?: number | undefined
  /** Whether it is a crash if the process uses more than `memory` in total. Default: if `memory` is given. */
  limitMemory?: boolean
  /** Whether the environment is stopped between a response and the next event; default true. Not on Managed Instances. */
  freeze?: boolean
  /** Waits for a debugger at this or Node's default address. Then the environment is not stopped. */
  inspect?: string | boolean | undefined
  /** Whether the handler may have a callback, which Lambda calls up to Node.js 22; default false. */
  callbacks?: boolean | undefined
  /** Whether garbage is collected before each response, so that the memory in use is known; default false. */
  collectsGarbage?: boolean
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

export type FunctionSettings = Omit<FunctionOptions, keyof typeof FUNCTION_DEFAULTS> & typeof FUNCTION_DEFAULTS

export function withDefaults(options: FunctionOptions): FunctionSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const limitMemory = options.memory !== undefined
  return { ...options, ...FUNCTION_DEFAULTS, limitMemory, ...Object.fromEntries(given) }
}

const nodeOptionsOf = ({ env }: FunctionOptions) => env?.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? ''

/** Whether the inspector of Node is open, so that a debugger can stop the handler for any time. */
export function isInspected(options: FunctionOptions): boolean {
  return Boolean(options.inspect) || [nodeOptionsOf(options), options.runtimeClient ?? ''].some(opensInspector)
}

/** Whether the environment is stopped after a response. */
export function freezes(options: FunctionOptions): boolean {
  return options.freeze !== false && !isInspected(options)
}

const looksForLeftWork = (options: FunctionOptions) =>
  options.observer?.left !== undefined && !options.runtimeClient && freezes(options)

function lambdaFlags(options: FunctionSettings): string[] {
  return [...loadingFlags(options.file, nodeOptionsOf(options)), ...heapFlags(options.memory)]
}

function commandFor(options: FunctionSettings): [string, string[]] {
  const { file, exportName, runtimeClient, inspect, callbacks, collectsGarbage } = options
  if (runtimeClient) return [`${runtimeClient} "$_HANDLER"`, []]
  const flags = lambdaFlags(options)
  if (inspect) flags.push(inspect === true ? '--inspect-wait' : `--inspect-wait=${inspect}`)
  if (collectsGarbage) flags.push('--expose-gc')
  const client: ClientOptions = { file, exportName, callbacks, follows: looksForLeftWork(options) }
  return ['"$@"', [process.execPath, ...flags, RUNTIME_CLIENT, JSON.stringify(client)]]
}

const regionOf = ({ AWS_REGION, AWS_DEFAULT_REGION } = process.env) => AWS_REGION ?? AWS_DEFAULT_REGION ?? 'us-east-1'

/** The environment variables that Lambda sets. `_HANDLER` is the path without extension, a dot, and the export. */
function environmentVariables(options: FunctionSettings, address: string) {
  const { file, memory, exportName } = options
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
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: `local/[$LATEST]${process.pid}`,
    TZ: ':UTC',
    ...options.env,
    // The last flag wins: NODE_OPTIONS of the shell, the template or --env cannot raise the memory limit.
    ...(options.runtimeClient
      ? { NODE_OPTIONS: [nodeOptionsOf(options), ...lambdaFlags(options)].join(' ').trim() }
      : {}),
    AWS_LAMBDA_RUNTIME_API: address,
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: `${path.slice(0, path.length - extname(path).length)}.${exportName}`,
  }
}

/** Node strips the types from TypeScript in the process of the handler, which a bundle does not need. */
const STRIPPING_MB = 20

/** The memory in MB that the process may use, if this share of the function's memory is allowed. */
export function maxMemory({ memory, file }: FunctionSettings, share: number): number {
  return memory * share + (isTypeScript(file) ? STRIPPING_MB : 0)
}

/** A process that has loaded the handler, and takes events until it ends. Aborting the signal kills it. */
export class Environment implements ProcessWatcher {
  /** False once the process has ended. */
  alive = true
  /** How many invocations it has. */
  running = 0
  readonly #options: FunctionSettings
  readonly #signal: AbortSignal
  readonly #ready = Promise.withResolvers<void>()
  readonly #end = Promise.withResolvers<void>()
  readonly ended = this.#end.promise
  readonly #api: RuntimeApi
  #group!: ReturnType<typeof startProcessGroup>
  #isReady = false
  #isStopped = false
  /** Why the process ended, if it is known before its end. */
  #hint: string | undefined
  #hasResponded = false

  constructor(options: FunctionOptions, signal: AbortSignal) {
    const file = resolve(options.file)
    this.#options = withDefaults({ ...options, file })
    this.#signal = signal
    const { timeout, startTimer } = this.#options
    const functionArn = `arn:aws:lambda:${regionOf()}:000000000000:function:${basename(file, extname(file))}`
    this.#api = new RuntimeApi({ timeout, functionArn, startTimer, environment: this })
  }

  get pid(): number {
    return this.#group.child.pid as number
  }

  /** Rejects with an InitError if the function cannot be loaded. Resolves with this environment. */
  async start() {
    this.#launch(await this.#api.listen())
    const mostInit = Math.max(this.#options.initTimeout, this.#options.timeout)
    const timeLimit = `it did not finish loading within ${mostInit / 1000} s`
    const initTimer = setTimeout(() => this.failedToLoad(timeLimit), mostInit)
    try {
      await this.#ready.promise
    } catch (error) {
      await this.#stop()
      throw error
    } finally {
      clearTimeout(initTimer)
    }
    this.#isReady = true
    this.#options.observer?.started?.()
    return this
  }

  /** Resolves with undefined if the process ended before it took the event. */
  async invoke(event: string): Promise<Outcome | undefined> {
    const { limitMemory, memory } = this.#options
    this.running += 1
    const outcome = await this.#api.invoke(event)
    this.running -= 1
    if (!outcome) return undefined
    this.#hasResponded = true
    const { peakMemory = 0 } = outcome.usage ?? {}
    const isTooLarge = limitMemory && peakMemory > maxMemory(this.#options, 1.1)
    // As Lambda does: the next event gets a fresh environment.
    if (isTooLarge || outcome.type === 'timeout') await this.#stop()
    if (!isTooLarge) return outcome
    const message = `out of memory: the process used ${Math.round(peakMemory)} MB of ${memory} MB`
    return { type: 'crash', message }
  }

  /** At the end of a run: lets the process report what is still left. */
  async finish() {
    if (this.alive && looksForLeftWork(this.#options)) await this.#api.invoke(END_OF_RUN)
  }

  ready() {
    this.#ready.resolve()
  }

  failedToLoad(message: string) {
    this.#ready.reject(new InitError(message))
  }

  idle() {
    if (freezes(this.#options)) this.#group.freeze()
  }

  wake() {
    this.#group.thaw()
  }

  report({ left, neverSettles }: ProcessReport) {
    if (left) this.#options.observer?.left?.(left)
    if (neverSettles) this.#hint = 'it awaits a promise that never settles'
  }

  #launch(address: string) {
    const [command, args] = commandFor(this.#options)
    const { fdLimit, memory, onLog } = this.#options
    this.#group = startProcessGroup(command, args, fdLimit, environmentVariables(this.#options, address))
    const { child, kill } = this.#group
    const outputs = child.stdio.slice(1, 3) as Readable[]
    for (const stream of outputs) {
      createInterface({ input: stream }).on('line', (line) => {
        if (line.includes('JavaScript heap out of memory')) this.#hint = `out of memory: ${memory} MB`
        onLog?.(line)
      })
    }
    child.on('error', ({ message }) => this.#hasEnded(`the process could not be started (${message})`))
    child.on('exit', async (code, killedBy) => {
      this.alive = false
      if (!outputs.every(({ closed }) => closed)) await Promise.race([once(child, 'close'), sleep(500)])
      const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`
      const hint = code === 127 ? 'the command was not found' : this.#hint // of the shell
      this.#hasEnded(`the process ${how}${hint ? ` (${hint})` : ''}`)
    })
    if (this.#signal.aborted) kill()
    this.#signal.addEventListener('abort', kill)
  }

  #stop(): Promise<void> {
    this.#isStopped = true
    this.#group.kill()
    return this.ended
  }

  #hasEnded(message: string) {
    const { aborted } = this.#signal
    this.alive = false
    this.#signal.removeEventListener('abort', this.#group.kill)
    this.failedToLoad(`${message} while it was loading`)
    if (this.#isReady && !this.#isStopped && !aborted && !this.#api.isBusy) {
      const when = this.#hasResponded ? 'after its response. Is an `await` missing?' : 'before its first event'
      this.#options.observer?.died?.(`${message} ${when}`)
    }
    this.#api.end(aborted ? { type: 'stopped', message: 'stopped' } : { type: 'crash', message })
    this.#end.resolve()
  }
}
