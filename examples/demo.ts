// `npm run demo`: the same messages through an unbounded handler and through this package, side by side.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { openDisplay, renderTable } from 'bounded-sqs-batch/engine'
import { isRefusedAlways, isRefusedOnce, LATENCY_MS } from './demo/service.ts'
import type { Counts, SideOptions } from './demo/side.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '10000' },
    handler: { type: 'string', default: fileURLToPath(new URL('http-fanout.ts', import.meta.url)) },
  },
})
const BOUND = 100 // the concurrency of http-fanout.ts
const LAMBDA_DESCRIPTORS = 1024
/** Descriptors that this process needs: for the service's ends of the connections, the queues and their clients. */
const OWN_DESCRIPTORS = 500
const MIN_DESCRIPTORS = 300

const hardLimit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Number.POSITIVE_INFINITY
/** Both sides have the same settings. */
const settings = {
  messages: Number(values.messages),
  descriptors: Math.min(LAMBDA_DESCRIPTORS, hardLimit - OWN_DESCRIPTORS),
  maxReceives: 3,
  retryAfter: 1,
}
const NAMES = { unbounded: 'unbounded', bounded: 'this package' }
type Side = keyof typeof NAMES
const counts: Partial<Record<Side, Counts>> = {}

function format(value: number) {
  return value.toLocaleString('en-US')
}

function percentFinished(side: Side) {
  const { sent, processed, deadLettered } = counts[side] ?? { sent: 1, processed: 0, deadLettered: 0 }
  return `${Math.floor((100 * (processed + deadLettered)) / sent)} %`
}

function introduction() {
  const { messages, descriptors, maxReceives, retryAfter } = settings
  const numbers = Array.from({ length: messages }, (_, index) => index + 1)
  const [always, once] = [isRefusedAlways, isRefusedOnce].map((test) => format(numbers.filter(test).length))
  const whose = descriptors === LAMBDA_DESCRIPTORS ? 'as on Lambda' : 'because this machine allows no more'
  return `\
${format(messages)} SQS messages go through each of two handlers, at the same time:

  unbounded      Promise.allSettled() with @middy/sqs-partial-batch-failure
                 starts all records of a batch at once.
                 Code: examples/unbounded-fanout.ts
  this package   middy-bounded-sqs-batch runs at most ${BOUND} records at once.
                 Code: examples/http-fanout.ts

The handler sends one HTTP request per message to a service on this machine.
The service responds after ${LATENCY_MS} ms.
Each handler has ${format(descriptors)} file descriptors, ${whose}.
A connection needs one of them. If none is left, the request fails with EMFILE.

Injected failures: the service refuses ${always} messages always, and ${once} once.
SQS keeps a failed message and delivers it again, here after ${retryAfter} s.
A message that failed ${maxReceives} times goes to the dead-letter queue.
The queues are in an SQS-compatible server in this process (fauxqs).
`
}

function table({ isFinal }: { isFinal: boolean }) {
  const { unbounded, bounded } = counts
  const row = (label: string, cell: (counts: Counts) => string): [string, string, string] => [
    label,
    unbounded ? cell(unbounded) : '',
    bounded ? cell(bounded) : '',
  ]
  const hasOther = isFinal && [unbounded, bounded].some((side) => side && side.failedOtherwise > 0)
  return renderTable([
    ['', NAMES.unbounded, NAMES.bounded],
    row('messages sent', ({ sent }) => format(sent)),
    row('  processed', ({ processed }) => format(processed)),
    row('    processed twice', ({ processedTwice }) => format(processedTwice)),
    row('  dead-lettered', ({ deadLettered }) => format(deadLettered)),
    row('    injected: always refused', ({ refusedAlways }) => format(refusedAlways)),
    row(hasOther ? '    because of EMFILE or other errors' : '    because of EMFILE', (side) =>
      format(side.deadLettered - side.refusedAlways),
    ),
    row('  in the queue or in progress', ({ remaining }) => format(remaining)),
    row('  lost', ({ lost }) => format(lost)),
    row('deliveries', ({ delivered }) => format(delivered)),
    row('  failed with EMFILE', ({ emfile }) => format(emfile)),
    row('  refused by the service', ({ refused }) => format(refused)),
    ...(hasOther ? [row('  failed with other errors', ({ failedOtherwise }) => format(failedOtherwise))] : []),
    row('deliveries per message', ({ delivered, sent }) => (delivered / sent).toFixed(2)),
    row('peak requests at the same time', ({ peakRequests }) => format(peakRequests)),
    row('peak connections, including idle ones', ({ peakConnections }) => format(peakConnections)),
    row('seconds', ({ ms }) => (ms / 1000).toFixed(1)),
    ...(isFinal ? [] : [['finished', percentFinished('unbounded'), percentFinished('bounded')] as const]),
  ])
}

