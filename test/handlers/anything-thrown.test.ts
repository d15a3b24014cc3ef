import t from 'tap'
import { mockClock, settled } from '../support/clock.ts'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf, timedContext } from '../support/handlers.ts'

const hostile = {
  get message() {
    throw new Error('message')
  },
  get name() {
    throw new Error('name')
  },
}
const revoked = Proxy.revocable({}, {})
revoked.revoke()

const thrown: [string, unknown][] = [
  ['an Error', new Error('x')],
  ['a string', 'x'],
  ['undefined', undefined],
  ['null', null],
  ['0', 0],
  ['a symbol', Symbol('x')],
  ['an object with getters that throw', hostile],
  ['a revoked proxy', revoked.proxy],
]

for (const [what, value] of thrown) {
  t.test(`${what} fails only its own record: thrown, rejected, or passed to the callback of a thenable`, async (t) => {
    const errors: unknown[] = []
    const handle = handlerOf(
      (_record, _context, { index }) => {
        if (index === 1) throw value
        if (index === 3) return Promise.reject(value)
        if (index === 5) return { then: (_resolve: unknown, reject: (error: unknown) => void) => reject(value) }
        return index
      },
      { logger: (error) => errors.push(error) },
    )
    t.strictSame(failed(await handle(standardEvent(...ids(7)))), ['m1', 'm3', 'm5'])
    t.ok(errors.length === 3 && errors.every((error) => Object.is(error, value)))
  })
}

t.test(
  'a signal that throws when it is aborted prevents neither the timeout of its record nor the end of the batch',
  async (t) => {
    for (const [what, options, timeout, aborts] of [
      ['recordTimeout', { recordTimeout: 100 }, 10_000, 100],
      ['the end of the batch', {}, 1000, 950],
    ] as const) {
      const clock = mockClock(t)
      const signals = new Map<string, AbortSignal>()
      const handle = handlerOf(
        ({ messageId }, _context, { signal }) => {
          signals.set(messageId, signal)
          if (messageId !== 'c') {
            signal.dispatchEvent = () => {
              throw new Error('dispatchEvent')
            }
          }
          return messageId === 'd' ? undefined : new Promise(() => {})
        },
        { concurrency: 4, ...options },
      )
      const result = handle(standardEvent('a', 'b', 'c', 'd'), timedContext(timeout))
      await settled()
      clock.advance(aborts)
      t.strictSame(failed(await result), ['a', 'b', 'c'], what)
      t.equal(signals.get('c')?.aborted, true, what)
      clock.exit()
    }
  },
)
