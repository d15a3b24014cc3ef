import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { ids, sqsRecord, standardEvent } from '../support/events.ts'
import { failed, listOf, testContext, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'
import { withLength } from '../support/hostile.ts'
import { logged } from '../support/output.ts'

const ok = { status: 'fulfilled', value: 1 }
const no = { status: 'rejected', reason: new Error('x') }

function returning(value: unknown, ...ids: string[]): Promise<SQSBatchResponse> {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async () => value as SQSBatchResponse)
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
    const handler = middy<SQSEvent>()
      .use(boundedSqsBatch({ logger: false }))
      .handler((event) =>
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

t.test('a handler written for @middy/sqs-partial-batch-failure works unchanged', async (t) => {
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: false }))
    .handler((event) =>
      Promise.allSettled(
        event.Records.map(async ({ messageId }) => {
          if (messageId === 'b') throw new Error('b')
        }),
      ),
    )
  t.strictSame(await handler(standardEvent('a', 'b', 'c'), testContext()), {
    batchItemFailures: [{ itemIdentifier: 'b' }],
  })
})

t.test('{ batchItemFailures } is passed on in record order', async (t) => {
  t.strictSame(await returning(listOf(), 'a', 'b'), listOf())
  t.strictSame(await returning(listOf('c', 'a'), 'a', 'b', 'c'), listOf('a', 'c'))
})

t.test('if a handler removes the list from its report, a TypeError says what to return', async (t) => {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event: SQSEvent, context) => {
      const report = await eachRecord(() => {})(event, context)
      Object.assign(report, { batchItemFailures: undefined })
      return report
    })
  await t.rejects(handler(standardEvent('a'), testContext()), {
    name: 'TypeError',
    message: /batchItemFailures is undefined; return what eachRecord\(\) returns/,
  })
})

t.test('an id that is listed twice counts once', async (t) => {
  t.strictSame(await returning(listOf('b', 'b'), 'a', 'b', 'c'), listOf('b'))
  t.strictSame(await returning(listOf('b', 'a', 'b', 'b'), 'a', 'b'), listOf('a', 'b'))
})

const throwing = {
  get batchItemFailures() {
    throw new Error('SECRET')
  },
}
const invalid: [what: string, value: unknown, message: RegExp][] = [
  ['undefined, from a forgotten return', undefined, /returned undefined/],
  ['null', null, /returned null/],
  ['{}', {}, /batchItemFailures is undefined/],
  ['a string', 'done', /returned a string/],
  ['true', true, /returned a boolean/],
  ['a function', () => {}, /batchItemFailures is undefined/],
  ['batchItemFailures: null', { batchItemFailures: null }, /batchItemFailures is null/],
  ['batchItemFailures: {}', { batchItemFailures: {} }, /batchItemFailures is an object/],
  ['an id of another batch', { batchItemFailures: [{ itemIdentifier: 'z' }] }, /entry 0 is not a record/],
  ['an empty id', { batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: '' }] }, /entry 1 is not a record/],
  ['an id that is not in an object', { batchItemFailures: ['a'] }, /entry 0 is not a record/],
  ['an id under another key', { batchItemFailures: [{ messageId: 'a' }] }, /entry 0 is not a record/],
  ['values instead of settled results', [1, 2], /entry 0 is not a PromiseSettledResult/],
  ['ids instead of settled results', [ok, 'a'], /entry 1 is not a PromiseSettledResult/],
  ['a promise that is pending', [ok, { status: 'pending' }], /entry 1 is not a PromiseSettledResult/],
  ['more results than records', [ok, ok, ok], /3 results for 2 records/],
  ['a list of length -1', { batchItemFailures: withLength([{ itemIdentifier: 'a' }], -1) }, /of length -1/],
  ['results of length -1', withLength([no], -1), /-1 results for 2 records/],
  ['an object that throws when it is read', throwing, /throws when it is read/],
  ['the response of an HTTP API', { statusCode: 200 }, /batchItemFailures is undefined/],
]