function total({ processed, deadLettered, remaining, lost }: Counts) {
  return processed + deadLettered + remaining + lost
}

/** Says where every message is. The sign ≠ means that the counts do not add up. */
function sentence(side: Counts) {
  const { sent, processed, deadLettered, remaining, lost } = side
  const parts = [`${format(processed)} processed`, `${format(deadLettered)} dead-lettered`]
  if (remaining > 0) parts.push(`${format(remaining)} in the queue`)
  if (lost > 0) parts.push(`${format(lost)} lost`)
  const sign = total(side) === sent ? '=' : '≠'
  return `${format(sent)} sent ${sign} ${parts.join(' + ')}${lost === 0 ? ', none lost' : ''}.`
}

function problemsOf(unbounded: Counts, bounded: Counts) {
  const { lost, remaining, peakRequests, deadLettered, refusedAlways } = bounded
  return [
    total(unbounded) !== unbounded.sent && 'The counts of the unbounded handler do not add up.',
    total(bounded) !== bounded.sent && 'The counts of this package do not add up.',
    lost > 0 && `Messages that this package lost: ${format(lost)}.`,
    remaining > 0 && `Messages that this package left in the queue: ${format(remaining)}.`,
    deadLettered > refusedAlways &&
      `Messages of this package that were dead-lettered unnecessarily: ${format(deadLettered - refusedAlways)}.`,
    peakRequests > BOUND && `This package had ${peakRequests} requests at once. The limit is ${BOUND}.`,
  ].filter((problem) => problem !== false)
}

const display = openDisplay(process.stdout)
const stop = new AbortController()
const started = performance.now()

/** Runs a handler in a thread of its own, with its own service and queues. */
async function runSide(side: Side, file: string) {
  const workerData: SideOptions = { ...settings, file }
  const worker = new Worker(new URL('demo/side.ts', import.meta.url), { workerData })
  stop.signal.addEventListener('abort', () => worker.postMessage('stop'))
  worker.on('message', (message: { counts: Counts } | { line: string }) => {
    if ('line' in message) return display.log(`${NAMES[side]} | ${message.line}`)
    counts[side] = message.counts
    const plain = () =>
      `${Math.round((performance.now() - started) / 1000)} s: ${NAMES.unbounded} has finished ${percentFinished('unbounded')} of the messages, ` +
      `${NAMES.bounded} ${percentFinished('bounded')}`
    display.show(() => table({ isFinal: false }), plain)
  })
  await once(worker, 'exit').catch((error) => stop.abort(error))
}

async function main(): Promise<number> {
  if (!Number.isInteger(settings.messages) || settings.messages < 1) {
    console.error(`--messages must be a positive integer, received ${values.messages}`)
    return 1
  }
  if (settings.descriptors < MIN_DESCRIPTORS) {
    const needed = OWN_DESCRIPTORS + MIN_DESCRIPTORS
    console.error(
      `The demo needs ${needed} file descriptors, but the hard limit is ${hardLimit}: raise it (ulimit -Hn)`,
    )
    return 1
  }
  console.log(introduction())
  const interruption = new Error('it was interrupted with Ctrl-C')
  process.on('SIGINT', () => stop.abort(interruption))
  await Promise.all([
    runSide('unbounded', fileURLToPath(new URL('unbounded-fanout.ts', import.meta.url))),
    runSide('bounded', values.handler),
  ])
  display.end()
  const { unbounded, bounded } = counts
  if (stop.signal.aborted || !unbounded || !bounded) {
    console.error(`The demo did not finish: ${stop.signal.reason?.message ?? 'a handler had no result'}`)
    return stop.signal.reason === interruption ? 130 : 1
  }

  console.log(table({ isFinal: true }))
  for (const side of ['unbounded', 'bounded'] as const)
    for (const [reason, times] of Object.entries(counts[side]?.reasons ?? {}))
      console.log(`Failed invocations of ${NAMES[side]}: ${times} × ${reason}`)
  console.log(`\nUnbounded: ${sentence(unbounded)}`)
  const unnecessary = unbounded.deadLettered - unbounded.refusedAlways
  console.log(`The service would have accepted ${format(unnecessary)} of these dead-lettered messages.`)
  console.log(`This package: ${sentence(bounded)}`)
  const problems = problemsOf(unbounded, bounded)
  for (const problem of problems) console.error(`Failed: ${problem}`)
  return problems.length > 0 ? 1 : 0
}

process.exitCode = await main()
