import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { failing } from '../support/failures.ts'
import { failed, listOf, testContext } from '../support/handlers.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>
type Hook = (request: Request) => unknown

const ok = { status: 'fulfilled', value: 1 }
const no = { status: 'rejected', reason: new Error('x') }
const INCOMPLETE = {
  name: 'TypeError',
  message:
    'A middleware set a response without all failures of boundedSqsBatch(). Keep its batchItemFailures, and on a FIFO ' +
    'queue also add the later records of a group',
}
const RETURNED = {
  name: 'TypeError',
  message: 'A middleware returned a value from after. Set request.response instead',
}
const LATER = {
  name: 'TypeError',
  message: 'A later middleware responded. Make boundedSqsBatch() the last .use()',
}
const NOTHING = { name: 'TypeError', message: /^The handler returned undefined; return what eachRecord\(\) returns/ }

// Inner handlers for which `x` fails and the other records succeed.
const inners: [name: string, inner: BatchHandler][] = [
  ['eachRecord()', eachRecord(failing)],
  ['settled results', async ({ Records }) => Records.map(({ messageId }) => (messageId === 'x' ? no : ok)) as never],
  ['a list of failures', async () => listOf('x')],
]

interface Chain {
  readonly earlier?: Record<string, Hook>
  readonly later?: Record<string, Hook>
  readonly inner?: BatchHandler
  readonly event?: unknown
}

function invoke({ earlier, later, inner = eachRecord(failing), event = standardEvent('a', 'x', 'b') }: Chain) {
  const handler = middy<SQSEvent, SQSBatchResponse>()
  if (earlier) handler.use(earlier as never)
  handler.use(boundedSqsBatch({ logger: false }))
  if (later) handler.use(later as never)
  return handler.handler(inner)(event as SQSEvent, testContext())
}

const set =
  (response: unknown): Hook =>
  (request) => {
    request.response = response as SQSBatchResponse
  }

const replies: [what: string, response: unknown][] = [
  ['true', true],
  ['an object', { ok: true }],
  ['an HTTP response', { statusCode: 200 }],
  ['an empty list', listOf()],
  ['a list of another record', listOf('a')],
  ['a list with an unknown id', listOf('x', 'unknown')],
  ['a list with an entry that is null', { batchItemFailures: [{ itemIdentifier: 'x' }, null] }],
  ['settled results', [ok, no, ok]],
  ['null', null],
]
for (const [what, response] of replies) {
  t.test(`an earlier after hook cannot set ${what} as the response`, async (t) => {
    for (const [, inner] of inners) await t.rejects(invoke({ earlier: { after: set(response) }, inner }), INCOMPLETE)
  })

  t.test(`an earlier after hook cannot return ${what}`, async (t) => {
    for (const [, inner] of inners) {
      await t.rejects(invoke({ earlier: { after: () => response }, inner }), RETURNED)
      await t.rejects(invoke({ earlier: { after: async () => response }, inner }), RETURNED)
    }
  })

  t.test(`a later hook cannot respond early with ${what}`, async (t) => {
    for (const [, inner] of inners) {
      for (const hook of ['before', 'after']) {
        await t.rejects(invoke({ later: { [hook]: () => response }, inner }), LATER, hook)
        await t.rejects(invoke({ later: { [hook]: async () => response }, inner }), LATER, hook)
        const setsEarly: Hook = (request) => {
          request.earlyResponse = response as never
        }
        await t.rejects(invoke({ later: { [hook]: setsEarly }, inner }), LATER, hook)
      }
    }
  })

  t.test(`a later after hook cannot set ${what} as the response`, async (t) => {
    for (const [, inner] of inners) await t.rejects(invoke({ later: { after: set(response) }, inner }), LATER)
  })

  t.test(`a later after hook cannot set ${what} if the inner handler returned nothing`, async (t) => {
    await t.rejects(invoke({ later: { after: set(response) }, inner: async () => undefined as never }), NOTHING)
    await t.rejects(invoke({ later: { after: () => response }, inner: async () => undefined as never }), LATER)
  })

  for (const position of ['earlier', 'later'] as const) {
    t.test(`an onError hook of an ${position} middleware cannot turn an error into ${what}`, async (t) => {
      const fails: [Chain, RegExp][] = [
        [{ inner: async () => Promise.reject(new Error('flush')) }, /^flush$/],
        [{ event: { detail: 'not of SQS' } }, /^Expected an SQS event/],
        [{ inner: async () => ({}) as never }, /^The handler returned an object/],
      ]
      for (const [chain, error] of fails) {
        const calls: string[] = []
        const responding: Hook[] = [
          set(response),
          () => response,
          async () => response,
          (request) => {
            request.earlyResponse = response as never
          },
        ]
        for (const onError of responding) {
          const hook: Hook = (request) => {
            calls.push((request.error as Error).name)
            return onError(request)
          }
          await t.rejects(invoke({ ...chain, [position]: { onError: hook } }), error)
        }
        t.equal(calls.length, responding.length)
      }
    })
  }
}

