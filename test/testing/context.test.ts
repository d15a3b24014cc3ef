import t from 'tap'
import { sqsContext } from '../../src/testing/index.ts'
import { mockClock } from '../support/clock.ts'

t.test('getRemainingTimeInMillis() counts down from the timeout, in whole milliseconds', async (t) => {
  const clock = mockClock(t)
  const context = sqsContext({ timeout: 200.5 })
  const byDefault = sqsContext()
  const left = [context.getRemainingTimeInMillis()]
  for (const ms of [1, 99, 100, 1, 50]) {
    clock.advance(ms)
    left.push(context.getRemainingTimeInMillis())
  }
  t.strictSame(left, [201, 200, 101, 1, 0, -50])
  t.equal(byDefault.getRemainingTimeInMillis(), 30_000 - 251)
})

t.test('without a mock, the remaining time follows the real clock', async (t) => {
  const before = performance.now()
  const context = sqsContext({ timeout: 1_000 })
  const end = performance.now() + 3
  while (performance.now() < end);
  const left = context.getRemainingTimeInMillis()
  const elapsed = performance.now() - before
  t.ok(left <= 997 && left >= Math.floor(1_000 - elapsed), `${left} ms are left after at most ${elapsed} ms`)
})

t.test('a context has the fields of a function on Lambda, and its own request id', async (t) => {
  const { awsRequestId, logStreamName, getRemainingTimeInMillis, done, fail, succeed, ...fields } = sqsContext()
  t.strictSame(fields, {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'my-function',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:my-function',
    memoryLimitInMB: '1769',
    logGroupName: '/aws/lambda/my-function',
  })
  t.match(awsRequestId, /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
  t.match(logStreamName, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][\da-f]{32}$/)
  t.not(sqsContext().awsRequestId, awsRequestId)
  for (const method of [done, () => fail('error'), () => succeed('result')]) {
    t.throws(method, {
      message: 'context.done(), fail() and succeed() are not available: return a promise from the handler',
    })
  }
})

t.test('an invalid option is a TypeError that says what was expected and what was received', async (t) => {
  for (const [options, message] of [
    [
      { timeout: 0 },
      'sqsContext(): expected option timeout to be a number of milliseconds, more than 0, got 0 (a number)',
    ],
    [
      { timeout: NaN },
      'sqsContext(): expected option timeout to be a number of milliseconds, more than 0, got NaN (a number)',
    ],
    [
      { timeout: Infinity },
      'sqsContext(): expected option timeout to be a number of milliseconds, more than 0, got Infinity (a number)',
    ],
    [
      { timeout: '3' },
      'sqsContext(): expected option timeout to be a number of milliseconds, more than 0, got "3" (a string)',
    ],
    [{ time: 5 }, 'sqsContext(): unknown option "time", expected one of timeout'],
    [200, 'sqsContext(): expected an object of options, got a number'],
  ] as const) {
    t.throws(() => sqsContext(options as object), { name: 'TypeError', message })
  }
})