for (const [what, value, message] of invalid) {
  t.test(`returning ${what} is a TypeError that says what to return`, async (t) => {
    const error = await returning(value, 'a', 'b').catch((error) => error)
    t.ok(error instanceof TypeError, String(error))
    t.match(error.message, message)
    t.match(error.message, /return what eachRecord\(\) returns/)
    t.notMatch(error.message, 'SECRET')
  })
}

t.test('an inner handler may prepare the batch and then call the handler of eachRecord()', async (t) => {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event: SQSEvent, context, options) => {
      const prepared = await Promise.resolve('prepared')
      return eachRecord((record) => {
        t.equal(prepared, 'prepared')
        if (record.messageId === 'b') throw new Error('b')
      })(event, context, options)
    })
  t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
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
    t.match(lines[0], /2 of 3 records failed/)
    t.match(lines[0], /1 × Error: b failed \[b\]/)
    t.match(lines[0], /1 × Error: The handler reported the record as failed \[a\]/)
  },
)

t.test('ids that an inner handler lists are reported together with records that it did not wait for', async (t) => {
  for (const [returned, expected] of [
    [{ batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: 'b' }] }, ['a', 'b']],
    [
      [no, ok, ok],
      ['a', 'b'],
    ],
    [{ batchItemFailures: [] }, ['b']],
  ] as const) {
    for (const isOpen of [true, false]) {
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .handler(async (event, context) => {
          void eachRecord(async ({ messageId }) => {
            if (messageId !== 'b') return
            if (isOpen) await new Promise(() => {})
            throw new Error('b failed')
          })(event, context)
          await settled()
          return returned as never
        })
      t.strictSame(failed(await handler(standardEvent('a', 'b', 'c'), testContext())), expected)
    }
  }
})

t.test('records that a later middleware copied are handled; removed or reordered records are refused', async (t) => {
  const withRecords = (change: (event: SQSEvent) => void, inner: Parameters<ReturnType<typeof middy>['handler']>[0]) =>
    middy()
      .use(boundedSqsBatch({ logger: false }))
      .before(({ event }) => change(event as SQSEvent))
      .handler(inner)(standardEvent('a', 'b', 'c'), testContext())
  const bodies: string[] = []
  const bounded = eachRecord(({ messageId, body }) => {
    bodies.push(body)
    if (messageId === 'b') throw new Error('b')
  }) as Parameters<typeof withRecords>[1]
  const unbounded = (async ({ Records }: SQSEvent) =>
    Promise.allSettled(
      Records.map(async ({ messageId }) => messageId === 'b' && Promise.reject(new Error('b'))),
    )) as never
  function replace(event: SQSEvent) {
    event.Records = event.Records.map((record) => ({ ...record, body: record.messageId.toUpperCase() }))
  }
  function takeOut(event: SQSEvent) {
    event.Records = event.Records.filter(({ messageId }) => messageId !== 'a')
  }
  function swap(event: SQSEvent) {
    event.Records.reverse()
  }
  function remove(event: SQSEvent) {
    event.Records = undefined as never
  }
  t.strictSame(failed(await withRecords(replace, bounded)), ['b'])
  t.strictSame(bodies, ['A', 'B', 'C'])
  t.strictSame(failed(await withRecords(replace, unbounded)), ['b'])
  for (const change of [takeOut, swap, remove]) {
    const message = /Records of the event are not those that came/
    await t.rejects(withRecords(change, bounded), { name: 'TypeError', message })
    if (change !== remove) await t.rejects(withRecords(change, unbounded), { name: 'TypeError', message })
    await t.rejects(
      withRecords(change, (async () => ({ batchItemFailures: [] })) as never),
      { name: 'TypeError', message },
      'otherwise a record that the handler did not see would count as processed',
    )
  }
  t.equal(bodies.length, 3)

  const pops = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async ({ Records }) => {
      Records.pop()
      return Promise.allSettled(Records.map(async () => {}))
    })
  await t.rejects(pops(standardEvent('a', 'b', 'c'), testContext()), {
    name: 'TypeError',
    message: /not those that came/,
  })
})

