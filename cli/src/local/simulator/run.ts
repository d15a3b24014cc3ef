import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { UsageError } from '../../shared/errors.ts'
import { seededRandom } from '../../shared/random.ts'
import { FUNCTION_DEFAULTS, freezes } from './environment.ts'
import { type EventSourceOptions, runEventSource } from './event-source.ts'
import { feed, type Input } from './feed.ts'
import { openFindings } from './findings.ts'
import { openGivenQueue, type QueueAddress } from './given-queue.ts'
import { type Ledger, openLedger, type Progress } from './ledger.ts'
import type { LeftWork } from './origin.ts'
import { type OwnQueueOptions, startOwnQueue } from './own-queue.ts'
import type { Queue } from './queue.ts'
import { openRunEnd } from './run-end.ts'
import { type Runtime, type RuntimeOptions, startRuntime } from './runtime.ts'
import type { Usage } from './usage.ts'

export interface RunOptions {
  /** The settings of a queue to create in this process, or the address of an existing queue. */
  queue: OwnQueueOptions | QueueAddress
  function: RuntimeOptions
  mapping: Partial<EventSourceOptions>
  /** Messages to send. The first poll waits for 10,000 of them, or for the end of the input. */
  messages?: Input
  /**
   * On a standard queue, the messages are mixed in an order that depends on this number; default 1. A FIFO queue keeps
   * their order.
   */
  seed?: number | undefined
  /**
   * The run ends once the queue has been empty for this many seconds. Undefined: it ends only when `drain` or `stop` is
   * aborted.
   */
  idle?: number | undefined
  /** Whether the queue counts as empty only after a first message has been delivered. */
  awaitFirst?: boolean
  /** Receives warnings, which do not end the run. Default: `process.emitWarning`. */
  onWarning?: (line: string) => void
  onProgress?: (progress: Progress) => void
  /** Called once the queue is open and the function is loaded. */
  onStart?: (queue: Queue) => void
  /** When this signal aborts, the run finishes the running invocations and ends. */
  drain?: AbortSignal
  /** When this signal aborts, the run kills the running invocations and ends. Their messages stay in the queue. */
  stop?: AbortSignal
}

export const MAPPING_DEFAULTS: EventSourceOptions = {
  batchSize: 10_000,
  windowMs: 2000,
  concurrency: 1,
  reportBatchItemFailures: true,
  retryAfter: undefined,
  filters: [],
  onFailure: () => {},
}

/** Lambda delivers at most ten messages of a FIFO queue, without a window. */
const FIFO_DEFAULTS = { batchSize: 10, windowMs: 0 }

const NEVER = new AbortController().signal
/** Messages are mixed within this many batches, and at most within as many messages as the largest batch has. */
const MIXED_BATCHES = 3
const MAX_MIXED = 10_000

