import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { standardEvent } from '../support/events.ts'
import { failing } from '../support/failures.ts'
import { listOf, testContext } from '../support/handlers.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>
type Hook = (request: Request) => unknown
type Hooks = Partial<Record<'before' | 'after' | 'onError', Hook>>

const OTHER = {
  name: 'TypeError',
  message: 'Another middleware responded. Make boundedSqsBatch() the last .use(), and do not change its response',
}
const REMOVED = {
  name: 'TypeError',
  message: 'request.response is undefined. Return a report in the inner handler, and keep it in middlewares',
}

interface Chain {
  readonly earlier?: Hooks
  readonly later?: Hooks
  readonly inner?: BatchHandler
  readonly event?: unknown
}

/** Invokes a chain in which `x` fails. Its first middleware is a transaction, and `steps` has what that did. */
async function invoke({ earlier, later, inner = eachRecord(failing), event = standardEvent('a', 'x', 'b') }: Chain) {
  const steps: string[] = []
  const handler = middy<SQSEvent, SQSBatchResponse>().use({
    before: () => void steps.push('BEGIN'),
    after: () => void steps.push('COMMIT'),
    onError: () => void steps.push('ROLLBACK'),
  })
  if (earlier) handler.use(earlier as never)
  handler.use(boundedSqsBatch({ logger: false }))
  if (later) handler.use(later as never)
  const [outcome] = await Promise.allSettled([handler.handler(inner)(event as SQSEvent, testContext())])
  return { outcome, steps }
}

async function succeeds(t: Test, chain: Chain, ids: string[], what = ''): Promise<void> {
  const { outcome, steps } = await invoke(chain)
  t.strictSame(outcome, { status: 'fulfilled', value: listOf(...ids) }, what)
  t.strictSame(steps, ['BEGIN', 'COMMIT'], what)
}

async function fails(t: Test, chain: Chain, error: object, expected: string[], what = ''): Promise<void> {
  const { outcome, steps } = await invoke(chain)
  t.match(outcome, { status: 'rejected', reason: error }, what)
  t.strictSame(steps, expected, what)
}

function set(response: unknown): Hook {
  return (request) => {
    request.response = response as SQSBatchResponse
  }
}

const setsEarlyUndefined: Hook = (request) => {
  request.earlyResponse = undefined as never
}
const setsItAgain: Hook = (request) => {
  const { response } = request
  request.response = response
}
const responding: [what: string, chain: Chain][] = [
  ['an earlier after hook that sets a list without the failures', { earlier: { after: set(listOf()) } }],
  [
    'an earlier after hook that returns our response, so that Middy would skip COMMIT',
    { earlier: { after: (r) => r.response } },
  ],
  ['a later after hook that sets a list without the failures', { later: { after: set(listOf()) } }],
  ['a later before hook that returns a value, so that no record would start', { later: { before: () => listOf() } }],
]
for (const [what, chain] of responding) {
  t.test(`${what}: a TypeError fails the invocation, and ROLLBACK runs`, (t) =>
    fails(t, chain, OTHER, ['BEGIN', 'ROLLBACK']),
  )
}

t.test('a hook can set the same response again, ours and that of the inner handler', async (t) => {
  await succeeds(t, { later: { after: setsItAgain }, earlier: { after: setsItAgain } }, ['x'])
})

t.test('an earlier after hook that changes our response in place: a TypeError, and ROLLBACK runs', async (t) => {
  const changes: Record<string, (response: SQSBatchResponse) => void> = {
    'empties the list': ({ batchItemFailures }) => batchItemFailures.splice(0),
    'adds to the list': ({ batchItemFailures }) => batchItemFailures.push({ itemIdentifier: 'a' }),
    'changes an id': ({ batchItemFailures: [first] }) => Object.assign(first as object, { itemIdentifier: 'b' }),
  }
  for (const [what, change] of Object.entries(changes)) {
    const after: Hook = ({ response }) => change(response as SQSBatchResponse)
    await fails(t, { earlier: { after } }, { name: 'TypeError', message: /object/ }, ['BEGIN', 'ROLLBACK'], what)
  }
})