t.test('an inner handler that does not return the report causes a TypeError, with or without await', async (t) => {
  for (const waits of [true, false]) {
    const held = heldRecords()
    const handler = middy()
      .use(boundedSqsBatch({ logger: false }))
      .handler(async (event: SQSEvent, context) => {
        const report = eachRecord(held.handle)(event, context)
        await settled()
        held.succeed('a')
        if (!waits) return
        held.succeed('b')
        await report
      })
    const result = handler(standardEvent('a', 'b'), testContext())
    await t.rejects(result, { name: 'TypeError', message: /returned undefined/ })
  }
})

t.test('eachRecord() without the middleware throws an error that says so', async (t) => {
  const bare = eachRecord(() => t.fail('started'))
  const message =
    'eachRecord(): the event was not prepared by boundedSqsBatch(). Add .use(boundedSqsBatch()) to the same Middy ' +
    'handler, and pass on the event object itself, not a copy. If you already do both, the function contains this ' +
    'package twice'
  await t.rejects(bare(standardEvent('a'), testContext()), { name: 'TypeError', message })
  await t.rejects(middy<SQSEvent>().handler(bare)(standardEvent('a'), testContext()), { name: 'TypeError', message })
  await t.rejects(bare(undefined as never, testContext()), { name: 'TypeError', message })
})

t.test('running the records of a batch a second time fails the invocation', async (t) => {
  const started: string[] = []
  const inner = eachRecord(({ messageId }) => started.push(messageId))
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event: SQSEvent, context) => {
      await inner(event, context)
      return inner(event, context)
    })
  const result = handler(standardEvent('a', 'b'), testContext())
  await t.rejects(result, {
    name: 'TypeError',
    message:
      'The handler that eachRecord() or eachChunk() made was called twice for one batch. Call it once: each call would ' +
      'process all records again',
  })
  t.strictSame(started, ['a', 'b'])
})

t.test('running the records twice at the same time fails the invocation and ends the first run', async (t) => {
  mockClock(t) // on a busy machine, 10 ms could pass before the first record starts
  const held = heldRecords()
  const inner = eachRecord(held.handle)
  const handler = middy()
    .use(boundedSqsBatch({ logger: false, concurrency: 2 }))
    .handler(async (event: SQSEvent, context) => {
      const [report] = await Promise.all([inner(event, context), inner(event, context)])
      return report
    })
  await t.rejects(handler(standardEvent('a', 'b', 'c', 'd'), testContext()), { message: /called twice/ })
  const started = held.running()
  t.ok(started.length > 0)
  for (const id of started) {
    t.equal(held.signalOf(id)?.aborted, true)
    held.succeed(id)
  }
  await settled()
  t.strictSame(held.started, started, 'no further record starts')
})

t.test('a record handler that runs the records of its own batch fails the invocation', async (t) => {
  let started = 0
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event: SQSEvent, context) => {
      const inner: BatchHandler = eachRecord((): unknown => {
        started++
        return inner(event, context)
      })
      return inner(event, context)
    })
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), { name: 'TypeError', message: /called twice/ })
  t.equal(started, 2)
})

t.test('a second run fails the invocation also if the inner handler catches its error', async (t) => {
  const first = eachRecord(() => {})
  const second = eachRecord(({ messageId }) => {
    if (messageId === 'b') throw new Error('b')
  })
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
  for (const runTwice of handlers) {
    const handler = middy()
      .use(boundedSqsBatch({ logger: false }))
      .handler(runTwice)
    await t.rejects(handler(standardEvent('a', 'b'), testContext()), { message: /called twice|another error/ })
  }
})

