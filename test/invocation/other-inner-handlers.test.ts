import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BatchHandler, type BoundedSqsBatchOptions, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { batchHandlerOf, failed, listOf, testContext } from '../support/handlers.ts'
import { withLength } from '../support/hostile.ts'
import { logged } from '../support/output.ts'

const ok = { status: 'fulfilled', value: 1 }
const no = { status: 'rejected', reason: new Error('x') }

function returning(value: unknown, ...ids: string[]): Promise<SQSBatchResponse> {
  const handler = batchHandlerOf(async () => value as SQSBatchResponse)
  return handler(standardEvent(...ids), testContext())
}

t.test('a PromiseSettledResult[] is converted, and a hole in it is a failed record', async (t) => {
  t.strictSame(failed(await returning([ok, no, ok], 'a', 'b', 'c')), ['b'])
  t.strictSame(failed(await returning([undefined, ok, null], 'a', 'b', 'c')), ['a', 'c'])
  t.strictSame(failed(await returning(new Array(2), 'a', 'b')), ['a', 'b'])
  t.strictSame(failed(await returning([no, ok], 'a', 'a')), ['a'])
})

t.test(
  'fewer results than records cause a TypeError, because it is unknown which result belongs to which record',
  async (t) => {
    const handler = batchHandlerOf((event) =>
      Promise.allSettled(
        event.Records.filter(({ messageId }) => messageId !== 'skip').map(async ({ messageId }) => {
          if (messageId === 'bad') throw new Error('bad')
        }),
      ),
    )
    await t.rejects(handler(standardEvent('skip', 'bad', 'good'), testContext()), {
      name: 'TypeError',
      message: /returned 2 results for 3 records; return/,
    })
    await t.rejects(returning([], 'a', 'b'), { name: 'TypeError', message: /returned 0 results for 2 records; return/ })
  },
)

t.test('if a handler removes the list from its report, a TypeError says what to return', async (t) => {
  const handler = batchHandlerOf(async (event: SQSEvent, context) => {
    const report = await eachRecord(() => {})(event, context)
    Object.assign(report, { batchItemFailures: undefined })
    return report
  })
  await t.rejects(handler(standardEvent('a'), testContext()), {
    name: 'TypeError',
    message: /batchItemFailures is undefined; return what eachRecord\(\) returns/,
  })
})

const thrown = new Error('SECRET')
const throwing = {
  get batchItemFailures() {
    throw thrown
  },
}
const invalid: [what: string, value: unknown, message: RegExp][] = [
  ['undefined, from a forgotten return', undefined, /returned undefined/],
  ['null', null, /returned null/],
  ['{}', {}, /batchItemFailures is undefined/],
  ['an id of another batch', { batchItemFailures: [{ itemIdentifier: 'z' }] }, /entry 0 is not a record/],
  ['values instead of settled results', [1, 2], /entry 0 is not a PromiseSettledResult/],
  ['more results than records', [ok, ok, ok], /3 results for 2 records/],
  ['a list of length -1', { batchItemFailures: withLength([{ itemIdentifier: 'a' }], -1) }, /of length -1/],
  ['results of length -1', withLength([no], -1), /-1 results for 2 records/],
  ['an object that throws when it is read', throwing, /throws when it is read/],
]

for (const [what, value, message] of invalid) {
  t.test(`returning ${what} is a TypeError that says what to return`, async (t) => {
    const error = await returning(value, 'a', 'b').catch((error) => error)
    t.ok(error instanceof TypeError, String(error))
    t.match(error.message, message)
    t.match(error.message, /return what eachRecord\(\) returns/)
    t.notMatch(error.message, 'SECRET')
    t.equal(error.cause, value === throwing ? thrown : undefined)
    t.equal('cause' in error, value === throwing)
  })
}

t.test('an inner handler may prepare the batch, and receives a report of exactly the failed records', async (t) => {
  const handler = batchHandlerOf(async (event: SQSEvent, context, options) => {
    const failing = await Promise.resolve('b')
    const report = await eachRecord(({ messageId }) => {
      if (messageId === failing) throw new Error('b')
    })(event, context, options)
    t.strictSame(report, event.Records.length === 2 ? listOf('b') : listOf())
    return report
  })
  t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
  t.strictSame(failed(await handler(standardEvent('a'), testContext())), [])
})

