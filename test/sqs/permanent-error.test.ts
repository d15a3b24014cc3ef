import t from 'tap'
import { PermanentError } from '../../src/index.ts'
import { isPermanentFailure } from '../../src/sqs/dead-letter.ts'
import { sqsRecord } from '../support/events.ts'

const isPermanent = (error: unknown) => isPermanentFailure({ record: sqsRecord('m1'), error, receiveCount: 1 })

t.test('a PermanentError is recognised by its code, also from another copy of the package', async (t) => {
  class PermanentErrorOfACopy extends Error {
    readonly code = 'ERR_PERMANENT'
  }
  t.equal(isPermanent(new PermanentError('the order is not valid')), true)
  t.equal(isPermanent(new PermanentErrorOfACopy()), true)
})

t.test('no other thrown value is recognised as a PermanentError', async (t) => {
  const unreadable = {
    get code() {
      throw new Error('not to be read')
    },
  }
  for (const other of [new Error('ERR_PERMANENT'), undefined, null, 'ERR_PERMANENT', 404, {}, unreadable]) {
    t.equal(isPermanent(other), false)
  }
})

t.test('a PermanentError has a name, a code, a message and a cause', async (t) => {
  const cause = new Error('422')
  const error = new PermanentError('the order is not valid', { cause })
  t.match(error, { name: 'PermanentError', code: 'ERR_PERMANENT', message: 'the order is not valid' })
  // As in the error classes of JavaScript: not listed with the own properties, and a subclass can set its own.
  t.strictSame(Object.getOwnPropertyDescriptor(PermanentError.prototype, 'name'), {
    value: 'PermanentError',
    writable: true,
    enumerable: false,
    configurable: true,
  })
  t.equal(error.cause, cause)
  t.match(error.stack, /^PermanentError: the order is not valid\n/)
})
