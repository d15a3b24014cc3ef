import middy from '@middy/core'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import {
  type BatchHandler,
  type BoundedSqsBatchOptions,
  boundedSqsBatch,
  eachRecord,
  FullBatchFailureError,
  type RecordFailure,
} from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { standardEvent } from '../support/events.ts'
import { failing, noteFailures } from '../support/failures.ts'
import { failed, handlerOf, listOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { logged } from '../support/output.ts'
import { listenToTraces } from '../support/tracing.ts'

const failingRecords = eachRecord(failing)
const ok = { status: 'fulfilled', value: 1 }
const no = { status: 'rejected', reason: new Error('x') }

function throwing(message: string) {
  return () => {
    throw new Error(message)
  }
}

/** A middleware that notes what it does with a transaction. */
function transaction(steps: string[], commit = () => {}) {
  return {
    before: () => void steps.push('BEGIN'),
    after: () => {
      commit()
      steps.push('COMMIT')
    },
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

t.test('without throwOnFullBatchFailure, a batch in which every record fails is reported normally', async (t) => {
  const handle = handlerOf(() => Promise.reject(new Error('x')))
  t.strictSame(failed(await handle(standardEvent('a', 'b'))), ['a', 'b'])
})

t.test('throwOnFullBatchFailure applies to the reports of other inner handlers', async (t) => {
  function returning(value: unknown) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(bounded({ throwOnFullBatchFailure: true }))
      .handler(async () => value as SQSBatchResponse)
    return handler(standardEvent('a'), testContext())
  }
  await t.rejects(returning([{ status: 'rejected', reason: 'r' }]), { name: 'FullBatchFailureError', errors: ['r'] })
  await t.rejects(returning(listOf('a')), { name: 'FullBatchFailureError' })
})

// Inner handlers of which at least one record succeeds and one fails.
const inners: [name: string, inner: BatchHandler][] = [
  ['eachRecord()', failingRecords],
  ['settled results', async () => [ok, no, ok] as never],
  ['a list of failures', async () => listOf('x')],
]

t.test('an error before the first record starts fails the invocation', async (t) => {
  const inner = eachRecord(() => t.fail('started'))
  const before = middy().use(bounded()).before(throwing('secrets cannot be read')).handler(inner)
  await t.rejects(before(standardEvent('a', 'x'), testContext()), { message: 'secrets cannot be read' })
  const setUp = middy()
    .use(bounded())
    .handler(async (event: SQSEvent, context) => {
      if (event.Records.length > 0) throw new Error('set-up failed')
      return inner(event, context)
    })
  await t.rejects(setUp(standardEvent('a', 'x'), testContext()), { message: 'set-up failed' })
})

t.test('a warning that cannot be emitted does not keep a batch from its report', async (t) => {
  t.intercept(process, 'emitWarning', { value: throwing('of emitWarning') })
  const handle = handlerOf(() => t.fail('started'), { timeBudget: { drain: 5000 } })
  t.strictSame(failed(await handle(standardEvent('a', 'b'), timedContext(3000))), ['a', 'b'])
})

for (const [name, inner] of inners) {
  t.test(`the invocation fails if an earlier middleware cannot commit (${name})`, async (t) => {
    const steps: string[] = []
    const handler = middy()
      .use(transaction(steps, throwing('COMMIT failed')))
      .use(bounded())
      .handler(inner)
    await t.rejects(handler(standardEvent('a', 'x', 'b'), testContext()), { message: 'COMMIT failed' })
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  })

  t.test(`the invocation fails if a later middleware cannot commit (${name})`, async (t) => {
    const steps: string[] = []
    const handler = middy()
      .use(bounded())
      .use(transaction(steps, throwing('COMMIT failed')))
      .handler(inner)
    await t.rejects(handler(standardEvent('a', 'x', 'b'), testContext()), { message: 'COMMIT failed' })
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  })

  t.test(`the invocation fails if the inner handler cannot flush afterwards (${name})`, async (t) => {
    const steps: string[] = []
    const { calls, onFailure } = noteFailures()
    const handler = middy()
      .use(transaction(steps))
      .use(bounded({ onFailure }))
      .handler(async (event: SQSEvent, context: Context) => {
        await inner(event, context)
        throw new Error('flush failed')
      })
    await t.rejects(handler(standardEvent('a', 'x', 'b'), testContext()), { message: 'flush failed' })
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
    t.strictSame(calls, [], 'no failure handler runs')
  })

  t.test(`a batch that responds commits the transaction of an earlier middleware (${name})`, async (t) => {
    const steps: string[] = []
    const handler = middy().use(transaction(steps)).use(bounded()).handler(inner)
    t.strictSame(failed(await handler(standardEvent('a', 'x', 'b'), testContext())), ['x'])
    t.strictSame(steps, ['BEGIN', 'COMMIT'])
  })
}

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
  t.strictSame(lines, [
    'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 3 messages, of which 2 had succeeded',
  ])
  t.strictSame(summaries, [], 'onSummary is called only for a batch that responds')
})

