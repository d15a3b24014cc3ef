import diagnostics from 'node:diagnostics_channel'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord, FullBatchFailureError } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing, noteFailures } from '../support/failures.ts'
import { failed, handlerOf, listOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { logged } from '../support/output.ts'
import { BATCH, listenToTraces, RECORD } from '../support/tracing.ts'

const failingRecords = eachRecord(failing)
const REDELIVERED =
  'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 3 messages, of which 2 had succeeded'
const TWICE =
  'The handler of eachRecord() or eachChunk() was called twice, or after its invocation ended. ' +
  'Call it once, and await it'
const REMOVED = { name: 'TypeError', message: /^request\.response is undefined/ }

function throwing(message: string) {
  return () => {
    throw new Error(message)
  }
}

/** A middleware that notes what it does with a transaction. */
function transaction(steps: string[]) {
  return {
    before: () => void steps.push('BEGIN'),
    after: () => void steps.push('COMMIT'),
    onError: () => void steps.push('ROLLBACK'),
  }
}

const bounded = (options: BoundedSqsBatchOptions = {}) => boundedSqsBatch({ logger: false, ...options })

t.test('throwOnFullBatchFailure throws if every record failed', async (t) => {
  const handle = handlerOf(failing, { throwOnFullBatchFailure: true })
  const error = await handle(standardEvent('x1', 'x2')).catch((error) => error)
  t.ok(error instanceof FullBatchFailureError)
  t.ok(error instanceof AggregateError)
  t.match(error, {
    name: 'FullBatchFailureError',
    code: 'ERR_FULL_BATCH_FAILURE',
    message: /All records of the batch failed \(2\)/,
  })
  t.equal('cause' in error, false)
  t.strictSame(
    error.errors.map(({ message }: Error) => message),
    ['x1 failed', 'x2 failed'],
  )
  t.strictSame(failed(await handle(standardEvent('x1', 'a'))), ['x1'])
  t.strictSame(failed(await handle({ Records: [] })), [])
})

t.test('a warning that cannot be emitted does not keep a batch from its report', async (t) => {
  t.intercept(process, 'emitWarning', { value: throwing('of emitWarning') })
  const handle = handlerOf(() => t.fail('started'), { timeBudget: { drain: 5000 } })
  t.strictSame(failed(await handle(standardEvent('a', 'b'), timedContext(3000))), ['a', 'b'])
})

t.test('an inner handler that hangs after its records fails the invocation at the early timeout', async (t) => {
  const clock = mockClock(t)
  const summaries: unknown[] = []
  const handler = middy()
    .use(boundedSqsBatch({ onSummary: (summary) => void summaries.push(summary) }))
    .handler(async (event: SQSEvent, context) => {
      await failingRecords(event, context)
      return new Promise<never>(() => {})
    })
  const lines = await logged(async () => {
    const result = handler(standardEvent('a', 'x', 'b'), timedContext(1000)).catch((error) => error)
    await settled()
    clock.advance(995)
    t.match(await result, { name: 'TimeoutError' })
  })
  t.strictSame(lines, [REDELIVERED])
  t.strictSame(summaries, [], 'onSummary is called only for a batch that responds')
})

t.test("if a later middleware's onError hook throws, the batch ends and frees its slots", async (t) => {
  const held = heldRecords()
  const handleRecords = eachRecord(held.handle)
  let isFirst = true
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(bounded({ concurrency: 2 }))
    .onError(throwing('of onError'))
    .handler(async (event, context) => {
      const report = handleRecords(event, context)
      if (!isFirst) return report
      isFirst = false
      await settled()
      throw new Error('of the handler')
    })
  await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { message: 'of onError' })
  t.strictSame(
    ['a', 'b'].map((id) => held.signalOf(id)?.aborted),
    [true, true],
  )
  const next = handler(standardEvent('d', 'e'), testContext())
  await settled()
  t.strictSame(held.started, ['a', 'b', 'd', 'e'])
  for (const id of ['d', 'e']) held.succeed(id)
  t.strictSame(failed(await next), [])
})

t.test('a call that is refused while onFailure runs fails the invocation before earlier after hooks', async (t) => {
  const steps: string[] = []
  const failure = Promise.withResolvers<void>()
  const inner = eachRecord(() => t.fail('started'))
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(transaction(steps))
    .use(
      bounded({
        async onFailure(failures) {
          await failure.promise
          return failures
        },
      }),
    )
    .handler(async (event, context) => {
      void settled().then(async () => {
        await inner(event, context).catch(() => {})
        failure.resolve()
      })
      return listOf('a')
    })
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), { message: /after its invocation ended/ })
  t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
})