t.test("a later middleware's replacement event is refused if its records differ", async (t) => {
  const settle = (async ({ Records }: SQSEvent) =>
    Promise.allSettled(
      Records.map(async ({ messageId }) => messageId === 'a' && Promise.reject(new Error('a'))),
    )) as never
  const list = (async ({ Records }: SQSEvent) => ({
    batchItemFailures: Records.filter(({ messageId }) => messageId === 'a').map(({ messageId }) => ({
      itemIdentifier: messageId,
    })),
  })) as never
  const bounded = eachRecord(({ messageId }) => {
    if (messageId === 'a') throw new Error('a')
  })
  const inheriting = (event: SQSEvent, Records: unknown): SQSEvent =>
    Object.create(event, { Records: { value: Records } })
  const changes: [what: string, replace: (event: SQSEvent) => SQSEvent, isRefused: boolean][] = [
    ['a copy', (event) => ({ ...event }), false],
    ['copies of the records', ({ Records }) => ({ Records: Records.map((record) => ({ ...record })) }), false],
    ['reversed', (event) => ({ ...event, Records: event.Records.toReversed() }), true],
    ['one removed', (event) => ({ ...event, Records: event.Records.slice(0, 2) }), true],
    ['one added', (event) => ({ ...event, Records: [...event.Records, sqsRecord('d')] }), true],
    [
      'an object that inherits from the event, reversed',
      (event) => inheriting(event, event.Records.toReversed()),
      true,
    ],
  ]
  for (const [what, replace, isRefused] of changes) {
    for (const isRestored of [false, true]) {
      for (const inner of [settle, list, bounded]) {
        const original: SQSEvent[] = []
        const handler = middy<SQSEvent, SQSBatchResponse>()
          .use(boundedSqsBatch({ logger: false }))
          .use({
            before(request) {
              original.push(request.event)
              request.event = replace(request.event)
            },
            after(request) {
              if (isRestored) request.event = original[0] as SQSEvent
            },
          })
          .handler(inner)
        const result = handler(standardEvent('a', 'b', 'c'), testContext())
        const name = `${what}, ${isRestored ? 'restored, ' : ''}${[settle, list, bounded].indexOf(inner)}`
        // eachRecord() does not accept a copy of the event.
        if (isRefused || inner === bounded) {
          await t.rejects(result, { name: 'TypeError' }, name)
        } else {
          t.strictSame(failed(await result), ['a'], name)
        }
      }
    }
  }
})

t.test('settled results are refused if a later middleware replaced the event by null', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      request.event = null as never
    })
    .handler(async () => [ok, no] as never)
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), {
    name: 'TypeError',
    message: /Records of the event are not those that came/,
  })
})

t.test('a list of failures is refused if a middleware read an event with other records in the meantime', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      const { event } = request
      request.event = { Records: event.Records.toReversed() }
      t.equal(request.event.Records.length, 2)
      request.event = event
    })
    .handler(async () => ({ batchItemFailures: [] }))
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), {
    name: 'TypeError',
    message: /Records of the event are not those that came/,
  })
})

t.test('settled results are refused if the records cannot be read when the inner handler responds', async (t) => {
  let isReadable = true
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      const { Records } = request.event as SQSEvent
      request.event = {
        get Records() {
          if (!isReadable) throw new Error('cannot be read')
          return Records
        },
      }
    })
    .handler(({ Records }: SQSEvent) => {
      isReadable = false
      return Promise.allSettled(Records) as never
    })
  await t.rejects(handler(standardEvent('a', 'b'), testContext()), {
    name: 'TypeError',
    message: /Records of the event are not those that came/,
  })
})

for (const [what, after] of [
  ['', () => {}],
  [
    ', also if an after hook restores the order and copies them',
    (request: middy.Request<SQSEvent, SQSBatchResponse>) => {
      request.event = standardEvent('a', 'b')
      void request.event.Records // reads the event
      request.response = [...(request.response as never)] as never
    },
  ],
] as const) {
  t.test(
    `settled results are refused if the inner handler reordered the records after eachRecord()${what}`,
    async (t) => {
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .use({ after })
        .handler(async (event, context) => {
          await eachRecord(() => {})(event, context)
          event.Records.reverse()
          return [ok, no] as never
        })
      await t.rejects(handler(standardEvent('a', 'b'), testContext()), {
        name: 'TypeError',
        message: /Records of the event are not those that came/,
      })
    },
  )
}

