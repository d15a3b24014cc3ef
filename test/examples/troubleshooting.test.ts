/** docs/troubleshooting.md has the texts of the errors as they really are. */
import { readFileSync } from 'node:fs'
import { SQSClient } from '@aws-sdk/client-sqs'
import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import t, { type Test } from 'tap'
import { type BatchHandler, boundedSqsBatch, eachRecord } from '../../src/index.ts'
import { deadLetter } from '../../src/sqs/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, testContext, timedContext } from '../support/handlers.ts'
import { logged } from '../support/output.ts'

type Request = middy.Request<SQSEvent, SQSBatchResponse>
type Hook = (request: Request) => unknown

interface Chain {
  readonly earlier?: Hook
  readonly before?: Hook
  readonly after?: Hook
  readonly inner?: BatchHandler
}

const page = read('docs/troubleshooting.md')

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The first column of each table below a heading, and its second column. */
function rowsOf(heading: string): [text: string, second: string][] {
  const [, section = ''] = page.split(`## ${heading}\n`)
  const [table = ''] = section.split('\n## ')
  return Array.from(table.matchAll(/^\| `([^`]+)`[^|]* \| ([^|]*) \|/gm), ([, text, second]) => [
    text as string,
    (second as string).trim().replaceAll('`', ''),
  ])
}

const inner = eachRecord(({ messageId }) => {
  if (messageId === 'x') throw new Error('x failed')
})

async function errorOf({ earlier, before, after, inner: handle = inner }: Chain): Promise<string> {
  const handler = middy<SQSEvent, SQSBatchResponse>()
  if (earlier) handler.after(earlier as never)
  handler.use(boundedSqsBatch({ logger: false }))
  if (before) handler.before(before as never)
  if (after) handler.after(after as never)
  return handler
    .handler(handle)(standardEvent('a', 'x', 'b'), testContext())
    .then(
      () => 'no error',
      (error) => error.message,
    )
}

const set =
  (response: unknown): Hook =>
  (request) => {
    request.response = response as never
  }

const twice: BatchHandler = async (...parameters) => {
  await inner(...parameters)
  return inner(...parameters)
}

/** Returns the report of another invocation. */
function cached(): BatchHandler {
  let report: ReturnType<BatchHandler> | undefined
  const handler = middy()
    .use(boundedSqsBatch({ logger: false }))
    .handler((event: SQSEvent, context) => {
      report = inner(event, context)
      return report
    })
  return async () => {
    await handler(standardEvent('a'), testContext())
    return report as ReturnType<BatchHandler>
  }
}

async function timeoutError(t: Test): Promise<string> {
  const clock = mockClock(t)
  const handler = middy<SQSEvent, SQSBatchResponse>({ timeoutEarlyResponse: () => ({ batchItemFailures: [] }) })
    .use(boundedSqsBatch({ logger: false }))
    .handler(() => new Promise(() => {}))
  const message = handler(standardEvent('a'), timedContext(1_000)).then(
    () => 'no error',
    (error) => error.message,
  )
  await settled()
  clock.advance(1_000)
  return message
}

function promiseError(t: Test): string {
  const NativePromise = Promise
  globalThis.Promise = class OtherPromise<T> extends NativePromise<T> {}
  t.teardown(() => {
    globalThis.Promise = NativePromise
  })
  try {
    boundedSqsBatch()
  } catch (error) {
    return (error as Error).message
  } finally {
    globalThis.Promise = NativePromise
  }
  return 'no error'
}

async function ownErrors(t: Test): Promise<string[]> {
  return [
    await errorOf({ earlier: set({ batchItemFailures: [] }) }),
    await errorOf({
      before: (request) => void Object.defineProperty(request, 'event', { value: {} }),
      inner: async () => ({ batchItemFailures: [] }),
    }),
    await errorOf({ earlier: set(undefined) }),
    await errorOf({ inner: async () => undefined as never }),
    await errorOf({ inner: twice }),
    await errorOf({ inner: cached() }),
    await errorOf({ inner: async (event, context) => inner({ ...event }, context) }),
    await errorOf({ before: (request) => boundedSqsBatch().before(request) }),
    await timeoutError(t),
    promiseError(t),
  ]
}

t.test('each error of this package has its row, in this order', async (t) => {
  const errors = await ownErrors(t)
  const texts = rowsOf('Errors of this package').map(([text]) => text)
  t.equal(texts.length, errors.length)
  for (const [index, error] of errors.entries()) {
    t.equal(error.slice(0, texts[index]?.length), texts[index])
  }
})

t.test('each TypeError in middleware.ts and invocation.ts has a row', async (t) => {
  const source = ['src/middleware.ts', 'src/invocation.ts']
    .map(read)
    .join('\n')
    .replaceAll(/' \+\s+'/g, '')
  const texts = rowsOf('Errors of this package').map(([text]) => text)
  const calls = source.matchAll(/new TypeError\(([^()]*(?:\(\)[^()]*)*)\)/g)
  const literals = Array.from(calls).flatMap(([, code = '']) =>
    Array.from(code.matchAll(/'([^']{20,})'|"([^"]{20,})"/g), ([, single, double]) => single ?? double ?? ''),
  )
  t.equal(literals.length, 7)
  for (const literal of literals)
    t.ok(
      texts.some((text) => literal.startsWith(text)),
      literal,
    )
})

t.test('deadLetter() without a URL causes the error of the heading', async (t) => {
  const [, text = ''] = /^### `(deadLetter\(\): [^`]+)`$/m.exec(page) ?? []
  t.ok(text)
  const error = t.throws(() =>
    deadLetter({ client: new SQSClient(), queueUrl: undefined as never }),
  ) as unknown as Error
  t.equal(error.message.slice(0, text.length), text)
})

t.test("each example of V8's errors causes the error", async (t) => {
  const rows = rowsOf('Errors of V8')
  t.equal(rows.length, 4)
  for (const [text, code] of rows) {
    const run = new Function('request', 'event', 'response', 'record', 'value', `'use strict'; ${code}`)
    const change: Hook = (request) => void run(request, request.event, request.response, {}, {})
    t.equal(await errorOf(code.startsWith('response') ? { earlier: change } : { before: change }), text, code)
  }
})

t.test('docs/failures.md has the line about the cost of a failed invocation', async (t) => {
  const [line] = /^middy-bounded-sqs-batch: the invocation failed:\n .*$/m.exec(read('docs/failures.md')) ?? []
  const handler = middy<SQSEvent, SQSBatchResponse>()
    .use(boundedSqsBatch())
    .handler(async (event, context, options) => {
      const report = await eachRecord((_record, _context, { index }) => {
        if (index === 7) throw new Error('m7 failed')
      })(event, context, options)
      t.strictSame(failed(report), ['m7'])
      throw new Error('COMMIT failed')
    })
  const lines = await logged(() =>
    t.rejects(handler(standardEvent(...ids(10_000)), testContext()), { message: 'COMMIT failed' }),
  )
  t.strictSame(lines, [line?.replace(/\n +/, ' ')])
})