/** Runs a batch of which x fails. A hook that nobody awaits calls `remove()`, which sets the response to `undefined`. */
async function removing(optionsFor: (remove: () => void) => BoundedSqsBatchOptions) {
  const steps: string[] = []
  let remove = () => {}
  let outcome: unknown
  const lines = await logged(async () => {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(transaction(steps))
      .before((request) => {
        remove = () => {
          request.response = undefined as never
        }
      })
      .use(boundedSqsBatch(optionsFor(() => remove())))
      .handler(failingRecords)
    outcome = await handler(standardEvent('a', 'x', 'b'), testContext()).catch((error) => error)
    await settled()
  })
  return { outcome, lines, steps }
}

t.test(
  'if the response is removed while a failure handler runs, the invocation fails, and no other callback runs',
  async (t) => {
    const { calls, onFailure: second } = noteFailures()
    const summaries: unknown[] = []
    const { outcome, lines, steps } = await removing((remove) => ({
      onFailure: [
        async (failures) => {
          await settled()
          remove()
          await settled()
          return failures
        },
        second,
      ],
      onSummary: (summary) => void summaries.push(summary),
    }))
    t.match(outcome, REMOVED)
    t.strictSame(lines, [REDELIVERED])
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
    t.strictSame([calls, summaries], [[], []])
  },
)

t.test('if the response is removed while onSummary runs, the invocation fails, and one line says so', async (t) => {
  const trace = listenToTraces(t)
  const { outcome, lines, steps } = await removing((remove) => ({
    async onSummary() {
      await settled()
      remove()
      remove()
      await settled()
    },
  }))
  t.match(outcome, REMOVED)
  t.match(lines[0], /1 of 3 records of orders failed/)
  t.strictSame(lines.slice(1), [REDELIVERED])
  t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  t.strictSame(trace.heard().at(-1), 'batch asyncEnd summary error', 'the trace has an error and no result')
})

t.test('if a subscriber removes the response at the end of the batch, the invocation fails', async (t) => {
  const { outcome, lines, steps } = await removing((remove) => {
    diagnostics.subscribe(`tracing:${BATCH}:asyncEnd`, remove)
    t.teardown(() => diagnostics.unsubscribe(`tracing:${BATCH}:asyncEnd`, remove))
    return {}
  })
  t.match(outcome, REMOVED)
  t.strictSame(lines.slice(1), [REDELIVERED])
  t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
})

t.test('if the response is removed while the first record starts, the invocation fails', async (t) => {
  const { outcome } = await removing((remove) => {
    const start = `tracing:${RECORD}:start`
    diagnostics.subscribe(start, remove)
    t.teardown(() => diagnostics.unsubscribe(start, remove))
    return {}
  })
  t.match(outcome, { name: 'TypeError' })
})

t.test('an earlier after hook that runs the records again fails the invocation', async (t) => {
  const inner = eachRecord(() => {})
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .after(async ({ event, context }) => void (await inner(event, context).catch(() => {})))
    .use(bounded())
    .handler(inner)
  await t.rejects(handler(standardEvent('a'), testContext()), { name: 'TypeError', message: TWICE })
})

t.test('an inner handler that throws undefined ends the trace of its batch', async (t) => {
  const trace = listenToTraces(t)
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(bounded())
    .handler(() => Promise.reject())
  const [outcome] = await Promise.allSettled([handler(standardEvent('a'), testContext())])
  t.strictSame(outcome, { status: 'rejected', reason: undefined })
  await settled()
  t.equal(trace.heard().at(-1), 'batch asyncEnd error')
})

t.test("after Middy's signal has aborted, not even the report is accepted", async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const handler = middy({
    timeoutEarlyInMillis: 400,
    timeoutEarlyResponse: (() => new Promise(() => {})) as () => never,
  })
    .use(bounded({ timeBudget: false }))
    .handler(eachRecord(held.handle))
  const result = handler(standardEvent('a', 'b'), timedContext(1000))
  await settled()
  clock.advance(700)
  await settled()
  held.succeed('a')
  held.fail('b')
  await t.rejects(result, { name: 'TypeError', message: /^timeoutEarlyResponse may have responded/ })
})
