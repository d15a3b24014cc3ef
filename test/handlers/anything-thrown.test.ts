import t from 'tap'
import { ids, standardEvent } from '../support/events.ts'
import { failed, handlerOf } from '../support/handlers.ts'

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