t.test('running the records after the end of the invocation is refused', async (t) => {
  const inner = eachRecord(() => t.fail('started'))
  let event: SQSEvent | undefined
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (given: SQSEvent) => {
      event = given
      throw new Error('set-up failed')
    })
  await t.rejects(handler(standardEvent('c'), testContext()), /set-up failed/)
  await t.rejects(inner(event as SQSEvent, testContext()), {
    message:
      'The handler that eachRecord() or eachChunk() made was called after the invocation had ended. Await its result ' +
      'in your own inner handler',
  })
})

t.test('failures that another inner handler reports are logged', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch())
    .handler(async () => [ok, no] as never)
  const [line, ...more] = await logged(() => handler(standardEvent('a', 'b'), testContext()))
  t.match(line, /1 of 2 records failed/)
  t.match(line, /1 × Error: x \[b\]/)
  t.strictSame(more, [])
})

t.test('an inner handler that catches the error about removed records fails the invocation', async (t) => {
  const inner = eachRecord(() => t.fail('started'))
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event, context) => {
      event.Records.splice(1)
      return inner(event, context).catch(() => ({ batchItemFailures: [] }))
    })
  await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), { name: 'TypeError', message: /not those/ })
})

t.test('reading event.Records repeatedly does not check the records each time', async (t) => {
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      request.event.Records = request.event.Records.slice()
      let checks = 0
      const { Records } = request.event
      const first = Records[0]
      Object.defineProperty(Records, 0, {
        get() {
          checks++
          return first
        },
      })
      for (let read = 0; read < 5_000; read++) request.event.Records
      t.ok(checks < 500, `the first record was read ${checks} times`)
    })
    .handler(async () => ({ batchItemFailures: [] }))
  t.strictSame(failed(await handler(standardEvent(...ids(5_000)), testContext())), [])
})

for (const [what, change] of Object.entries<(event: SQSEvent) => void>({
  'another list': (event) => {
    const [, ...others] = event.Records
    event.Records = [...others, ...others.slice(0, 1)]
  },
  'a shorter list': (event) => void event.Records.pop(),
})) {
  t.test(`${what} is noticed although a middleware has read event.Records many times`, async (t) => {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .before((request) => {
        for (let read = 0; read < 5_000; read++) request.event.Records
        change(request.event)
      })
      .handler(async () => ({ batchItemFailures: [] }))
    await t.rejects(handler(standardEvent(...ids(5_000)), testContext()), { name: 'TypeError', message: /not those/ })
  })
}

t.test(
  'a record that a middleware replaces is noticed although it has read event.Records for each record',
  async (t) => {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .before((request) => {
        for (let index = 0; index < 100; index++) request.event.Records[index]
        request.event.Records[99] = request.event.Records[98] as SQSRecord
      })
      .handler(async () => ({ batchItemFailures: [] }))
    await t.rejects(handler(standardEvent(...ids(100)), testContext()), { name: 'TypeError', message: /not those/ })
  },
)

t.test('settled results are accepted if an after hook then replaces the event', async (t) => {
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: false }))
    .after((request) => {
      request.event = { Records: [] }
    })
    .handler(({ Records }) => Promise.allSettled(Records.map(async () => {})))
  t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), [])
})

for (const [what, change] of [
  ['reverses', (records: SQSRecord[]) => records.reverse()],
  ['empties', (records: SQSRecord[]) => records.splice(0)],
] as const) {
  t.test(
    `if an inner handler ${what} the list of records while they run, the same records start in the same order`,
    async (t) => {
      const held = heldRecords()
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false, concurrency: 1 }))
        .handler(async (event, context) => {
          const report = eachRecord(held.handle)(event, context)
          await settled()
          change(event.Records)
          held.succeed('a')
          await settled()
          held.fail('b')
          await settled()
          held.succeed('c')
          return report
        })
      t.strictSame(failed(await handler(standardEvent('a', 'b', 'c'), testContext())), ['b'])
      t.strictSame(held.started, ['a', 'b', 'c'])
    },
  )
}