// What inner handlers return if only `x` fails.
const inners: [what: string, makeInner: () => BatchHandler][] = [
  ['a report', () => eachRecord(failing)],
  ['a list', () => async () => listOf('x')],
  [
    'settled results',
    () =>
      async ({ Records }) =>
        Records.map(({ messageId }) => ({ status: messageId === 'x' ? 'rejected' : 'fulfilled' })) as never,
  ],
]
for (const [what, makeInner] of inners) {
  t.test(`a later middleware can add failures to ${what} of the inner handler, but not remove any`, async (t) => {
    const replaces: Hook = ({ response }) => {
      if (!Array.isArray(response)) response?.batchItemFailures.splice(0, 1, { itemIdentifier: 'b' })
      else for (const [index, result] of response.entries()) result.status = index === 2 ? 'rejected' : 'fulfilled'
    }
    await succeeds(t, { later: { after: replaces }, inner: makeInner() }, ['x', 'b'])
    const removes: Hook = (request) => {
      const { response } = request
      if (!Array.isArray(response)) response?.batchItemFailures.splice(0)
      else for (const result of response) result.status = 'fulfilled'
      request.response = response
    }
    await succeeds(t, { later: { after: removes }, inner: makeInner() }, ['x'])
  })
}

t.test('a later middleware that replaces the list of the report by no list fails the invocation', async (t) => {
  for (const list of ['', { length: 0 }, { length: 1, 0: { itemIdentifier: 'x' } }]) {
    const after: Hook = ({ response }) => void Object.assign(response as object, { batchItemFailures: list })
    for (const inner of [eachRecord(() => {}), eachRecord(failing)]) {
      await fails(t, { later: { after }, inner }, { name: 'TypeError' }, ['BEGIN', 'ROLLBACK'])
    }
  }
})

t.test('a middleware cannot redefine or delete request.response', async (t) => {
  let attempts = 0
  const attempt: Hook = (request) => {
    attempts++
    t.throws(() => Object.defineProperty(request, 'response', { value: listOf() }), { name: 'TypeError' })
    t.throws(() => delete (request as Partial<Request>).response, { name: 'TypeError' })
  }
  await succeeds(t, { later: { before: attempt, after: attempt }, earlier: { after: attempt } }, ['x'])
  t.equal(attempts, 3)
})

// Middy calls no `onError` hook if it is the last reading of the response that throws.
const removing: [what: string, chain: Chain, steps: string[]][] = [
  ['a later after hook that sets undefined', { later: { after: set(undefined) } }, ['ROLLBACK']],
  ['an earlier after hook that sets undefined', { earlier: { after: set(undefined) } }, ['COMMIT']],
  ['a later before hook that responds early with undefined', { later: { before: setsEarlyUndefined } }, []],
]
for (const [what, chain, steps] of removing) {
  t.test(`${what} fails the invocation`, (t) => fails(t, chain, REMOVED, ['BEGIN', ...steps]))
}

t.test(
  'an earlier after hook that removes our response, and sets an error without throwing it: all are redelivered',
  async (t) => {
    const after: Hook = (request) => {
      request.response = undefined as never
      request.error = new Error('not thrown')
    }
    await succeeds(t, { earlier: { after }, event: standardEvent('a', 'x', 'b', 'a') }, ['a', 'x', 'b'])
  },
)

t.test(
  'if an earlier before hook sealed the request, our onError throws, so no onError hook can respond',
  async (t) => {
    const before: Hook = (request) => void Object.seal(request)
    const error = { name: 'TypeError', message: /not extensible/ }
    await fails(t, { earlier: { before, onError: set(listOf()) } }, error, ['BEGIN'])
  },
)

t.test('an onError hook that sets a list does not hide the error, and ROLLBACK runs', async (t) => {
  const flush = new Error('cannot flush')
  const onError = set(listOf())
  for (const position of ['earlier', 'later'] as const) {
    const chain = { inner: () => Promise.reject(flush), [position]: { onError } }
    await fails(t, chain, flush, ['BEGIN', 'ROLLBACK'], position)
  }
})

t.test('an earlier before hook can respond early to an event without messages', async (t) => {
  const handler = middy<SQSEvent>()
    .before(() => 'warm')
    .use(boundedSqsBatch())
    .handler(eachRecord(failing))
  t.equal(await handler({} as never, testContext()), 'warm')
})
