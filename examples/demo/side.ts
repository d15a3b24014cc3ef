// A worker thread of demo.ts: one side of the comparison. It posts its counts every second, and at its end.
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { MAPPING_DEFAULTS, OpenLedger, runEventSource, startRuntime } from 'bounded-sqs-batch/engine'
import { openQueues } from './queues.ts'
import { isRefusedAlways, startService } from './service.ts'

export interface SideOptions {
  /** The file of the handler. */
  file: string
  messages: number
  /** The limit of file descriptors for the process of the handler. */
  descriptors: number
  maxReceives: number
  /** Seconds until a failed message is delivered again. */
  retryAfter: number
}

export type Counts = Awaited<ReturnType<typeof count>>

const { file, messages, descriptors, maxReceives, retryAfter } = workerData as SideOptions
const stopping = new AbortController()
parentPort?.once('message', () => stopping.abort()).unref()

const service = await startService()
const queues = await openQueues({ messages, maxReceives })
const ledger = new OpenLedger()
let emfileLines = 0

/**
 * The counts come from three places. The service knows which messages it accepted, the queues know which messages they
 * hold, and the ledger counts deliveries.
 */
async function count() {
  const remaining = await queues.numbersIn('orders') // first, because a message can be dead-lettered between the two calls
  const deadLetters = await queues.numbersIn('dead-letters')
  const { accepted, seen } = service
  const timesAccepted = [...accepted.values()]
  const { delivered, causes, reasons, wallMs } = ledger.snapshot({ queue: remaining.length, deadLetter: 0 })
  const emfile = Object.entries(causes)
    .filter(([cause]) => cause.includes('EMFILE'))
    .reduce((sum, [, times]) => sum + times, emfileLines)
  return {
    sent: messages,
    processed: accepted.size,
    processedTwice: timesAccepted.filter((times) => times > 1).length,
    deadLettered: deadLetters.length,
    refusedAlways: deadLetters.filter(isRefusedAlways).length,
    remaining: remaining.length,
    lost: messages - new Set([...accepted.keys(), ...deadLetters, ...remaining]).size,
    delivered,
    emfile,
    refused: seen.refused,
    failedOtherwise: delivered - emfile - seen.refused - timesAccepted.reduce((sum, times) => sum + times, 0),
    peakConnections: seen.peakConnections,
    peakRequests: seen.peakRequests,
    /** Why invocations failed or processes died, and how often. */
    reasons,
    ms: wallMs,
  }
}

function onLog(line: string) {
  if (line === 'record failed: EMFILE') emfileLines += 1
  // The table counts the other failures of records, so they are not printed.
  else if (!/^(record failed: |middy-bounded-sqs-batch: | {2})/.test(line)) parentPort?.postMessage({ line })
}

const runtime = await startRuntime(
  {
    file,
    fdLimit: descriptors,
    env: { DOWNSTREAM_URL: service.url },
    onLog,
    observer: { died: (message) => ledger.add('diedBetween', undefined, message) },
  },
  stopping.signal,
)
const empty = new AbortController()
const draining = AbortSignal.any([stopping.signal, empty.signal])
// The window is long enough for a batch above the limit of descriptors, even on a slow machine.
const mapping = { ...MAPPING_DEFAULTS, batchSize: 10_000, windowMs: 2000, retryAfter }
const ending = runEventSource({ queue: queues, runtime, ledger, draining, isLast: async () => false }, mapping)

async function reportProgress() {
  while (!draining.aborted) {
    const counts = await count()
    parentPort?.postMessage({ counts })
    if (counts.remaining === 0) empty.abort()
    else await sleep(1000, undefined, { signal: draining }).catch(() => {})
  }
}
await Promise.all([ending, reportProgress()])
parentPort?.postMessage({ counts: await count() })
await runtime.stop()
await queues.close()
service.close()
