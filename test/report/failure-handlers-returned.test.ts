import type { SQSRecord } from 'aws-lambda'
import t from 'tap'
import { type FailureHandler, RecordAbortedError, RecordBlockedError, type RecordFailure } from '../../src/index.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { failing, failureHandlerLines, idOf, keep, noteFailures } from '../support/failures.ts'
import { failed, handlerOf } from '../support/handlers.ts'
import { revoked, throwingOn, trapped, withLength } from '../support/hostile.ts'
import { logged } from '../support/output.ts'

const accepted: [what: string, result: (failures: readonly RecordFailure[]) => unknown][] = [
  ['some of them', (failures) => failures.slice(1)],
  ['copies', (failures) => failures.slice(1).map((failure) => ({ ...failure }))],
  ['one of them twice', ([, second, third]) => [third, second, third, second]],
  ['an array with its own map()', (failures) => Object.assign(failures.slice(1), { map: () => [] })],
]
for (const [what, result] of accepted) {
  t.test(`a failure handler may return ${what}`, async (t) => {
    const onFailure = result as FailureHandler
    const lines = await logged(async () => {
      const response = await handlerOf(failing, { onFailure, logger: undefined })(standardEvent('x1', 'x2', 'a', 'x3'))
      t.strictSame(failed(response), ['x2', 'x3'])
    })
    t.equal(lines.length, 1)
    t.match(lines[0], /^middy-bounded-sqs-batch: 3 of 4 records of orders failed \(1 handled by onFailure\); /)
  })
}

function ofLength(length: number) {
  return (failures: readonly RecordFailure[]) => withLength(failures, length)
}

function entry(value: unknown) {
  return (failures: readonly RecordFailure[]) => [failures[0], value]
}
const NOT_GIVEN =
  /^TypeError: The failure handler returned an array whose entry 1 is not a failure that it received; return a new array/

const refused: [what: string, result: (failures: readonly RecordFailure[]) => unknown, line: RegExp][] = [
  ['undefined, from a forgotten return', () => undefined, /^TypeError: The failure handler returned undefined; return/],
  ['null', () => null, /returned null/],
  ['an object', () => ({}), /returned an object/],
  ['an array with null', entry(null), NOT_GIVEN],
  ['an array with a hole', (failures) => Object.assign([failures[0]], { length: 2 }), NOT_GIVEN],
  ['records', (failures) => failures.map(({ record }) => record), /entry 0 is not a failure that it received/],
  ['an unknown id', entry({ record: { messageId: 'z' } }), NOT_GIVEN],
  ['the id of a record that succeeded', entry({ record: { messageId: 'a' } }), NOT_GIVEN],
  ['an array of length 2 ** 32 - 1', (failures) => Object.assign([failures[0]], { length: 2 ** 32 - 1 }), NOT_GIVEN],
  ['a list of length -1', ofLength(-1), /returned an array/],
  ['a proxy that throws', () => trapped([]), /^Error: trap/],
  ['an entry that throws', (failures) => [failures[0], trapped([])], /^Error: trap/],
  ['a rejection', () => Promise.reject(new Error('SQS is down')), /^Error: SQS is down/],
  [
    'a rejection with a value that throws when it is read',
    () => Promise.reject(revoked([])),
    /^an error that throws when it is read/,
  ],
  [
    'an error that it throws at once',
    () => {
      throw new RangeError('too many')
    },
    /^RangeError: too many/,
  ],
]
for (const [what, result, line] of refused) {
  t.test(`a failure handler that returns or throws ${what} changes nothing, and one log line says so`, async (t) => {
    const event = fifoEvent('x1', 'a1', 'b1', 'x2', 'x3')
    event.Records.splice(3, 1, fifoEvent('y1').Records[0] as never)
    function fails({ messageId }: { messageId: string }) {
      if (messageId === 'x1' || messageId === 'y1') throw new Error(messageId)
    }
    const { calls, onFailure } = noteFailures(keep('y1'))
    const lines = await logged(async () => {
      const alone = await handlerOf(fails, { onFailure: result as FailureHandler, logger: undefined })(event)
      t.strictSame(failed(alone), ['x1', 'y1', 'x3'])
    })
    t.match(failureHandlerLines(lines), [line])
    t.equal(lines.length, 2, 'one line of the failure handler and one of the batch')
    const followed = await handlerOf(fails, { onFailure: [result as FailureHandler, onFailure] })(event)
    t.strictSame(failed(followed), ['y1', 'x3'], 'the next failure handler gets all failures')
    t.strictSame(calls, [['x1', 'y1']])
  })
}