t.test(
  'ids that an inner handler adds to the report are reported and logged; it cannot remove failed records',
  async (t) => {
    const handler = middy()
      .use(boundedSqsBatch())
      .handler(async (event: SQSEvent, context) => {
        const report = await eachRecord(({ messageId }) => {
          if (messageId === 'b') throw new Error('b failed')
        })(event, context)
        report.batchItemFailures = [{ itemIdentifier: 'a' }]
        return report
      })
    const lines = await logged(async () => {
      t.strictSame(failed(await handler(standardEvent('a', 'b', 'c'), testContext())), ['a', 'b'])
    })
    t.equal(lines.length, 1)
    t.match(lines[0], /2 of 3 records of orders failed/)
    t.match(lines[0], /1 × Error: b failed \[b\]/)
    t.match(lines[0], /1 × Error: The handler reported the record as failed \[a\]/)
  },
)

t.test('eachRecord() without the middleware throws an error that says so', async (t) => {
  const bare = eachRecord(() => t.fail('started'))
  const message =
    'eachRecord(): the event was not prepared by boundedSqsBatch(). Add .use(boundedSqsBatch()) to the same Middy ' +
    'handler, and pass on the event itself, not a copy. Otherwise, the function contains this package twice'
  await t.rejects(bare(standardEvent('a'), testContext()), { name: 'TypeError', message })
  await t.rejects(middy<SQSEvent>().handler(bare)(standardEvent('a'), testContext()), { name: 'TypeError', message })
  await t.rejects(bare(undefined as never, testContext()), { name: 'TypeError', message })
})

t.test('the report of another invocation fails the invocation, before or after its own records have run', async (t) => {
  for (const runs of [true, false]) {
    const started: string[] = []
    const inner = eachRecord(({ messageId }) => void started.push(messageId))
    let first: Promise<unknown> | undefined
    const handler = batchHandlerOf((event: SQSEvent, context) => {
      if (runs || !first) {
        const own = inner(event, context)
        first ??= own
        return own.then(() => first)
      }
      return first // as if the promise had been cached in a variable of the module
    })
    t.strictSame(failed(await handler(standardEvent('a'), testContext())), [])
    await t.rejects(handler(standardEvent('b'), testContext()), {
      name: 'TypeError',
      message: 'The handler returned the report of another invocation',
    })
    t.strictSame(started, runs ? ['a', 'b'] : ['a'])
  }
})

t.test('a second run fails the invocation also if the inner handler catches its error', async (t) => {
  const first = eachRecord(({ messageId }) => {
    if (messageId === 'b') throw new Error('b')
  })
  const second = eachRecord(() => {})
  const calls: string[] = []
  const options: BoundedSqsBatchOptions = {
    logger: () => calls.push('logger'),
    onFailure: (failures) => {
      calls.push('onFailure')
      return failures
    },
    onSummary: () => calls.push('onSummary'),
  }
  const handlers: BatchHandler[] = [
    async (event, context) => {
      const [report] = await Promise.allSettled([first(event, context), second(event, context)])
      return report.status === 'fulfilled' ? report.value : { batchItemFailures: [] }
    },
    async (event, context) => {
      const report = await first(event, context)
      await second(event, context).catch(() => {})
      return report
    },
    async (event, context) => {
      await first(event, context)
      await second(event, context).catch(() => {})
      throw new Error('another error')
    },
  ]
  const cases = handlers.flatMap((runTwice) =>
    [options, { logger: options.logger }].map((given) => ({ runTwice, given })),
  )
  for (const { runTwice, given } of cases) {
    const handler = middy().use(boundedSqsBatch(given)).handler(runTwice)
    for (const event of [standardEvent('a', 'b'), standardEvent('a')]) {
      await t.rejects(handler(event, testContext()), { message: /called twice|another error/ })
    }
  }
  t.strictSame(calls, [], 'they are called only for a batch that responds')
})

t.test('running the records after the end of the invocation is refused', async (t) => {
  const inner = eachRecord(() => t.fail('started'))
  let event: SQSEvent | undefined
  const handler = batchHandlerOf(async (given: SQSEvent) => {
    event = given
    throw new Error('set-up failed')
  })
  await t.rejects(handler(standardEvent('c'), testContext()), /set-up failed/)
  await t.rejects(inner(event as SQSEvent, testContext()), { message: /after its invocation ended/ })
})

t.test('the error of a record without a result says that the handler returned none', async (t) => {
  const errors: unknown[] = []
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: (error) => errors.push(error) }))
    .handler(async () => [ok, undefined])
  t.strictSame(failed((await handler(standardEvent('a', 'b'), testContext())) as never), ['b'])
  t.match(errors, [{ name: 'Error', message: 'The handler returned no result for the record' }])
})
