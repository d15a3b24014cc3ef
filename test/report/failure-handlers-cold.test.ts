import t, { type Test } from 'tap'
import type { FailureHandler } from '../../src/index.ts'
import { mockClock, settled } from '../support/clock.ts'
import { withEnvironment } from '../support/environment.ts'
import { standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'
import { heldRecords } from '../support/held.ts'

const TIMEOUT = 20_000
/** Less than 2,000 ms are needed: (1 record × 0.008 ms + 1 handler in flight × 0.25 ms + 50 ms) × 1.75 × 20 = 1,759.03 ms */
const WARM = TIMEOUT - 2000
/** ((1 × 0.008 ms + 1 × 0.25 ms + 50 ms) × 1.75 + 150 ms) × 20 = 4,759.03 ms */
const COLD = TIMEOUT - 4759

/** Checks that a batch whose record hangs is aborted after `abortsAt` ms. Lets the failure handler run to its end. */
async function checkAbort(t: Test, abortsAt: number, onFailure: FailureHandler): Promise<void> {
  const clock = mockClock(t)
  const held = heldRecords()
  const result = handlerOf(held.handle, { onFailure })(standardEvent('x'), timedContext(TIMEOUT))
  await settled()
  clock.advance(abortsAt - 1)
  await settled()
  t.equal(held.signalOf('x')?.aborted, false, `not aborted after ${abortsAt - 1} ms`)
  clock.advance(1)
  await settled()
  t.equal(held.signalOf('x')?.aborted, true, `aborted after ${abortsAt} ms`)
  clock.advance(TIMEOUT - abortsAt)
  await settled()
  clock.advance(25)
  t.strictSame(failed(await result), ['x'])
  clock.exit()
}

t.test('time for a cold client is reserved until a failure handler has completed in time', async (t) => {
  withEnvironment(t, { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '88.45', AWS_LAMBDA_MAX_CONCURRENCY: undefined })
  const ends: (readonly [what: string, end: FailureHandler, isCompleted: boolean])[] = [
    [
      'throws',
      () => {
        throw new Error('no credentials')
      },
      false,
    ],
    ['rejects', () => Promise.reject(new Error('no credentials')), false],
    ['returns something else', () => undefined as never, false],
    ['hangs', () => new Promise(() => {}), false],
    [
      'returns when its signal aborts',
      (failures, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(failures))),
      false,
    ],
    ['returns', (failures) => failures, true],
    ['resolves', async (failures) => failures, true],
  ]
  for (const [what, end, isCompleted] of ends) {
    await t.test(`a handler that ${what}`, async (t) => {
      let isFirst = true
      const onFailure: FailureHandler = (failures, request) => {
        if (!isFirst) return failures
        isFirst = false
        return end(failures, request)
      }
      await checkAbort(t, COLD, onFailure)
      await checkAbort(t, isCompleted ? WARM : COLD, onFailure)
      await checkAbort(t, WARM, onFailure)
    })
  }
})
