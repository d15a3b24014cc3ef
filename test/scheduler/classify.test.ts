import t from 'tap'
import { classifyFailure } from '../../src/adaptive/classify.ts'
import {
  InvalidBodyError,
  RecordAbortedError,
  RecordBlockedError,
  RecordNotStartedError,
  RecordTimeoutError,
} from '../../src/errors.ts'
import { revoked, trapped, withLength } from '../support/hostile.ts'

function error(properties: object) {
  return Object.assign(new Error('failed'), properties)
}

t.test('names, codes and statuses are recognised', (t) => {
  const cases: [error: unknown, expected: string][] = [
    [error({ name: 'ThrottlingException' }), 'throttle'],
    [error({ name: 'ProvisionedThroughputExceededException' }), 'throttle'],
    [error({ code: 'EMFILE' }), 'throttle'],
    [error({ code: 'ENFILE' }), 'throttle'],
    [error({ status: 429 }), 'throttle'],
    [error({ statusCode: 429 }), 'throttle'],
    [error({ response: { status: 429 } }), 'throttle'],
    [error({ $metadata: { httpStatusCode: 429 } }), 'throttle'],
    [error({ $retryable: { throttling: true } }), 'throttle'],
    [error({ $retryable: { throttling: false } }), 'failure'],
    [error({ status: 503 }), 'overload'],
    [error({ $metadata: { httpStatusCode: 504 } }), 'overload'],
    [error({ code: 'ECONNRESET' }), 'overload'],
    [error({ code: 'ECONNREFUSED' }), 'overload'],
    [error({ code: 'UND_ERR_HEADERS_TIMEOUT' }), 'overload'],
    [new DOMException('The operation was aborted due to timeout', 'TimeoutError'), 'overload'],
    [new RecordTimeoutError(5), 'overload'],
    [error({ status: 500 }), 'failure'],
    [error({ status: '429' }), 'failure'],
    [new Error('429'), 'failure'],
    ['EMFILE', 'failure'],
    [undefined, 'failure'],
    [null, 'failure'],
  ]
  for (const [given, expected] of cases) t.equal(classifyFailure(given, undefined), expected, String(given))
  t.end()
})

t.test('throttling and overload are recognised by each name and code of AWS, Node and fetch()', (t) => {
  const throttles = [
    ['EMFILE', 'ENFILE', 'ThrottlingException', 'Throttling', 'ThrottledException', 'Throttled', 'RequestThrottled'],
    ['RequestThrottledException', 'RequestThrottle', 'ThrottleException', 'ProvisionedThroughputExceededException'],
    ['RequestLimitExceeded', 'BandwidthLimitExceeded', 'LimitExceededException', 'TooManyRequestsException'],
    ['TransactionInProgressException', 'PriorRequestNotComplete', 'EC2ThrottledException', 'KMSThrottlingException'],
  ].flat()
  const overloads = [
    ['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'EAI_AGAIN'],
    ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_SOCKET', 'TimeoutError'],
    ['RequestTimeout', 'RequestTimeoutException', 'SlowDown', 'ServiceUnavailable', 'ServiceUnavailableException'],
    ['ERR_RECORD_TIMEOUT'],
  ].flat()
  for (const [names, expected] of [
    [throttles, 'throttle'],
    [overloads, 'overload'],
  ] as const) {
    for (const name of names) {
      t.equal(classifyFailure(error({ name }), undefined), expected, `name ${name}`)
      t.equal(classifyFailure(error({ code: name }), undefined), expected, `code ${name}`)
    }
  }
  t.end()
})

t.test('causes and inner errors are searched, also in a cycle', (t) => {
  const refused = error({ code: 'ECONNREFUSED' })
  t.equal(classifyFailure(new TypeError('fetch failed', { cause: refused }), undefined), 'overload')
  t.equal(
    classifyFailure(new TypeError('fetch failed', { cause: new AggregateError([null, refused]) }), undefined),
    'overload',
  )
  const cyclic = new Error('a', { cause: new Error('b') })
  Object.assign(cyclic.cause as Error, { cause: cyclic })
  t.equal(classifyFailure(cyclic, undefined), 'failure')
  t.end()
})

t.test('no more than twenty errors are searched', (t) => {
  let reads = 0
  function deep(): object {
    reads++
    return {
      get cause() {
        return deep()
      },
    }
  }
  t.equal(classifyFailure(deep(), undefined), 'failure')
  t.ok(reads <= 21, `${reads}`)
  const wide = new AggregateError([...Array.from({ length: 30 }, () => new Error('x')), error({ status: 429 })])
  t.equal(classifyFailure(wide, undefined), 'failure')
  t.end()
})

t.test('only the first twenty inner errors of an AggregateError are read', (t) => {
  for (const repeated of ['x', new Error('x')]) {
    const inner = [...Array(19).fill(repeated), error({ status: 429 })]
    t.equal(classifyFailure(new AggregateError(inner), undefined), 'throttle')
    t.equal(
      classifyFailure(new AggregateError([repeated, ...inner]), undefined),
      'failure',
      'the 429 error is inner error 21',
    )
  }
  t.end()
})

t.test('an error whose properties throw is an ordinary failure', (t) => {
  const hostile = new Proxy(new Error('x'), {
    get() {
      throw new Error('get')
    },
    getPrototypeOf() {
      throw new Error('getPrototypeOf')
    },
  })
  t.equal(classifyFailure(hostile, undefined), 'failure')
  t.equal(classifyFailure(new Error('outer', { cause: hostile }), undefined), 'failure')
  function slice() {
    throw new Error('slice')
  }
  for (const errors of [revoked([]), trapped([]), Object.assign([hostile], { slice }), withLength([], NaN)]) {
    t.equal(classifyFailure(Object.assign(new Error('outer'), { errors }), undefined), 'failure')
  }
  t.end()
})

t.test('records that were aborted, blocked, not started or not valid do not count, whatever classify says', (t) => {
  for (const uncounted of [
    new RecordAbortedError(''),
    new RecordBlockedError({ cause: error({ status: 503 }) }),
    new RecordNotStartedError(''),
    new InvalidBodyError(''),
    error({ code: 'ERR_INVALID_BODY' }), // the class of another copy of the package
  ]) {
    t.equal(
      classifyFailure(uncounted, () => 'overload'),
      undefined,
    )
  }
  t.end()
})

t.test('classify wins over the built-in rules, unless it throws or returns something else', (t) => {
  const throttled = error({ status: 429 })
  t.equal(
    classifyFailure(throttled, () => 'failure'),
    'failure',
  )
  t.equal(
    classifyFailure(new Error('quota'), (given) => ((given as Error).message === 'quota' ? 'throttle' : undefined)),
    'throttle',
  )
  t.equal(
    classifyFailure(throttled, () => 'overload'),
    'overload',
  )
  for (const other of [() => undefined, () => 'throtle' as never, () => Promise.reject(new Error('late')) as never]) {
    t.equal(classifyFailure(throttled, other), 'throttle')
  }
  t.equal(
    classifyFailure(throttled, () => {
      throw new Error('classify')
    }),
    'throttle',
  )
  t.end()
})
