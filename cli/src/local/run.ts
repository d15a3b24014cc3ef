import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../shared/errors.ts'
import { seededRandom } from '../shared/random.ts'
import { type EventSourceOptions, runEventSource } from './event-source.ts'
import { feed, type Input } from './feed.ts'
import { openFindings } from './findings.ts'
import { type Ledger, openLedger, type Progress } from './ledger.ts'
import { type OwnQueueOptions, startOwnQueue } from './own-queue.ts'
import { openQueue, type Queue, type QueueAddress } from './queue.ts'
import { FUNCTION_DEFAULTS, freezes } from './runtime/environment.ts'
import { type Runtime, type RuntimeOptions, startRuntime } from './runtime/runtime.ts'
import type { Usage } from './runtime/usage.ts'

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
  seed?: number
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
const POLL_MS = 250
/** Messages are mixed within this many batches, and at most within as many messages as the largest batch has. */
const MIXED_BATCHES = 3
const MAX_MIXED = 10_000
const DRAIN_MS = 1000

export function checkFile(file: string) {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`)
  if (!statSync(file).isFile()) throw new UsageError(`${file} is not a file`)
  if (!/\.(m?ts|[cm]?js)$/.test(file)) throw new UsageError(`${file} is not a .ts, .mts, .js, .mjs or .cjs file`)
}

/**
 * Performs a whole run: queue, function, input, event source, ledger. Whether it succeeds or fails, it stops its
 * processes and servers before it returns.
 */
export async function run(options: RunOptions): Promise<Ledger> {
  const { messages = [], idle, onProgress = () => {}, drain = NEVER, stop = NEVER } = options
  const { onWarning = (line: string) => process.emitWarning(line) } = options
  checkFile(options.function.file)
  const closing: (() => unknown)[] = []
  try {
    const own = 'queueUrl' in options.queue ? undefined : await startOwnQueue(options.queue)
    if (own) closing.push(own.close)
    const queue: Queue = own ?? (await openQueue(options.queue as QueueAddress, options.onWarning))
    if (!own) closing.push(queue.close)

    const mapping = { ...MAPPING_DEFAULTS, ...(queue.fifo ? FIFO_DEFAULTS : {}), ...options.mapping }
    const timeout = (options.function.timeout ?? FUNCTION_DEFAULTS.timeout) / 1000
    if (queue.visibilityTimeout < timeout) {
      throw new UsageError(
        `the visibility timeout of the queue (${queue.visibilityTimeout} s) is below the timeout of the function (${timeout} s). ` +
          'Lambda rejects such a mapping: raise the visibility timeout or lower --timeout',
      )
    }

    if (!own && queue.maxReceives === Number.POSITIVE_INFINITY) {
      onWarning(
        'the queue has no redrive policy: a message that always fails is redelivered until its retention period ends, ' +
          'and the run does not end before that. Add a redrive policy, or stop the run with Ctrl-C',
      )
    }

    const ledger = openLedger(queue.maxReceives)
    const idled = new AbortController()
    const ended = new AbortController()
    const thrown: unknown[] = []
    /** For callbacks that no promise of the run waits for. An error in them would end this process, so it ends the run. */
    function guard<T>(callback: (value: T) => void) {
      return (value: T) => {
        try {
          callback(value)
        } catch (error) {
          thrown.push(error)
          ended.abort()
        }
      }
    }
    const { onLog, onMetrics, onUsage } = options.function
    const limitMemory = options.function.memory !== undefined
    const findings = openFindings({ ...options.function, limitMemory })
    const functionOptions = {
      limitMemory,
      ...options.function,
      env: { ...own?.variables, ...options.function.env },
      ...(onLog ? { onLog: guard(onLog) } : {}),
      ...(onMetrics ? { onMetrics: guard(onMetrics) } : {}),
      onFinished: ledger.finished,
      onUsage: guard((usage: Usage) => {
        if (findings.add(usage)) ledger.respondedEarly()
        onUsage?.(usage)
      }),
      onDeathBetween: guard((message: string) => {
        ledger.diedBetween(message)
        options.mapping.onFailure?.(message)
      }),
    }
    const draining = AbortSignal.any([drain, stop, idled.signal, ended.signal])
    const snapshot = async () => ledger.snapshot(await queue.counts())

    async function totals(): Promise<Ledger> {
      const { inFlight, finished, failed, ...rest } = await snapshot()
      return rest
    }

    let runtime: Runtime
    try {
      runtime = await startRuntime(functionOptions, stop)
    } catch (error) {
      if (stop.aborted) return await totals() // the function was still loading
      throw error
    }
    closing.push(runtime.stop)
    options.onStart?.(queue)
    if (!freezes(functionOptions)) {
      onWarning(
        'environments are not frozen after a response, so work that the handler has not awaited goes on. On Lambda, it stops',
      )
    }

    let sent = false
    async function watch() {
      let emptySince = Number.POSITIVE_INFINITY
      while (!ended.signal.aborted) {
        const allSent = sent // read first: the counts may not include a message that is sent while they are read
        const progress = await snapshot()
        onProgress(progress)
        const isEmpty = allSent && progress.remaining + progress.inFlight === 0
        const now = performance.now()
        emptySince =
          isEmpty && (!options.awaitFirst || progress.delivered > 0)
            ? Math.min(emptySince, now)
            : Number.POSITIVE_INFINITY
        if (idle !== undefined && now - emptySince >= idle * 1000) idled.abort()
        const left = idle === undefined ? POLL_MS : Math.max(0, emptySince + idle * 1000 - now)
        await sleep(Math.min(POLL_MS, left), undefined, { signal: ended.signal }).catch(() => {})
      }
    }
    const queueFull = Promise.withResolvers<void>()
    async function send() {
      try {
        const { seed = 1 } = options
        const within = Math.min(MIXED_BATCHES * mapping.batchSize, MAX_MIXED)
        const shuffle = queue.fifo ? undefined : { random: seededRandom(seed), within }
        const fed = feed({ queue, ledger, messages, shuffle, onFull: queueFull.resolve, signal: draining })
        if (await Promise.race([fed, drained(draining)])) ledger.inputComplete()
        sent = true
        queue.endInput()
      } finally {
        queueFull.resolve()
      }
    }
    async function receiveAll() {
      await queueFull.promise
      // Once the queue has been empty for long enough, the last long poll is aborted.
      const receive = (max: number, wait: number) => queue.receive(max, wait, idled.signal)
      // If a message can become visible again while its batch is gathered or processed, the window must not be cut.
      const canExpire = queue.visibilityTimeout < timeout + mapping.windowMs / 1000
      const isDrained = canExpire ? () => false : queue.isDrained
      const parts = { queue: { ...queue, receive, isDrained }, runtime, ledger, draining }
      await runEventSource(parts, mapping)
    }
    const end = () => ended.abort()
    const sending = send().catch((error) => {
      end()
      throw error
    })
    const results = await Promise.allSettled([sending, receiveAll().finally(end), watch().finally(end)])
    for (const result of results) if (result.status === 'rejected') throw result.reason
    for (const line of findings.lines()) onWarning(line)
    if (thrown.length > 0) throw thrown[0]
    return await totals()
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/**
 * Resolves one second after the signal is aborted. Calls that are in progress usually end in this time. An input that
 * hangs cannot delay the end of the run.
 */
async function drained(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort')
  await sleep(DRAIN_MS, undefined, { ref: false })
}