for (const thrown of [undefined, null, 0, '', 'text', new Error('x')]) {
  t.test(`whatever an after hook throws fails the invocation: ${String(thrown)}`, async (t) => {
    for (const isLater of [false, true]) {
      const hook = {
        after() {
          throw thrown
        },
      }
      const batch = bounded()
      const handler = middy()
        .use(isLater ? [batch, hook] : [hook, batch])
        .handler(failingRecords)
      const error = await handler(standardEvent('a', 'x'), testContext()).then(
        () => t.fail('responded'),
        (error) => error,
      )
      t.equal(error, thrown)
    }
  })
}

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

t.test('no record starts after a failed invocation, even if a later onError hook throws', async (t) => {
  const started: string[] = []
  const inner = eachRecord(({ messageId }) => started.push(messageId))
  const late = Promise.withResolvers<unknown>()
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(bounded())
    .onError(throwing('of onError'))
    .handler(async (event, context) => {
      void settled()
        .then(() => inner(event, context))
        .catch(late.resolve)
      throw new Error('of the handler')
    })
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), { message: 'of onError' })
  t.match(await late.promise, { name: 'TypeError', message: /after its invocation ended/ })
  t.strictSame(started, [])
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

const REDELIVERED =
  'middy-bounded-sqs-batch: the invocation failed: SQS redelivers all 3 messages, of which 2 had succeeded'
const REMOVED = {
  name: 'TypeError',
  message: 'request.response is undefined. Return a report in the inner handler, and keep it in middlewares',
}

/** Runs a batch of which x fails. `remove()` sets the response to `undefined`. `beforeAfter` is called before our `after`. */
async function removing(
  optionsFor: (remove: () => void) => BoundedSqsBatchOptions,
  beforeAfter: (remove: () => void) => unknown = () => {},
  failingIds: readonly string[] = ['x'],
) {
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
      .after(() => void beforeAfter(remove))
      .handler(failingRecords)
    outcome = await handler(standardEvent('a', ...failingIds, 'b'), testContext()).catch((error) => error)
    await settled()
  })
  return { outcome, lines, steps }
}

t.test(
  'if the response is removed while a failure handler runs, the invocation fails, and is logged as failed',
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
    t.strictSame(summaries, [])
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
    t.strictSame(calls, [])
  },
)

t.test(
  'if the response is removed while onSummary runs, the invocation fails, and is logged as failed once',
  async (t) => {
    const { outcome, lines, steps } = await removing((remove) => ({
      async onSummary() {
        await settled()
        remove()
        remove()
        await settled()
      },
    }))
    t.match(outcome, REMOVED)
    t.match(lines[0], /1 of 3 records failed/)
    t.strictSame(lines.slice(1), [REDELIVERED])
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  },
)

for (const [what, failingIds, callbacks] of [
  ['onFailure and onSummary', ['x'], ['onFailure', 'onSummary']],
  ['onSummary, and no record fails', [], ['onSummary']],
  ['no callbacks', [], []],
] as const) {
  t.test(`with ${what}: whenever the response is removed, no callback follows, and nothing is responded`, async (t) => {
    const trace = listenToTraces(t)
    /** By microtask: what the transaction did, and whether the trace has the result. Only of invocations that failed. */
    const all: string[] = []
    for (let microtasks = 0; microtasks < 40; microtasks++) {
      let isRemoved = false
      const late: string[] = []
      function note(callback: string): void {
        if (isRemoved) late.push(callback)
      }
      const options = {
        onFailure(failures: readonly RecordFailure[]) {
          note('onFailure')
          return failures
        },
        onSummary: () => note('onSummary'),
      }
      const { outcome, lines, steps } = await removing(
        () => Object.fromEntries(callbacks.map((name) => [name, options[name]])),
        async (remove) => {
          for (let passed = 0; passed < microtasks; passed++) await null
          isRemoved = true
          remove()
        },
        failingIds,
      )
      const events = trace.heard().at(-1)
      if (outcome instanceof TypeError) {
        t.equal(all.length, microtasks, 'only the first ones fail')
        all.push([...steps, events?.includes('result') ? 'traced result' : 'traced error'].join())
      } else t.strictSame(failed(outcome as SQSBatchResponse), failingIds, `${microtasks} microtasks`)
      t.strictSame(late, [], `${microtasks} microtasks`)
      const redelivered = lines.map((line) => /SQS redelivers all \d messages/.test(line))
      t.strictSame(redelivered, [...redelivered.slice(1).fill(false), true])
    }
    // Our `after` makes the response, returns it, and Middy continues after the `await`.
    const made = ['BEGIN,ROLLBACK,traced result', 'BEGIN,traced result']
    t.strictSame(all.slice(-2), made)
    t.strictSame([...new Set(all.slice(0, -2))], ['BEGIN,ROLLBACK,traced error'])
  })
}

t.test('a signal whose dispatchEvent throws does not keep the batch from ending', async (t) => {
  const clock = mockClock(t)
  const errors: unknown[] = []
  const handle = handlerOf(
    (_record, _context, { signal }) => {
      signal.dispatchEvent = throwing('of dispatchEvent')
      return new Promise(() => {})
    },
    { logger: (error) => errors.push(error) },
  )
  const result = handle(standardEvent('a', 'b', 'c'), timedContext(10_000))
  await settled()
  clock.advance(10_000 - 250)
  t.strictSame(failed(await result), ['a', 'b', 'c'])
  t.match(errors, [{ code: 'ERR_RECORD_ABORTED' }, { code: 'ERR_RECORD_ABORTED' }, { code: 'ERR_RECORD_ABORTED' }])
})