t.test('a thenable that a later hook returns is an early response', async (t) => {
  const thenable = { then: (resolve: (value: unknown) => void) => resolve(listOf()) }
  await t.rejects(invoke({ later: { after: () => thenable } }), LATER)
  await t.rejects(invoke({ later: { before: () => thenable } }), LATER)
})

t.test('an early response of undefined fails the invocation', async (t) => {
  const early: Hook = (request) => {
    request.earlyResponse = undefined as never
  }
  const message = /^request\.response is undefined/
  await t.rejects(invoke({ later: { before: early } }), { name: 'TypeError', message })
  await t.rejects(invoke({ later: { after: early } }), { name: 'TypeError', message })
  await t.rejects(invoke({ earlier: { after: early } }), { name: 'TypeError', message })
})

t.test('a middleware that sets the response to undefined fails the invocation', async (t) => {
  const message = /^request\.response is undefined/
  await t.rejects(invoke({ later: { after: set(undefined) } }), { name: 'TypeError', message })
  await t.rejects(invoke({ earlier: { after: set(undefined) } }), { name: 'TypeError', message })
  const restores: Hook = (request) => {
    const { response } = request
    request.response = undefined as never
    request.response = response
  }
  await t.rejects(invoke({ later: { after: restores } }), { name: 'TypeError' })
  await t.rejects(invoke({ earlier: { after: restores } }), { name: 'TypeError' })
})

t.test(
  'a later onError hook can read the response after an earlier after hook threw, and the other hooks follow',
  async (t) => {
    const thrown = new Error('COMMIT failed')
    const seen: unknown[] = []
    const earlier: Record<string, Hook> = {
      after() {
        throw thrown
      },
      onError: (request) => void seen.push(request.error),
    }
    const later: Record<string, Hook> = { onError: (request) => void seen.push(request.response) }
    t.equal(await invoke({ earlier, later }).catch((error) => error), thrown)
    t.strictSame(seen, [listOf('a', 'x', 'b'), thrown])
  },
)

t.test(
  'after hooks that remove the response and set an error: Middy responds, and the whole batch is redelivered',
  async (t) => {
    const removes: Hook = (request) => {
      request.response = undefined as never
      delete request.earlyResponse
    }
    const setsError: Hook = (request) => {
      request.error = new Error('set')
    }
    const both: Hook = (request) => {
      removes(request)
      setsError(request)
    }
    const event = standardEvent('a', 'x', 'b', 'a')
    t.strictSame(await invoke({ event, earlier: { after: both } }), listOf('a', 'x', 'b'))
    const { Records } = event
    const handler = middy<SQSEvent, SQSBatchResponse>()
      .use({ after: setsError as never })
      .use({ after: removes as never })
      .use(boundedSqsBatch({ logger: false }))
      .handler(eachRecord(failing))
    t.strictSame(await handler({ Records }, testContext()), listOf('a', 'x', 'b'))
  },
)

t.test(
  'an onError hook that removes the error of an event that was refused does not turn it into a success',
  async (t) => {
    const onError: Hook = (request) => {
      request.error = undefined as never
      request.earlyResponse = undefined as never
    }
    const refused = invoke({ earlier: { onError }, event: {} })
    t.strictSame(await refused.catch((error) => ['rejected', error]), ['rejected', undefined])
  },
)

t.test('a middleware that removes our response, and that Middy stops, fails the invocation', async (t) => {
  const removes: Hook = (request) => {
    request.response = undefined as never
    delete request.earlyResponse
  }
  const others: Record<string, Hook> = {
    'at once': removes,
    'in an async hook': async (request) => {
      await null
      removes(request)
    },
    'after it has noted an error': (request) => {
      request.error = new Error('noted')
      removes(request)
    },
    'and sets an empty list': (request) => {
      removes(request)
      request.response = listOf()
    },
  }
  for (const [name, after] of Object.entries(others)) {
    const outcome = await invoke({ earlier: { after } }).catch((error) => error)
    t.ok(outcome instanceof Error, name)
  }
})