for (const [what, change] of [
  ['deleted from', (records: SQSRecord[]) => delete records[1]],
  ['added to', (records: SQSRecord[]) => records.push(sqsRecord('d'))],
] as const) {
  t.test(`a record that is ${what} the list fails the invocation with a TypeError that says so`, async (t) => {
    for (const inner of [eachRecord(() => t.fail('started')), async () => listOf(), async () => [ok, no, ok]]) {
      const handler = middy<SQSEvent, SQSBatchResponse>()
        .use(boundedSqsBatch({ logger: false }))
        .before(({ event }) => void change(event.Records))
        .handler(inner as BatchHandler)
      await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), {
        name: 'TypeError',
        message:
          'The Records of the event are not those that came with the batch: a middleware or the handler removed, added ' +
          'or moved some. Keep all of them, in order',
      })
    }
  })
}

t.test('the TypeError has a cause only if the returned object threw when it was read', async (t) => {
  const thrown = new Error('SECRET')
  const throwing = {
    get batchItemFailures() {
      throw thrown
    },
  }
  await t.rejects(returning(throwing, 'a'), { name: 'TypeError', cause: thrown })
  const error = await returning({}, 'a').catch((error) => error)
  t.equal('cause' in error, false)
})

t.test('an event without records that a later middleware sets fails the invocation', async (t) => {
  for (const event of [undefined, null, {}, { Records: undefined }]) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .before((request) => {
        request.event = event as never
      })
      .handler(async () => listOf())
    await t.rejects(handler(standardEvent('a', 'b'), testContext()), {
      name: 'TypeError',
      message: /Records of the event are not those that came with the batch/,
    })
  }
})

t.test('records that change after the event was read many times fail the invocation', async (t) => {
  const changes: [what: string, change: (request: { event: SQSEvent }) => void][] = [
    ['other records', (request) => (request.event = { Records: request.event.Records.toReversed() })],
    ['fewer records', (request) => (request.event = { Records: request.event.Records.slice(1) })],
    ['a shorter list', ({ event }) => event.Records.pop()],
  ]
  for (const [what, change] of changes) {
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .before((request) => {
        for (let read = 0; read < 20; read++) t.equal(request.event.Records.length, 3)
        change(request)
      })
      .handler(async () => listOf())
    await t.rejects(
      handler(standardEvent('a', 'b', 'c'), testContext()),
      { name: 'TypeError', message: /Records of the event are not those that came with the batch/ },
      what,
    )
  }
})

t.test('an id that replaces another one in the report is reported in addition', async (t) => {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler(async (event: SQSEvent, context) => {
      const report = await eachRecord(({ messageId }) => {
        if (messageId !== 'c') throw new Error(messageId)
      })(event, context)
      report.batchItemFailures[1] = { itemIdentifier: 'c' }
      return report
    })
  t.strictSame(failed(await handler(standardEvent('a', 'b', 'c'), testContext())), ['a', 'b', 'c'])
})

t.test('the TypeError about an unknown id says that it is not a record of the batch', async (t) => {
  await t.rejects(returning(listOf('a', 'z'), 'a'), {
    name: 'TypeError',
    message:
      'The handler returned a batchItemFailures whose entry 1 is not a record of the batch; return what eachRecord() ' +
      'returns, or a PromiseSettledResult for each record, or { batchItemFailures }',
  })
})

t.test('the error of a record without a result says that the handler returned none', async (t) => {
  const errors: unknown[] = []
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: (error) => errors.push(error) }))
    .handler(async () => [ok, undefined])
  t.strictSame(failed((await handler(standardEvent('a', 'b'), testContext())) as never), ['b'])
  t.match(errors, [{ name: 'Error', message: 'The handler returned no result for the record' }])
})