t.test(
  'a failure handler may not return a failure of another invocation, or one that an earlier handler has handled',
  async (t) => {
    let of: readonly RecordFailure[] = []
    const first: FailureHandler = (failures) => {
      of = failures
      return failures.slice(1)
    }
    const event = standardEvent('x1', 'x2')
    const lines = await logged(async () => {
      const back = await handlerOf(failing, { onFailure: [first, () => of], logger: undefined })(event)
      t.strictSame(failed(back), ['x2'])
      const other = await handlerOf(failing, { onFailure: () => of, logger: undefined })(standardEvent('x3'))
      t.strictSame(failed(other), ['x3'])
    })
    t.match(failureHandlerLines(lines), [
      /entry 0 is not a failure that it received/,
      /entry 0 is not a failure that it received/,
    ])
  },
)

t.test('records that share an id stay reported until all of them are handled', async (t) => {
  const { calls, onFailure } = noteFailures((failures) => failures.slice(1))
  t.strictSame(failed(await handlerOf(failing, { onFailure })(standardEvent('x', 'x', 'a'))), ['x'])
  t.strictSame(failed(await handlerOf(failing, { onFailure: () => [] })(standardEvent('x', 'x', 'a'))), [])
  t.strictSame(calls, [['x', 'x']])
})

t.test('a failure handler that changes the array or the failures that it got changes nothing', async (t) => {
  const event = standardEvent('x1', 'x2', 'a', 'x3')
  const seen: string[] = []
  const next: FailureHandler = (failures) => {
    seen.push(...failures.map((failure) => `${idOf(failure)} ${(failure.error as Error).message}`))
    return failures
  }
  const changes: [what: string, handler: (failures: RecordFailure[]) => unknown, kept: string[]][] = [
    [
      'empties the array and throws',
      (failures) => {
        failures.length = 0
        throw new Error('no')
      },
      ['x1', 'x2', 'x3'],
    ],
    [
      'replaces a record by another',
      (failures) => {
        Reflect.set(failures[0] as RecordFailure, 'record', failures[1]?.record)
        Reflect.set(failures[0] as RecordFailure, 'error', 'changed')
        return failures.slice(0, 1)
      },
      ['x1'],
    ],
  ]
  for (const [what, handler, kept] of changes) {
    const handle = handlerOf(failing, { onFailure: [handler as never, next] })
    t.strictSame(failed(await handle(event)), kept, what)
    t.strictSame(
      seen.splice(0),
      kept.map((id) => `${id} ${id} failed`),
      what,
    )
  }
})

t.test('a failure handler that removes failures from its array and returns it changes nothing', async (t) => {
  const inParts: FailureHandler = async (failures) => {
    while (failures.length > 0) await Promise.resolve((failures as RecordFailure[]).splice(0, 2))
    return failures
  }
  const lines = await logged(async () => {
    const response = await handlerOf(failing, { onFailure: inParts, logger: undefined })(
      standardEvent('x1', 'x2', 'x3'),
    )
    t.strictSame(failed(response), ['x1', 'x2', 'x3'])
  })
  t.match(failureHandlerLines(lines), [
    /^TypeError: The failure handler returned the array that it received, with failures removed; return a new array/,
  ])
})

t.test(
  'a copy of a failure counts for the record that it contains, also if a handler has changed its id',
  async (t) => {
    const others: Record<string, string> = { a: 'b', b: 'a' }
    const keepFirst: FailureHandler = ([first]) => [{ ...(first as RecordFailure) }]
    const handler = handlerOf(
      (record) => {
        record.messageId = others[record.messageId] as string
        throw new Error('no')
      },
      { onFailure: keepFirst },
    )
    t.strictSame(failed(await handler(standardEvent('a', 'b'))), ['a'])
  },
)

t.test('errors that throw when failure handlers are prepared fail only their records', async (t) => {
  let reads = 0
  const changing = new Proxy(new Error('no'), {
    getPrototypeOf() {
      if (reads++ < 2) return RecordAbortedError.prototype
      throw new Error('trap')
    },
  })
  const errors: Record<string, unknown> = {
    a: new Error('no'),
    b: throwingOn(new RecordBlockedError({}), 'cause'),
    c: changing,
  }
  const handle = ({ messageId }: SQSRecord) => (messageId in errors ? Promise.reject(errors[messageId]) : undefined)
  const onFailure: FailureHandler = (failures) => failures
  t.strictSame(failed(await handlerOf(handle, { onFailure })(fifoEvent('a', 'b', 'c', 'd'))), ['a', 'b', 'c'])
})
