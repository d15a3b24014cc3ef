import { setTimeout as sleep } from 'node:timers/promises'
import type { SQSClient } from '@aws-sdk/client-sqs'
import t, { type Test } from 'tap'
import { type FailureHandler, PermanentError } from '../../src/index.ts'
import { deadLetter, retryBackoff } from '../../src/sqs/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { idsOf } from '../support/failures.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { type Faults, failure, failureRequest, startSqs } from '../support/sqs.ts'

const arn = 'arn:aws:sqs:eu-west-1:000000000000:orders'
const makeFailures = () => ids(25).map((id) => failure(id, new PermanentError('no'), { eventSourceARN: arn }))

/** Both failure handlers, and how their log lines start. */
const HANDLERS: [name: string, make: (client: SQSClient, queueUrl: string) => FailureHandler, prefix: string][] = [
  [
    'deadLetter',
    (client, queueUrl) => deadLetter({ client, queueUrl }),
    'deadLetter(): 25 of 25 records could not be sent to dead and stay failed: ',
  ],
  [
    'retryBackoff',
    (client) => retryBackoff({ client }),
    'retryBackoff(): SQS did not confirm the delay of 25 of 25 records. They may keep the visibility timeout of their queue: ',
  ],
]

/** Starts SQS with a source queue and a dead-letter queue. */
async function start(t: Test, faults?: Faults) {
  const sqs = await startSqs(t, faults)
  sqs.queue('orders')
  return { ...sqs, queueUrl: sqs.queue('dead').url }
}

for (const [name, make, prefix] of HANDLERS) {
  /** Checks that all records stay failed and that one log line says why without quoting a record. */
  async function failsWith(t: Test, handle: FailureHandler, reason: string | RegExp, signal?: AbortSignal) {
    const { request, lines } = failureRequest(signal)
    const failures = makeFailures()
    const remaining = await handle(failures, request)
    t.strictSame(idsOf(remaining), ids(25))
    t.equal(remaining[7], failures[7])
    t.equal(lines.length, 1)
    const [line = ''] = lines
    t.ok(line.startsWith(`${prefix}25 × `), line)
    t.match(line.slice(prefix.length + 5), reason)
    t.notMatch(line, /body of|receipt-of/)
  }

  t.test(`${name}: all records stay failed without permission, after one attempt per call`, async (t) => {
    const message = 'User: arn:aws:sts::000000000000:assumed-role/orders is not authorized to perform: sqs:SendMessage'
    const { client, queueUrl, calls } = await start(t, { call: () => [403, 'AccessDenied', message] })
    await failsWith(
      t,
      make(client(), queueUrl),
      /^AccessDenied: User: arn:aws:sts::000000000000:assumed-role\/orders is not/,
    )
    t.equal(calls.length, 3, 'one attempt for each call')
  })

  t.test(`${name}: if SQS never responds, all records stay failed and calls are aborted`, async (t) => {
    const controller = new AbortController()
    let calls = 0
    const { client, queueUrl, abandoned } = await start(t, {
      call() {
        if (++calls === 3) controller.abort(new Error('the time is up'))
        return 'hang'
      },
    })
    await failsWith(t, make(client(), queueUrl), /^no time was left$/, controller.signal)
    while (abandoned() < 3) await sleep(1)
  })

  t.test(`${name}: an abort after it has returned causes no log line`, async (t) => {
    const { client, queueUrl } = await start(t)
    const controller = new AbortController()
    const { request, lines } = failureRequest(controller.signal)
    await make(client(), queueUrl)([], request)
    controller.abort(new Error('must not become an unhandled rejection'))
    await new Promise(setImmediate)
    t.strictSame(lines, [])
  })

  t.test(`${name}: all records stay failed if the client throws an unusual value`, async (t) => {
    const values: [thrown: unknown, reason: string][] = [
      [undefined, 'undefined: undefined'],
      ['no', 'string: no'],
      [{ message: 'no' }, 'object: no'],
      [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'AggregateError: ECONNREFUSED'],
      [new Error(`${'x'.repeat(400)}`), `Error: ${'x'.repeat(292)}…`],
      [new Proxy(new Error(), { get: refuseRead }), 'an error that throws when it is read'],
    ]
    for (const [thrown, reason] of values) {
      const client = {
        send() {
          throw thrown
        },
      }
      const { request, lines } = failureRequest()
      t.strictSame(idsOf(await make(client as never, 'http://127.0.0.1/0/dead')(makeFailures(), request)), ids(25))
      t.strictSame(lines, [`${prefix}25 × ${reason}`])
    }
  })
}

t.test(
  'through the middleware: if SQS hangs, the response is in time and accepted records are not reported',
  async (t) => {
    let count = 0
    const { client, queueUrl, receiveAll } = await start(t, { call: () => (++count === 2 ? 'hang' : undefined) })
    const watched = client()
    const { promise: haveResponded, resolve } = Promise.withResolvers<void>()
    let responses = 0
    watched.middlewareStack.add(
      (next) => async (args) => {
        const response = await next(args)
        if (++responses === 2) resolve()
        return response
      },
      { step: 'initialize', priority: 'high' },
    )
    const clock = mockClock(t)
    const handler = handlerOf(
      () => {
        throw new PermanentError('no')
      },
      { onFailure: deadLetter({ client: watched, queueUrl }) },
    )
    const begin = performance.now()
    const result = handler(standardEvent(...ids(25)), timedContext(1000))
    await haveResponded
    await settled()
    clock.advance(900)
    const remaining = failed(await result)
    t.equal(performance.now() - begin, 900, 'the response is sent when the time of the failure handlers is over')
    t.ok(remaining.length === 10 || remaining.length === 5)
    const sent = (await receiveAll(queueUrl)).map(({ Body = '' }) => Body.replace('body of ', ''))
    t.strictSame([...remaining, ...sent].sort(), ids(25).sort())
  },
)

function refuseRead(): never {
  throw new Error('not to be read')
}