t.test('an event that a hook sets and reads after eachRecord() does not change the report', async (t) => {
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .after((request) => {
      request.event = { Records: [] }
      t.strictSame(request.event, { Records: [] })
    })
    .handler(
      eachRecord(({ messageId }) => {
        if (messageId === 'b') throw new Error('b')
      }),
    )
  t.strictSame(failed(await handler(standardEvent('a', 'b'), testContext())), ['b'])
})

// A handler that does not pass Middy's signal on. Near the timeout, its response may come from the early timeout.
const refused: [what: string, respond: (event: SQSEvent, report: SQSBatchResponse) => unknown, message: RegExp][] = [
  ['too few results', () => [ok, no], /2 results for 3 records/],
  ['an id that is not in the batch', () => listOf('unknown'), /entry 0 is not a record of the batch/],
  [
    'an id that is not in the batch, in the report',
    (_event, report) => {
      report.batchItemFailures.push({ itemIdentifier: 'unknown' })
      return report
    },
    /entry 1 is not a record of the batch/,
  ],
  [
    'results of reordered records',
    ({ Records }) => {
      Records.reverse()
      return [ok, no, no]
    },
    /Records of the event are not those that came/,
  ],
  ['an object that throws when it is read', () => throwing, /throws when it is read/],
]
for (const [what, respond, message] of refused) {
  t.test(`${what} are refused also if the time budget has ended the batch`, async (t) => {
    const clock = mockClock(t)
    const held = heldRecords()
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use(boundedSqsBatch({ logger: false }))
      .handler(async (event, context) => {
        const report = await eachRecord(held.handle)(event, context)
        return respond(event, report) as never
      })
    const result = handler(standardEvent('a', 'b', 'c'), timedContext(1000))
    await settled()
    held.succeed('a')
    held.succeed('b')
    await settled()
    clock.advance(950)
    await t.rejects(result, { name: 'TypeError', message })
  })
}

t.test(
  'settled results are refused if the records were in another order, even if a hook then corrects it',
  async (t) => {
    const settle = ({ Records }: SQSEvent) =>
      Promise.allSettled(Records.map(async ({ messageId }) => messageId === 'a' && Promise.reject(new Error('a'))))
    const readOften = middy<SQSEvent>()
      .use(boundedSqsBatch({ logger: false }))
      .use({
        before(request) {
          for (let read = 0; read < 20; read++) t.equal(request.event.Records.length, 3)
          request.event.Records.reverse()
        },
        after({ event }) {
          event.Records.reverse()
        },
      })
      .handler(settle)
    const replaced = middy<SQSEvent>()
      .use(boundedSqsBatch({ logger: false }))
      .after((request) => {
        request.event = standardEvent('a', 'b', 'c')
        t.equal(request.event.Records.length, 3)
      })
      .handler((event) => {
        event.Records.reverse()
        return settle(event)
      })
    for (const handler of [readOften, replaced]) {
      await t.rejects(handler(standardEvent('a', 'b', 'c'), testContext()), {
        name: 'TypeError',
        message: /Records of the event are not those that came/,
      })
    }
  },
)

t.test('a later middleware can wrap the event if the inner handler passes the original one on', async (t) => {
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: false }))
    .before((request) => {
      request.event = { original: request.event } as never
    })
    .handler(async (event, context) => {
      const run = eachRecord(({ messageId }) => {
        if (messageId === 'x') throw new Error('x')
      })
      return run((event as unknown as { original: SQSEvent }).original, context)
    })
  t.strictSame(failed((await handler(standardEvent('a', 'x'), testContext())) as never), ['x'])
})

t.test('settled results are accepted if an after hook then replaces and reads the event', async (t) => {
  const handler = middy<SQSEvent>()
    .use(boundedSqsBatch({ logger: false }))
    .after((request) => {
      request.event = { Records: [] }
      t.strictSame(request.event, { Records: [] })
    })
    .handler(async () => [ok, no])
  t.strictSame(failed((await handler(standardEvent('a', 'b'), testContext())) as never), ['b'])
})