t.test(
  'a middleware that sets the response to undefined and then request.error, without throwing, fails the invocation',
  async (t) => {
    const setsError: Hook = (request) => {
      request.response = undefined as never
      request.error = new Error('set')
    }
    const setsErrorAndResponds: Hook = (request) => {
      setsError(request)
      return true
    }
    await t.rejects(invoke({ earlier: { after: setsError } }), { message: 'set' })
    await t.rejects(invoke({ earlier: { after: setsErrorAndResponds } }), { message: 'set' })
    for (const hook of ['before', 'after']) {
      await t.rejects(invoke({ later: { [hook]: setsError } }), { name: 'TypeError' })
      await t.rejects(invoke({ later: { [hook]: setsErrorAndResponds } }), { message: 'set' })
    }
  },
)

t.test('request.response cannot be redefined or deleted', async (t) => {
  const attempts: Hook[] = [
    (request) => Object.defineProperty(request, 'response', { value: listOf() }),
    (request) => delete (request as Partial<Request>).response,
  ]
  const attempt: Hook = (request) => {
    for (const change of attempts) t.throws(() => change(request), { name: 'TypeError' })
  }
  t.strictSame(failed(await invoke({ later: { before: attempt, after: attempt }, earlier: { after: attempt } })), ['x'])
})

t.test('an onError hook that removes the error does not make the invocation succeed', async (t) => {
  const removes: Hook = (request) => {
    request.error = undefined as never
    request.response = listOf()
  }
  for (const position of ['earlier', 'later'] as const) {
    const result = invoke({ inner: async () => Promise.reject(new Error('flush')), [position]: { onError: removes } })
    t.equal(
      await result.then(
        () => 'responded',
        () => 'failed',
      ),
      'failed',
    )
  }
})

t.test('an error that a middleware notes in request.error without throwing changes nothing', async (t) => {
  const notes: Hook = (request) => {
    request.error = new Error('noted')
  }
  for (const position of ['earlier', 'later'] as const) {
    for (const hook of ['before', 'after']) {
      t.strictSame(failed(await invoke({ [position]: { [hook]: notes } })), ['x'])
    }
  }
})

t.test('the onError hooks of earlier middlewares run after an early response of a later one', async (t) => {
  const calls: string[] = []
  const earlier = { after: () => void calls.push('COMMIT'), onError: () => void calls.push('ROLLBACK') }
  await t.rejects(invoke({ earlier, later: { after: () => true } }), LATER)
  t.strictSame(calls, ['ROLLBACK'])
})

t.test('if an earlier before hook throws, an earlier onError hook cannot respond', async (t) => {
  const earlier = {
    before: () => {
      throw new Error('no connection')
    },
    onError: () => ({ statusCode: 500 }),
  }
  await t.rejects(invoke({ earlier }), { message: 'no connection' })
})

t.test('if an earlier before hook throws, a later onError hook can set a response, and it is ignored', async (t) => {
  const earlier = {
    before: () => {
      throw new Error('no connection')
    },
  }
  await t.rejects(invoke({ earlier, later: { onError: set({ statusCode: 500 }) } }), { message: 'no connection' })
})

t.test('an earlier after hook can set a list with at least the failures', async (t) => {
  for (const [, inner] of inners) {
    t.strictSame(failed(await invoke({ earlier: { after: set(listOf('x')) }, inner })), ['x'])
    t.strictSame(failed(await invoke({ earlier: { after: set(listOf('b', 'x')) }, inner })), ['x', 'b'])
    const adds: Hook = (request) => {
      const { batchItemFailures } = request.response as SQSBatchResponse
      request.response = { batchItemFailures: [...batchItemFailures, { itemIdentifier: 'a' }] }
    }
    t.strictSame(failed(await invoke({ earlier: { after: adds }, inner })), ['a', 'x'])
  }
})

t.test('on a FIFO queue, a record that is added needs the later records of its group', async (t) => {
  const event = fifoEvent('a1', 'b1', 'a2', 'b2')
  const inner = eachRecord(() => {})
  await t.rejects(invoke({ earlier: { after: set(listOf('a1')) }, inner, event }), INCOMPLETE)
  t.strictSame(failed(await invoke({ earlier: { after: set(listOf('a1', 'a2')) }, inner, event })), ['a1', 'a2'])
  t.strictSame(failed(await invoke({ earlier: { after: set(listOf('a2')) }, inner, event })), ['a2'])
})

t.test('a second replacement needs at least the failures of boundedSqsBatch()', async (t) => {
  const twice: Hook = (request) => {
    request.response = listOf('x', 'a')
    request.response = listOf('x')
  }
  t.strictSame(failed(await invoke({ earlier: { after: twice } })), ['x'])
  const removes: Hook = (request) => {
    request.response = listOf('x', 'a')
    request.response = listOf('a')
  }
  await t.rejects(invoke({ earlier: { after: removes } }), INCOMPLETE)
})