t.test('a signal whose dispatchEvent throws does not keep records from timing out', async (t) => {
  const clock = mockClock(t)
  const handle = handlerOf(
    ({ messageId }, _context, { signal }) => {
      if (messageId === 'b') return undefined
      signal.dispatchEvent = throwing('of dispatchEvent')
      return new Promise(() => {})
    },
    { recordTimeout: 100, concurrency: 3 },
  )
  const result = handle(standardEvent('a', 'b', 'c'))
  await settled()
  clock.advance(100)
  await settled()
  clock.advance(100)
  t.strictSame(failed(await result), ['a', 'c'])
})

t.test('FullBatchFailureError, a refused return value and InvalidSqsEventError fail the invocation', async (t) => {
  const full = middy()
    .use(bounded({ throwOnFullBatchFailure: true }))
    .handler(failingRecords)
  await t.rejects(full(standardEvent('x1', 'x2'), testContext()), { name: 'FullBatchFailureError' })
  const returnsNothing = middy()
    .use(bounded())
    .handler(async (event: SQSEvent, context) => {
      await failingRecords(event, context)
    })
  await t.rejects(returnsNothing(standardEvent('a'), testContext()), {
    name: 'TypeError',
    message: /The handler returned undefined; return what eachRecord\(\) returns/,
  })
  const invalid = middy().use(bounded()).handler(failingRecords)
  await t.rejects(invalid({} as never, testContext()), { name: 'InvalidSqsEventError' })
})

t.test('onError is synchronous and returns nothing', (t) => {
  const { onError } = bounded()
  const request = { event: {}, context: {}, response: { statusCode: 500 }, error: new Error('x'), internal: {} }
  t.equal(onError(request as never), undefined)
  t.equal(request.response, undefined, 'a response that another onError hook has set is gone')
  t.end()
})

t.test(
  'an earlier onError hook runs also if undefined is thrown and a later onError hook sets a response',
  async (t) => {
    const steps: string[] = []
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(transaction(steps))
      .use(bounded())
      .onError((request) => {
        request.response = listOf()
      })
      .handler(() => Promise.reject(undefined))
    t.equal(await handler(standardEvent('a'), testContext()).catch((error) => error), undefined)
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  },
)

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

t.test('a call that is refused while an earlier middleware runs fails the invocation', async (t) => {
  const inner = eachRecord(() => t.fail('started'))
  let late = Promise.resolve()
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .after(() => late)
    .use(bounded())
    .handler(async (event, context) => {
      late = settled().then(async () => {
        await inner(event, context).catch(() => {})
      })
      return listOf()
    })
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), { message: /after its invocation ended/ })
})

t.test('a second run fails the invocation before failure handlers and onSummary', async (t) => {
  const { calls, onFailure } = noteFailures()
  const summaries: unknown[] = []
  const inner = eachRecord(failing)
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(bounded({ onFailure, onSummary: (summary) => void summaries.push(summary) }))
    .handler(async (event, context) => {
      const report = await inner(event, context)
      await inner(event, context).catch(() => {})
      return report
    })
  await t.rejects(handler(standardEvent('a', 'x'), testContext()), { message: /was called twice/ })
  t.strictSame([calls, summaries], [[], []])
})

t.test('earlier onError hooks run, whatever is thrown, if a later one reads the response', async (t) => {
  const old = new Error('noted before')
  for (const thrown of [undefined, null, old, new Error('flush')]) {
    const steps: string[] = []
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(transaction(steps))
      .before((request) => {
        request.error = old
      })
      .use(bounded())
      .onError((request) => {
        t.equal(request.response, undefined)
      })
      .handler(() => Promise.reject(thrown))
    const outcome = await handler(standardEvent('a'), testContext()).then(
      () => t.fail('responded'),
      (error) => error,
    )
    t.equal(outcome, thrown)
    t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
  }
})

t.test('earlier onError hooks run if a later one reads the response after a second run', async (t) => {
  const steps: string[] = []
  const inner = eachRecord(() => {})
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(transaction(steps))
    .use(bounded())
    .onError((request) => {
      t.equal(request.response, undefined)
    })
    .handler(async (event, context) => {
      await inner(event, context)
      await inner(event, context).catch(() => {})
      throw new Error('flush')
    })
  await t.rejects(handler(standardEvent('a'), testContext()), { message: 'flush' })
  t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
})

t.test('onError does not throw if another middleware has sealed the request', async (t) => {
  const steps: string[] = []
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(transaction(steps))
    .before((request) => void Object.preventExtensions(request))
    .use(bounded())
    .handler(eachRecord(() => t.fail('started')))
  await t.rejects(handler(standardEvent('a'), testContext()), { name: 'TypeError' })
  t.strictSame(steps, ['BEGIN', 'ROLLBACK'])
})
