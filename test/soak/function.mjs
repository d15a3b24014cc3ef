// The function of the soak test. The journal is a file that stands for the downstream.
import { openSync, readdirSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import { boundedSqsBatch, eachRecord, PermanentError } from 'middy-bounded-sqs-batch'
import { deadLetter, isolateCrashes, retryBackoff } from 'middy-bounded-sqs-batch/sqs'
import { crash } from '../support/crash.ts'
import { collectGarbage } from '../support/memory.ts'

const { JOURNAL, PERMANENT_URL, SAMPLE_EVERY } = process.env
const { BACKOFF_BASE = 1, BACKOFF_MAX = 1, ISOLATE_CRASHES, OUTAGE_SECONDS } = process.env
const { pid } = process
const journal = openSync(JOURNAL, 'a') // each write is appended as a whole, and SIGKILL does not undo it
let outageEnd
const count = { invocations: 0, open: 0, peak: 0 }

// V8 drops the bytecode of functions that were not called for some collections: measured, 6 MB, which would hide a leak.
setFlagsFromString('--no-flush-bytecode')

function note(line) {
  writeSync(journal, `${line}\n`)
}

process.on('unhandledRejection', () => note(`unhandled ${pid}`))

function fail(message) {
  throw new Error(message)
}

/** Notes the kill before it happens. */
const crashes = Object.entries(crash).map(([kind, end]) => [
  kind,
  () => {
    note(`kill ${pid}`)
    end()
  },
])

/** What the handler does with each kind of message, before it accepts the message. */
const kinds = {
  plain() {},
  waits: () => sleep(1),
  slow: ({ number, signal }) => sleep(20 + (number % 80), undefined, { signal }),
  computes() {
    const end = performance.now() + 3
    while (performance.now() < end);
  },
  failsOnce: ({ receiveCount }) => receiveCount > 1 || fail('the first delivery fails'),
  failsTwice: ({ receiveCount }) => receiveCount > 2 || fail('the first two deliveries fail'),
  hangsOnce: ({ receiveCount }) => receiveCount > 1 || new Promise(() => {}),
  poison: () => fail('every delivery fails'),
  permanent({ invocation, number }) {
    note(`refuse ${pid} ${invocation} ${number}`)
    throw new PermanentError('this message can never be processed')
  },
  kills({ receiveCount }) {
    if (receiveCount > 1) return
    note(`kill ${pid}`)
    process.kill(pid, 'SIGKILL')
  },
  needsService: () => performance.now() > outageEnd || fail('the service is down'),
  ...Object.fromEntries(crashes),
}

/** Numbers the invocations of this process, and writes memory and descriptors to standard output before some. */
const observe = {
  before({ context }) {
    outageEnd ??= performance.now() + 1000 * OUTAGE_SECONDS
    if (count.invocations % SAMPLE_EVERY === 0) {
      collectGarbage()
      const { heapUsed, external, rss } = process.memoryUsage()
      const descriptors = readdirSync('/dev/fd').length
      const sample = { pid, ...count, heap: heapUsed + external, rss, descriptors }
      process.stdout.write(`sample ${JSON.stringify(sample)}\n`) // console writes JSON with AWS_LAMBDA_MAX_CONCURRENCY
    }
    context.invocation = ++count.invocations
    count.peak = Math.max(count.peak, ++count.open)
  },
  after() {
    count.open--
  },
}

const client = new SQSClient({ maxAttempts: 1 }) // so that deadLetter() and retryBackoff() see each throttled call

const backoff = retryBackoff({ client, base: Number(BACKOFF_BASE), max: Number(BACKOFF_MAX) })

const app = middy().use(observe)
if (ISOLATE_CRASHES) app.use(isolateCrashes({ client, spread: Number(ISOLATE_CRASHES) }))
export const handler = app
  .use(
    boundedSqsBatch({
      recordTimeout: 1000,
      onFailure: [deadLetter({ client, queueUrl: PERMANENT_URL }), backoff],
    }),
  )
  .handler(
    eachRecord(async ({ body }, { invocation }, { signal, receiveCount }) => {
      const { number, kind } = JSON.parse(body)
      await kinds[kind]({ invocation, number, receiveCount, signal })
      signal.throwIfAborted() // an aborted record is already reported as failed
      // Nothing can run between this line and the success of the record. So an accepted message is delivered again only if
      // the process is killed before Lambda has the response. No message is deleted that is not in the journal.
      note(`accept ${pid} ${invocation} ${number}`)
    }),
  )