export function checkFile(file: string) {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`)
  if (!statSync(file).isFile()) throw new UsageError(`${file} is not a file`)
  if (!/\.(m?ts|[cm]?js)$/.test(file)) throw new UsageError(`${file} is not a .ts, .mts, .js, .mjs or .cjs file`)
}

/** Refuses a queue that Lambda rejects. `timeout` is in seconds. */
function checkQueue({ visibilityTimeout }: Queue, timeout: number) {
  if (visibilityTimeout >= timeout) return
  throw new UsageError(
    `the visibility timeout of the queue (${visibilityTimeout} s) is below the timeout of the function (${timeout} s). ` +
      'Lambda rejects such a mapping: raise the visibility timeout or lower --timeout',
  )
}

function slowInit(ms: number, timeout: number) {
  return (
    `loading the function took ${(ms / 1000).toFixed(1)} s. Lambda allows ${FUNCTION_DEFAULTS.initTimeout / 1000} s, and then loads it again ` +
    `in the first invocation, within the timeout of ${timeout} s`
  )
}

/**
 * Performs a whole run: queue, function, input, event source, ledger. Whether it succeeds or fails, it stops its
 * processes and servers before it returns.
 */
export async function run(options: RunOptions): Promise<Ledger> {
  const { messages = [], idle, awaitFirst = false, onProgress = () => {}, drain = NEVER, stop = NEVER } = options
  const { onWarning = (line: string) => process.emitWarning(line) } = options
  checkFile(options.function.file)
  const closing: (() => unknown)[] = []
  try {
    const queue = 'queueUrl' in options.queue ? await openGivenQueue(options.queue) : await startOwnQueue(options.queue)
    closing.push(queue.close)
    const mapping = { ...MAPPING_DEFAULTS, ...(queue.fifo ? FIFO_DEFAULTS : {}), ...options.mapping }
    const timeout = (options.function.timeout ?? FUNCTION_DEFAULTS.timeout) / 1000
    checkQueue(queue, timeout)

    const ledger = openLedger(queue.maxReceives)
    const end = openRunEnd({ queue, ledger, idle, awaitFirst, onProgress, signals: [drain, stop] })
    const { onLog = () => {}, memory } = options.function
    const { onFailure } = mapping
    const limitMemory = memory !== undefined
    const findings = openFindings({ ...options.function, limitMemory })
    let hasWarnedOfInit = false
    const functionOptions = {
      limitMemory,
      ...options.function,
      env: { ...queue.variables, ...options.function.env },
      onLog: end.guard(onLog),
      onFinished: (records: number) => ledger.add('finished', records),
      onSlowInit: (ms: number) => {
        if (!hasWarnedOfInit) onWarning(slowInit(ms, timeout))
        hasWarnedOfInit = true
      },
      onUsage: end.guard((usage: Usage, isOfLibrary: boolean, first?: string) => {
        const wouldTimeOut = findings.add(usage, isOfLibrary)
        if (wouldTimeOut === undefined) return
        ledger.add('wouldTimeOut', 1, first)
        onFailure(wouldTimeOut)
      }),
      onLeftWork: end.guard((left: LeftWork[], first?: string) => {
        if (findings.addLeft(left)) ledger.add('respondedEarly', 1, first)
      }),
      onDeathBetween: end.guard((message: string, last?: string) => {
        ledger.diedBetween(message, last)
        onFailure(message)
      }),
    }

    let runtime: Runtime
    try {
      runtime = await startRuntime(functionOptions, stop)
    } catch (error) {
      if (stop.aborted) return ledger.total(await queue.counts()) // the function was still loading
      throw error
    }
    closing.push(runtime.stop)
    options.onStart?.(queue)
    if (!freezes(functionOptions)) {
      onWarning(
        'environments are not frozen after a response, so work that the handler has not awaited goes on. On Lambda, it stops',
      )
    }

    const canReceive = Promise.withResolvers<void>()
    async function sendAll() {
      const within = Math.min(MIXED_BATCHES * mapping.batchSize, MAX_MIXED)
      const shuffle = queue.fifo ? undefined : { random: seededRandom(options.seed ?? 1), within }
      const feeding = feed({ queue, ledger, messages, shuffle, onFull: canReceive.resolve, signal: end.draining })
      // An input that hangs does not delay the end of the run.
      if (await Promise.race([feeding, aborted(end.draining)])) ledger.inputComplete()
      end.inputSent()
    }
    async function receiveAll() {
      await canReceive.promise
      // If a message can become visible again while its batch is gathered or processed, the window must not be cut.
      const canExpire = queue.visibilityTimeout < timeout + mapping.windowMs / 1000
      const isLast = canExpire ? async () => false : end.isLast
      await runEventSource({ queue, runtime, ledger, draining: end.draining, idle: end.over, isLast }, mapping)
    }
    const sending = sendAll().catch(end.fail).finally(canReceive.resolve)
    const receiving = receiveAll().catch(end.fail)
    await Promise.all([sending, receiving, end.watch(receiving).catch(end.fail)])
    if (!stop.aborted) await runtime.finish()
    end.throwIfFailed()
    for (const line of findings.lines()) onWarning(line)
    return ledger.total(await queue.counts())
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

async function aborted(signal: AbortSignal): Promise<false> {
  if (!signal.aborted) await once(signal, 'abort')
  return false
}