t.test('the response, its list and the entries are frozen, ours and one that an earlier middleware sets', async (t) => {
  const changes: Hook[] = [
    ({ response }) => void (response as SQSBatchResponse).batchItemFailures.splice(0),
    ({ response }) => {
      ;(response as SQSBatchResponse).batchItemFailures = []
    },
    ({ response }) => {
      for (const entry of (response as SQSBatchResponse).batchItemFailures) entry.itemIdentifier = 'b'
    },
  ]
  for (const change of changes) {
    for (const [, inner] of inners) {
      await t.rejects(invoke({ earlier: { after: change }, inner }), { name: 'TypeError', message: /object/ })
    }
    const setsThenChanges: Hook = (request) => {
      request.response = listOf('x')
      change(request)
    }
    await t.rejects(invoke({ earlier: { after: setsThenChanges } }), { name: 'TypeError', message: /object/ })
  }
  const response = await invoke({ event: standardEvent('a') })
  t.ok(Object.isFrozen(response) && Object.isFrozen(response.batchItemFailures), 'also if it is empty')
})

t.test('what an earlier middleware sets is read once, so it cannot change later', async (t) => {
  const list = listOf('x', 'a')
  const live: Hook = (request) => {
    request.response = list
    list.batchItemFailures.length = 0
  }
  t.strictSame(failed(await invoke({ earlier: { after: live } })), ['a', 'x'])
  const toJson: Hook = set({ ...listOf('x'), toJSON: () => ({}) })
  t.strictSame(JSON.parse(JSON.stringify(await invoke({ earlier: { after: toJson } }))), listOf('x'))
  class Response {
    get batchItemFailures() {
      return listOf('x').batchItemFailures
    }
  }
  t.strictSame(JSON.parse(JSON.stringify(await invoke({ earlier: { after: set(new Response()) } }))), listOf('x'))
})

t.test('a later middleware cannot remove failures from what the inner handler returned', async (t) => {
  const changes: Hook[] = [
    ({ response }) => void (response as SQSBatchResponse).batchItemFailures?.splice(0),
    ({ response }) => {
      if (Array.isArray(response)) response[1] = ok
      else (response as SQSBatchResponse).batchItemFailures = []
    },
    ({ response }) => {
      for (const result of Array.isArray(response) ? response : []) result.status = 'fulfilled'
    },
  ]
  for (const change of changes) {
    const copies: BatchHandler[] = [
      eachRecord(failing),
      async () => [{ ...ok }, { ...no }, { ...ok }] as never,
      async () => listOf('x'),
    ]
    for (const inner of copies) t.strictSame(failed(await invoke({ later: { after: change }, inner })), ['x'])
  }
})

t.test('failures that a later middleware adds in place are reported', async (t) => {
  const rejects: Hook = ({ response }) => {
    ;(response as never as { status: string }[])[0] = no
  }
  t.strictSame(failed(await invoke({ later: { after: rejects }, inner: async () => [ok, no, ok] as never })), [
    'a',
    'x',
  ])
  const adds: Hook = ({ response }) =>
    void (response as SQSBatchResponse).batchItemFailures.push({ itemIdentifier: 'b' })
  t.strictSame(failed(await invoke({ later: { after: adds }, inner: async () => listOf('x') })), ['x', 'b'])
  t.strictSame(failed(await invoke({ later: { after: adds } })), ['x', 'b'])
})

t.test('a report whose list is replaced by something else fails the invocation', async (t) => {
  const lists = ['', { length: 0 }, { length: 1, 0: { itemIdentifier: 'x' } }]
  for (const list of lists) {
    const replaces: Hook = ({ response }) => void Object.assign(response as object, { batchItemFailures: list })
    for (const inner of [eachRecord(() => {}), eachRecord(failing)]) {
      await t.rejects(invoke({ later: { after: replaces }, inner: inner as never }), { name: 'TypeError' })
    }
  }
})

t.test('an inner handler can return the same list in each invocation', async (t) => {
  const list = listOf('x')
  for (const _ of [1, 2]) t.strictSame(failed(await invoke({ inner: async () => list })), ['x'])
})

t.test('an early response of an earlier middleware is not changed', async (t) => {
  const handler = middy<SQSEvent>()
    .before(() => 'warm')
    .use(boundedSqsBatch())
    .handler(eachRecord(failing))
  t.equal(await handler({} as never, testContext()), 'warm')
})
