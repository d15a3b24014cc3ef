import t from 'tap'
import { PermanentError, type RecordFailure } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { fifoEvent, standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

t.test('the error of a record says why it did not succeed', async (t) => {
  const clock = mockClock(t)
  const held = heldRecords()
  const errors: [id: string, name: string, code: string, message: string][] = []
  const handle = handlerOf(held.handle, {
    concurrency: 2,
    recordTimeout: 500,
    logger(error, { messageId }) {
      const { name, code, message } = error as Error & { code: string }
      errors.push([messageId, name, code, message])
    },
  })
  const result = handle(fifoEvent('a1', 'b1', 'a2', 'c1', 'd1'), timedContext(1000))
  await settled()
  clock.advance(490)
  held.succeed('b1')
  await settled()
  clock.advance(10) // a1 times out, but keeps its slot
  clock.advance(450) // c1 is aborted, and d1 has not started
  t.strictSame(failed(await result), ['a1', 'a2', 'c1', 'd1'])
  t.strictSame(errors, [
    ['a1', 'RecordTimeoutError', 'ERR_RECORD_TIMEOUT', 'The handler did not finish within the recordTimeout of 500 ms'],
    [
      'a2',
      'RecordBlockedError',
      'ERR_RECORD_BLOCKED',
      'Blocked: another record failed, and the order of the FIFO queue must be kept',
    ],
    ['c1', 'RecordAbortedError', 'ERR_RECORD_ABORTED', 'The batch ended before the record was finished'],
    ['d1', 'RecordNotStartedError', 'ERR_RECORD_NOT_STARTED', 'The batch ended before the record started'],
  ])
})

t.test('a handler that changes the reason of its signal does not change the errors of other records', async (t) => {
  const clock = mockClock(t)
  const passed: RecordFailure[] = []
  const { code } = new PermanentError('')
  const handle = handlerOf(
    ({ messageId }, _context, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          if (messageId !== 'b') return
          reject(Object.assign(signal.reason, { code, message: 'changed by b' }))
        })
      }),
    {
      onFailure(failures) {
        passed.push(...failures)
        return failures.filter(({ error }) => (error as PermanentError).code !== code)
      },
    },
  )
  const result = handle(standardEvent('a', 'b', 'c'), timedContext(1000))
  await settled()
  clock.advance(800)
  t.strictSame(failed(await result), ['a', 'c'])
  t.strictSame(
    passed.map(({ error }) => (error as Error).message),
    [
      'The batch ended before the record was finished',
      'changed by b',
      'The batch ended before the record was finished',
    ],
  )
})
