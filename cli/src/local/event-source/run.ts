import { once } from 'node:events'
import { UsageError } from '../../shared/errors.ts'
import { checkHandlerFile } from '../../shared/handler-file.ts'
import { seededRandom } from '../../shared/random.ts'
import { Findings } from '../account/findings.ts'
import { type Ledger, OpenLedger, type Progress } from '../account/ledger.ts'
import { freezes, withDefaults } from '../environment/environment.ts'
import { type RuntimeOptions, startRuntime } from '../environment/environment-pool.ts'
import { openGivenQueue } from '../queue/given-queue.ts'
import { type OwnQueueOptions, startOwnQueue } from '../queue/own-queue.ts'
import type { Queue } from '../queue/queue.ts'
import { type EventSourceOptions, runEventSource } from './event-source.ts'
import { RunEnd } from './run-end.ts'
import { type Input, sendInput } from './send-input.ts'

export interface RunOptions {
  /** The settings of a queue to create in this process, or the address of an existing queue. */
  queue: OwnQueueOptions | { queueUrl: string }
  function: RuntimeOptions
  mapping: Partial<EventSourceOptions>
  /** Messages to send. Without them, a run on a queue of this process waits for a first one. */
  messages?: Input | undefined
  /**
   * On a standard queue, the messages are mixed in an order that depends on this number; default 1. A FIFO
   * queue keeps their order.
   */
  seed?: number | undefined
  /**
   * The run ends once the queue has been empty for this many seconds. Undefined: it ends only when `drain` or
   * `stop` is aborted.
   */
  idle?: number | undefined
  /** Receives warnings, which do not end the run. Default: `process.emitWarning`. */
  onWarning?: (line: string) => void
  onProgress?: (progress: Progress) => void
  /** Receives what was counted until then if the run ends by an error, with which it then rejects. */
  onUnfinished?: (ledger: Ledger) => void
  /** Called once the queue is open and the function is loaded. */
  onStart?: (queue: Queue) => void
  /** When this signal aborts, the run finishes the running invocations and ends. */
  drain?: AbortSignal
  /** When this signal aborts, the run kills the running invocations. Their messages stay in the queue. */
  stop?: AbortSignal
}

export const MAPPING_DEFAULTS: EventSourceOptions = {
  batchSize: 10_000,
  windowMs: 2000,
  concurrency: 1,
  reportBatchItemFailures: true,
  retryAfter: undefined,
  filters: [],
}

/** Lambda delivers at most ten messages of a FIFO queue, without a window. */
const FIFO_DEFAULTS = { batchSize: 10, windowMs: 0 }

const NEVER = new AbortController().signal
/** Messages are mixed within this many batches, but at most within the size of the largest batch. */
const MIXED_BATCHES = 3
const MAX_MIXED = 10_000

const NOT_FROZEN =
  'environments are not frozen after a response, so work that the handler has not awaited goes on. On Lambda, it stops'

/** Refuses a queue that Lambda rejects. `timeout` is in seconds. */
function checkQueue({ visibilityTimeout }: Queue, timeout: number) {
  if (visibilityTimeout >= timeout) return
  throw new UsageError(
    `the visibility timeout of the queue (${visibilityTimeout} s) is below the timeout of the function (${timeout} s). ` +
      'Lambda rejects such a mapping: raise the visibility timeout or lower --timeout',
  )
}

/**
 * Performs a whole run: queue, function, input, event source, ledger. Whether it succeeds or fails, it stops
 * its processes and servers before it returns.
 */
export async function run(options: RunOptions): Promise<Ledger> {
  checkHandlerFile(options.function.file)
  const { queue: wanted } = options
  const queue = await ('queueUrl' in wanted ? openGivenQueue(wanted.queueUrl) : startOwnQueue(wanted))
  try {
    return await runOn(queue, options)
  } finally {
    await queue.close()
  }
}

async function runOn(queue: Queue, options: RunOptions): Promise<Ledger> {
  const { idle, messages = [], seed = 1, onProgress = () => {}, drain = NEVER, stop = NEVER } = options
  const awaitFirst = !options.messages && !('queueUrl' in options.queue)
  const { onWarning = (line: string) => process.emitWarning(line) } = options
  const timeout = withDefaults(options.function).timeout / 1000
  checkQueue(queue, timeout)
  const mapping = { ...MAPPING_DEFAULTS, ...(queue.fifo ? FIFO_DEFAULTS : {}), ...options.mapping }
  const ledger = new OpenLedger()
  const findings = new Findings(options.function, ledger)
  const end = new RunEnd({ queue, ledger, idle, awaitFirst, onProgress, signals: [drain, stop] })
  const env = { ...queue.variables, ...options.function.env }
  const runtime = await startRuntime({ ...options.function, env, observer: findings }, stop).catch((error) => {
    if (!stop.aborted) throw error
  })
  if (!runtime) return ledger.total(await queue.counts()) // stopped while the function was loading
  try {
    options.onStart?.(queue)
    if (!freezes(options.function)) onWarning(NOT_FROZEN)
    // The window must not be cut if a message can become visible while its batch is gathered or processed.
    const canExpire = queue.visibilityTimeout < timeout + mapping.windowMs / 1000
    const isLast = async (gathered: number) => !canExpire && end.isLast(gathered)
    const source = { queue, runtime, ledger, findings, draining: end.draining, isLast }
    const within = Math.min(MIXED_BATCHES * mapping.batchSize, MAX_MIXED)
    const shuffle = queue.fifo ? undefined : { random: seededRandom(seed), within }
    const feeding = sendInput({ queue, ledger, messages, shuffle, signal: end.draining })
    // An input that hangs does not delay the end of the run.
    const sending = Promise.race([feeding, aborted(end.draining)]).then((isComplete) => {
      if (isComplete) ledger.inputComplete()
      end.isInputSent = true
    })
    await end.watch(sending, runEventSource(source, mapping))
    if (!stop.aborted) await runtime.finish()
    for (const line of findings.lines()) onWarning(line)
    return ledger.total(await queue.counts())
  } catch (error) {
    options.onUnfinished?.(ledger.total(await queue.counts().catch(() => end.counts)))
    throw error
  } finally {
    await runtime.stop()
  }
}

async function aborted(signal: AbortSignal): Promise<false> {
  if (!signal.aborted) await once(signal, 'abort')
  return false
}
